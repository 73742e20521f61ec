//! The storage that `core` works on: a file in the page cache, with private changes over it, or memory alone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::rc::{Rc, Weak};

use wasi_mmap_core::{
    Advice, Error, Extent, FlushFlags, MapFlags, MapOptions, Result, Rights, Search, Storage, check_name, general,
};

use super::PAGE_SIZE;
use super::cache::{Cache, Hold};
use super::file::File;
use super::overlay::Overlay;
use super::pages::Pattern;

/// A file in a [`Cache`], or memory, as a storage of `core`.
#[derive(Debug)]
pub struct Cached<F: File> {
    below: Below<F>,
    /// Changes that stay here; `None` where changes go to what is below.
    overlay: Option<Overlay>,
    offset: u64,
    len: u64,
    file_is_writable: bool,
}

/// What the bytes are where nothing private lies over them.
#[derive(Debug)]
enum Below<F: File> {
    File(Hold<F>),
    Named(Rc<NamedMemory>),
    Zeros,
}

impl<F: File> Below<F> {
    #[inline]
    fn read(&self, position: u64, buffer: &mut [u8]) -> Result<()> {
        match self {
            Self::File(hold) => hold.read(position, buffer),
            Self::Named(memory) => memory.pages.borrow().read(position, buffer, |_, rest| {
                rest.fill(0);
                Ok(())
            }),
            Self::Zeros => {
                buffer.fill(0);
                Ok(())
            }
        }
    }

    fn file(&self) -> Option<&Hold<F>> {
        match self {
            Self::File(hold) => Some(hold),
            Self::Named(_) | Self::Zeros => None,
        }
    }
}

/// Memory that has a name.
#[derive(Debug)]
struct NamedMemory {
    pages: RefCell<Overlay>,
    len: u64,
}

thread_local! {
    /// The names that are in use in this thread: a plugin has but one.
    static NAMES: RefCell<HashMap<String, Weak<NamedMemory>>> = RefCell::default();
}

impl<F: File> Cached<F> {
    /// Maps a file through a cache.
    ///
    /// # Errors
    ///
    /// As [`Mapping::from_file`](wasi_mmap_core::MappingOptions::map).
    pub fn of_file(cache: &Cache<F>, file: F, options: &MapOptions) -> Result<Self> {
        let info = file.info()?;
        let Extent { offset, len } = options.extent_of_file(&info, PAGE_SIZE)?;
        let overlay = options.is_private().then(Overlay::default);
        let file_is_writable = info.rights.contains(Rights::WRITE);
        let writes = options.access.is_writable() && overlay.is_none();
        let hold = cache.hold(file, writes)?;
        if options.flags.contains(MapFlags::POPULATE) {
            hold.prefetch(offset..offset + len)?;
        }
        Ok(Self { below: Below::File(hold), overlay, offset, len, file_is_writable })
    }

    /// Maps memory that starts as zeros; what is never written takes no memory.
    ///
    /// # Errors
    ///
    /// As [`Mapping::anonymous_with`](wasi_mmap_core::MappingOptions::anonymous); `unsupported` for huge pages.
    pub fn of_memory(options: &MapOptions) -> Result<Self> {
        let Extent { offset, len } = options.extent_of_memory(PAGE_SIZE)?;
        refuse_huge_pages(options)?;
        Ok(Self { below: Below::Zeros, overlay: Some(Overlay::default()), offset, len, file_is_writable: true })
    }

    /// Maps the memory of a name, which is shared by the mappings of this thread.
    ///
    /// # Errors
    ///
    /// As [`Mapping::named`](wasi_mmap_core::MappingOptions::named); `unsupported` for huge pages.
    pub fn of_named(name: &str, options: &MapOptions) -> Result<Self> {
        check_name(name)?;
        refuse_huge_pages(options)?;
        let memory = NAMES.with_borrow(|names| names.get(name).and_then(Weak::upgrade));
        let existing = memory.as_ref().map(|memory| memory.len);
        let Extent { offset, len } = options.extent_of_named(existing, PAGE_SIZE)?;
        let memory = memory.unwrap_or_else(|| Rc::new(NamedMemory { pages: RefCell::default(), len }));
        NAMES.with_borrow_mut(|names| {
            names.retain(|_, memory| memory.strong_count() > 0);
            names.insert(name.to_owned(), Rc::downgrade(&memory));
        });
        let overlay = options.is_private().then(Overlay::default);
        Ok(Self { below: Below::Named(memory), overlay, offset, len, file_is_writable: true })
    }

    /// Where a position in the mapping is in what is below: the offset of memory is one in name only.
    fn start_below(&self) -> u64 {
        match self.below {
            Below::File(_) => self.offset,
            Below::Named(_) | Below::Zeros => 0,
        }
    }

    fn in_file(&self, range: &Range<u64>) -> Range<u64> {
        self.offset + range.start..self.offset + range.end
    }
}

fn refuse_huge_pages(options: &MapOptions) -> Result<()> {
    if options.flags.contains(MapFlags::HUGE_PAGES) {
        return Err(Error::Unsupported("huge pages".into()));
    }
    Ok(())
}

impl<F: File> Storage for Cached<F> {
    fn len(&self) -> u64 {
        self.len
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    fn file_len(&self) -> Result<u64> {
        self.below.file().map_or(Ok(self.len), |hold| hold.file().len())
    }

    fn page_size() -> u64 {
        PAGE_SIZE
    }

    #[inline]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let start = self.start_below();
        match &self.overlay {
            None => self.below.read(start + offset, buffer),
            Some(overlay) => overlay.read(offset, buffer, |at, rest| self.below.read(start + at, rest)),
        }
    }

    fn find(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        let (Below::File(hold), None) = (&self.below, &self.overlay) else {
            return general::find(self, needle, range);
        };
        let (mut search, mut found) = (Search::new(needle), None);
        hold.visit(self.in_file(&range), |bytes| {
            found = search.look(bytes);
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found.map(|at| range.start + at))
    }

    #[inline]
    fn read_line(&self, range: Range<u64>, line: &mut Vec<u8>) -> Result<()> {
        let (Below::File(hold), None) = (&self.below, &self.overlay) else {
            return general::read_line(self, range, line);
        };
        let range = self.in_file(&range);
        // Most lines lie within a page.
        let appended = hold.glance(&range, |bytes| {
            let bytes = &bytes[..=memchr::memchr(b'\n', bytes)?];
            line.try_reserve(bytes.len()).ok()?;
            line.extend_from_slice(bytes);
            Some(())
        });
        if appended.is_some() {
            return Ok(());
        }
        hold.visit(range, |bytes| {
            let (bytes, outcome) = match memchr::memchr(b'\n', bytes) {
                Some(at) => (&bytes[..=at], ControlFlow::Break(())),
                None => (bytes, ControlFlow::Continue(())),
            };
            line.try_reserve(bytes.len()).map_err(|_| Error::OutOfMemory)?;
            line.extend_from_slice(bytes);
            Ok(outcome)
        })
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let start = self.start_below();
        match (&mut self.overlay, &self.below) {
            (Some(overlay), below) => {
                // All of a page, even where the mapping ends before: it may become longer.
                overlay.write(offset, bytes, |page_start, page| below.read(start + page_start, page))
            }
            (None, Below::File(hold)) => hold.write(start + offset, bytes),
            (None, Below::Named(memory)) => memory.pages.borrow_mut().write(offset, bytes, |_, _| Ok(())),
            (None, Below::Zeros) => unreachable!("memory without a name is all overlay"),
        }
    }

    /// Writes changes back, and forgets what is known of the range, so that what others wrote is seen.
    fn flush(&mut self, range: Range<u64>, flags: FlushFlags) -> Result<()> {
        let (Below::File(hold), None) = (&self.below, &self.overlay) else {
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
            Advice::Normal | Advice::Random | Advice::Sequential => {
                if let Some(hold) = self.below.file() {
                    // For the whole mapping, whatever the range.
                    hold.set_pattern(match advice {
                        Advice::Random => Pattern::Random,
                        Advice::Sequential => Pattern::Sequential,
                        _ => Pattern::Normal,
                    });
                }
                Ok(())
            }
            Advice::WillNeed => match self.below.file() {
                Some(hold) => hold.prefetch(self.in_file(&range)),
                None => Ok(()),
            },
            Advice::DontNeed => {
                if let Some(hold) = self.below.file() {
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
        if let Below::Named(_) = self.below {
            return Err(Error::Unsupported("resizing named memory".into()));
        }
        if let Some(hold) = self.below.file() {
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
        if let Some(hold) = self.below.file() {
            hold.forget(self.in_file(&(0..self.len)));
            if hold.file().len()? < self.offset + self.len {
                return Err(Error::Truncated);
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let (Below::File(hold), None) = (&self.below, &self.overlay) else {
            return Ok(());
        };
        match hold.write_back(0..u64::MAX) {
            // Closing a real mapping does not report it either: the bytes have no place to go.
            Err(Error::Truncated) => Ok(()),
            outcome => outcome,
        }
    }
}
