//! Named memory, shared by all mappings of one [`Namespace`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use wasi_mmap_core::{Backend, MapOptions, Result, check_name};

use crate::storage::{NameGuard, OsStorage};
use crate::sys::SharedMemory;

/// Names of memory within this process. Mappings of the same name in the same namespace share their memory.
///
/// Clones are handles to the same namespace.
#[derive(Debug, Clone, Default)]
pub struct Namespace {
    memories: Arc<Mutex<HashMap<String, Weak<SharedMemory>>>>,
}

impl Namespace {
    /// Makes a namespace without names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the length of the memory of a name in bytes, if it exists.
    pub fn len_of(&self, name: &str) -> Option<u64> {
        let memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.get(name)?.upgrade()?.len().ok()
    }

    /// Maps the memory of a name, and makes it if it does not exist.
    ///
    /// # Errors
    ///
    /// As [`MappingOptions::named`](crate::MappingOptions::named).
    pub fn map(&self, name: &str, options: &MapOptions) -> Result<OsStorage> {
        check_name(name)?;
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = memories.get(name).and_then(Weak::upgrade);
        let existing = memory.as_ref().map(|memory| memory.len()).transpose()?;
        let extent = options.extent_of_named(existing, OsStorage::granularity())?;
        let memory = match memory {
            Some(memory) => memory,
            None => Arc::new(SharedMemory::new(extent.len)?),
        };
        let mapping = OsStorage::of_shared(&memory, &extent, options, NameGuard::Namespace(Arc::clone(&memory)))?;
        memories.retain(|_, memory| memory.strong_count() > 0);
        memories.insert(name.to_owned(), Arc::downgrade(&memory));
        Ok(mapping)
    }
}
