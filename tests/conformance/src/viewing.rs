//! Views as a subject: the suite and the model, with bytes read and written through views wherever they can be.

use std::path::Path;

use wasi_mmap::Views;
use wasi_mmap_core::{Argument, Backend, Error, Internals, MapOptions, Mapping, Result, Rights, Storage};

use crate::op::{Op, Subject, Value, range};

/// A mapping whose positional reads and writes go through views.
pub struct Viewing<M>(M);

impl<S: Backend> Subject for Viewing<Mapping<S>>
where
    Mapping<S>: Views,
{
    fn map_file(path: &Path, rights: Rights, options: &MapOptions) -> Result<Self> {
        Subject::map_file(path, rights, options).map(Self)
    }

    fn map_anonymous(options: &MapOptions) -> Result<Self> {
        Subject::map_anonymous(options).map(Self)
    }

    fn map_named(name: &str, options: &MapOptions) -> Result<Self> {
        Subject::map_named(name, options).map(Self)
    }

    fn apply(&mut self, op: &Op) -> Result<Value> {
        match op {
            Op::ReadAt(offset, length) => {
                // SAFETY: the case runs in this thread alone, and does nothing else while the view lives.
                let view = unsafe { self.0.view(range(*offset, *length)) }?;
                let bytes = view.to_vec();
                view.check()?;
                Ok(Value::Bytes(bytes))
            }
            Op::WriteAt(offset, bytes) => {
                let part = range(*offset, bytes.len() as u64);
                // Stores past the end of a file have no effect, where a write is refused.
                if self.0.access().is_writable() && self.0.len().is_ok_and(|len| part.end <= len) {
                    self.0.storage()?.check_write(&part)?;
                }
                // SAFETY: as above.
                let view = unsafe { self.0.view_mut(part) };
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
            op => self.0.apply(op),
        }
    }

    fn copy_from(&mut self, destination: u64, source: &Self, offset: u64, count: u64) -> Result<Value> {
        Subject::copy_from(&mut self.0, destination, &source.0, offset, count)
    }

    fn granularity() -> u64 {
        <Mapping<S> as Subject>::granularity()
    }

    fn page_size() -> u64 {
        <Mapping<S> as Subject>::page_size()
    }
}
