//! How a part of a mapping can lie in other memory with bytes that nobody else changes.

use wasi_mmap_core::{Error, Result};

use super::Held;
use crate::os::Hold;
use crate::storage::Native;

/// How a part of a mapping is to be attached so that nobody else changes its bytes there: for
/// [`Native::attach_stable`](crate::Native::attach_stable).
#[derive(Debug)]
#[must_use]
pub struct WindowPlan(pub(crate) Plan);

#[derive(Debug)]
#[cfg_attr(windows, expect(dead_code, reason = "Windows has no windows"))]
pub(crate) enum Plan {
    /// Nobody else has the pages, or nobody can change them.
    AsTheyAre { to_write: bool },
    /// The bytes are copied to the memory, and back.
    Copied,
    /// The file is held.
    Held(Hold),
}

impl WindowPlan {
    /// Whether a lease is what holds the bytes. They may have to be copied one day, and take memory then.
    pub fn is_leased(&self) -> bool {
        matches!(&self.0, Plan::Held(hold) if hold.held() == Held::Lease)
    }
}

impl Native {
    /// Finds out how a part of the mapping can lie elsewhere, to be read or to be written, so that nobody else changes its bytes there.
    ///
    /// - Memory without a name is the owner's own.
    /// - A private, writable mapping is copied to where it is to lie, and back, unless nobody can change its file.
    /// - A file is mapped to be read if its bytes can be [held](Held). The hold is kept for the next time.
    ///
    /// # Errors
    ///
    /// `unsupported`, with the reason: for a file that is to be written, one that cannot be held, and memory with a name.
    #[cfg_attr(not(target_os = "linux"), allow(unreachable_code, reason = "nothing can be held there"))]
    pub fn plan_stable(&mut self, to_write: bool) -> Result<WindowPlan> {
        if self.is_named() {
            return Err(Error::Unsupported("a stable window of memory with a name, which others may share".into()));
        }
        let is_copy = self.pages().is_private() && self.pages().is_writable();
        let Some(file) = self.visible_file() else {
            return Ok(WindowPlan(Plan::AsTheyAre { to_write }));
        };
        if to_write && !is_copy {
            return Err(Error::Unsupported(
                "a stable window to write to a file, which others may change as well".into(),
            ));
        }
        let kept = self.hold.clone().filter(|hold| hold.held() != Held::Copied);
        let hold = match kept {
            Some(hold) => Ok(hold),
            None if is_copy => Hold::of_fixed(file),
            None => Hold::of(file),
        };
        let plan = match hold {
            Ok(hold) => {
                self.hold = Some(hold.clone());
                if is_copy { Plan::AsTheyAre { to_write } } else { Plan::Held(hold) }
            }
            // The kernel takes private pages, too, when their file is made shorter; and what a plugin writes to them while they
            // were copied away would be lost. They are few, mostly, and go where there is memory already.
            Err(_) if is_copy => Plan::Copied,
            Err(error) => return Err(error),
        };
        Ok(WindowPlan(plan))
    }
}
