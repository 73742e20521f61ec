//! The interface `mapping`, implemented function by function by `core`.

use std::cell::RefCell;

use wasi_mmap::Result;
use wasi_mmap::fallback::{Cache, CachedStorage, PAGE_SIZE, StdFile};
use wasi_mmap_core::{Access, Internals};
use wasi_mmap_sys::HeldFile;
use wasi_mmap_sys::bindings::wasi::filesystem::types::Descriptor;

use crate::Component;
use crate::bindings::exports::wasi_mmap::mmap::mapping::{self, Guest, GuestMapping, MappingBorrow};
use crate::bindings::exports::wasi_mmap::mmap::types as wit;

type Storage = CachedStorage<StdFile>;
type Mapping = wasi_mmap_core::Mapping<Storage>;
type WitResult<T> = std::result::Result<T, wit::Error>;

/// A plugin's mapping. Only one call at a time uses a handle, so the borrows never conflict.
pub(crate) struct Resource(RefCell<Mapping>);

impl Guest for Component {
    type Mapping = Resource;

    fn page_size() -> u64 {
        PAGE_SIZE
    }

    fn granularity() -> u64 {
        PAGE_SIZE
    }

    fn is_simulated() -> bool {
        true
    }
}

impl Resource {
    fn make(storage: Storage, access: Access) -> mapping::Mapping {
        mapping::Mapping::new(Self(RefCell::new(Mapping::new(storage, access))))
    }

    fn with<T>(&self, operate: impl FnOnce(&mut Mapping) -> Result<T>) -> WitResult<T> {
        Ok(operate(&mut self.0.borrow_mut())?)
    }
}

impl GuestMapping for Resource {
    fn from_descriptor(file: Descriptor, options: wit::MapOptions) -> WitResult<mapping::Mapping> {
        let file = HeldFile::from(file).into();
        let (storage, access) = Storage::of_file(&Cache::of_this_thread(), file, &options.into())?;
        Ok(Self::make(storage, access))
    }

    fn from_borrowed(_: &Descriptor, _: wit::MapOptions) -> WitResult<mapping::Mapping> {
        Err(wasi_mmap_core::Error::Unsupported("a borrowed descriptor, which the fallback cannot keep".into()).into())
    }

    fn anonymous(options: wit::MapOptions) -> WitResult<mapping::Mapping> {
        let options = options.into();
        Ok(Self::make(Storage::of_memory(&options)?, options.access))
    }

    fn named(name: String, options: wit::MapOptions) -> WitResult<mapping::Mapping> {
        let options = options.into();
        Ok(Self::make(Storage::of_named(&name, &options)?, options.access))
    }

    fn close(&self) -> WitResult<()> {
        self.with(Mapping::close)
    }

    fn is_closed(&self) -> bool {
        self.0.borrow().is_closed()
    }

    fn length(&self) -> WitResult<u64> {
        self.with(|mapping| mapping.len())
    }

    fn size(&self) -> WitResult<u64> {
        self.with(|mapping| mapping.file_len())
    }

    fn access(&self) -> WitResult<wit::Access> {
        self.with(|mapping| {
            mapping.storage()?;
            Ok(mapping.access().into())
        })
    }

    fn tell(&self) -> WitResult<u64> {
        self.with(|mapping| mapping.tell())
    }

    fn seek(&self, offset: i64, whence: wit::Whence) -> WitResult<u64> {
        self.with(|mapping| mapping.seek_to(offset, whence.into()))
    }

    fn read(&self, count: Option<u64>) -> WitResult<Vec<u8>> {
        self.with(|mapping| mapping.read_bytes(count))
    }

    fn read_byte(&self) -> WitResult<u8> {
        self.with(Mapping::read_byte)
    }

    fn read_line(&self) -> WitResult<Vec<u8>> {
        self.with(Mapping::read_line)
    }

    fn write(&self, bytes: Vec<u8>) -> WitResult<u64> {
        self.with(|mapping| mapping.write(&bytes).map(|count| count as u64))
    }

    fn write_byte(&self, byte: u8) -> WitResult<()> {
        self.with(|mapping| mapping.write_byte(byte))
    }

    fn read_at(&self, offset: u64, length: u64) -> WitResult<Vec<u8>> {
        self.with(|mapping| mapping.read_vec_at(offset, length))
    }

    fn read_ranges(&self, ranges: Vec<wit::Range>) -> WitResult<Vec<u8>> {
        self.with(|mapping| {
            let inside: Result<Vec<_>> = ranges.iter().map(|range| mapping.range(range.offset, range.length)).collect();
            mapping.read_ranges(&inside?)
        })
    }

    fn write_at(&self, offset: u64, bytes: Vec<u8>) -> WitResult<()> {
        self.with(|mapping| mapping.write_all_at(&bytes, offset))
    }

    fn get(&self, index: i64) -> WitResult<u8> {
        self.with(|mapping| mapping.get(index))
    }

    fn set(&self, index: i64, value: u8) -> WitResult<()> {
        self.with(|mapping| mapping.set(index, value))
    }

    fn read_slice(&self, slice: wit::Slice) -> WitResult<Vec<u8>> {
        self.with(|mapping| mapping.read_slice(slice.into()))
    }

    fn write_slice(&self, slice: wit::Slice, bytes: Vec<u8>) -> WitResult<()> {
        self.with(|mapping| mapping.write_slice(slice.into(), &bytes))
    }

    fn find(&self, needle: Vec<u8>, start: Option<i64>, end: Option<i64>) -> WitResult<Option<u64>> {
        self.with(|mapping| mapping.find_from_cursor(&needle, start, end))
    }

    fn rfind(&self, needle: Vec<u8>, start: Option<i64>, end: Option<i64>) -> WitResult<Option<u64>> {
        self.with(|mapping| mapping.rfind_from_cursor(&needle, start, end))
    }

    fn copy_within(&self, destination: u64, source: u64, count: u64) -> WitResult<()> {
        self.with(|mapping| mapping.copy_within_at(destination, source, count))
    }

    fn copy_from(&self, destination: u64, source: MappingBorrow<'_>, source_offset: u64, count: u64) -> WitResult<()> {
        let source: &Self = source.get();
        if std::ptr::eq(self, source) {
            return self.with(|mapping| mapping.copy_within_at(destination, source_offset, count));
        }
        self.with(|mapping| mapping.copy_from_at(destination, &source.0.borrow(), source_offset, count))
    }

    fn fill(&self, offset: u64, length: u64, byte: u8) -> WitResult<()> {
        self.with(|mapping| mapping.fill_at(offset, length, byte))
    }

    fn compare(&self, offset: u64, bytes: Vec<u8>) -> WitResult<wit::Ordering> {
        self.with(|mapping| mapping.compare(&bytes, offset).map(Into::into))
    }

    fn flush(&self, offset: u64, length: Option<u64>, flags: wit::FlushFlags) -> WitResult<()> {
        self.with(|mapping| mapping.flush_at(offset, length, flags.into()))
    }

    fn advise(&self, advice: wit::Advice, start: u64, length: Option<u64>) -> WitResult<()> {
        self.with(|mapping| mapping.advise_at(advice.into(), start, length))
    }

    fn resize(&self, length: u64) -> WitResult<()> {
        self.with(|mapping| mapping.resize(length))
    }

    fn refresh(&self) -> WitResult<()> {
        self.with(Mapping::refresh)
    }
}
