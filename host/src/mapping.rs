//! The resource behind a plugin's handle: a native mapping, and its share of the store's limits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasi_mmap_core::{Access, Advice, Backend, Error, Internals, MapFlags, MapOptions, Result, Rights, Storage};
use wasi_mmap_native::{Mapping, OsStorage};
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, File, OpenMode};

use crate::audit::{MapEvent, MapSource};
use crate::limits::Limit;
use crate::quota::Permit;
use crate::view::View;

/// A plugin's mapping.
#[derive(Debug)]
pub(crate) struct HostMapping {
    mapping: Mutex<Mapping>,
    /// Returned when the handle is dropped.
    _mapping_permit: Permit,
    /// Returned when the mapping is closed.
    bytes_permit: Mutex<Option<Permit>>,
    /// Whether the memory has huge pages, which count whole.
    is_huge: bool,
    advice_permit: Mutex<Permit>,
}

impl HostMapping {
    /// Locks the mapping, for one operation.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Mapping> {
        // A panic in an operation leaves the mapping valid.
        self.mapping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes_permit(&self) -> MutexGuard<'_, Option<Permit>> {
        self.bytes_permit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resizes the mapping within the store's limits.
    pub(crate) fn resize(&self, length: u64) -> Result<()> {
        let mut mapping = self.lock();
        mapping.check_resize(length)?;
        let mut permit = self.bytes_permit();
        let Some(permit) = permit.as_mut() else { return Err(Error::Closed) };
        let old = permit.amount();
        permit.change(memory_of(length, self.is_huge).max(old))?;
        let result = mapping.resize(length);
        // Also after a failure, which may have left either length.
        let len = mapping.len().map_or(old, |len| memory_of(len, self.is_huge));
        permit.change(len)?;
        result
    }

    /// Closes the mapping and returns its bytes to the store.
    pub(crate) fn close(&self) -> Result<()> {
        self.lock().close()?;
        *self.bytes_permit() = None;
        Ok(())
    }

    /// Gives advice within the store's limits. Advice that would harm the host is not in the interface.
    pub(crate) fn advise(&self, advice: Advice, start: u64, length: Option<u64>) -> Result<()> {
        let mut mapping = self.lock();
        let len = mapping.len()?;
        let is_partial = start != 0 || length.is_some_and(|length| length < len);
        if is_partial && advice.lasts() {
            let mut permit = self.advice_permit.lock().unwrap_or_else(PoisonError::into_inner);
            let count = permit.amount();
            permit.change(count + 1)?;
        }
        mapping.advise_at(advice, start, length)
    }
}

/// Creates mappings within the store's limits, and reports each.
impl View<'_> {
    pub(crate) fn map_file(
        &mut self,
        descriptor: Resource<Descriptor>,
        options: MapOptions,
    ) -> wasmtime::Result<Result<Resource<Arc<HostMapping>>>> {
        let descriptor = self.table.delete(descriptor)?;
        self.create(MapSource::File, options, Limit::MappedBytes, None, || map_descriptor(descriptor, options))
    }

    /// Maps the file of a descriptor that stays in the plugin's table.
    pub(crate) fn map_borrowed_file(
        &mut self,
        descriptor: &Resource<Descriptor>,
        options: MapOptions,
    ) -> wasmtime::Result<Result<Resource<Arc<HostMapping>>>> {
        let descriptor = self.table.get(descriptor)?.clone();
        self.create(MapSource::File, options, Limit::MappedBytes, None, || map_descriptor(descriptor, options))
    }

    pub(crate) fn map_anonymous(
        &mut self,
        options: MapOptions,
    ) -> wasmtime::Result<Result<Resource<Arc<HostMapping>>>> {
        self.create(MapSource::Anonymous, options, Limit::AnonymousBytes, None, || {
            Ok((OsStorage::map_anonymous(&options)?, options.access))
        })
    }

    pub(crate) fn map_named(
        &mut self,
        name: &str,
        options: MapOptions,
    ) -> wasmtime::Result<Result<Resource<Arc<HostMapping>>>> {
        let namespace = self.ctx.namespace.clone();
        let existing = namespace.len_of(name);
        self.create(MapSource::Named(name), options, Limit::AnonymousBytes, existing, || {
            Ok((namespace.map(name, &options)?, options.access))
        })
    }

    fn create(
        &mut self,
        source: MapSource<'_>,
        options: MapOptions,
        limit: Limit,
        existing: Option<u64>,
        map: impl FnOnce() -> Result<(OsStorage, Access)>,
    ) -> wasmtime::Result<Result<Resource<Arc<HostMapping>>>> {
        let mapping = self.create_unreported(&options, limit, existing, map);
        let granted = mapping.as_ref().map_or(options, |(_, _, access)| options.access(*access));
        let outcome = mapping.as_ref().map(|(_, len, _)| *len);
        self.ctx.report(&MapEvent { source, options: &granted, outcome });
        match mapping {
            Ok((mapping, ..)) => Ok(Ok(self.table.push(mapping)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Creates a mapping, and returns its length and its access with it.
    fn create_unreported(
        &self,
        options: &MapOptions,
        limit: Limit,
        existing: Option<u64>,
        map: impl FnOnce() -> Result<(OsStorage, Access)>,
    ) -> Result<(Arc<HostMapping>, u64, Access)> {
        let account = &self.ctx.account;
        let mapping_permit = Permit::new(account, Limit::Mappings, 1)?;
        // Memory needs a permit before it exists. A file costs only address space, and its length is not known before.
        let is_huge = limit == Limit::AnonymousBytes && options.flags.contains(MapFlags::HUGE_PAGES);
        let granted = match limit {
            Limit::AnonymousBytes => {
                memory_of(options.extent_of_named(existing, OsStorage::granularity())?.len, is_huge)
            }
            _ => 0,
        };
        let mut bytes_permit = Permit::new(account, limit, granted)?;
        let (storage, access) = map()?;
        let mapping = Mapping::new(storage, access);
        let len = mapping.len()?;
        bytes_permit.change(len.max(granted))?;
        let mapping = HostMapping {
            mapping: Mutex::new(mapping),
            _mapping_permit: mapping_permit,
            bytes_permit: Mutex::new(Some(bytes_permit)),
            is_huge,
            advice_permit: Mutex::new(Permit::new(account, Limit::PartialAdvice, 0)?),
        };
        Ok((Arc::new(mapping), len, access))
    }
}

/// Maps the file behind a descriptor, with no more rights than the descriptor has.
fn map_descriptor(descriptor: Descriptor, mut options: MapOptions) -> Result<(OsStorage, Access)> {
    let file = match descriptor {
        Descriptor::File(file) => file,
        Descriptor::Dir(_) => return Err(Error::Unsupported("mapping a directory".into())),
    };
    let rights = rights_of(&file);
    let File { file, .. } = file;
    // If the plugin's descriptor or a stream still shares the file, the mapping gets a descriptor of its own.
    let file = Arc::try_unwrap(file).or_else(|shared| shared.try_clone())?;
    // The system would read the whole file before it returns, which for a sparse terabyte takes minutes that nothing
    // can end. Read-ahead serves the purpose of the hint, and begins while the plugin goes on.
    let flags = options.flags;
    options = options.flags(flags - MapFlags::POPULATE);
    let (mut mapping, access) = OsStorage::map_file_with(file, rights, &options)?;
    if flags.contains(MapFlags::POPULATE) {
        let whole = 0..mapping.len();
        // It is a hint: the mapping is as good without it.
        let _ = mapping.advise(Advice::WillNeed, whole);
    }
    Ok((mapping, access))
}

/// Returns the rights of a plugin's descriptor.
pub(crate) fn rights_of(file: &File) -> Rights {
    let mut rights = Rights::empty();
    rights.set(Rights::READ, file.open_mode.contains(OpenMode::READ));
    rights.set(Rights::WRITE, file.open_mode.contains(OpenMode::WRITE) && !file.perms.write_not_permitted());
    rights
}

/// Returns the memory of the host that `len` bytes of a plugin's memory take, in bytes.
fn memory_of(len: u64, is_huge: bool) -> u64 {
    /// The size of a huge page, in bytes.
    const HUGE_PAGE: u64 = 2 << 20;
    if is_huge { len.checked_next_multiple_of(HUGE_PAGE).unwrap_or(u64::MAX) } else { len }
}
