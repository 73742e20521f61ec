//! A disk that becomes full under a mapping: an error is returned, and nothing that was flushed is lost.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wasi_mmap::Views;
use wasi_mmap_core::{Access, Backend, Error, MapOptions, Mapping, MappingOptions, Result};

const PAGE: usize = 4096;

/// The way in which the mapping is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Through {
    /// By writes.
    Object,
    /// By stores into a view.
    View,
    /// By fills.
    Fill,
    /// By copies from its beginning.
    CopyWithin,
    /// By copies from another mapping.
    CopyFrom,
}

impl Through {
    /// All ways.
    pub const ALL: [Self; 5] = [Self::Object, Self::View, Self::Fill, Self::CopyWithin, Self::CopyFrom];

    /// Returns the final bytes of a page, none of them 0: for fills one byte, else a period coprime to the page size,
    /// so that the bytes of every page occur in the first two pages.
    fn page(self, page: usize) -> Vec<u8> {
        match self {
            Self::Fill => vec![1 + (page % PERIOD) as u8; PAGE],
            _ => (page * PAGE..(page + 1) * PAGE).map(|at| 1 + (at % PERIOD) as u8).collect(),
        }
    }
}

/// The number of bytes after which the contents of pages repeat.
const PERIOD: usize = 251;

/// Writes a page.
fn write<S: Backend>(mapping: &mut Mapping<S>, through: Through, page: usize) -> Result<()>
where
    Mapping<S>: Views,
{
    let (offset, bytes) = ((page * PAGE) as u64, through.page(page));
    let len = bytes.len() as u64;
    match through {
        Through::View => {
            // SAFETY: the test has the file to itself.
            let mut view = unsafe { mapping.view_mut(offset..offset + len) }?;
            view.copy_from_slice(&bytes);
            view.close()
        }
        Through::Fill => mapping.fill(offset..offset + len, bytes[0]),
        Through::CopyWithin if page >= 2 => {
            mapping.copy_within(offset % PERIOD as u64..offset % PERIOD as u64 + len, offset)
        }
        Through::CopyFrom => {
            let mut source = Mapping::<S>::anonymous(len)?;
            source.write_all_at(&bytes, 0)?;
            mapping.copy_from(&source, ..len, offset)
        }
        Through::Object | Through::CopyWithin => mapping.write_all_at(&bytes, offset),
    }
}

/// Removes a file and frees its space at once, even if a child that another thread is starting still has it open.
fn remove_and_free(path: &Path) {
    fs::OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(0)).expect("it becomes empty");
    fs::remove_file(path).expect("it goes");
}

/// Fills a small disk through a sparse file in `directory` on that disk; then makes room, and continues.
///
/// Returns the number of pages that were written before the disk was full.
///
/// # Panics
///
/// Panics if a result is wrong.
pub fn fill_the_disk<S: Backend>(directory: &Path, through: Through) -> usize
where
    Mapping<S>: Views,
{
    let (sparse, filler) = (directory.join("sparse"), directory.join("filler"));
    // Another file takes most of the disk, and is removed later.
    let mut other = File::create(&filler).expect("a file");
    let pages = 200;
    while other.write(&[b'x'; PAGE]).is_ok_and(|count| count > 0) {}
    let taken = other.metadata().expect("a file").len();
    other.set_len(taken.saturating_sub(100 * PAGE as u64)).expect("some room");
    File::create(&sparse).expect("a file").set_len((pages * PAGE) as u64).expect("a sparse file takes no room");

    let options = MapOptions::new().access(Access::Write);
    let map = || MappingOptions::<S>::from(options).open(&sparse);
    let mut mapping = map().expect("a mapping");
    let mut flushed = 0;
    let mut full = None;
    for page in 0..pages {
        // Every tenth page is followed by a flush.
        let written = write(&mut mapping, through, page);
        let written = written.and_then(|()| if page % 10 == 9 { mapping.flush() } else { Ok(()) });
        match written {
            Ok(()) if page % 10 == 9 => flushed = page + 1,
            Ok(()) => {}
            Err(Error::NoSpace) => {
                full = Some(page);
                break;
            }
            Err(error) => panic!("page {page}: {error}"),
        }
    }
    let full = full.expect("the disk is full before the file is");
    assert!(flushed >= 10, "some pages were flushed");
    let safe: Vec<u8> = (0..flushed).flat_map(|page| through.page(page)).collect();
    let on_disk = fs::read(&sparse).expect("the file is there");
    assert!(on_disk[..safe.len()] == safe, "flushed bytes are intact");

    // With free space again, everything can be written: lost pages after a refresh, kept ones by another flush.
    drop(other);
    remove_and_free(&filler);
    match mapping.flush() {
        Ok(()) => {}
        Err(Error::NoSpace) => mapping.refresh().expect("the file is as long as it was"),
        Err(error) => panic!("flushing with room: {error}"),
    }
    for page in flushed..pages {
        write(&mut mapping, through, page).expect("there is room");
    }
    mapping.flush().expect("there is room");
    let all: Vec<u8> = (0..pages).flat_map(|page| through.page(page)).collect();
    assert!(fs::read(&sparse).expect("the file is there") == all, "everything is on the disk");
    drop(mapping);
    remove_and_free(&sparse);
    full
}

/// Checks that bytes that the fallback cannot write stay in its cache, and are written when there is room.
///
/// # Panics
///
/// Panics if a result is wrong.
pub fn keep_what_cannot_be_written<S: Backend>(directory: &Path) {
    let (sparse, filler) = (directory.join("sparse"), directory.join("filler"));
    File::create(&sparse).expect("a file").set_len(20 * PAGE as u64).expect("a sparse file takes no room");
    let mut other = File::create(&filler).expect("a file");
    while other.write(&[b'x'; PAGE]).is_ok_and(|count| count > 0) {}
    let options = MapOptions::new().access(Access::Write);
    let mut mapping = MappingOptions::<S>::from(options).open(&sparse);
    let mapping = mapping.as_mut().expect("a mapping");
    let bytes: Vec<u8> = (0..20 * PAGE).map(|at| 1 + (at % 250) as u8).collect();
    mapping.write_all_at(&bytes, 0).expect("the cache has room");
    for _ in 0..2 {
        assert_eq!(mapping.flush(), Err(Error::NoSpace), "the disk has none");
        assert_eq!(mapping.close(), Err(Error::NoSpace), "closing says so too, and the mapping stays open");
        assert!(mapping.read_range(..bytes.len() as u64).expect("it is kept") == bytes);
    }
    drop(other);
    remove_and_free(&filler);
    mapping.flush().expect("there is room");
    assert!(fs::read(&sparse).expect("the file is there") == bytes, "everything is on the disk");
    mapping.close().expect("there is nothing left to write");
    remove_and_free(&sparse);
}
