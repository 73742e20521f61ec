//! Targets without windows: every view is a copy.

use std::convert::Infallible;
use std::marker::PhantomData;

use wasi_mmap_core::Result;

/// A window. There are none.
pub(crate) struct Window<'a>(Infallible, PhantomData<&'a ()>);

impl Window<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self.0 {}
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self.0 {}
    }
}

/// A window that can be written. There are none.
pub(crate) struct WindowMut<'a>(Infallible, PhantomData<&'a ()>);

impl WindowMut<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self.0 {}
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match self.0 {}
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self.0 {}
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        match self.0 {}
    }

    pub(crate) fn close(&mut self) -> Result<()> {
        match self.0 {}
    }
}
