//! Mappings of files that the C library has opened, and which the program may rename, delete or close.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd};

use wasi_mmap::{Access, Error, Mapping, Result};

const TEXT: &[u8] = b"one\ntwo\nthree\n";

/// Returns all bytes of a mapping.
fn bytes(mapping: &Mapping) -> Result<Vec<u8>> {
    mapping.read_range(..)
}

/// Makes a file in the scratch directory and returns its path.
fn make(name: &str) -> String {
    let path = format!("/scratch/{name}");
    fs::write(&path, TEXT).expect("a file");
    path
}

pub(crate) fn check() -> Result<()> {
    renamed_replaced_deleted_and_closed()?;
    rights()?;
    positions()?;
    opened_by_c()?;
    what_is_not_a_file();
    many()
}

/// The very file is mapped, and no other one.
fn renamed_replaced_deleted_and_closed() -> Result<()> {
    let path = make("first");
    let file = File::open(&path)?;
    fs::rename(&path, "/scratch/renamed")?;
    fs::write(&path, "an impostor")?;
    let mapping = Mapping::from_file(&file)?;
    assert_eq!(bytes(&mapping)?, TEXT);
    fs::remove_file("/scratch/renamed")?;
    let deleted = Mapping::from_file(&file)?;
    drop(file);
    // The number of the closed file goes to the next one.
    let next = File::open(&path)?;
    assert_eq!(bytes(&mapping)?, TEXT);
    assert_eq!(bytes(&deleted)?, TEXT);
    drop(mapping);
    assert_eq!(bytes(&deleted)?, TEXT);
    drop(deleted);
    assert_eq!(next.metadata()?.len(), 11);
    // A file that is taken over is closed, and mapped all the same.
    let taken = Mapping::options().map(next)?;
    assert_eq!(bytes(&taken)?, b"an impostor");
    Ok(())
}

/// A mapping has no more rights than the descriptor.
fn rights() -> Result<()> {
    let path = make("rights");
    let file = File::open(&path)?;
    assert!(matches!(Mapping::options().access(Access::Write).map(&file), Err(Error::NotPermitted(_))));
    let mut copy = Mapping::options().access(Access::Copy).map(&file)?;
    copy.set(0, b'X')?;
    assert_eq!(fs::read(&path)?, TEXT);
    let file = OpenOptions::new().write(true).open(&path)?;
    assert!(matches!(Mapping::from_file(&file), Err(Error::NotPermitted(_))));
    let file = OpenOptions::new().read(true).write(true).open(&path)?;
    let mut mapping = Mapping::options().access(Access::Write).map(&file)?;
    drop(file);
    mapping.write(b"ONE")?;
    mapping.close()?;
    assert_eq!(fs::read(&path)?, b"ONE\ntwo\nthree\n");
    Ok(())
}

/// The file's own position is neither used nor moved, and the file remains the program's.
fn positions() -> Result<()> {
    let path = make("positions");
    let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
    let mut start = [0; 4];
    file.read_exact(&mut start)?;
    let mapping = Mapping::from_file(&file)?;
    assert_eq!(bytes(&mapping)?, TEXT);
    assert_eq!(file.stream_position()?, 4);
    file.read_exact(&mut start)?;
    assert_eq!(&start, b"two\n");
    drop(mapping);
    file.seek(SeekFrom::End(0))?;
    file.write_all(b"four\n")?;
    assert_eq!(bytes(&Mapping::from_file(&file)?)?, b"one\ntwo\nthree\nfour\n");
    Ok(())
}

/// `open(2)` and `fopen(3)`, as a C program uses them.
fn opened_by_c() -> Result<()> {
    make("c");
    let name = c"/scratch/c";
    // SAFETY: the name ends with a zero.
    let number = unsafe { libc::open(name.as_ptr(), libc::O_RDONLY) };
    assert!(number >= 0);
    // SAFETY: the descriptor is open, and nobody else has it.
    let file = unsafe { File::from_raw_fd(number) };
    let mapping = Mapping::from_file(&file)?;
    drop(file);
    assert_eq!(bytes(&mapping)?, TEXT);

    // SAFETY: both strings end with a zero.
    let stream = unsafe { libc::fopen(name.as_ptr(), c"r".as_ptr()) };
    assert!(!stream.is_null());
    // SAFETY: the stream is open.
    let number = unsafe { libc::fileno(stream) };
    // SAFETY: the descriptor is the stream's, which is not closed before `file` is forgotten.
    let file = std::mem::ManuallyDrop::new(unsafe { File::from_raw_fd(number) });
    let mapping = Mapping::from_file(&file)?;
    // SAFETY: the stream is open, and not used afterwards.
    assert_eq!(unsafe { libc::fclose(stream) }, 0);
    assert_eq!(bytes(&mapping)?, TEXT);
    Ok(())
}

/// Refused, and never another file.
fn what_is_not_a_file() {
    let directory = File::open("/scratch").expect("a directory");
    assert!(matches!(Mapping::from_file(&directory), Err(Error::Unsupported(_))));
    for number in 0..3 {
        // SAFETY: the standard streams are open, and `ManuallyDrop` keeps them open.
        let stream = std::mem::ManuallyDrop::new(unsafe { File::from_raw_fd(number) });
        assert!(matches!(Mapping::from_file(&stream), Err(Error::Unsupported(_))), "{number}");
    }
    // SAFETY: nothing is done with the descriptor but asking for what is behind it, which is nothing.
    let closed = std::mem::ManuallyDrop::new(unsafe { File::from_raw_fd(1000) });
    assert!(matches!(Mapping::from_file(&closed), Err(Error::Io(error)) if error.code == libc::EBADF));
    let empty = File::create_new("/scratch/empty").expect("a file");
    assert!(matches!(Mapping::from_file(&empty), Err(Error::EmptyFile)));
}

/// No descriptor is lost, one after the other and all at once.
fn many() -> Result<()> {
    let path = make("many");
    for _ in 0..5000 {
        let file = File::open(&path)?;
        let mapping = Mapping::from_file(&file)?;
        drop(file);
        assert_eq!(mapping.get(0)?, b'o');
    }
    let file = File::open(&path)?;
    let mappings: Result<Vec<Mapping>> = (0..500).map(|_| Mapping::from_file(&file)).collect();
    assert!(file.as_raw_fd() < 20);
    assert_eq!(mappings?.len(), 500);
    Ok(())
}
