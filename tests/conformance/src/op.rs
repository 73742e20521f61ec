//! The operations of a mapping, and their outcomes, as data.

use std::cmp::Ordering;
use std::io::SeekFrom;
use std::ops::Range;
use std::path::Path;

use wasi_mmap_core::{
    Access, Advice, Backend, Error, FlushFlags, Internals, MapOptions, Mapping, MappingOptions, Result, Rights, Slice,
};

/// One operation with its arguments.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "named after the operations, which the interface documents")]
pub enum Op {
    Len,
    Size,
    Access,
    Tell,
    IsClosed,
    Close,
    Seek(SeekFrom),
    Read(Option<u64>),
    ReadByte,
    ReadLine,
    Write(Vec<u8>),
    WriteByte(u8),
    ReadAt(u64, u64),
    ReadRanges(Vec<(u64, u64)>),
    WriteAt(u64, Vec<u8>),
    Get(i64),
    Set(i64, u8),
    ReadSlice(Slice),
    WriteSlice(Slice, Vec<u8>),
    Find(Vec<u8>, Option<i64>, Option<i64>),
    Rfind(Vec<u8>, Option<i64>, Option<i64>),
    /// Destination, source, count.
    CopyWithin(u64, u64, u64),
    /// Offset, length, byte.
    Fill(u64, u64, u8),
    Compare(u64, Vec<u8>),
    Flush(u64, Option<u64>, FlushFlags),
    Advise(Advice, u64, Option<u64>),
    Resize(u64),
    Refresh,
}

/// The result of an operation.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "named after their types")]
pub enum Value {
    Unit,
    Number(u64),
    Flag(bool),
    Access(Access),
    Bytes(Vec<u8>),
    Place(Option<u64>),
    Order(Ordering),
}

/// A backend under test: something that behaves like a mapping.
pub trait Subject: Sized {
    /// Maps an existing file that is opened with exactly `rights`.
    fn map_file(path: &Path, rights: Rights, options: &MapOptions) -> Result<Self>;
    /// Maps memory without a file.
    fn map_anonymous(options: &MapOptions) -> Result<Self>;
    /// Maps memory with a name.
    fn map_named(name: &str, options: &MapOptions) -> Result<Self>;
    /// Performs an operation.
    fn apply(&mut self, op: &Op) -> Result<Value>;
    /// Copies `count` bytes at `offset` of `source` to `destination`.
    fn copy_from(&mut self, destination: u64, source: &Self, offset: u64, count: u64) -> Result<Value>;
    /// Returns the number of bytes that the offset of a mapping must be a multiple of.
    fn granularity() -> u64;
    /// Returns the number of bytes that the start of a flushed or advised range must be a multiple of.
    fn page_size() -> u64;
}

/// Returns the range of `length` bytes at `offset`. One that ends past 2^64 - 1 ends there, which is past every end all
/// the same.
pub(crate) fn range(offset: u64, length: u64) -> Range<u64> {
    offset..offset.saturating_add(length)
}

impl<S: Backend> Subject for Mapping<S> {
    fn map_file(path: &Path, rights: Rights, options: &MapOptions) -> Result<Self> {
        let (storage, access) = S::map_file(S::open(path, rights)?, options)?;
        Ok(Self::new(storage, access))
    }

    fn map_anonymous(options: &MapOptions) -> Result<Self> {
        MappingOptions::from(*options).anonymous()
    }

    fn map_named(name: &str, options: &MapOptions) -> Result<Self> {
        MappingOptions::from(*options).named(name)
    }

    fn apply(&mut self, op: &Op) -> Result<Value> {
        let unit = |()| Value::Unit;
        match op {
            Op::Len => self.len().map(Value::Number),
            Op::Size => self.file_len().map(Value::Number),
            Op::Access => self.len().map(|_| Value::Access(self.access())),
            Op::Tell => self.tell().map(Value::Number),
            Op::IsClosed => Ok(Value::Flag(self.is_closed())),
            Op::Close => self.close().map(unit),
            Op::Seek(to) => self.seek(*to).map(Value::Number),
            Op::Read(count) => self.read_bytes(*count).map(Value::Bytes),
            Op::ReadByte => self.read_byte().map(|byte| Value::Number(byte.into())),
            Op::ReadLine => self.read_line().map(Value::Bytes),
            Op::Write(bytes) => self.write(bytes).map(|count| Value::Number(count as u64)),
            Op::WriteByte(byte) => self.write_byte(*byte).map(unit),
            Op::ReadAt(offset, length) => self.read_range(range(*offset, *length)).map(Value::Bytes),
            Op::ReadRanges(ranges) => {
                let ranges: Vec<_> = ranges.iter().map(|&(offset, length)| range(offset, length)).collect();
                self.read_ranges(&ranges).map(Value::Bytes)
            }
            Op::WriteAt(offset, bytes) => self.write_all_at(bytes, *offset).map(unit),
            Op::Get(index) => self.get(*index).map(|byte| Value::Number(byte.into())),
            Op::Set(index, value) => self.set(*index, *value).map(unit),
            Op::ReadSlice(slice) => self.read_slice(*slice).map(Value::Bytes),
            Op::WriteSlice(slice, bytes) => self.write_slice(*slice, bytes).map(unit),
            Op::Find(needle, start, end) => self.find_from_cursor(needle, *start, *end).map(Value::Place),
            Op::Rfind(needle, start, end) => self.rfind_from_cursor(needle, *start, *end).map(Value::Place),
            Op::CopyWithin(destination, source, count) => match source.checked_add(*count) {
                Some(end) => self.copy_within(*source..end, *destination),
                // A range cannot express this; the interface can.
                None => self.copy_within_at(*destination, *source, *count),
            }
            .map(unit),
            Op::Fill(offset, length, byte) => self.fill(range(*offset, *length), *byte).map(unit),
            Op::Compare(offset, bytes) => self.compare(bytes, *offset).map(Value::Order),
            Op::Flush(offset, length, flags) => match length {
                None => self.flush_range(*offset.., *flags),
                Some(length) => self.flush_range(range(*offset, *length), *flags),
            }
            .map(unit),
            Op::Advise(advice, start, length) => match length {
                None => self.advise_range(*advice, *start..),
                Some(length) => self.advise_range(*advice, range(*start, *length)),
            }
            .map(unit),
            Op::Resize(length) => self.resize(*length).map(unit),
            Op::Refresh => self.refresh().map(unit),
        }
    }

    fn copy_from(&mut self, destination: u64, source: &Self, offset: u64, count: u64) -> Result<Value> {
        match offset.checked_add(count) {
            Some(end) => Self::copy_from(self, source, offset..end, destination),
            None => self.copy_from_at(destination, source, offset, count),
        }
        .map(|()| Value::Unit)
    }

    fn granularity() -> u64 {
        S::granularity()
    }

    fn page_size() -> u64 {
        S::page_size()
    }
}

/// An expected error: its name, and that of the argument if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The name of the error, as the WIT interface spells it.
    pub name: &'static str,
    /// The name of the argument, or empty.
    pub argument: &'static str,
}

impl Refusal {
    /// Returns whether an error is the expected one.
    pub fn matches(&self, error: &Error) -> bool {
        let argument = error.argument().map_or("", |argument| &argument.name);
        self.name == error.name() && self.argument == argument
    }
}
