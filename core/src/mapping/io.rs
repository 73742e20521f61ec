//! The traits of `std::io`, at the cursor.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::{Mapping, Storage};

impl<S: Storage> Read for Mapping<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(Mapping::read(self, buffer)?)
    }
}

/// Writes all or nothing: a write that does not fit is an error, and writes nothing.
impl<S: Storage> Write for Mapping<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(Mapping::write(self, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(Mapping::flush(self)?)
    }
}

/// Refuses to seek past the end, as Python does.
impl<S: Storage> Seek for Mapping<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        Ok(Mapping::seek(self, to)?)
    }
}
