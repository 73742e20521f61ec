//! What the program has mapped.

mod advise;
mod growth;
mod protect;
mod remap;
mod windows;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasi_mmap_core::Error;
use wasi_mmap_sys::bindings::wasi_mmap::mmap::types::{Access, FlushFlags, MapFlags, WindowMode};
use wasi_mmap_sys::copies::{HeldSource, Placed, plugin_copies};

use super::constants::{MS_ASYNC, MS_INVALIDATE, MS_SYNC, PROT_WRITE};
use super::errno::{EEXIST, EINVAL, ENODEV, ENOMEM, Errno, Result};
use super::lock_table::has_owners;
use super::page;
use super::window::{HostMapping, Window};
use crate::areas::{Areas, Content};
use crate::space::{Space, Taken};

/// All mappings of the program.
#[derive(Debug)]
pub(crate) struct Process {
    space: Space,
    areas: Areas<Mapped>,
    /// The windows, by their start.
    windows: BTreeMap<usize, Window>,
}

static PROCESS: Mutex<Process> =
    Mutex::new(Process { space: Space::new(), areas: Areas::new(), windows: BTreeMap::new() });

/// Returns all mappings of the program.
pub(crate) fn process() -> MutexGuard<'static, Process> {
    PROCESS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What pages show, and what may be done with them.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    /// `PROT_*`.
    pub(crate) protection: i32,
    pub(crate) is_shared: bool,
    /// The file, and the offset of the first byte; `None` for memory.
    pub(crate) file: Option<(Arc<HeldSource>, u64)>,
    /// Whether the protection may become `PROT_WRITE`.
    pub(crate) may_write: bool,
    /// Whether everything is read at once.
    pub(crate) populate: bool,
}

impl Spec {
    fn is_writable(&self) -> bool {
        self.protection & PROT_WRITE != 0
    }

    /// Returns whether a copy will do: not if the program has locks, since others use the file as well then, and locks
    /// say when its bytes may be relied on.
    fn may_be_copy(&self) -> bool {
        !(self.is_shared && self.file.is_some() && has_owners())
    }

    /// Returns what shows the pages from a distance on.
    fn from(&self, distance: usize) -> Self {
        let file = self.file.as_ref().map(|(file, offset)| (file.clone(), offset + distance as u64));
        Self { file, ..self.clone() }
    }
}

/// The pages of an area.
#[derive(Debug)]
struct Mapped {
    spec: Spec,
    kind: Kind,
    /// How many mappings of the program share the area, which only copies do.
    count: NonZero<usize>,
}

#[derive(Debug)]
enum Kind {
    /// The plugin's memory, with no file, or with private changes to one.
    Memory,
    /// A window, by its start.
    Window(usize),
    /// A copy whose changes reach the file, or a private one that has no changes.
    Copy(Placed<HeldSource>),
}

impl Mapped {
    fn new(spec: Spec, kind: Kind) -> Self {
        Self { spec, kind, count: NonZero::<usize>::MIN }
    }
}

impl Content for Mapped {
    type Error = Errno;

    fn split_off(&mut self, at: usize) -> Result<Self> {
        let kind = match &mut self.kind {
            Kind::Memory => Kind::Memory,
            Kind::Window(start) => Kind::Window(*start),
            Kind::Copy(copy) => Kind::Copy(copy.split_off(at)?),
        };
        Ok(Self { spec: self.spec.from(at), kind, count: self.count })
    }
}

/// Where pages are to be mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Anywhere, but preferably at an address.
    Anywhere(usize),
    /// At an address, in place of what is mapped there: `MAP_FIXED`.
    At(usize),
    /// At an address where nothing is mapped: `MAP_FIXED_NOREPLACE`.
    AtFree(usize),
}

/// From this length on, windows are aligned to large pages, which the file may be cached in.
const LARGE_PAGE: usize = 2 << 20;

impl Process {
    /// Maps pages, and returns their address.
    pub(crate) fn map(&mut self, place: Place, len: usize, spec: Spec) -> Result<usize> {
        let len = len.checked_next_multiple_of(page::size()).ok_or(ENOMEM)?;
        let mapping = match &spec.file {
            Some((file, offset)) => host_mapping(file, *offset, len, &spec)?,
            None => None,
        };
        let may_share = matches!(place, Place::Anywhere(_));
        if may_share
            && mapping.is_none()
            && let Some(start) = self.share(len, &spec)?
        {
            return Ok(start);
        }
        let range = self.claim(place, len)?;
        if self.attach(&range, mapping, &spec).inspect_err(|_| self.space.give_back(range.clone(), true))? {
            let start = range.start;
            self.areas.insert(range, Mapped::new(spec, Kind::Window(start)));
            return Ok(start);
        }
        if may_share
            && let Some(start) = self.share(len, &spec).inspect_err(|_| self.space.give_back(range.clone(), false))?
        {
            self.space.give_back(range, false);
            return Ok(start);
        }
        self.copy_to(range, spec)
    }

    /// Maps memory, or a copy of a file, in memory that was taken, and is zeros. Returns its address.
    fn copy_to(&mut self, range: Range<usize>, spec: Spec) -> Result<usize> {
        let kind = match &spec.file {
            None => Kind::Memory,
            Some((file, offset)) => {
                copy(&range, file, *offset, &spec).inspect_err(|_| self.space.give_back(range.clone(), true))?
            }
        };
        let start = range.start;
        self.areas.insert(range, Mapped::new(spec, kind));
        Ok(start)
    }

    /// Makes a mapping one more of those that share the memory of a copy. Returns `None` if there is none.
    fn share(&mut self, len: usize, spec: &Spec) -> Result<Option<usize>> {
        let Some((file, offset)) = spec.file.as_ref().filter(|_| spec.is_shared) else { return Ok(None) };
        let Some(start) = Placed::find(plugin_copies(), file, *offset, len) else { return Ok(None) };
        let start = start.addr();
        file.watch();
        let areas = self.areas.isolate(&(start..start + len))?;
        // Everything that can fail comes first.
        for range in &areas {
            let Some(area) = self.areas.get_mut(range.start) else { return Ok(None) };
            let Kind::Copy(copy) = &mut area.content.kind else { return Ok(None) };
            if spec.is_writable() {
                copy.make_mut(file)?;
            }
            copy.refresh(0, range.len())?;
            area.content.count.checked_add(1).ok_or(ENOMEM)?;
        }
        for range in &areas {
            let Some(area) = self.areas.get_mut(range.start) else { continue };
            let shared = &mut area.content;
            shared.count = shared.count.saturating_add(1);
            shared.spec.protection |= spec.protection;
            if spec.may_write && !shared.spec.may_write {
                shared.spec.may_write = true;
                shared.spec.file = spec.from(range.start - start).file;
            }
        }
        Ok(Some(start))
    }

    /// Takes the memory for a mapping, which is zeros.
    fn claim(&mut self, place: Place, len: usize) -> Result<Range<usize>> {
        let taken = match place {
            Place::Anywhere(hint) => {
                let hinted = page::whole(hint, len).filter(|range| range.start % page::size() == 0 && hint != 0);
                match hinted.and_then(|range| self.space.take_at(range)) {
                    Some(taken) => Some(taken),
                    None => self.take(len),
                }
            }
            Place::At(start) | Place::AtFree(start) => {
                if !start.is_multiple_of(page::size()) {
                    return Err(EINVAL);
                }
                let range = page::whole(start, len).ok_or(ENOMEM)?;
                if place == Place::AtFree(start) && !self.space.is_free(&range) && page::is_memory(&range) {
                    return Err(EEXIST);
                }
                self.clear(&range)?;
                self.space.take_at(range)
            }
        };
        let taken = taken.ok_or(ENOMEM)?;
        for dirty in taken.dirty {
            let len = dirty.len();
            // SAFETY: the memory is the library's own, and was taken just now.
            unsafe { std::ptr::with_exposed_provenance_mut::<u8>(dirty.start).write_bytes(0, len) };
        }
        Ok(taken.start..taken.start + len)
    }

    fn take(&mut self, len: usize) -> Option<Taken> {
        if len >= LARGE_PAGE
            && let Some(taken) = self.space.take(len, LARGE_PAGE.max(page::size()), page::grow)
        {
            return Some(taken);
        }
        self.space.take(len, page::size(), page::grow)
    }

    /// Removes what is mapped in a range, which must be mapped or free as a whole.
    fn clear(&mut self, range: &Range<usize>) -> Result<()> {
        if self.areas.holes(range).iter().any(|hole| !self.space.is_free(hole)) {
            return Err(ENOMEM);
        }
        let shared = |area: &Range<usize>| self.areas.get(area.start).is_some_and(|area| area.content.count.get() > 1);
        if self.areas.within(range).iter().any(shared) {
            // Another mapping is in the same place.
            return Err(ENOMEM);
        }
        self.unmap(range)
    }

    /// Removes what is mapped in a range.
    ///
    /// # Errors
    ///
    /// Those of writing changes back: nothing is removed then. Those of the host: some windows may have been removed then,
    /// and everything else is as before.
    pub(crate) fn unmap(&mut self, range: &Range<usize>) -> Result<()> {
        let areas = self.areas.isolate(range)?;
        let mut windows: Vec<(usize, Vec<usize>)> = Vec::new();
        for area in &areas {
            let Some(found) = self.areas.get(area.start) else { continue };
            match &found.content.kind {
                Kind::Copy(copy) if found.content.count.get() == 1 => copy.flush(0, area.len(), false)?,
                Kind::Window(start) => match windows.last_mut() {
                    Some((last, areas)) if last == start => areas.push(area.start),
                    _ => windows.push((*start, vec![area.start])),
                },
                _ => {}
            }
        }
        for (start, shown) in windows {
            // The memory of a window is given back with the window.
            self.shrink(start, range)?;
            for area in shown {
                self.areas.remove(area);
            }
        }
        for area in areas {
            let Some(found) = self.areas.get_mut(area.start) else { continue };
            if let Some(count) = NonZero::new(found.content.count.get() - 1) {
                found.content.count = count;
                continue;
            }
            self.areas.remove(area.start);
            self.space.give_back(area, true);
        }
        Ok(())
    }

    /// Returns whether a shared mapping is a copy, which does not show what others store.
    pub(crate) fn has_shared_copies(&self) -> bool {
        self.areas.contents().any(|mapped| mapped.spec.is_shared && matches!(mapped.kind, Kind::Copy(_)))
    }

    /// Returns whether every page of a range is mapped.
    pub(crate) fn covers(&self, range: &Range<usize>) -> bool {
        self.areas.covers(range)
    }

    /// Writes changes in a range back: `msync(2)`.
    pub(crate) fn sync(&mut self, range: &Range<usize>, flags: i32) -> Result<()> {
        let wait = flags & MS_SYNC != 0;
        let mut flush = if flags & MS_ASYNC != 0 { FlushFlags::ASYNCHRONOUS } else { FlushFlags::SYNCHRONOUS };
        flush.set(FlushFlags::INVALIDATE, flags & MS_INVALIDATE != 0);
        for area in self.areas.within(range) {
            let Some(found) = self.areas.get(area.start) else { continue };
            let part = area.start.max(range.start)..area.end.min(range.end);
            match &found.content.kind {
                Kind::Window(start) if found.content.spec.is_shared => match self.windows.get(start) {
                    Some(window) => window.flush(&part, flush)?,
                    None => continue,
                },
                Kind::Copy(copy) if found.content.spec.is_shared => {
                    copy.flush(part.start - area.start, part.len(), wait)?;
                    if flags & MS_INVALIDATE != 0 {
                        copy.refresh(part.start - area.start, part.len())?;
                    }
                }
                _ => {}
            }
        }
        if self.covers(range) { Ok(()) } else { Err(ENOMEM) }
    }

    /// Checks that all bytes of a range were those of their files.
    pub(crate) fn check(&self, range: &Range<usize>) -> Result<()> {
        for area in self.areas.within(range) {
            let Some(found) = self.areas.get(area.start) else { continue };
            if let Kind::Window(start) = found.content.kind
                && let Some(window) = self.windows.get(&start)
            {
                window.check()?;
            }
        }
        if self.covers(range) { Ok(()) } else { Err(ENOMEM) }
    }
}

/// Maps a file on the host. Returns `None` if it has to be copied: the host has no mappings, none for this file, or no
/// more of them.
fn host_mapping(file: &Arc<HeldSource>, offset: u64, len: usize, spec: &Spec) -> Result<Option<Arc<HostMapping>>> {
    if wasi_mmap_sys::window::alignment().is_none() {
        return Ok(None);
    }
    let access = match (spec.is_shared, spec.is_writable()) {
        (_, false) => Access::Read,
        (true, true) => Access::Write,
        (false, true) => Access::Copy,
    };
    let mut flags = if spec.populate { MapFlags::POPULATE } else { MapFlags::empty() };
    // So that a mapping for reading can be made writable.
    flags.set(MapFlags::WIDEST_ACCESS, spec.is_shared && access == Access::Read);
    Ok(or_copy(HostMapping::new(file, offset, len as u64, access, flags), spec)?.map(Arc::new))
}

/// Returns `None` for an error after which a copy is made, which needs less of the host.
///
/// # Errors
///
/// [`ENOMEM`] where a limit is reached, and a copy is not allowed; all other errors.
fn or_copy<T>(outcome: std::result::Result<T, Error>, spec: &Spec) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Error::LimitExceeded(_) | Error::Busy) if !spec.may_be_copy() => Err(ENOMEM),
        Err(Error::Unsupported(_) | Error::LimitExceeded(_) | Error::Busy) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns the mode of a window.
fn mode(is_writable: bool) -> WindowMode {
    if is_writable { WindowMode::Write } else { WindowMode::Read }
}

/// Copies a part of a file to memory that is zeros.
fn copy(range: &Range<usize>, file: &Arc<HeldSource>, offset: u64, spec: &Spec) -> Result<Kind> {
    if !spec.may_be_copy() {
        return Err(ENODEV);
    }
    file.watch();
    let start = NonNull::new(std::ptr::with_exposed_provenance_mut(range.start)).ok_or(ENOMEM)?;
    let can_write = spec.is_shared && spec.is_writable();
    // SAFETY: the memory is the library's own, and was taken for this mapping, which is removed before it is given back.
    let placed =
        unsafe { Placed::new(plugin_copies(), file.clone(), offset, start, range.len(), can_write, spec.is_shared) };
    let placed = placed?;
    // Private changes are the program's alone.
    Ok(if spec.is_shared || !spec.is_writable() { Kind::Copy(placed) } else { Kind::Memory })
}
