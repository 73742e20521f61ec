//! Systems without mappings: everything is `Unsupported`.

use std::convert::Infallible;
use std::io::{ErrorKind, Result};

use crate::request::{Access, AnonymousRequest, FileRequest};
use crate::{MapIfSafeError, MmapRawDescriptor};

/// A mapping, of which there is none here.
pub(crate) struct Mapped {
    never: Infallible,
}

impl Mapped {
    pub(crate) fn file(_: &MmapRawDescriptor<'_>, _: Access, _: &FileRequest) -> Result<Self> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(crate) fn anonymous(_: &AnonymousRequest) -> Result<Self> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(crate) fn flush(&self, _: usize, _: usize) -> Result<()> {
        match self.never {}
    }

    pub(crate) fn flush_async(&self, _: usize, _: usize) -> Result<()> {
        match self.never {}
    }

    pub(crate) fn make_read_only(&mut self) -> Result<()> {
        match self.never {}
    }

    pub(crate) fn make_exec(&mut self) -> Result<()> {
        match self.never {}
    }

    pub(crate) fn make_mut(&mut self) -> Result<()> {
        match self.never {}
    }

    #[inline]
    pub(crate) fn ptr(&self) -> *mut u8 {
        match self.never {}
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self.never {}
    }
}

pub(crate) fn check_immutable(_: &MmapRawDescriptor<'_>, _: &FileRequest) -> std::result::Result<(), MapIfSafeError> {
    Err(MapIfSafeError::unsupported())
}

pub(crate) fn file_len(file: &MmapRawDescriptor<'_>) -> Result<u64> {
    Ok(file.0.metadata()?.len())
}
