//! Targets without windows: every view is a copy.

use std::convert::Infallible;
use std::marker::PhantomData;

use wasi_mmap_core::Result;

/// A window. There are none.
pub(super) struct Window<'a>(Infallible, PhantomData<&'a ()>);

impl Window<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self.0 {}
    }

    pub(super) fn check(&self) -> Result<()> {
        match self.0 {}
    }
}

/// A window that can be written. There are none.
pub(super) struct WindowMut<'a>(Infallible, PhantomData<&'a ()>);

impl WindowMut<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self.0 {}
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        match self.0 {}
    }

    pub(super) fn check(&self) -> Result<()> {
        match self.0 {}
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        match self.0 {}
    }

    pub(super) fn close(&mut self) -> Result<()> {
        match self.0 {}
    }
}
