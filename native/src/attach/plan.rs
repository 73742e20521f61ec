//! Planning a stable window: one whose bytes nobody else changes.

use wasi_mmap_core::{Error, Result};

use crate::stability::{Guarantee, Stability};
use crate::storage::OsStorage;

/// A plan for a stable window, for [`OsStorage::attach_stable_window`].
#[derive(Debug)]
#[must_use]
pub struct WindowPlan(pub(crate) Plan);

#[derive(Debug)]
#[cfg_attr(windows, expect(dead_code, reason = "Windows has no windows"))]
pub(crate) enum Plan {
    /// Attaches the pages as they are: nobody else has them, or nobody can change them.
    Direct { to_write: bool },
    /// Copies the bytes to the window, and back.
    Copied,
    /// Maps the file, whose bytes do not change.
    Guaranteed(Guarantee),
}

impl WindowPlan {
    /// Returns whether the window depends on a lease. Its bytes may have to be copied later, which takes memory.
    pub fn is_leased(&self) -> bool {
        matches!(&self.0, Plan::Guaranteed(guarantee) if guarantee.stability() == Stability::Lease)
    }
}

impl OsStorage {
    /// Plans a window for reading or writing whose bytes nobody else changes.
    ///
    /// - Memory without a name belongs to its mapping alone.
    /// - A private, writable mapping is copied to the window and back, unless nobody can change its file.
    /// - A file can be mapped for reading if there is a guarantee that its bytes [do not change](Stability). The
    ///   guarantee is kept for later windows.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`], with the reason: for writing to a file, for a file without a guarantee, and for named
    /// memory.
    #[cfg_attr(not(target_os = "linux"), allow(unreachable_code, reason = "there are no guarantees there"))]
    pub fn plan_stable_window(&mut self, to_write: bool) -> Result<WindowPlan> {
        if self.is_named() {
            return Err(Error::Unsupported("a stable window of memory with a name, which others may share".into()));
        }
        let is_copy = self.pages().is_private() && self.pages().is_writable();
        let Some(file) = self.visible_file() else {
            return Ok(WindowPlan(Plan::Direct { to_write }));
        };
        if to_write && !is_copy {
            return Err(Error::Unsupported("a stable window to write to a file, which others may change too".into()));
        }
        let kept = self.guarantee.clone().filter(|guarantee| guarantee.stability() != Stability::Copied);
        let guarantee = match kept {
            Some(guarantee) => Ok(guarantee),
            None if is_copy => Guarantee::permanent(file),
            None => Guarantee::of(file),
        };
        let plan = match guarantee {
            Ok(guarantee) => {
                self.guarantee = Some(guarantee.clone()).filter(Guarantee::can_be_kept);
                if is_copy { Plan::Direct { to_write } } else { Plan::Guaranteed(guarantee) }
            }
            // A lease does not help: when the file is made shorter, the kernel removes private pages too, and writes by
            // a plugin while they are copied would be lost. Copies cost little: there are few pages in most cases, and
            // the window has memory for them.
            Err(_) if is_copy => Plan::Copied,
            Err(error) => return Err(error),
        };
        Ok(WindowPlan(plan))
    }
}
