//! Memory that has a name: shared by the mappings of one [`Namespace`], or by all processes of one user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use wasi_mmap_core::{Backend, MapOptions, Result, check_name};

use crate::os::{Memory, Name, open_named};
use crate::storage::Native;

/// What keeps a name from being given to other memory, until it is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "held to be dropped")]
pub(crate) enum NameHold {
    /// A name in a [`Namespace`].
    Namespace(Arc<Memory>),
    /// A name that all processes of a user share.
    System(Name),
}

/// Names of memory within this process: two mappings share memory if they have one name in one namespace.
///
/// Clones are handles to the same namespace.
#[derive(Debug, Clone, Default)]
pub struct Namespace {
    memories: Arc<Mutex<HashMap<String, Weak<Memory>>>>,
}

impl Namespace {
    /// A namespace without names.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long the memory of a name is, if it exists.
    pub fn len_of(&self, name: &str) -> Option<u64> {
        let memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.get(name)?.upgrade()?.len().ok()
    }

    /// Maps the memory of a name, which is made if it does not exist.
    ///
    /// # Errors
    ///
    /// As [`Mapping::named`](crate::Mapping::named).
    pub fn map(&self, name: &str, options: &MapOptions) -> Result<Native> {
        check_name(name)?;
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = memories.get(name).and_then(Weak::upgrade);
        let existing = memory.as_ref().map(|memory| memory.len()).transpose()?;
        let extent = options.extent_of_named(existing, Native::granularity())?;
        let memory = match memory {
            Some(memory) => memory,
            None => Arc::new(Memory::new(extent.len)?),
        };
        let mapping = Native::of_shared(&memory, &extent, options, NameHold::Namespace(Arc::clone(&memory)))?;
        memories.retain(|_, memory| memory.strong_count() > 0);
        memories.insert(name.to_owned(), Arc::downgrade(&memory));
        Ok(mapping)
    }
}

/// Maps the memory of a name that all processes of this user share.
pub(crate) fn map_shared(name: &str, options: &MapOptions) -> Result<Native> {
    let (memory, existing, name) = open_named(name, options)?;
    let extent = options.extent_of_named(existing, Native::granularity())?;
    Native::of_shared(&memory, &extent, options, NameHold::System(name))
}
