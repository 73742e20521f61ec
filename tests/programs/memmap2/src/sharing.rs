//! Several mappings of one file, and its other users.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};

use memmap2::{Mmap, MmapMut, MmapOptions, MmapRaw};

use super::{Context, open};

pub(crate) fn one_memory(context: &Context) {
    let path = context.file("file", vec![b'.'; 10_000]);
    let whole = MmapRaw::map_raw(&open(&path)).expect("a mapping");
    let part = MmapOptions::new().offset(5000).len(10).map_raw(&open(&path)).expect("a mapping");
    let reader = MmapOptions::new().map_raw_read_only(&File::open(&path).expect("the file")).expect("a mapping");
    // SAFETY: the bytes are within the mappings, and there are no references.
    unsafe {
        whole.as_mut_ptr().add(5003).write(b'w');
        part.as_mut_ptr().add(4).write(b'p');
        for raw in [&whole, &reader] {
            assert_eq!((raw.as_ptr().add(5003).read(), raw.as_ptr().add(5004).read()), (b'w', b'p'));
        }
        assert_eq!((part.as_ptr().add(3).read(), part.as_ptr().add(4).read()), (b'w', b'p'));
    }
    // Each one writes what it has, whoever has changed it.
    drop(whole);
    assert_eq!(&fs::read(&path).expect("the file")[5002..5006], b".wp.");
    drop((part, reader));
}

pub(crate) fn overlapping(context: &Context) {
    let path = context.file("file", vec![b'.'; 12_288]);
    let left = MmapOptions::new().len(8192).map_raw(&open(&path)).expect("a mapping");
    let right = MmapOptions::new().offset(4096).map_raw(&open(&path)).expect("a mapping");
    // SAFETY: as above.
    unsafe {
        left.as_mut_ptr().add(4096).write(b'l');
        right.as_mut_ptr().add(1).write(b'r');
        if context.is_pages {
            assert_eq!(right.as_ptr().read(), b'l');
        }
        left.flush().expect("a flush");
        assert_eq!((right.as_ptr().read(), right.as_ptr().add(1).read()), (b'l', b'r'));
        right.flush().expect("a flush");
        assert_eq!(left.as_ptr().add(4097).read(), b'r');
    }
    assert_eq!(&fs::read(&path).expect("the file")[4095..4099], b".lr.");
}

pub(crate) fn truncated_when_opened(context: &Context) {
    let path = context.file("file", vec![b'.'; 10_000]);
    let mapping = MmapRaw::map_raw(&open(&path)).expect("a mapping");
    // SAFETY: as above.
    unsafe { mapping.as_mut_ptr().add(100).write(b'X') };
    fs::write(&path, vec![b'-'; 10_000]).expect("the file");
    // SAFETY: as above.
    assert_eq!(unsafe { mapping.as_ptr().add(100).read() }, b'-');
    let mut file = File::create(&path).expect("the file");
    file.seek(SeekFrom::Start(9999)).and_then(|_| file.write_all(b"!")).expect("a write");
    // SAFETY: as above.
    unsafe {
        assert_eq!(mapping.as_ptr().add(5000).read(), 0);
        mapping.as_mut_ptr().add(5000).write(b'-');
    }
    mapping.flush().expect("a flush");
    drop(mapping);
    let bytes = fs::read(&path).expect("the file");
    assert_eq!((bytes[100], bytes[4999], bytes[5000], bytes[9999]), (0, 0, b'-', b'!'));
}

pub(crate) fn growing(context: &Context) {
    let path = context.file("file", vec![b'.'; 4096]);
    let file = open(&path);
    let mapping = MmapOptions::new().len(12_288).map_raw(&file).expect("a mapping");
    file.set_len(12_288).expect("a longer file");
    // SAFETY: as above.
    unsafe { mapping.as_mut_ptr().add(8000).write(b'X') };
    mapping.flush().expect("a flush");
    assert_eq!(fs::read(&path).expect("the file")[7999..8002], [0, b'X', 0]);
    let mut writer = open(&path);
    writer.seek(SeekFrom::Start(9000)).and_then(|_| writer.write_all(b"new")).expect("a write");
    // SAFETY: as above.
    assert_eq!(unsafe { mapping.as_ptr().add(9001).read() }, b'e');
}

pub(crate) fn appending(context: &Context) {
    let path = context.file("file", "..........");
    let mut log = std::fs::OpenOptions::new().read(true).append(true).open(&path).expect("the file");
    // SAFETY: nobody changes the file while there are references to its bytes.
    let mut mapping = unsafe { MmapMut::map_mut(&log) }.expect("a mapping");
    mapping[2] = b'X';
    mapping.flush().expect("a flush");
    assert_eq!(fs::read(&path).expect("the file"), b"..X.......");
    log.write_all(b"+").expect("a write");
    drop(mapping);
    assert_eq!(fs::read(&path).expect("the file"), b"..X.......+");
}

pub(crate) fn file_writes(context: &Context) {
    let path = context.file("file", "0123456789");
    let mut file = open(&path);
    let early = MmapOptions::new().map_raw_read_only(&file).expect("a mapping");
    file.seek(SeekFrom::Start(3)).and_then(|_| file.write_all(b"abc")).expect("a write");
    // SAFETY: the byte is within the mapping, and there are no references.
    assert_eq!(unsafe { early.as_ptr().add(3).read() }, b'a');
    // SAFETY: nobody changes the file while there are references to its bytes.
    let late = unsafe { Mmap::map(&file) }.expect("a mapping");
    assert_eq!(&late[..], b"012abc6789");
}

pub(crate) fn file_reads(context: &Context) {
    let path = context.file("file", "0123456789");
    // SAFETY: as above.
    let mut mapping = unsafe { MmapMut::map_mut(&open(&path)) }.expect("a mapping");
    mapping[0] = b'!';
    assert_eq!(fs::read(&path).expect("the file"), b"!123456789");
    mapping[1] = b'!';
    let copy = context.folder.join("copy");
    fs::copy(&path, &copy).expect("a copy");
    assert_eq!(fs::read(&copy).expect("the file"), b"!!23456789");
}
