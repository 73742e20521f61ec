//! The bytes of a view: a window or a copy.

use wasi_mmap_core::{Mapping, Result, Storage};

use super::copied::{Copied, CopiedMut};
use super::window::{Window, WindowMut};

/// The bytes of a view to read.
pub(super) enum Bytes<'a> {
    Copied(Copied),
    #[allow(dead_code, reason = "never constructed where windows are unsupported")]
    Window(Window<'a>),
}

impl<'a> Bytes<'a> {
    pub(super) fn copied<S: Storage>(mapping: &'a Mapping<S>, offset: u64, length: u64) -> Result<Self> {
        Ok(Self::Copied(Copied::new(mapping, offset, length)?))
    }

    pub(super) fn is_window(&self) -> bool {
        matches!(self, Self::Window(_))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Copied(copied) => copied.bytes(),
            Self::Window(window) => window.bytes(),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Copied(_) => Ok(()),
            Self::Window(window) => window.check(),
        }
    }
}

/// The bytes of a view to write.
pub(super) enum BytesMut<'a> {
    Copied(CopiedMut<'a>),
    #[allow(dead_code, reason = "never constructed where windows are unsupported")]
    Window(WindowMut<'a>),
}

impl<'a> BytesMut<'a> {
    pub(super) fn copied<S: Storage>(mapping: &'a mut Mapping<S>, offset: u64, length: u64) -> Result<Self> {
        Ok(Self::Copied(CopiedMut::new(mapping, offset, length)?))
    }

    pub(super) fn is_window(&self) -> bool {
        matches!(self, Self::Window(_))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Copied(copied) => copied.bytes(),
            Self::Window(window) => window.bytes(),
        }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Copied(copied) => copied.bytes_mut(),
            Self::Window(window) => window.bytes_mut(),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Copied(_) => Ok(()),
            Self::Window(window) => window.check(),
        }
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        match self {
            Self::Copied(copied) => copied.flush(),
            Self::Window(window) => window.flush(),
        }
    }

    pub(super) fn close(&mut self) -> Result<()> {
        match self {
            Self::Copied(copied) => copied.write_back(),
            Self::Window(window) => window.close(),
        }
    }
}
