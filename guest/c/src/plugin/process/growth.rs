//! Files that become longer under their mappings.

use std::ops::Range;
use std::sync::{Once, TryLockError};

use wasi_mmap_sys::HeldFile;
use wasi_mmap_sys::copies::HeldSource;
use wasi_mmap_sys::observer::{Observer, add_observer};

use super::PROCESS;

/// Tells windows that reach past the end of a file when the program itself has made it longer. The host finds out soon
/// when others have.
struct GrowthObserver;

impl Observer for GrowthObserver {
    fn before(&self, _: &HeldFile, _: &Range<u64>) {}

    fn after_write(&self, file: &HeldFile, range: &Range<u64>) {
        let process = match PROCESS.try_lock() {
            Ok(process) => process,
            Err(TryLockError::Poisoned(process)) => process.into_inner(),
            // It writes a message.
            Err(TryLockError::WouldBlock) => return,
        };
        let beyond = process.windows.values().filter(|window| window.mapping.is_beyond_end());
        for window in beyond.filter(|window| window.mapping.file.is_file(file)) {
            window.grow(range);
        }
    }
}

/// Watches the program's writes to a file, as long as it is mapped.
pub(super) fn watch(file: &HeldSource) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| add_observer(&GrowthObserver));
    file.watch();
}
