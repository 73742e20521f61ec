//! Named memory, shared by all processes of a session.

use wasi_mmap_core::{Error, MapOptions, Result};

use super::memory::SharedMemory;
use super::section::{Section, granularity, to_error};

/// A lock on a name. It is empty, because the mapping's own section keeps the name alive.
#[derive(Debug)]
pub(crate) struct NameLock;

/// Opens the memory of a name, or makes it. Returns the memory, its length if it existed, and the lock on its name.
///
/// The name is one of the system, in the namespace of the session: other programs find the memory by it, for example by
/// Python's `tagname`. The system keeps lengths in whole pages, so existing memory is as long as its pages.
pub(crate) fn open_named(name: &str, options: &MapOptions) -> Result<(SharedMemory, Option<u64>, NameLock)> {
    if name.contains('\0') {
        return Err(Error::invalid("name", "a name cannot contain a zero character"));
    }
    let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
    let (section, existed) = match Section::open(&name)? {
        Some(section) => (section, true),
        None => {
            let extent = options.extent_of_named(None, granularity())?;
            let (section, existed) = Section::of_memory(extent.len, Some(&name)).map_err(to_error)?;
            if !existed {
                return Ok((SharedMemory { section, len: extent.len }, None, NameLock));
            }
            (section, existed)
        }
    };
    let len = section.len()?;
    Ok((SharedMemory { section, len }, existed.then_some(len), NameLock))
}
