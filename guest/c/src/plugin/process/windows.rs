//! Windows, and the areas in them.

use std::ops::Range;
use std::process::abort;
use std::sync::Arc;

use wasi_mmap_core::Error;
use wasi_mmap_sys::bindings::wasi_mmap::mmap::types::{Access, MapFlags};

use super::{Kind, Process, Spec, copy, growth, host_mapping, mode, or_copy};
use crate::plugin::errno::Result;
use crate::plugin::window::{HostMapping, Window};

impl Process {
    /// Attaches a window in memory that was taken. Returns false if the file has to be copied.
    pub(super) fn attach(
        &mut self,
        range: &Range<usize>,
        mapping: Option<Arc<HostMapping>>,
        spec: &Spec,
    ) -> Result<bool> {
        let (Some(mapping), Some((file, offset))) = (mapping, &spec.file) else { return Ok(false) };
        // SAFETY: the memory is the library's own, and was taken for this mapping.
        let mut attached = unsafe { mapping.attach(range.clone(), *offset, mode(spec.is_writable())) };
        if let Err(Error::Unsupported(_)) = attached
            && mapping.access == Access::Write
            && !spec.is_writable()
        {
            // The host may have windows for files that are mapped for reading alone.
            let reading = HostMapping::new(file, *offset, range.len() as u64, Access::Read, MapFlags::empty());
            let Some(reading) = or_copy(reading, spec)? else { return Ok(false) };
            // SAFETY: as above.
            attached = unsafe { Arc::new(reading).attach(range.clone(), *offset, mode(false)) };
        }
        let Some(window) = or_copy(attached, spec)? else { return Ok(false) };
        if window.mapping.is_beyond_end() {
            growth::watch(file);
        }
        self.windows.insert(range.start, window);
        Ok(true)
    }

    /// Returns the ranges of the areas that show a window, but those in `removed`.
    fn shown(&self, start: usize, removed: &Range<usize>) -> Vec<Range<usize>> {
        let Some(window) = self.windows.get(&start) else { return Vec::new() };
        let areas = self.areas.within(&window.range).into_iter();
        areas.filter(|area| area.start < removed.start || area.start >= removed.end).collect()
    }

    /// Removes a part of a window. Its memory is free then; the rest of the window is attached anew.
    ///
    /// # Errors
    ///
    /// Those of `window.detach`: the window is as before then.
    pub(super) fn shrink(&mut self, start: usize, removed: &Range<usize>) -> Result<()> {
        let areas = self.shown(start, removed);
        let Some(mut window) = self.windows.remove(&start) else { return Ok(()) };
        if let Err(error) = window.detach() {
            self.windows.insert(start, window);
            return Err(error.into());
        }
        let mut runs: Vec<Range<usize>> = Vec::new();
        for area in &areas {
            match runs.last_mut() {
                Some(run) if run.end == area.start => run.end = area.end,
                _ => runs.push(area.clone()),
            }
        }
        let mut parts = Vec::new();
        for run in &runs {
            let offset = window.offset + (run.start - window.range.start) as u64;
            // SAFETY: the memory is that of the window, which is detached.
            match unsafe { window.mapping.attach(run.clone(), offset, window.mode) } {
                Ok(part) => parts.push(part),
                Err(_) => {
                    // The whole window was there a moment ago. What is removed stays in it, and is given back with it.
                    drop(parts);
                    self.restore(window);
                    return Ok(());
                }
            }
        }
        let mut at = window.range.start;
        for run in &runs {
            self.space.give_back(at..run.start, false);
            at = run.end;
        }
        self.space.give_back(at..window.range.end, false);
        for part in parts {
            for area in self.areas.within(&part.range) {
                if let Some(area) = self.areas.get_mut(area.start) {
                    area.content.kind = Kind::Window(part.range.start);
                }
            }
            self.windows.insert(part.range.start, part);
        }
        Ok(())
    }

    /// Attaches a window again that was detached. Ends the program if the host refuses: its bytes would be zeros.
    fn restore(&mut self, window: Window) {
        // SAFETY: the memory is that of the window, which is detached.
        match unsafe { window.mapping.attach(window.range.clone(), window.offset, window.mode) } {
            Ok(window) => {
                self.windows.insert(window.range.start, window);
            }
            Err(error) => {
                eprintln!("wasi-mmap: a mapping could not be restored, and its bytes are gone: {error}");
                abort();
            }
        }
    }

    /// Gives a window the mode that its areas need: for writing, if one of them can be written.
    pub(super) fn set_mode(&mut self, start: usize) -> Result<()> {
        let areas = self.shown(start, &(0..0));
        let specs = areas.iter().filter_map(|area| self.areas.get(area.start)).map(|area| &area.content.spec);
        let is_writable = specs.clone().any(Spec::is_writable);
        let Some(window) = self.windows.get_mut(&start) else { return Ok(()) };
        if !is_writable {
            // Nobody stores to the window, so that its mode makes no difference.
            let _ = window.set_mode(mode(false));
            return Ok(());
        }
        if window.mapping.access != Access::Read {
            return match window.set_mode(mode(true)) {
                // A host that cannot change a window in place.
                Err(Error::Unsupported(_)) => {
                    let mapping = window.mapping.clone();
                    self.replace(start, &mapping)
                }
                outcome => Ok(outcome?),
            };
        }
        let (file, offset, len) = (window.mapping.file.clone(), window.offset, window.range.len());
        let Some(spec) = specs.into_iter().find(|spec| spec.is_writable()).cloned() else { return Ok(()) };
        // The file may have been mapped for reading with another descriptor.
        let file = spec.file.as_ref().map_or(file, |(file, _)| file.clone());
        match host_mapping(&file, offset, len, &spec)? {
            Some(mapping) => self.replace(start, &mapping),
            None => self.make_copies(start),
        }
    }

    /// Replaces a window by one of another mapping, for writing.
    ///
    /// # Errors
    ///
    /// Those of the host: the window is as before then.
    fn replace(&mut self, start: usize, mapping: &Arc<HostMapping>) -> Result<()> {
        let Some(mut window) = self.windows.remove(&start) else { return Ok(()) };
        if let Err(error) = window.detach() {
            self.windows.insert(start, window);
            return Err(error.into());
        }
        // SAFETY: the memory is that of the window, which is detached.
        match unsafe { mapping.attach(window.range.clone(), window.offset, mode(true)) } {
            Ok(new) => {
                self.windows.insert(start, new);
                Ok(())
            }
            Err(Error::Unsupported(_) | Error::LimitExceeded(_)) => {
                self.restore(window);
                self.make_copies(start)
            }
            Err(error) => {
                self.restore(window);
                Err(error.into())
            }
        }
    }

    /// Replaces a window, which was for reading, by copies at the same address.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; those of reading the file. The window is as before then.
    fn make_copies(&mut self, start: usize) -> Result<()> {
        let areas = self.shown(start, &(0..0));
        let Some(mut window) = self.windows.remove(&start) else { return Ok(()) };
        if let Err(error) = window.detach() {
            self.windows.insert(start, window);
            return Err(error.into());
        }
        let mut kinds = Vec::new();
        for area in &areas {
            let Some(spec) = self.areas.get(area.start).map(|area| area.content.spec.clone()) else { continue };
            let Some((file, offset)) = &spec.file else { continue };
            match copy(area, file, *offset, &spec) {
                Ok(kind) => kinds.push((area.start, kind)),
                Err(error) => {
                    drop(kinds);
                    self.restore(window);
                    return Err(error);
                }
            }
        }
        for (start, kind) in kinds {
            if let Some(area) = self.areas.get_mut(start) {
                area.content.kind = kind;
            }
        }
        // Parts that were removed before, but stayed in the window.
        let mut at = window.range.start;
        for area in areas {
            self.space.give_back(at..area.start, false);
            at = area.end;
        }
        self.space.give_back(at..window.range.end, false);
        Ok(())
    }
}
