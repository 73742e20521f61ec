//! Copies of files in memory, and of real ones, whose behaviour is that of the system's mappings.

use std::io::{ErrorKind, Result};
use std::slice;
use std::sync::{Arc, Mutex};

use super::{Copies, PAGE, Private, Shared, Source};

/// A file in memory, which can be opened several times.
#[derive(Clone)]
pub(super) struct Fake(pub(super) Arc<Mutex<State>>);

#[derive(Default)]
pub(super) struct State {
    pub(super) bytes: Vec<u8>,
    /// Every write: its offset and its length.
    pub(super) writes: Vec<(u64, usize)>,
    /// The most that one read or write does.
    most: Option<usize>,
    /// The number of writes that succeed.
    pub(super) writes_left: Option<usize>,
    syncs: usize,
    has_no_identity: bool,
}

impl Fake {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(Arc::new(Mutex::new(State { bytes: bytes.to_vec(), ..State::default() })))
    }

    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().expect("no test panics here"))
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.with(|state| state.bytes.clone())
    }
}

impl Source for Fake {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<usize> {
        self.with(|state| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(state.bytes.len());
            let count = bytes.len().min(state.bytes.len() - start).min(state.most.unwrap_or(usize::MAX));
            bytes[..count].copy_from_slice(&state.bytes[start..start + count]);
            Ok(count)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        self.with(|state| {
            if let Some(left) = &mut state.writes_left {
                *left = left.checked_sub(1).ok_or(ErrorKind::StorageFull)?;
            }
            let count = bytes.len().min(state.most.unwrap_or(usize::MAX));
            let start = usize::try_from(offset).expect("a small file");
            let end = state.bytes.len().max(start + count);
            state.bytes.resize(end, 0);
            state.bytes[start..start + count].copy_from_slice(&bytes[..count]);
            state.writes.push((offset, count));
            Ok(count)
        })
    }

    fn len(&self) -> Result<u64> {
        Ok(self.with(|state| state.bytes.len() as u64))
    }

    fn sync(&self) -> Result<()> {
        self.with(|state| state.syncs += 1);
        Ok(())
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) && !self.with(|state| state.has_no_identity)
    }
}

pub(super) fn copies() -> &'static Copies<Fake> {
    Box::leak(Box::new(Copies::new()))
}

/// Maps a part of a file for reading and writing.
fn writer(copies: &'static Copies<Fake>, file: &Fake, offset: u64, len: usize) -> Shared<Fake> {
    Shared::new(copies, file.clone(), offset, len, true).expect("a mapping")
}

/// Returns a range of the bytes of a mapping.
pub(super) fn read(pointer: *mut u8, at: usize, len: usize) -> Vec<u8> {
    let start = pointer.wrapping_add(at);
    // SAFETY: the tests ask for bytes within a mapping that they hold.
    unsafe { slice::from_raw_parts(start, len) }.to_vec()
}

pub(super) fn write(pointer: *mut u8, at: usize, bytes: &[u8]) {
    let start = pointer.wrapping_add(at);
    // SAFETY: as above, and there are no references.
    unsafe { start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

/// Returns the number of extents.
pub(super) fn extents(copies: &Copies<Fake>) -> usize {
    copies.lock().all.len()
}

#[test]
fn only_changed_bytes_are_written() {
    let (copies, file) = (copies(), Fake::new(&[b'.'; 100]));
    let mapping = writer(copies, &file, 10, 50);
    write(mapping.ptr(), 5, b"abc");
    write(mapping.ptr(), 9, b"d.e");
    // Somebody else writes next to them.
    file.with(|state| state.bytes[18] = b'!');
    mapping.flush(0, 50, false).expect("a flush");
    assert_eq!(file.with(|state| std::mem::take(&mut state.writes)), [(15, 3), (19, 1), (21, 1)]);
    assert_eq!(&file.bytes()[14..23], b".abc!d.e.");
    assert_eq!(file.with(|state| state.syncs), 0);
    // There is nothing left to write.
    mapping.flush(0, 50, true).expect("a flush");
    drop(mapping);
    assert_eq!(file.with(|state| (state.writes.len(), state.syncs)), (0, 1));
}

#[test]
fn a_flush_of_a_range_writes_that_range() {
    let (copies, file) = (copies(), Fake::new(&[0; 3 * PAGE]));
    let mapping = writer(copies, &file, 0, 3 * PAGE);
    write(mapping.ptr(), 0, &[1; 3 * PAGE]);
    mapping.flush(100, 50, false).expect("a flush");
    assert_eq!(file.with(|state| state.writes.clone()), [(100, 50)]);
    drop(mapping);
    assert_eq!(file.bytes(), [1; 3 * PAGE]);
}

#[test]
fn mappings_within_an_extent_share_its_memory() {
    let (copies, file) = (copies(), Fake::new(&[7; 3 * PAGE]));
    let whole = writer(copies, &file, 0, 3 * PAGE);
    let reader = Shared::new(copies, file.clone(), 5000, 100, false).expect("a mapping");
    assert_eq!(extents(copies), 1);
    write(whole.ptr(), 5000, b"seen");
    assert_eq!(read(reader.ptr(), 0, 4), b"seen");
    assert_eq!(reader.ptr().addr() % PAGE, 5000 % PAGE);
    // What the first one has changed is written by it, although the memory stays.
    drop(whole);
    assert_eq!(&file.bytes()[5000..5004], b"seen");
    assert_eq!(read(reader.ptr(), 0, 5), b"seen\x07");
    drop(reader);
    assert_eq!(extents(copies), 0);
}

#[test]
fn files_whose_identity_is_unknown_share_nothing() {
    let (copies, file) = (copies(), Fake::new(&[0; 10]));
    file.with(|state| state.has_no_identity = true);
    let (one, two) = (writer(copies, &file, 0, 10), writer(copies, &file, 0, 10));
    write(one.ptr(), 0, b"one");
    write(two.ptr(), 5, b"two");
    assert_eq!(read(two.ptr(), 0, 1), [0]);
    drop((one, two));
    assert_eq!(file.bytes(), b"one\0\0two\0\0");
}

#[test]
fn different_files_share_nothing() {
    let (copies, files) = (copies(), [Fake::new(&[1; 10]), Fake::new(&[2; 10])]);
    let mappings = files.each_ref().map(|file| writer(copies, file, 0, 10));
    assert_eq!(mappings.each_ref().map(|mapping| read(mapping.ptr(), 0, 1)), [[1], [2]]);
    write(mappings[0].ptr(), 0, b"!");
    mappings[0].flush(0, 10, false).expect("a flush");
    assert_eq!(read(mappings[1].ptr(), 0, 1), [2]);
}

#[test]
fn overlapping_extents_take_over_what_the_other_has_written() {
    let (copies, file) = (copies(), Fake::new(&[b'.'; 3 * PAGE]));
    let left = writer(copies, &file, 0, 2 * PAGE);
    let right = writer(copies, &file, PAGE as u64, 2 * PAGE);
    assert_eq!(extents(copies), 2);
    write(left.ptr(), PAGE, b"left");
    write(right.ptr(), 2, b"ri");
    assert_eq!(read(right.ptr(), 0, 5), b"..ri.");
    left.flush(0, 2 * PAGE, false).expect("a flush");
    // The bytes that the right one has changed are its own.
    assert_eq!(read(right.ptr(), 0, 5), b"leri.");
    right.flush(0, 2 * PAGE, false).expect("a flush");
    assert_eq!(read(left.ptr(), PAGE, 5), b"leri.");
    assert_eq!(&file.bytes()[PAGE..PAGE + 5], b"leri.");
    // A reader takes them over as well.
    let reader = Shared::new(copies, file.clone(), 2 * PAGE as u64, 2 * PAGE, false).expect("a mapping");
    write(right.ptr(), PAGE, b"new");
    assert_eq!(read(reader.ptr(), 0, 3), b"...");
    drop(right);
    assert_eq!(read(reader.ptr(), 0, 3), b"new");
}

#[test]
fn new_extents_have_changes_that_are_not_written_yet() {
    let (copies, file) = (copies(), Fake::new(&[b'.'; 2 * PAGE]));
    let small = writer(copies, &file, PAGE as u64, 10);
    write(small.ptr(), 0, b"early");
    let large = writer(copies, &file, 0, 2 * PAGE);
    let private = Private::new(copies, file.clone(), 0, 2 * PAGE).expect("a copy");
    assert_eq!(read(large.ptr(), PAGE, 6), b"early.");
    assert_eq!(read(private.ptr(), PAGE, 6), b"early.");
    // They are not its own: it does not write them.
    large.flush(0, 2 * PAGE, false).expect("a flush");
    assert_eq!(file.with(|state| state.writes.len()), 0);
    drop(small);
    assert_eq!(file.with(|state| state.writes.clone()), [(PAGE as u64, 5)]);
}

#[test]
fn a_new_mapping_sees_what_others_wrote_to_the_file() {
    let (copies, file) = (copies(), Fake::new(b"0123456789"));
    let first = writer(copies, &file, 0, 10);
    write(first.ptr(), 0, b"a");
    file.with(|state| state.bytes[..3].copy_from_slice(b"xyz"));
    assert_eq!(read(first.ptr(), 0, 4), b"a123");
    let second = writer(copies, &file, 0, 10);
    assert_eq!(read(second.ptr(), 0, 4), b"ayz3");
    // The file was cut off: zeros.
    file.with(|state| state.bytes.truncate(2));
    let third = Shared::new(copies, file.clone(), 0, 10, false).expect("a mapping");
    assert_eq!(read(third.ptr(), 0, 4), b"ay\0\0");
    drop((first, second, third));
    assert_eq!(file.bytes(), b"ay");
}

#[test]
fn a_mapping_does_not_make_its_file_longer() {
    let (copies, file) = (copies(), Fake::new(b"short"));
    let mapping = writer(copies, &file, 0, 100);
    assert_eq!(read(mapping.ptr(), 0, 8), b"short\0\0\0");
    write(mapping.ptr(), 3, b"longer");
    mapping.flush(0, 100, true).expect("a flush");
    assert_eq!(file.bytes(), b"sholo");
    // What lies past the end is written once the file is longer.
    file.with(|state| state.bytes.resize(7, 0));
    mapping.flush(0, 100, true).expect("a flush");
    assert_eq!(file.bytes(), b"sholong");
    file.with(|state| state.bytes.clear());
    drop(mapping);
    assert_eq!(file.bytes(), b"");
}

#[test]
fn short_reads_and_writes_are_continued() {
    let (copies, file) = (copies(), Fake::new(&(0..=255).collect::<Vec<u8>>()));
    file.with(|state| state.most = Some(3));
    let mapping = writer(copies, &file, 1, 255);
    assert_eq!(read(mapping.ptr(), 0, 255), (1..=255).collect::<Vec<u8>>());
    write(mapping.ptr(), 0, b"0123456789");
    drop(mapping);
    assert_eq!(&file.bytes()[..12], b"\x000123456789\x0b");
}

#[test]
fn what_could_not_be_written_is_written_later() {
    let (copies, file) = (copies(), Fake::new(&[0; 100]));
    let mapping = writer(copies, &file, 0, 100);
    for at in [0, 10, 20] {
        write(mapping.ptr(), at, b"x");
    }
    file.with(|state| state.writes_left = Some(1));
    assert_eq!(mapping.flush(0, 100, true).expect_err("no room").kind(), ErrorKind::StorageFull);
    assert_eq!(file.with(|state| (state.writes.clone(), state.syncs)), (vec![(0, 1)], 0));
    file.with(|state| state.writes_left = None);
    mapping.flush(0, 100, true).expect("room again");
    assert_eq!(file.with(|state| state.writes.clone()), [(0, 1), (10, 1), (20, 1)]);
    // A failure at the end leaves nothing behind.
    write(mapping.ptr(), 30, b"x");
    file.with(|state| state.writes_left = Some(0));
    drop(mapping);
    assert_eq!(extents(copies), 0);
    assert_eq!(Arc::strong_count(&file.0), 1);
}

#[test]
fn a_file_that_takes_no_bytes_is_an_error() {
    let (copies, file) = (copies(), Fake::new(&[0; 100]));
    let mapping = writer(copies, &file, 0, 100);
    write(mapping.ptr(), 0, b"x");
    file.with(|state| state.most = Some(0));
    assert_eq!(mapping.flush(0, 100, true).expect_err("no progress").kind(), ErrorKind::WriteZero);
    file.with(|state| state.most = None);
}

#[test]
fn a_reader_that_becomes_a_writer_writes() {
    let (copies, file) = (copies(), Fake::new(b"....."));
    let mut mapping = Shared::new(copies, file.clone(), 1, 3, false).expect("a mapping");
    mapping.flush(0, 3, true).expect("nothing to do");
    mapping.make_mut().expect("memory");
    write(mapping.ptr(), 1, b"!");
    drop(mapping);
    assert_eq!(file.bytes(), b"..!..");
}

#[test]
fn the_programs_own_reads_and_writes_of_the_file_are_coherent() {
    let (copies, file, other) = (copies(), Fake::new(&[b'.'; 3 * PAGE]), Fake::new(b"other"));
    let mapping = writer(copies, &file, 0, 3 * PAGE);
    let others = writer(copies, &other, 0, 5);
    for at in [0, PAGE, 2 * PAGE] {
        write(mapping.ptr(), at, b"m");
    }
    write(others.ptr(), 0, b"O");
    let is_file = |found: &Fake| Arc::ptr_eq(&found.0, &file.0);
    // The program reads the second page.
    copies.before_io(is_file, &(PAGE as u64..PAGE as u64 + 10));
    assert_eq!([0, PAGE, 2 * PAGE].map(|at| file.bytes()[at]), *b".m.");
    // The program writes over the end of the first page and the start of the second.
    file.with(|state| state.bytes[PAGE - 1..=PAGE].copy_from_slice(b"fF"));
    copies.after_write(is_file, &(PAGE as u64 - 1..u64::MAX));
    assert_eq!(read(mapping.ptr(), PAGE - 1, 3), b"fF.");
    assert_eq!(read(mapping.ptr(), 2 * PAGE, 1), b"m");
    assert_eq!(other.bytes(), b"other");
    // A failure leaves the change to a flush.
    file.with(|state| state.writes_left = Some(0));
    copies.before_io(is_file, &(0..u64::MAX));
    assert_eq!(mapping.flush(0, PAGE, false).expect_err("no room").kind(), ErrorKind::StorageFull);
    file.with(|state| state.writes_left = None);
    drop((mapping, others));
    assert_eq!([0, PAGE, 2 * PAGE].map(|at| file.bytes()[at]), *b"mFm");
}

#[test]
fn what_is_leaked_is_written_at_the_end() {
    let (copies, file) = (copies(), Fake::new(b"....."));
    let mapping = writer(copies, &file, 0, 5);
    write(mapping.ptr(), 0, b"kept");
    std::mem::forget(mapping);
    copies.write_back_all();
    assert_eq!(file.bytes(), b"kept.");
}

#[test]
fn private_copies_never_reach_the_file() {
    let (copies, file) = (copies(), Fake::new(&[b'.'; 2 * PAGE]));
    let private = Private::new(copies, file.clone(), 5, PAGE).expect("a copy");
    write(private.ptr(), 0, b"mine");
    write(private.ptr(), PAGE - 4, b"mine");
    // The second page is read again.
    private.reset(PAGE - 4, 1).expect("a read");
    assert_eq!((read(private.ptr(), 0, 4), read(private.ptr(), PAGE - 4, 4)), (b"mine".to_vec(), b"....".to_vec()));
    drop(private);
    assert_eq!(file.with(|state| state.writes.len()), 0);
}

#[test]
fn too_large_is_out_of_memory() {
    let (copies, file) = (copies(), Fake::new(b"small"));
    for len in [usize::MAX, isize::MAX as usize] {
        let shared = Shared::new(copies, file.clone(), 1, len, true).err().expect("too large");
        assert_eq!(shared.kind(), ErrorKind::OutOfMemory);
        let private = Private::new(copies, file.clone(), 1, len).err().expect("too large");
        assert_eq!(private.kind(), ErrorKind::OutOfMemory);
    }
    assert_eq!(extents(copies), 0);
}

/// A file of the system, whose identity is its number.
#[cfg(unix)]
struct Real(std::fs::File);

#[cfg(unix)]
impl Source for Real {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.0, bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        std::os::unix::fs::FileExt::write_at(&self.0, bytes, offset)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync(&self) -> Result<()> {
        self.0.sync_data()
    }

    fn is_same(&self, other: &Self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let id = |file: &Self| file.0.metadata().map(|found| (found.dev(), found.ino())).ok();
        id(self) == id(other)
    }
}

/// Random operations on copies and on the system's mappings, while both have a mapping of the whole file: every read
/// sees the same, and so does the file in the end.
#[cfg(all(unix, not(miri)))]
#[test]
fn copies_behave_like_the_mappings_of_the_system() {
    use memmap2::{MmapMut, MmapOptions};
    use std::fs::OpenOptions;
    use std::os::unix::fs::FileExt;

    const LEN: usize = 5 * PAGE + 123;
    let open = |path: &std::path::Path| OpenOptions::new().read(true).write(true).open(path).expect("the file");
    for seed in 0..40_u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).expect("below a length")
        };
        let folder = tempfile::tempdir().expect("a folder");
        let paths = ["copy", "mapping"].map(|name| folder.path().join(name));
        for path in &paths {
            std::fs::write(path, vec![b'.'; LEN]).expect("a file");
        }
        let copies: &'static Copies<Real> = Box::leak(Box::new(Copies::new()));
        let whole = Shared::new(copies, Real(open(&paths[0])), 0, LEN, true).expect("a mapping");
        // SAFETY: the file is this test's own, which has no references while it changes.
        let real_whole = unsafe { MmapMut::map_mut(&open(&paths[1])).expect("a mapping") };
        let mut mappings: Vec<(Shared<Real>, MmapMut)> = vec![(whole, real_whole)];
        for _ in 0..200 {
            let which = random(mappings.len());
            match random(6) {
                0 if mappings.len() < 8 => {
                    let offset = random(LEN - 1);
                    let len = 1 + random(LEN - offset);
                    let copy = Shared::new(copies, Real(open(&paths[0])), offset as u64, len, true);
                    // SAFETY: as above.
                    let real = unsafe { MmapOptions::new().offset(offset as u64).len(len).map_mut(&open(&paths[1])) };
                    mappings.push((copy.expect("a mapping"), real.expect("a mapping")));
                }
                1 if which > 0 => drop(mappings.swap_remove(which)),
                2 => {
                    let (copy, real) = &mappings[which];
                    let at = random(real.len());
                    let len = random(real.len() - at + 1);
                    copy.flush(at, len, false).expect("a flush");
                    real.flush_async_range(at, len).expect("a flush");
                }
                _ => {
                    let (copy, real) = &mut mappings[which];
                    let at = random(real.len());
                    let bytes = vec![b'a' + u8::try_from(random(26)).expect("a letter"); 1 + random(real.len() - at)];
                    write(copy.ptr(), at, &bytes);
                    real[at..at + bytes.len()].copy_from_slice(&bytes);
                }
            }
            for (copy, real) in &mappings {
                assert!(read(copy.ptr(), 0, real.len()) == real[..], "seed {seed}");
            }
        }
        drop(mappings);
        let contents = paths.map(|path| {
            let mut bytes = vec![0; LEN + 1];
            let count = open(&path).read_at(&mut bytes, 0).expect("a read");
            bytes[..count].to_vec()
        });
        assert!(contents[0] == contents[1], "seed {seed}");
    }
}
