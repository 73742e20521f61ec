//! The host's mapping as a storage of `core`. Each operation of the interface is one call of the host.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::OnceLock;

use wasi_mmap_core::{
    Access, Advice, Error, FlushFlags, MapFlags, MapOptions, Result, Slice, Storage, Strided, provided,
};
use wasi_mmap_sys::HeldFile;
#[cfg(not(feature = "fallback"))]
use wasi_mmap_sys::bindings::wasi::filesystem::types::Descriptor;
use wasi_mmap_sys::bindings::wasi_mmap::mmap::mapping::{self, Mapping as Handle};
use wasi_mmap_sys::bindings::wasi_mmap::mmap::types::Range as WitRange;

use super::read_window::{MAX_READ, ReadWindow};

/// The most bytes passed to the host in one call. A store limits the size of an argument, and traps on larger ones.
const MAX_SENT: usize = 1024 * 1024;

/// Returns true if the host only simulates mappings with ordinary file I/O.
#[cfg(feature = "fallback")]
pub(super) fn is_simulated() -> bool {
    static IS_SIMULATED: OnceLock<bool> = OnceLock::new();
    *IS_SIMULATED.get_or_init(mapping::is_simulated)
}

/// Returns the alignment of a mapping's offset in its file, in bytes.
pub(super) fn granularity() -> u64 {
    static GRANULARITY: OnceLock<u64> = OnceLock::new();
    *GRANULARITY.get_or_init(mapping::granularity)
}

/// A mapping of the host.
#[derive(Debug)]
pub(crate) struct HostStorage {
    /// Dropped before the handle, which must not have a window then.
    reads: ReadWindow,
    handle: Handle,
    /// The length, which only a resize through this handle changes.
    len: u64,
    offset: u64,
}

impl HostStorage {
    fn new(handle: Handle, options: &MapOptions) -> Result<Self> {
        let len = handle.length()?;
        Ok(Self { reads: ReadWindow::new(options), handle, len, offset: options.offset })
    }

    /// Maps a file, which stays the caller's. Returns the access of the mapping as well.
    pub(super) fn map_borrowed(file: &HeldFile, options: &MapOptions) -> Result<(Self, Access)> {
        Self::of_file(Handle::from_borrowed(file.descriptor(), (*options).into())?, options)
    }

    /// Maps a file, and takes it over. Returns the access of the mapping as well.
    #[cfg(not(feature = "fallback"))]
    pub(super) fn map_descriptor(descriptor: Descriptor, options: &MapOptions) -> Result<(Self, Access)> {
        Self::of_file(Handle::from_descriptor(descriptor, (*options).into())?, options)
    }

    fn of_file(handle: Handle, options: &MapOptions) -> Result<(Self, Access)> {
        // Only the host knows what the descriptor allows.
        let is_widest = options.flags.contains(MapFlags::WIDEST_ACCESS);
        let access = if is_widest { handle.access()?.into() } else { options.access };
        Ok((Self::new(handle, options)?, access))
    }

    pub(super) fn map_anonymous(options: &MapOptions) -> Result<Self> {
        Self::new(Handle::anonymous((*options).into())?, options)
    }

    pub(super) fn map_named(name: &str, options: &MapOptions) -> Result<Self> {
        Self::new(Handle::named(name, (*options).into())?, options)
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Converts a range that `core` has checked to the bounds of a search.
    fn bounds(range: &Range<u64>) -> (Option<i64>, Option<i64>) {
        (i64::try_from(range.start).ok(), i64::try_from(range.end).ok())
    }

    fn to_slice(slice: Strided) -> Slice {
        let stop = i128::from(slice.first) + i128::from(slice.step) * i128::from(slice.count);
        // A slice that goes backwards to the first byte ends before it, which is expressed by leaving `stop` out.
        Slice {
            start: i64::try_from(slice.first).ok(),
            stop: i64::try_from(stop).ok().filter(|&stop| stop >= 0),
            step: slice.step,
        }
    }
}

impl Storage for HostStorage {
    fn len(&self) -> u64 {
        self.len
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    fn file_len(&self) -> Result<u64> {
        Ok(self.handle.size()?)
    }

    fn page_size() -> u64 {
        static PAGE_SIZE: OnceLock<u64> = OnceLock::new();
        *PAGE_SIZE.get_or_init(mapping::page_size)
    }

    #[inline]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if self.reads.read(self, offset, buffer) {
            return Ok(());
        }
        let bytes = self.handle.read_at(offset, buffer.len() as u64)?;
        buffer.copy_from_slice(&bytes);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut at = offset;
        for chunk in bytes.chunks(MAX_SENT) {
            self.handle.write_at(at, chunk)?;
            at += chunk.len() as u64;
        }
        Ok(())
    }

    fn flush(&mut self, range: Range<u64>, flags: FlushFlags) -> Result<()> {
        Ok(self.handle.flush(range.start, Some(range.end - range.start), flags.into())?)
    }

    fn advise(&mut self, advice: Advice, range: Range<u64>) -> Result<()> {
        Ok(self.handle.advise(advice.try_into()?, range.start, Some(range.end - range.start))?)
    }

    fn resize(&mut self, len: u64) -> Result<()> {
        self.reads.detach();
        self.handle.resize(len)?;
        self.len = len;
        Ok(())
    }

    fn refresh(&mut self) -> Result<()> {
        self.reads.detach();
        Ok(self.handle.refresh()?)
    }

    fn close(&mut self) -> Result<()> {
        self.reads.detach();
        Ok(self.handle.close()?)
    }

    fn read_vec(&self, range: Range<u64>) -> Result<Vec<u8>> {
        // The host does not know how much memory is left here, and returning more would trap.
        let count = usize::try_from(range.end - range.start).map_err(|_| Error::OutOfMemory)?;
        if count <= MAX_READ {
            let mut bytes = vec![0; count];
            if self.reads.read(self, range.start, &mut bytes) {
                return Ok(bytes);
            }
        }
        Ok(self.handle.read_at(range.start, range.end - range.start)?)
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<u8>> {
        let ranges: Vec<_> =
            ranges.iter().map(|range| WitRange { offset: range.start, length: range.end - range.start }).collect();
        Ok(self.handle.read_ranges(&ranges)?)
    }

    fn find(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        let (start, end) = Self::bounds(&range);
        Ok(self.handle.find(needle, start, end)?)
    }

    fn rfind(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        let (start, end) = Self::bounds(&range);
        Ok(self.handle.rfind(needle, start, end)?)
    }

    #[inline]
    fn read_line(&self, range: Range<u64>, line: &mut Vec<u8>) -> Result<()> {
        if self.reads.read_line(self, &range, line) {
            return Ok(());
        }
        provided::read_line(self, range, line)
    }

    fn compare(&self, offset: u64, bytes: &[u8]) -> Result<Ordering> {
        let mut at = offset;
        for chunk in bytes.chunks(MAX_SENT) {
            match self.handle.compare(at, chunk)?.into() {
                Ordering::Equal => at += chunk.len() as u64,
                unequal => return Ok(unequal),
            }
        }
        Ok(Ordering::Equal)
    }

    fn fill(&mut self, range: Range<u64>, byte: u8) -> Result<()> {
        Ok(self.handle.fill(range.start, range.end - range.start, byte)?)
    }

    fn copy_within(&mut self, source: Range<u64>, destination: u64) -> Result<()> {
        Ok(self.handle.copy_within(destination, source.start, source.end - source.start)?)
    }

    fn copy_from(&mut self, destination: u64, source: &Self, range: Range<u64>) -> Result<()> {
        Ok(self.handle.copy_from(destination, &source.handle, range.start, range.end - range.start)?)
    }

    fn read_strided(&self, slice: Strided, buffer: &mut [u8]) -> Result<()> {
        buffer.copy_from_slice(&self.handle.read_slice(Self::to_slice(slice).into())?);
        Ok(())
    }

    fn write_strided(&mut self, slice: Strided, bytes: &[u8]) -> Result<()> {
        let mut index = 0;
        for chunk in bytes.chunks(MAX_SENT) {
            let rest = Strided { first: slice.position(index), count: chunk.len() as u64, ..slice };
            self.handle.write_slice(Self::to_slice(rest).into(), chunk)?;
            index += chunk.len() as u64;
        }
        Ok(())
    }
}
