//! The storage that `core` works on: a file in the page cache, named memory or zeros, under private pages where changes
//! stay private.

use std::ops::{ControlFlow, Range};
use std::rc::Rc;

use wasi_mmap_core::{
    Access, Advice, BeyondEnd, Error, Extent, FlushFlags, MapFlags, MapOptions, Result, Rights, Search, Storage,
    append_short_line, check_name, provided,
};

use super::file::File;
use super::named_memory::NamedMemory;
use super::page::PAGE_SIZE;
use super::page_cache::{AccessPattern, Cache, CachedFile};
use super::private_pages::PrivatePages;

/// A storage of `core` over a file in a [`Cache`], or over memory without a file.
///
/// It is neither [`Send`] nor [`Sync`], as the cache is not.
#[derive(Debug)]
pub struct CachedStorage<F: File> {
    source: Source<F>,
    /// The pages that are not shared: `None` if writes go to the source.
    private: Option<PrivatePages>,
    offset: u64,
    len: u64,
    file_is_writable: bool,
    /// The rules of a mapping that may reach past the end of its file.
    beyond_end: Option<BeyondEnd>,
}

/// The bytes where no private page was written.
#[derive(Debug)]
enum Source<F: File> {
    File(CachedFile<F>),
    Named(Rc<NamedMemory>),
    Zeros,
}

impl<F: File> Source<F> {
    #[inline]
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        match self {
            Self::File(file) => file.read(offset, buffer),
            Self::Named(memory) => memory.read(offset, buffer),
            Self::Zeros => {
                buffer.fill(0);
                Ok(())
            }
        }
    }

    fn file(&self) -> Option<&CachedFile<F>> {
        match self {
            Self::File(file) => Some(file),
            Self::Named(_) | Self::Zeros => None,
        }
    }
}

impl<F: File> CachedStorage<F> {
    /// Maps a file through a cache. Returns the access of the mapping as well.
    ///
    /// # Errors
    ///
    /// As [`MappingOptions::map`](wasi_mmap_core::MappingOptions::map).
    pub fn of_file(cache: &Cache<F>, file: F, options: &MapOptions) -> Result<(Self, Access)> {
        let info = file.info()?;
        let Extent { offset, len } = options.extent_of_file(&info, PAGE_SIZE)?;
        let options = options.with_rights(info.rights);
        let private = options.is_private().then(PrivatePages::default);
        let file_is_writable = info.rights.contains(Rights::WRITE);
        let reaches_beyond = options.flags.contains(MapFlags::BEYOND_END);
        let beyond_end = reaches_beyond.then(|| BeyondEnd::new(offset, info.len, PAGE_SIZE));
        let is_writer = options.access.is_writable() && private.is_none();
        let file = cache.open(file, is_writer)?;
        if options.flags.contains(MapFlags::POPULATE) {
            file.prefetch(&(offset..offset + len))?;
        }
        let source = Source::File(file);
        Ok((Self { source, private, offset, len, file_is_writable, beyond_end }, options.access))
    }

    /// Maps memory without a file, which starts as zeros. Pages that are never written take no memory.
    ///
    /// # Errors
    ///
    /// As [`MappingOptions::anonymous`](wasi_mmap_core::MappingOptions::anonymous); [`Error::Unsupported`] for huge
    /// pages.
    pub fn of_memory(options: &MapOptions) -> Result<Self> {
        let Extent { offset, len } = options.extent_of_memory(PAGE_SIZE)?;
        refuse_huge_pages(options)?;
        Ok(Self::without_file(Source::Zeros, Some(PrivatePages::default()), Extent { offset, len }))
    }

    /// Maps named memory, which the mappings of this thread share.
    ///
    /// # Errors
    ///
    /// As [`MappingOptions::named`](wasi_mmap_core::MappingOptions::named); [`Error::Unsupported`] for huge pages.
    pub fn of_named(name: &str, options: &MapOptions) -> Result<Self> {
        check_name(name)?;
        refuse_huge_pages(options)?;
        let memory = NamedMemory::find(name);
        let existing = memory.as_ref().map(|memory| memory.len());
        let Extent { offset, len } = options.extent_of_named(existing, PAGE_SIZE)?;
        let memory = memory.unwrap_or_else(|| NamedMemory::create(name, len));
        let private = options.is_private().then(PrivatePages::default);
        Ok(Self::without_file(Source::Named(memory), private, Extent { offset, len }))
    }

    fn without_file(source: Source<F>, private: Option<PrivatePages>, Extent { offset, len }: Extent) -> Self {
        Self { source, private, offset, len, file_is_writable: true, beyond_end: None }
    }

    /// Reads bytes of the source, or zeros past the end of a file that may end in the mapping. `at` is an offset in the
    /// mapping.
    #[inline]
    fn read_source(&self, at: u64, buffer: &mut [u8]) -> Result<()> {
        let outcome = self.source.read(self.source_offset() + at, buffer);
        match &self.beyond_end {
            Some(rules) if outcome == Err(Error::Truncated) => self.read_to_end(rules, at, buffer),
            _ => outcome,
        }
    }

    /// Reads the bytes that the file has now, and zeros after them.
    #[cold]
    fn read_to_end(&self, rules: &BeyondEnd, at: u64, buffer: &mut [u8]) -> Result<()> {
        let range = at..at + buffer.len() as u64;
        for _ in 0..MAX_TRIES {
            let count = rules.part_in_file(&range, self.file_len()?)?;
            let (in_file, beyond) = buffer.split_at_mut(usize::try_from(count).expect("within the buffer"));
            beyond.fill(0);
            match self.source.read(self.source_offset() + at, in_file) {
                // The file became shorter just now.
                Err(Error::Truncated) => {}
                outcome => return outcome,
            }
        }
        Err(Error::Truncated)
    }

    /// Returns whether the bytes can be taken from the page cache as they are.
    fn is_plain(&self) -> bool {
        self.private.is_none() && self.beyond_end.is_none()
    }

    /// Returns the place of the mapping in its source. The offset of memory without a file has no effect.
    fn source_offset(&self) -> u64 {
        match self.source {
            Source::File(_) => self.offset,
            Source::Named(_) | Source::Zeros => 0,
        }
    }

    fn file_range(&self, range: &Range<u64>) -> Range<u64> {
        self.offset + range.start..self.offset + range.end
    }
}

/// The number of times that a file may become shorter during a read before its bytes count as lost.
const MAX_TRIES: u32 = 16;

fn refuse_huge_pages(options: &MapOptions) -> Result<()> {
    if options.flags.contains(MapFlags::HUGE_PAGES) {
        return Err(Error::Unsupported("huge pages".into()));
    }
    Ok(())
}

impl<F: File> Storage for CachedStorage<F> {
    fn len(&self) -> u64 {
        self.len
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    fn file_len(&self) -> Result<u64> {
        self.source.file().map_or(Ok(self.len), |file| file.file().len())
    }

    fn page_size() -> u64 {
        PAGE_SIZE
    }

    #[inline]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        match &self.private {
            None => self.read_source(offset, buffer),
            Some(private) => private.read(offset, buffer, |at, rest| self.read_source(at, rest)),
        }
    }

    #[inline]
    fn check_write(&self, range: &Range<u64>) -> Result<()> {
        match &self.beyond_end {
            Some(rules) => rules.check_write(range, self.file_len()?),
            None => Ok(()),
        }
    }

    fn find(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        let (Source::File(file), true) = (&self.source, self.is_plain()) else {
            return provided::find(self, needle, range);
        };
        let (mut search, mut found) = (Search::new(needle), None);
        file.visit(self.file_range(&range), |bytes| {
            found = search.feed(bytes);
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found.map(|at| range.start + at))
    }

    #[inline]
    fn read_line(&self, range: Range<u64>, line: &mut Vec<u8>) -> Result<()> {
        let (Source::File(file), true) = (&self.source, self.is_plain()) else {
            return provided::read_line(self, range, line);
        };
        let range = self.file_range(&range);
        // Most lines lie within a page.
        let appended = file.look_in_last_page(&range, |bytes| {
            if append_short_line(bytes, line) {
                return Some(());
            }
            let bytes = &bytes[..=memchr::memchr(b'\n', bytes)?];
            line.try_reserve(bytes.len()).ok()?;
            line.extend_from_slice(bytes);
            Some(())
        });
        if appended.is_some() {
            return Ok(());
        }
        file.visit(range, |bytes| {
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
        let bytes = match &self.beyond_end {
            // What is written past the end of the file, in its last page, is discarded.
            Some(rules) => {
                let count = rules.part_in_file(&(offset..offset + bytes.len() as u64), self.file_len()?)?;
                &bytes[..usize::try_from(count).expect("within the bytes")]
            }
            None => bytes,
        };
        let start = self.source_offset();
        match (self.private.take(), &self.source) {
            (Some(mut private), _) => {
                // A page is copied as a whole even if the mapping ends within it, because the mapping may be extended.
                let written = private.write(offset, bytes, |page_start, page| self.read_source(page_start, page));
                self.private = Some(private);
                written
            }
            (None, Source::File(file)) => file.write(start + offset, bytes),
            (None, Source::Named(memory)) => memory.write(offset, bytes),
            (None, Source::Zeros) => unreachable!("memory without file and name has private pages"),
        }
    }

    /// Writes changes back, and discards the pages of the range, so that the writes of others are seen.
    fn flush(&mut self, range: Range<u64>, flags: FlushFlags) -> Result<()> {
        let (Source::File(file), None) = (&self.source, &self.private) else {
            return Ok(());
        };
        let range = self.file_range(&range);
        file.flush(&range)?;
        if flags.contains(FlushFlags::SYNC) {
            file.sync()?;
        }
        file.invalidate(&range);
        Ok(())
    }

    fn advise(&mut self, advice: Advice, range: Range<u64>) -> Result<()> {
        match advice {
            Advice::Normal | Advice::Random | Advice::Sequential => {
                if let Some(file) = self.source.file() {
                    // It applies to the whole mapping, whatever the range.
                    file.set_pattern(match advice {
                        Advice::Random => AccessPattern::Random,
                        Advice::Sequential => AccessPattern::Sequential,
                        _ => AccessPattern::Normal,
                    });
                }
                Ok(())
            }
            Advice::WillNeed => match self.source.file() {
                Some(file) => file.prefetch(&self.file_range(&range)),
                None => Ok(()),
            },
            Advice::DontNeed => {
                if let Some(file) = self.source.file() {
                    file.invalidate(&self.file_range(&range));
                }
                if let Some(private) = &mut self.private {
                    // The range starts at a page, and ends at a page or with the mapping.
                    private.discard(range.start / PAGE_SIZE..range.end.div_ceil(PAGE_SIZE));
                }
                Ok(())
            }
            _ => Err(Error::Unsupported(format!("the advice {advice:?} in the fallback").into())),
        }
    }

    fn resize(&mut self, len: u64) -> Result<()> {
        if let Source::Named(_) = self.source {
            return Err(Error::Unsupported("resizing named memory".into()));
        }
        if let Some(file) = self.source.file() {
            if !self.file_is_writable {
                return Err(Error::NotPermitted("resizing a file that is not open for writing".into()));
            }
            file.file().set_len(self.offset + len)?;
            file.truncate(self.offset + len);
            let rules = |_| BeyondEnd::new(self.offset, self.offset + len, PAGE_SIZE);
            self.beyond_end = self.beyond_end.map(rules);
        }
        if let Some(private) = &mut self.private {
            private.truncate(len);
        }
        self.len = len;
        Ok(())
    }

    fn refresh(&mut self) -> Result<()> {
        if let Some(file) = self.source.file() {
            file.invalidate(&self.file_range(&(0..self.len)));
            let file_len = file.file().len()?;
            match &mut self.beyond_end {
                Some(rules) => *rules = BeyondEnd::new(self.offset, file_len, PAGE_SIZE),
                None if file_len < self.offset + self.len => return Err(Error::Truncated),
                None => {}
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let (Source::File(file), None) = (&self.source, &self.private) else {
            return Ok(());
        };
        match file.flush(&(0..u64::MAX)) {
            // Closing a real mapping does not report lost bytes either.
            Err(Error::Truncated) => Ok(()),
            outcome => outcome,
        }
    }
}
