//! Memory that mappings share: sections without a file, and their names.

use wasi_mmap_core::{Error, MapOptions, Result};

use super::granularity;
use super::map::to_error;
use super::section::Section;

/// Memory that several mappings can be made of.
#[derive(Debug)]
pub(crate) struct Memory {
    section: Section,
    len: u64,
}

impl Memory {
    /// Memory of `len` zeros.
    pub(crate) fn new(len: u64) -> Result<Self> {
        let (section, _) = Section::of_memory(len, None).map_err(to_error)?;
        Ok(Self { section, len })
    }

    /// How long it is, in bytes.
    pub(crate) fn len(&self) -> Result<u64> {
        Ok(self.len)
    }

    pub(super) fn section(&self) -> Result<Section> {
        Ok(self.section.try_clone()?)
    }
}

/// A name. The mapping's own section keeps it.
#[derive(Debug)]
pub(crate) struct Name;

/// The memory of a name, how long it was if it existed, and the hold on its name.
///
/// The name is the system's own, in the namespace of the session: other programs find the memory by it, Python's `tagname` among
/// them. The system keeps no length but in pages, so that memory which exists is as long as its pages.
pub(crate) fn open_named(name: &str, options: &MapOptions) -> Result<(Memory, Option<u64>, Name)> {
    if name.contains('\0') {
        return Err(Error::invalid("name", "a name ends at its first character of value 0"));
    }
    let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
    let (section, existed) = match Section::open(&name)? {
        Some(section) => (section, true),
        None => {
            let extent = options.extent_of_named(None, granularity())?;
            let (section, existed) = Section::of_memory(extent.len, Some(&name)).map_err(to_error)?;
            if !existed {
                return Ok((Memory { section, len: extent.len }, None, Name));
            }
            (section, existed)
        }
    };
    let len = section.len()?;
    Ok((Memory { section, len }, existed.then_some(len), Name))
}
