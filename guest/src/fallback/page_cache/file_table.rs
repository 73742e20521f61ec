//! The table of the files in a cache: who has them open, and in which order their pages are read.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use rustc_hash::FxBuildHasher;
use wasi_mmap_core::Result;

use super::layout::PageId;
use crate::fallback::file::{File, FileId};

/// The order in which a mapping announced that it will be read. POSIX `posix_madvise(3)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum AccessPattern {
    /// The order is detected from the accesses.
    #[default]
    Normal,
    /// Nothing is read ahead.
    Random,
    /// Whole pages are read.
    Sequential,
}

/// A mapping's open file.
#[derive(Debug)]
pub(super) struct OpenFile<F> {
    /// The file's number in the cache, the same for all mappings of one file.
    pub(super) number: usize,
    /// The mapping's own descriptor.
    pub(super) file: Rc<F>,
    /// The mapping may write to the file.
    pub(super) is_writer: bool,
    pub(super) pattern: Cell<AccessPattern>,
}

impl<F> OpenFile<F> {
    /// Identifies a page of the file.
    pub(super) fn page(&self, page: u64) -> PageId {
        PageId { file: self.number, page }
    }
}

/// A file that is mapped, or that has changes which could not be written.
#[derive(Debug)]
pub(super) struct FileEntry<F> {
    id: Option<FileId>,
    /// The descriptor that others are compared with.
    file: Rc<F>,
    /// The number of mappings that have the file open.
    mappings: usize,
    /// The descriptors that may write, of which the first is used. They stay open while there are changes to write.
    writers: Vec<Rc<F>>,
    /// The page that last got a frame.
    last_page: Option<u64>,
    /// The number of pages before it that got their frames in the order of the file.
    run: u64,
    /// A write-back that made room found that the file had been truncated.
    pub(super) has_lost_changes: bool,
}

impl<F> FileEntry<F> {
    /// Returns the descriptor that changes are written with.
    pub(super) fn writer(&self) -> Option<&Rc<F>> {
        self.writers.first()
    }

    /// Returns true if a page follows the one that last got a frame.
    pub(super) fn is_next(&self, page: u64) -> bool {
        self.last_page.is_some_and(|last| last + 1 == page)
    }

    /// Records that a page gets a frame. Returns the number of pages before it that came in the order of the file.
    pub(super) fn record(&mut self, page: u64) -> u64 {
        self.run = if self.is_next(page) { self.run + 1 } else { 0 };
        self.last_page = Some(page);
        self.run
    }
}

/// The files of a cache by their numbers.
#[derive(Debug)]
pub(super) struct FileTable<F> {
    files: HashMap<usize, FileEntry<F>, FxBuildHasher>,
    last_number: usize,
}

impl<F: File> FileTable<F> {
    pub(super) fn new() -> Self {
        Self { files: HashMap::default(), last_number: 0 }
    }

    pub(super) fn get(&self, number: usize) -> Option<&FileEntry<F>> {
        self.files.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut FileEntry<F>> {
        self.files.get_mut(&number)
    }

    /// Returns the number of a file that a mapping has open, if its identity may be `id` and `is_file` says that it is
    /// the one.
    pub(super) fn find(&self, id: Option<FileId>, is_file: impl Fn(&F) -> bool) -> Option<usize> {
        let may_be = |entry: &FileEntry<F>| entry.id.is_none() || id.is_none() || entry.id == id;
        let mut found = self.files.iter().filter(|(_, entry)| may_be(entry) && is_file(&entry.file));
        found.next().map(|(&number, _)| number)
    }

    /// Opens a file for a mapping. Two descriptors of one file get the same number.
    pub(super) fn open(&mut self, file: F, is_writer: bool) -> Result<OpenFile<F>> {
        let id = file.id()?;
        let file = Rc::new(file);
        let number = self.find(id, |other| other.is_same(&file)).unwrap_or_else(|| {
            self.last_number += 1;
            self.last_number
        });
        let entry = self.files.entry(number).or_insert(FileEntry {
            id,
            file: Rc::clone(&file),
            mappings: 0,
            writers: Vec::new(),
            last_page: None,
            run: 0,
            has_lost_changes: false,
        });
        entry.mappings += 1;
        if is_writer {
            entry.writers.push(Rc::clone(&file));
        }
        Ok(OpenFile { number, file, is_writer, pattern: Cell::default() })
    }

    /// Closes a mapping's file. A file without unwritten changes leaves the table with its last mapping. Returns true
    /// if it left.
    pub(super) fn close(&mut self, open: &OpenFile<F>, is_clean: bool) -> bool {
        let Some(entry) = self.files.get_mut(&open.number) else { return false };
        entry.mappings -= 1;
        if !is_clean {
            return false;
        }
        entry.writers.retain(|writer| !Rc::ptr_eq(writer, &open.file));
        entry.mappings == 0 && self.files.remove(&open.number).is_some()
    }
}
