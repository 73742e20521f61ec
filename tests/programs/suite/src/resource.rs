//! The bare WIT resource as a subject: what a plugin in another language sees.

use std::io::SeekFrom;
use std::path::Path;

use wasi_mmap::bindings::wasi_mmap::mmap::mapping::{self, Mapping};
use wasi_mmap::bindings::wasi_mmap::mmap::types::{Range, Whence};
use wasi_mmap::{PluginStorage, Result, Rights};
use wasi_mmap_conformance::op::{Op, Subject, Value};
use wasi_mmap_core::{Backend, MapOptions};

pub(crate) struct Resource(Mapping);

impl Subject for Resource {
    fn map_file(path: &Path, rights: Rights, options: &MapOptions) -> Result<Self> {
        let file = <PluginStorage as Backend>::open(path, rights)?;
        Ok(Self(Mapping::from_descriptor(file.into_descriptor().expect("it is the plugin's"), (*options).into())?))
    }

    fn map_anonymous(options: &MapOptions) -> Result<Self> {
        Ok(Self(Mapping::anonymous((*options).into())?))
    }

    fn map_named(name: &str, options: &MapOptions) -> Result<Self> {
        Ok(Self(Mapping::named(name, (*options).into())?))
    }

    fn apply(&mut self, op: &Op) -> Result<Value> {
        let unit = |()| Value::Unit;
        let byte = |byte: u8| Value::Number(byte.into());
        let it = &self.0;
        Ok(match op {
            Op::Len => it.length().map(Value::Number),
            Op::Size => it.size().map(Value::Number),
            Op::Access => it.access().map(|access| Value::Access(access.into())),
            Op::Tell => it.tell().map(Value::Number),
            Op::IsClosed => Ok(Value::Flag(it.is_closed())),
            Op::Close => it.close().map(unit),
            Op::Seek(to) => {
                let (offset, whence) = match *to {
                    // The interface counts with a sign: what has none there is past every end.
                    SeekFrom::Start(offset) => (i64::try_from(offset).unwrap_or(i64::MAX), Whence::Start),
                    SeekFrom::Current(offset) => (offset, Whence::Current),
                    SeekFrom::End(offset) => (offset, Whence::End),
                };
                it.seek(offset, whence).map(Value::Number)
            }
            Op::Read(count) => it.read(*count).map(Value::Bytes),
            Op::ReadByte => it.read_byte().map(byte),
            Op::ReadLine => it.read_line().map(Value::Bytes),
            Op::Write(bytes) => it.write(bytes).map(Value::Number),
            Op::WriteByte(value) => it.write_byte(*value).map(unit),
            Op::ReadAt(offset, length) => it.read_at(*offset, *length).map(Value::Bytes),
            Op::ReadRanges(ranges) => {
                let ranges: Vec<_> = ranges.iter().map(|&(offset, length)| Range { offset, length }).collect();
                it.read_ranges(&ranges).map(Value::Bytes)
            }
            Op::WriteAt(offset, bytes) => it.write_at(*offset, bytes).map(unit),
            Op::Get(index) => it.get(*index).map(byte),
            Op::Set(index, value) => it.set(*index, *value).map(unit),
            Op::ReadSlice(slice) => it.read_slice((*slice).into()).map(Value::Bytes),
            Op::WriteSlice(slice, bytes) => it.write_slice((*slice).into(), bytes).map(unit),
            Op::Find(needle, start, end) => it.find(needle, *start, *end).map(Value::Place),
            Op::Rfind(needle, start, end) => it.rfind(needle, *start, *end).map(Value::Place),
            Op::CopyWithin(destination, source, count) => it.copy_within(*destination, *source, *count).map(unit),
            Op::Fill(offset, length, byte) => it.fill(*offset, *length, *byte).map(unit),
            Op::Compare(offset, bytes) => it.compare(*offset, bytes).map(|order| Value::Order(order.into())),
            Op::Flush(offset, length, flags) => it.flush(*offset, *length, (*flags).into()).map(unit),
            Op::Advise(advice, start, length) => it.advise((*advice).try_into()?, *start, *length).map(unit),
            Op::Resize(length) => it.resize(*length).map(unit),
            Op::Refresh => it.refresh().map(unit),
        }?)
    }

    fn copy_from(&mut self, destination: u64, source: &Self, offset: u64, count: u64) -> Result<Value> {
        self.0.copy_from(destination, &source.0, offset, count)?;
        Ok(Value::Unit)
    }

    fn granularity() -> u64 {
        mapping::granularity()
    }

    fn page_size() -> u64 {
        mapping::page_size()
    }
}
