//! The options of `remap`.

/// Options of [`Mmap::remap`](crate::Mmap::remap) and the functions of the same name.
#[derive(Copy, Clone, Default, Debug)]
pub struct RemapOptions {
    may_move: bool,
}

impl RemapOptions {
    /// Returns the default options: the mapping must stay at its address.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether the mapping may move to another address if it cannot grow where it is.
    ///
    /// A mapping that moves breaks the promise of `StableDeref`, which mappings make with the feature
    /// `stable_deref_trait`. Code that relies on this promise has undefined behaviour then.
    pub fn may_move(mut self, may_move: bool) -> Self {
        self.may_move = may_move;
        self
    }

    /// Returns the flags for `mremap(2)`.
    pub(crate) fn flags(self) -> libc::c_int {
        if self.may_move { libc::MREMAP_MAYMOVE } else { 0 }
    }
}
