//! `mprotect(2)`.

use std::ops::Range;

use super::{Kind, Mapped, Process};
use crate::plugin::constants::PROT_WRITE;
use crate::plugin::errno::{EACCES, ENOMEM, Result};

impl Process {
    /// Changes what the program may do with the pages of a range.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, if a page is not mapped; `EACCES`, if its file was not opened for writing: nothing has changed then.
    /// After those of the host, some windows may have changed.
    pub(crate) fn protect(&mut self, range: &Range<usize>, protection: i32) -> Result<()> {
        if !self.areas.covers(range) {
            return Err(ENOMEM);
        }
        let writes = protection & PROT_WRITE != 0;
        for area in self.areas.within(range) {
            if writes && self.areas.get(area.start).is_some_and(|area| !area.content.spec.may_write) {
                return Err(EACCES);
            }
        }
        let areas = self.areas.isolate(range)?;
        if writes {
            // What can fail comes before the first change that the program could notice.
            for range in &areas {
                let Some(area) = self.areas.get_mut(range.start) else { continue };
                let Mapped { spec, kind, .. } = &mut area.content;
                if let (Kind::Copy(copy), Some((file, _)), true) = (kind, &spec.file, spec.is_shared) {
                    copy.make_mut(file)?;
                }
            }
        }
        let mut windows = Vec::new();
        for range in areas {
            let Some(area) = self.areas.get_mut(range.start) else { continue };
            let mapped = &mut area.content;
            match &mapped.kind {
                Kind::Window(start) => windows.push((range.start, *start, mapped.spec.protection)),
                // From the first change on, the bytes are the program's alone.
                Kind::Copy(_) if writes && !mapped.spec.is_shared => mapped.kind = Kind::Memory,
                Kind::Memory | Kind::Copy(_) => {}
            }
            mapped.spec.protection = protection;
        }
        for (index, (_, start, _)) in windows.iter().enumerate() {
            if let Err(error) = self.set_mode(*start) {
                // Stores to these windows would be lost.
                for (area, _, before) in &windows[index..] {
                    if let Some(area) = self.areas.get_mut(*area) {
                        area.content.spec.protection = *before;
                    }
                }
                return Err(error);
            }
        }
        Ok(())
    }
}
