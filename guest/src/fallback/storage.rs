//! The storage that `core` works on: a file in the page cache, with private changes over it, or memory alone.

use std::ops::Range;

use wasi_mmap_core::{Advice, Error, Extent, FlushFlags, MapFlags, MapOptions, Result, Storage};

use super::cache::{Cache, Hold};
use super::file::File;
use super::overlay::{Overlay, parts};
use super::{PAGE_LEN, PAGE_SIZE};

/// A file in a [`Cache`], or memory, as a storage of `core`.
#[derive(Debug)]
pub struct Cached<F: File> {
    /// The file; `None` for memory.
    hold: Option<Hold<F>>,
    /// Changes that stay here; `None` where changes go to the file.
    overlay: Option<Overlay>,
    offset: u64,
    len: u64,
    file_is_writable: bool,
}

impl<F: File> Cached<F> {
    /// Maps a file through a cache.
    ///
    /// # Errors
    ///
    /// As [`Mapping::from_file`](wasi_mmap_core::Mapping::from_file).
    pub fn of_file(cache: &Cache<F>, file: F, options: &MapOptions) -> Result<Self> {
        let info = file.info()?;
        let Extent { offset, len } = options.extent_of_file(&info, PAGE_SIZE)?;
        let overlay = options.is_private().then(Overlay::default);
        let file_is_writable = info.rights.contains(wasi_mmap_core::Rights::WRITE);
        let writes = options.get_access().is_writable() && overlay.is_none();
        let hold = cache.hold(file, writes)?;
        if options.get_flags().contains(MapFlags::POPULATE) {
            hold.prefetch(offset..offset + len)?;
        }
        Ok(Self { hold: Some(hold), overlay, offset, len, file_is_writable })
    }

    /// Maps memory that starts as zeros; what is never written takes no memory.
    ///
    /// # Errors
    ///
    /// As [`Mapping::anonymous_with`](wasi_mmap_core::Mapping::anonymous_with); `unsupported` for huge pages.
    pub fn of_memory(options: &MapOptions) -> Result<Self> {
        let Extent { offset, len } = options.extent_of_memory(PAGE_SIZE)?;
        if options.get_flags().contains(MapFlags::HUGE_PAGES) {
            return Err(Error::Unsupported("huge pages".into()));
        }
        Ok(Self { hold: None, overlay: Some(Overlay::default()), offset, len, file_is_writable: true })
    }

    /// What the bytes are where nothing private lies over them.
    fn read_below(hold: Option<&Hold<F>>, position: u64, buffer: &mut [u8]) -> Result<()> {
        match hold {
            Some(hold) => hold.read(position, buffer),
            None => {
                buffer.fill(0);
                Ok(())
            }
        }
    }

    fn in_file(&self, range: &Range<u64>) -> Range<u64> {
        self.offset + range.start..self.offset + range.end
    }
}

impl<F: File> Storage for Cached<F> {
    fn len(&self) -> u64 {
        self.len
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    fn file_len(&self) -> Result<u64> {
        self.hold.as_ref().map_or(Ok(self.len), |hold| hold.file().len())
    }

    fn page_size() -> u64 {
        PAGE_SIZE
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let hold = self.hold.as_ref();
        let Some(overlay) = &self.overlay else {
            return Self::read_below(hold, self.offset + offset, buffer);
        };
        for part in parts(offset, buffer.len(), PAGE_LEN) {
            let position = self.offset + offset + part.buffer.start as u64;
            let buffer = &mut buffer[part.buffer];
            match overlay.get(part.page) {
                Some(bytes) => buffer.copy_from_slice(&bytes[part.within]),
                None => Self::read_below(hold, position, buffer)?,
            }
        }
        Ok(())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let hold = self.hold.as_ref();
        match (&mut self.overlay, hold) {
            (None, Some(hold)) => hold.write(self.offset + offset, bytes),
            (None, None) => unreachable!("memory without a file lies in the overlay"),
            (Some(overlay), hold) => {
                for part in parts(offset, bytes.len(), PAGE_LEN) {
                    let start = self.offset + part.page * PAGE_SIZE;
                    // All of the page, even where the mapping ends before: it may become longer.
                    let page = overlay.get_mut(part.page, |page| Self::read_below(hold, start, page))?;
                    page[part.within].copy_from_slice(&bytes[part.buffer]);
                }
                Ok(())
            }
        }
    }

    /// Writes changes back, and forgets what is known of the range, so that what others wrote is seen.
    fn flush(&mut self, range: Range<u64>, flags: FlushFlags) -> Result<()> {
        let (Some(hold), None) = (&self.hold, &self.overlay) else {
            return Ok(());
        };
        let range = self.in_file(&range);
        hold.write_back(range.clone())?;
        if flags.contains(FlushFlags::SYNC) {
            hold.sync()?;
        }
        hold.forget(range);
        Ok(())
    }

    fn advise(&mut self, advice: Advice, range: Range<u64>) -> Result<()> {
        match advice {
            Advice::Normal | Advice::Random | Advice::Sequential => Ok(()),
            Advice::WillNeed => match &self.hold {
                Some(hold) => hold.prefetch(self.in_file(&range)),
                None => Ok(()),
            },
            Advice::DontNeed => {
                if let Some(hold) = &self.hold {
                    hold.forget(self.in_file(&range));
                }
                if let Some(overlay) = &mut self.overlay {
                    // The range starts with a page and ends with one, or with the mapping.
                    overlay.forget(range.start / PAGE_SIZE..range.end.div_ceil(PAGE_SIZE));
                }
                Ok(())
            }
            _ => Err(Error::Unsupported(format!("the advice {advice:?} in the fallback").into())),
        }
    }

    fn resize(&mut self, len: u64) -> Result<()> {
        if let Some(hold) = &self.hold {
            if !self.file_is_writable {
                return Err(Error::NotPermitted("resizing a file that is not open for writing".into()));
            }
            hold.file().set_len(self.offset + len)?;
            hold.cut(self.offset + len);
        }
        if let Some(overlay) = &mut self.overlay {
            overlay.cut(len);
        }
        self.len = len;
        Ok(())
    }

    fn refresh(&mut self) -> Result<()> {
        if let Some(hold) = &self.hold {
            hold.forget(self.in_file(&(0..self.len)));
            if hold.file().len()? < self.offset + self.len {
                return Err(Error::Truncated);
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let (Some(hold), None) = (&self.hold, &self.overlay) else {
            return Ok(());
        };
        match hold.write_back(0..u64::MAX) {
            // Closing a real mapping does not report it either: the bytes have no place to go.
            Err(Error::Truncated) => Ok(()),
            outcome => outcome,
        }
    }
}
