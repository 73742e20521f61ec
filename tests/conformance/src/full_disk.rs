//! A disk that becomes full under a mapping: an error, and nothing is lost that was safe.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wasi_mmap::Views;
use wasi_mmap_core::{Access, Backend, Error, MapOptions, Mapping, MappingOptions, Result};

const PAGE: usize = 4096;

/// How the mapping is written.
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

    /// What a page holds in the end, never 0: for fills one byte, else a period that has no common factor with a page,
    /// so that every page stands in the first two.
    fn page(self, page: usize) -> Vec<u8> {
        match self {
            Self::Fill => vec![1 + (page % PERIOD) as u8; PAGE],
            _ => (page * PAGE..(page + 1) * PAGE).map(|at| 1 + (at % PERIOD) as u8).collect(),
        }
    }
}

/// After how many bytes what pages hold begins anew.
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

/// Removes a file, whose room is free at once: a child that another thread is just starting may still have it open.
fn give_back(path: &Path) {
    fs::OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(0)).expect("it becomes empty");
    fs::remove_file(path).expect("it goes");
}

/// Fills a small disk through a sparse file in `directory`, all of which is on that disk; makes room, and goes on.
///
/// Answers how many pages were written before the disk was full.
///
/// # Panics
///
/// If anything goes otherwise than it must.
pub fn fill_the_disk<S: Backend>(directory: &Path, through: Through) -> usize
where
    Mapping<S>: Views,
{
    let (sparse, filler) = (directory.join("sparse"), directory.join("filler"));
    // Most of the disk is taken by another file, that can go.
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
        // Every ten pages it is made safe.
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
    assert!(flushed >= 10, "some of it was safe");
    let safe: Vec<u8> = (0..flushed).flat_map(|page| through.page(page)).collect();
    let on_disk = fs::read(&sparse).expect("the file is there");
    assert!(on_disk[..safe.len()] == safe, "what was flushed is intact");

    // With room again, all can be written: what was lost after a refresh, what was kept by another flush.
    drop(other);
    give_back(&filler);
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
    give_back(&sparse);
    full
}

/// What the fallback could not write stays in its cache, and is written when there is room.
///
/// # Panics
///
/// If anything goes otherwise than it must.
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
    give_back(&filler);
    mapping.flush().expect("there is room");
    assert!(fs::read(&sparse).expect("the file is there") == bytes, "everything is on the disk");
    mapping.close().expect("there is nothing left to write");
    give_back(&sparse);
}
