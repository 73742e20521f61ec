//! Views as a subject: the suite and the model, with bytes read and written through views wherever they can be.

use std::path::Path;

use wasi_mmap::Views;
use wasi_mmap_core::{Argument, Backend, Error, MapFlags, MapOptions, Mapping, Result, Rights};

use crate::op::{Op, Subject, Value, range};

/// A mapping whose positional reads and writes go through views.
pub struct Viewing<M> {
    mapping: M,
    /// Whether the mapping was made to reach past the end of its file.
    reaches_beyond_end: bool,
}

impl<S: Backend> Viewing<Mapping<S>> {
    /// Returns whether an offset is past the end of the file.
    fn is_past_the_end(&self, offset: u64) -> Result<bool> {
        let in_file = self.mapping.file_len()?.saturating_sub(self.mapping.file_offset()?);
        Ok(offset > in_file)
    }
}

impl<S: Backend> Subject for Viewing<Mapping<S>>
where
    Mapping<S>: Views,
{
    fn map_file(path: &Path, rights: Rights, options: &MapOptions) -> Result<Self> {
        let mapping = Subject::map_file(path, rights, options)?;
        Ok(Self { mapping, reaches_beyond_end: options.flags.contains(MapFlags::BEYOND_END) })
    }

    fn map_anonymous(options: &MapOptions) -> Result<Self> {
        Ok(Self { mapping: Subject::map_anonymous(options)?, reaches_beyond_end: false })
    }

    fn map_named(name: &str, options: &MapOptions) -> Result<Self> {
        Ok(Self { mapping: Subject::map_named(name, options)?, reaches_beyond_end: false })
    }

    fn apply(&mut self, op: &Op) -> Result<Value> {
        match op {
            Op::ReadAt(offset, length) => {
                // SAFETY: the case runs in this thread alone, and does nothing else while the view lives.
                let view = unsafe { self.mapping.view(range(*offset, *length)) }?;
                let bytes = view.to_vec();
                view.check()?;
                Ok(Value::Bytes(bytes))
            }
            Op::WriteAt(offset, bytes) => {
                let part = range(*offset, bytes.len() as u64);
                if self.reaches_beyond_end && self.is_past_the_end(part.end)? {
                    // A write is refused or cut off, where stores have no effect.
                    return self.mapping.apply(op);
                }
                // SAFETY: as above.
                let view = unsafe { self.mapping.view_mut(part) };
                let mut view = view.map_err(|error| match error {
                    // A view has a length where a write has bytes.
                    Error::OutOfRange(Argument { name, reason }) if name == "length" => {
                        Error::OutOfRange(Argument::new("bytes", reason))
                    }
                    error => error,
                })?;
                view.copy_from_slice(bytes);
                view.close()?;
                Ok(Value::Unit)
            }
            op => self.mapping.apply(op),
        }
    }

    fn copy_from(&mut self, destination: u64, source: &Self, offset: u64, count: u64) -> Result<Value> {
        Subject::copy_from(&mut self.mapping, destination, &source.mapping, offset, count)
    }

    fn granularity() -> u64 {
        <Mapping<S> as Subject>::granularity()
    }

    fn page_size() -> u64 {
        <Mapping<S> as Subject>::page_size()
    }
}
