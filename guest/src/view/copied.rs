//! Views that are copies.

use wasi_mmap_core::{FlushFlags, Mapping, Result, Storage};

/// A copy of a range of a mapping.
pub(super) struct Copied(Vec<u8>);

impl Copied {
    pub(super) fn new<S: Storage>(mapping: &Mapping<S>, offset: u64, length: u64) -> Result<Self> {
        Ok(Self(mapping.read_range(offset..offset + length)?))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A copy of a range of a mapping, of which changed bytes are written back.
pub(super) struct CopiedMut<'a> {
    bytes: Vec<u8>,
    /// The bytes when they were last read or written back. Only bytes that differ from them are written back.
    before: Vec<u8>,
    target: &'a mut dyn Target,
    offset: u64,
}

/// The mapping that a copy is written back to, independent of its storage.
trait Target {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;
    fn flush(&mut self, offset: u64, length: u64) -> Result<()>;
}

impl<S: Storage> Target for Mapping<S> {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn flush(&mut self, offset: u64, length: u64) -> Result<()> {
        // A flushed range starts at a page.
        let start = offset - offset % S::page_size();
        self.flush_range(start..offset + length, FlushFlags::SYNC)
    }
}

/// Changes with fewer bytes than this between them are written back together.
const MAX_GAP: usize = 64;

impl<'a> CopiedMut<'a> {
    pub(super) fn new<S: Storage>(mapping: &'a mut Mapping<S>, offset: u64, length: u64) -> Result<Self> {
        let bytes = mapping.read_range(offset..offset + length)?;
        Ok(Self { before: bytes.clone(), bytes, target: mapping, offset })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Writes the changed bytes back. Those that were written before an error count as unchanged.
    pub(super) fn write_back(&mut self) -> Result<()> {
        let mut at = 0;
        while let Some(start) = difference(&self.bytes[at..], &self.before[at..]).map(|place| at + place) {
            let mut end = start + 1;
            while let Some(next) = difference(&self.bytes[end..], &self.before[end..]).filter(|&gap| gap < MAX_GAP) {
                end += next + 1;
            }
            self.target.write_at(self.offset + start as u64, &self.bytes[start..end])?;
            self.before[start..end].copy_from_slice(&self.bytes[start..end]);
            at = end;
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        self.write_back()?;
        self.target.flush(self.offset, self.bytes.len() as u64)
    }
}

impl Drop for CopiedMut<'_> {
    fn drop(&mut self) {
        // `close` and `flush` report errors.
        let _ = self.write_back();
    }
}

/// Returns the index at which two slices of the same length first differ.
fn difference(one: &[u8], other: &[u8]) -> Option<usize> {
    const BLOCK: usize = 256;
    // Blocks are compared first, which is much faster than comparing single bytes.
    let blocks = one.chunks(BLOCK).zip(other.chunks(BLOCK));
    let (index, (one, other)) = blocks.enumerate().find(|(_, (one, other))| one != other)?;
    let place = one.iter().zip(other).position(|(one, other)| one != other)?;
    Some(index * BLOCK + place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_found() {
        let one = vec![7u8; 1000];
        assert_eq!(difference(&one, &one), None);
        for place in [0, 1, 255, 256, 511, 512, 999] {
            let mut other = one.clone();
            other[place] = 8;
            assert_eq!(difference(&one, &other), Some(place));
        }
    }
}
