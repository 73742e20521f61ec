//! Where nothing can be lent: every view is a copy.

use std::convert::Infallible;
use std::marker::PhantomData;

use wasi_mmap_core::Result;

/// A part of a mapping, lent, of which there is none.
pub(super) struct Lent<'a>(Infallible, PhantomData<&'a ()>);

impl Lent<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self.0 {}
    }

    pub(super) fn check(&self) -> Result<()> {
        match self.0 {}
    }
}

/// A part of a mapping, lent to be written, of which there is none.
pub(super) struct LentMut<'a>(Infallible, PhantomData<&'a ()>);

impl LentMut<'_> {
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
