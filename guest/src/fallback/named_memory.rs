//! Named memory: memory without a file that the mappings of one name share.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use wasi_mmap_core::Result;

use super::private_pages::PrivatePages;

/// Memory that has a name. It starts as zeros and lives as long as one of its mappings.
#[derive(Debug)]
pub(super) struct NamedMemory {
    pages: RefCell<PrivatePages>,
    len: u64,
}

thread_local! {
    /// The names that are in use in this thread. A plugin has only one thread.
    static NAMES: RefCell<HashMap<String, Weak<NamedMemory>>> = RefCell::default();
}

impl NamedMemory {
    /// Finds the memory that has this name.
    pub(super) fn find(name: &str) -> Option<Rc<Self>> {
        NAMES.with_borrow(|names| names.get(name).and_then(Weak::upgrade))
    }

    /// Creates memory of `len` bytes under a name that is not in use.
    pub(super) fn create(name: &str, len: u64) -> Rc<Self> {
        let memory = Rc::new(Self { pages: RefCell::default(), len });
        NAMES.with_borrow_mut(|names| {
            names.retain(|_, memory| memory.strong_count() > 0);
            names.insert(name.to_owned(), Rc::downgrade(&memory));
        });
        memory
    }

    /// Returns the length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Copies bytes out.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.pages.borrow().read(offset, buffer, |_, rest| {
            rest.fill(0);
            Ok(())
        })
    }

    /// Copies bytes in.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.pages.borrow_mut().write(offset, bytes, |_, _| Ok(()))
    }
}
