//! One mapping of one file.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;

use memmap2::{Advice, Mmap, MmapMut, MmapOptions, MmapRaw, UncheckedAdvice};

use super::{Context, code, kind, open};

pub(crate) fn stays(context: &Context) {
    let path = context.file("file", "apples and pears");
    let file = open(&path);
    // SAFETY: here and below, nobody changes the file while there are references to its bytes.
    let renamed = unsafe { MmapMut::map_mut(&file) }.expect("a mapping");
    drop(file);
    fs::rename(&path, context.folder.join("renamed")).expect("a new name");
    let impostor = context.file("file", "somebody else's ");
    assert_eq!(&renamed[..], b"apples and pears");
    let mut renamed = renamed;
    renamed[0] = b'A';
    renamed.flush().expect("a flush");
    assert_eq!(fs::read(context.folder.join("renamed")).expect("the file"), b"Apples and pears");
    assert_eq!(fs::read(&impostor).expect("the other file"), b"somebody else's ");
    renamed[11] = b'P';
    drop(renamed);
    assert_eq!(fs::read(context.folder.join("renamed")).expect("the file"), b"Apples and Pears");

    let path = context.file("deleted", "apples and pears");
    // SAFETY: as above.
    let mut deleted = unsafe { MmapMut::map_mut(&open(&path)) }.expect("a mapping");
    fs::remove_file(&path).expect("it can be deleted");
    deleted[0] = b'!';
    deleted.flush().expect("a flush");
    assert_eq!(&deleted[..], b"!pples and pears");
    // The number of a closed descriptor is given to the next file.
    let other = open(&context.file("other", "0123456789abcdef"));
    deleted[1] = b'!';
    drop(deleted);
    assert_eq!(fs::read(context.folder.join("other")).expect("the file"), b"0123456789abcdef");
    drop(other);
}

pub(crate) fn read_only(context: &Context) {
    let path = context.file("file", "apples and pears");
    let file = File::open(&path).expect("the file");
    // SAFETY: as above.
    unsafe {
        let mapping = Mmap::map(&file).expect("a mapping");
        assert_eq!(&mapping[..], b"apples and pears");
        assert_eq!(&MmapOptions::new().map_exec(&file).expect("a mapping")[..], b"apples and pears");
        assert_eq!(MmapOptions::new().map_raw_read_only(&file).expect("a mapping").len(), 16);
        assert_eq!(code(MmapMut::map_mut(&file)), Some(libc::EACCES));
        assert_eq!(kind(MmapOptions::new().map_raw(&file)), ErrorKind::PermissionDenied);
        assert_eq!(code(mapping.make_mut()), Some(libc::EACCES));
        assert_eq!(code(MmapOptions::new().len(0).map_mut(&file)), Some(libc::EACCES));
        let writer = OpenOptions::new().write(true).open(&path).expect("the file");
        assert_eq!(code(Mmap::map(&writer)), Some(libc::EACCES));
        assert_eq!(code(MmapOptions::new().map_copy(&writer)), Some(libc::EACCES));
        assert_eq!(code(MmapMut::map_mut(&writer)), Some(libc::EACCES));
    }
    assert!(Mmap::map_if_safe(&file).expect_err("nothing is safe").not_supported());
}

pub(crate) fn write(context: &Context) {
    let path = context.file("file", vec![b'.'; 10_000]);
    // SAFETY: as above.
    let mut mapping = unsafe { MmapMut::map_mut(&open(&path)) }.expect("a mapping");
    mapping[4094..4098].copy_from_slice(b"here");
    mapping.flush().expect("a flush");
    let contents = fs::read(&path).expect("the file");
    assert_eq!((&contents[4093..4099], contents.len()), (&b".here."[..], 10_000));
    mapping[9999] = b'!';
    mapping.flush_async().expect("a flush");
    assert_eq!(fs::read(&path).expect("the file")[9999], b'!');
    mapping[0] = b'!';
    let mapping = mapping.make_read_only().expect("a mapping for reading");
    assert_eq!(mapping[0], b'!');
    drop(mapping);
    assert_eq!(fs::read(&path).expect("the file")[0], b'!');
    let raw = MmapRaw::map_raw(&open(&path)).expect("a mapping");
    // SAFETY: the mapping has 10,000 bytes, and was made for writing.
    unsafe { raw.as_mut_ptr().write(b'?') };
    raw.flush().expect("a flush");
    assert_eq!(fs::read(&path).expect("the file")[0], b'?');
}

pub(crate) fn make_mut(context: &Context) {
    let path = context.file("file", "apples and pears");
    // SAFETY: as above.
    let mapping = unsafe { MmapOptions::new().offset(7).map(&open(&path)) }.expect("a mapping");
    assert_eq!(&mapping[..], b"and pears");
    let mut mapping = mapping.make_mut().expect("a mapping for writing");
    assert_eq!(&mapping[..], b"and pears");
    mapping[..3].copy_from_slice(b"AND");
    mapping.flush().expect("a flush");
    assert_eq!(fs::read(&path).expect("the file"), b"apples AND pears");
    let mapping = mapping.make_exec().expect("a mapping for executing");
    let mut mapping = mapping.make_mut().expect("a mapping for writing");
    mapping[0] = b'!';
    drop(MmapRaw::from(mapping));
    assert_eq!(fs::read(&path).expect("the file"), b"apples !ND pears");
}

pub(crate) fn private(context: &Context) {
    let path = context.file("file", vec![b'.'; 10_000]);
    let file = File::open(&path).expect("the file");
    // SAFETY: as above.
    unsafe {
        let mut copy = MmapOptions::new().map_copy(&file).expect("a copy");
        copy[..4].copy_from_slice(b"mine");
        copy[9996..].copy_from_slice(b"mine");
        copy.flush().expect("nothing to flush");
        assert_eq!(Mmap::map(&file).expect("a mapping")[0], b'.');
        assert_eq!((&copy[..5], &copy[9995..]), (&b"mine."[..], &b".mine"[..]));
        // Pages that are not needed lose their changes.
        copy.unchecked_advise_range(UncheckedAdvice::DontNeed, 0, 4096).expect("advice");
        assert_eq!((&copy[..5], &copy[9995..]), (&b"....."[..], &b".mine"[..]));
        let copy = copy.make_read_only().and_then(Mmap::make_mut).expect("a copy for writing");
        assert_eq!(&copy[9995..], b".mine");
        let copy = MmapOptions::new().offset(3).map_copy_read_only(&file).expect("a copy");
        let mut copy = copy.make_mut().expect("a copy for writing");
        copy.fill(b'!');
        copy.flush().expect("nothing to flush");
    }
    assert_eq!(fs::read(&path).expect("the file"), vec![b'.'; 10_000]);
}

pub(crate) fn opened_by_c(context: &Context) {
    let path = context.file("file", "apples and pears");
    let name = std::ffi::CString::new(path.to_str().expect("UTF-8")).expect("no zero");
    // SAFETY: the name ends with a zero, and the descriptor is used until it is closed.
    unsafe {
        let fd = libc::open(name.as_ptr(), libc::O_RDWR);
        assert!(fd >= 0);
        let mut mapping = MmapMut::map_mut(fd).expect("a mapping");
        assert_eq!(libc::close(fd), 0);
        mapping[..6].copy_from_slice(b"APPLES");
        assert_eq!(code(Mmap::map(fd)), Some(libc::EBADF));
        let again = libc::open(name.as_ptr(), libc::O_RDONLY);
        assert!(again >= 0);
        drop(mapping);
        assert_eq!(&Mmap::map(again).expect("a mapping")[..], b"APPLES and pears");
        assert_eq!(libc::close(again), 0);
    }
}

pub(crate) fn unaligned(context: &Context) {
    let contents: Vec<u8> = (0..20_000_u32).map(|at| (at % 251) as u8).collect();
    let path = context.file("file", &contents);
    let file = open(&path);
    for offset in [1_usize, 7, 4095, 4096, 4097, 12_345, 19_999] {
        for len in [1, 2, 4096, 5000] {
            let len = len.min(contents.len() - offset);
            // SAFETY: as above.
            let mapping = unsafe { MmapOptions::new().offset(offset as u64).len(len).map(&file) }.expect("a mapping");
            assert!(mapping[..] == contents[offset..offset + len], "{len} bytes at {offset}");
            // Programs find numbers in files at addresses that are aligned as their offsets are.
            assert_eq!(mapping.as_ptr().addr() % 4096, offset % 4096);
        }
    }
    // SAFETY: as above.
    let mut mapping = unsafe { MmapOptions::new().offset(4090).len(12).map_mut(&file) }.expect("a mapping");
    mapping.fill(b'!');
    mapping.flush_range(2, 10).expect("a flush");
    drop(mapping);
    let mut expected = contents;
    expected[4090..4102].fill(b'!');
    assert!(fs::read(&path).expect("the file") == expected);
}

pub(crate) fn past_the_end(context: &Context) {
    let path = context.file("file", "0123456789");
    let file = open(&path);
    // SAFETY: as above. Bytes past the end of the file are memory here, and not a fault.
    unsafe {
        let mut mapping = MmapOptions::new().len(10_000).map_mut(&file).expect("a mapping");
        assert_eq!(mapping.len(), 10_000);
        assert_eq!(&mapping[8..12], b"89\0\0");
        assert!(mapping[10..].iter().all(|byte| *byte == 0));
        mapping[9..11].copy_from_slice(b"!!");
        mapping[9000] = b'!';
        mapping.flush().expect("a flush");
        drop(mapping);
        assert_eq!(fs::read(&path).expect("the file"), b"012345678!");
        let beyond = MmapOptions::new().offset(5000).len(5).map(&file).expect("a mapping");
        assert_eq!(beyond[..], [0; 5]);
        assert_eq!(kind(MmapOptions::new().offset(11).map(&file)), ErrorKind::InvalidData);
        assert_eq!(MmapOptions::new().offset(10).map(&file).expect("a mapping").len(), 0);
        assert_eq!(code(MmapOptions::new().offset(u64::MAX).len(2).map(&file)), Some(libc::EOVERFLOW));
        assert_eq!(code(MmapOptions::new().offset(1 << 63).len(2).map(&file)), Some(libc::EOVERFLOW));
        // A file that was cut off does not become longer again.
        let mut mapping = MmapMut::map_mut(&file).expect("a mapping");
        file.set_len(4).expect("a shorter file");
        mapping[0] = b'?';
        drop(mapping);
        assert_eq!(fs::read(&path).expect("the file"), b"?123");
    }
}

pub(crate) fn empty(context: &Context) {
    let file = open(&context.file("file", ""));
    // SAFETY: as above.
    unsafe {
        let mapping = Mmap::map(&file).expect("an empty mapping");
        assert!(mapping.is_empty());
        assert_eq!(mapping.as_ptr().align_offset(16), 0);
        let mapping = mapping.make_mut().expect("an empty mapping");
        mapping.flush().expect("nothing to flush");
        mapping.advise(Advice::Random).expect("advice");
        assert!(MmapOptions::new().map_copy(&file).expect("an empty mapping").is_empty());
        let file = open(&context.file("other", "0123456789"));
        assert!(MmapOptions::new().len(0).offset(3).map_mut(&file).expect("an empty mapping").is_empty());
    }
    assert!(MmapMut::map_anon(0).expect("no memory").is_empty());
}

pub(crate) fn refused(context: &Context) {
    let directory = File::open(&context.folder).expect("the folder");
    let stdin = std::io::stdin();
    // SAFETY: as above.
    unsafe {
        assert_eq!(code(MmapOptions::new().len(1).map(&directory)), Some(libc::ENODEV));
        assert_eq!(code(MmapOptions::new().len(0).map(&directory)), Some(libc::ENODEV));
        for len in [0, 1] {
            assert_eq!(code(MmapOptions::new().len(len).map(&stdin)), Some(libc::ENODEV));
            assert_eq!(code(MmapOptions::new().len(len).map_copy(stdin.as_raw_fd())), Some(libc::ENODEV));
        }
        assert_eq!(code(Mmap::map(&stdin)), Some(libc::ENODEV));
        assert_eq!(code(Mmap::map(999)), Some(libc::EBADF));
        assert_eq!(code(Mmap::map(-1)), Some(libc::EBADF));
        assert_eq!(code(MmapOptions::new().len(1).map(-1)), Some(libc::EBADF));
    }
}

pub(crate) fn advice(context: &Context) {
    let file = open(&context.file("file", vec![b'.'; 10_000]));
    // SAFETY: as above, and there are no references while bytes change.
    unsafe {
        let mut mapping = MmapOptions::new().populate().map_mut(&file).expect("a mapping");
        for advice in [Advice::Normal, Advice::Random, Advice::Sequential, Advice::WillNeed] {
            mapping.advise(advice).expect("advice");
            mapping.advise_range(advice, 5000, 10).expect("advice");
        }
        assert_eq!(kind(mapping.advise_range(Advice::Normal, 10_001, 0)), ErrorKind::InvalidInput);
        assert_eq!(kind(mapping.advise_range(Advice::Normal, 0, 10_001)), ErrorKind::InvalidInput);
        // Changes of a shared mapping are not lost.
        mapping[0] = b'!';
        mapping.unchecked_advise(UncheckedAdvice::DontNeed).expect("advice");
        assert_eq!(mapping[0], b'!');
        let mut memory = MmapMut::map_anon(10_000).expect("memory");
        memory.fill(1);
        memory.unchecked_advise_range(UncheckedAdvice::DontNeed, 4096, 1).expect("advice");
        assert_eq!((memory[4095], memory[4096], memory[8191], memory[8192]), (1, 0, 0, 1));
        assert_eq!(kind(mapping.lock()), ErrorKind::Unsupported);
        assert_eq!(kind(mapping.unlock()), ErrorKind::Unsupported);
    }
    assert_eq!([Advice::Normal as i32, Advice::WillNeed as i32, UncheckedAdvice::DontNeed as i32], [0, 3, 4]);
}

pub(crate) fn anonymous(_: &Context) {
    let mut memory = MmapOptions::new().len(100_000).stack().populate().no_reserve_swap().map_anon().expect("memory");
    assert!(memory.iter().all(|byte| *byte == 0));
    assert_eq!(memory.as_ptr().addr() % 4096, 0);
    memory.fill(7);
    memory.flush().expect("nothing to flush");
    let memory = memory.make_read_only().expect("memory for reading");
    assert_eq!(memory[99_999], 7);
    let memory = memory.make_mut().and_then(MmapMut::make_exec).and_then(Mmap::make_mut).expect("memory for writing");
    assert_eq!(memory[0], 7);
    assert_eq!(format!("{:?}", MmapMut::map_anon(3).expect("memory")).split(' ').next(), Some("MmapMut"));
}

pub(crate) fn flush_ranges(context: &Context) {
    // SAFETY: as above.
    let mapping = unsafe { MmapMut::map_mut(&open(&context.file("file", vec![b'.'; 10_000]))) }.expect("a mapping");
    for (offset, len) in [(0, 10_000), (5000, 100), (10_000, 0), (0, 0)] {
        mapping.flush_range(offset, len).expect("a flush");
        mapping.flush_async_range(offset, len).expect("a flush");
    }
    for (offset, len) in [(0, 10_001), (10_001, 0), (9999, 2), (usize::MAX, 1), (1, usize::MAX)] {
        assert_eq!(kind(mapping.flush_range(offset, len)), ErrorKind::InvalidInput);
        assert_eq!(kind(mapping.flush_async_range(offset, len)), ErrorKind::InvalidInput);
    }
}

/// The test reads the file afterwards.
pub(crate) fn leaked(context: &Context) {
    // SAFETY: as above.
    let mut mapping = unsafe { MmapMut::map_mut(&open(&context.file("leaked", "not written"))) }.expect("a mapping");
    mapping.copy_from_slice(b"was written");
    std::mem::forget(mapping);
}
