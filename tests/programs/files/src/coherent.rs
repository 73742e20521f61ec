//! Files that the plugin maps, and reads and writes with ordinary I/O at the same time: both see each other at once.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};

use wasi_mmap::{Access, Error, Mapping, Result};

const PATH: &str = "/scratch/coherent";
/// More than a page of the cache.
const LEN: usize = 200_000;

pub(crate) fn check() -> Result<()> {
    streams_that_were_open_before()?;
    offsets()?;
    appending()?;
    lengths()?;
    opened_with_truncation()?;
    appending_descriptors_are_written_in_place()?;
    copies()?;
    after_the_last_mapping()
}

/// Makes the file anew, and opens it.
fn open() -> Result<File> {
    fs::write(PATH, vec![b'.'; LEN])?;
    Ok(OpenOptions::new().read(true).write(true).open(PATH)?)
}

fn map(file: &File) -> Result<Mapping> {
    Mapping::options().access(Access::Write).map(file)
}

/// The C library keeps a stream open from one read to the next, and from one write to the next.
fn streams_that_were_open_before() -> Result<()> {
    let mut reader = open()?;
    let mut writer = OpenOptions::new().write(true).open(PATH)?;
    let mut buffer = [0; 10];
    reader.read_exact(&mut buffer)?;
    writer.write_all(b"0123456789")?;

    let mut mapping = map(&reader)?;
    assert_eq!(mapping.read_range(..12)?, b"0123456789..");
    mapping.write_all_at(b"abc", 10)?;
    reader.read_exact(&mut buffer)?;
    assert_eq!(&buffer, b"abc.......");
    writer.write_all(b"XY")?;
    assert_eq!(mapping.read_range(8..14)?, b"89XYc.");
    // And once more, at the positions where both are now.
    mapping.write_all_at(b"!", 20)?;
    reader.read_exact(&mut buffer[..1])?;
    assert_eq!(buffer[0], b'!');
    writer.write_all(b"Z")?;
    assert_eq!(mapping.read_range(8..14)?, b"89XYZ.");
    // Changes in two pages, of which an ordinary write touches one.
    mapping.write_all_at(b"first", 100)?;
    mapping.write_all_at(b"last", 150_000)?;
    writer.seek(SeekFrom::Start(102))?;
    writer.write_all(b"---")?;
    assert_eq!(mapping.read_range(100..105)?, b"fi---");
    assert_eq!(&fs::read(PATH)?[150_000..150_005], b"last.");
    Ok(())
}

/// `pread(2)` and `pwrite(2)`.
fn offsets() -> Result<()> {
    let file = open()?;
    let mut mapping = map(&file)?;
    mapping.write_all_at(b"abc", 70_000)?;
    let mut buffer = [0; 4];
    // SAFETY: the descriptor is open, and the buffer has this length.
    let count = unsafe { libc::pread(std::os::fd::AsRawFd::as_raw_fd(&file), buffer.as_mut_ptr().cast(), 4, 70_000) };
    assert_eq!((count, &buffer), (4, b"abc."));
    // SAFETY: as above.
    let count = unsafe { libc::pwrite(std::os::fd::AsRawFd::as_raw_fd(&file), b"XY".as_ptr().cast(), 2, 70_001) };
    assert_eq!(count, 2);
    assert_eq!(mapping.read_range(70_000..70_004)?, b"aXY.");
    // What is made durable has the mapping's changes.
    mapping.write_all_at(b"durable", 0)?;
    file.sync_data()?;
    mapping.write_all_at(b"D", 0)?;
    file.sync_all()?;
    assert_eq!(&fs::read(PATH)?[..7], b"Durable");
    Ok(())
}

/// `O_APPEND`: the system decides where the bytes go.
fn appending() -> Result<()> {
    drop(open()?);
    let mut log = OpenOptions::new().read(true).append(true).open(PATH)?;
    log.write_all(b"one\n")?;
    let mapping = Mapping::from_file(&log)?;
    assert_eq!(mapping.read_range(LEN as u64..)?, b"one\n");
    log.write_all(b"two\n")?;
    let longer = Mapping::from_file(&log)?;
    assert_eq!(longer.read_range(LEN as u64..)?, b"one\ntwo\n");
    log.write_all(b"three\n")?;
    assert_eq!(Mapping::from_file(&log)?.read_range(LEN as u64..)?, b"one\ntwo\nthree\n");
    assert_eq!(mapping.read_range(LEN as u64..)?, b"one\n");
    Ok(())
}

/// `ftruncate(2)`.
fn lengths() -> Result<()> {
    let file = open()?;
    let mut mapping = map(&file)?;
    mapping.write_all_at(b"kept", 0)?;
    mapping.write_all_at(b"lost", 190_000)?;
    file.set_len(100_000)?;
    assert_eq!(mapping.read_range(..4)?, b"kept");
    assert_eq!(mapping.read_four(190_000), Err(Error::Truncated));
    file.set_len(LEN as u64)?;
    mapping.refresh()?;
    assert_eq!(mapping.read_four(190_000)?, [0; 4]);
    assert_eq!(fs::read(PATH)?, [b"kept", &[b'.'; 99_996][..], &[0; 100_000]].concat());
    Ok(())
}

/// `O_TRUNC`: the file is emptied when it is opened.
fn opened_with_truncation() -> Result<()> {
    let file = open()?;
    let mut mapping = map(&file)?;
    assert_eq!(mapping.read_range(10_000..10_002)?, b"..");
    mapping.write_all_at(b"gone", 100)?;
    fs::write(PATH, vec![b'-'; LEN])?;
    assert_eq!(mapping.read_range(98..106)?, b"--------");
    assert_eq!(mapping.read_range(10_000..10_002)?, b"--");
    let mut again = File::create(PATH)?;
    again.seek(SeekFrom::Start(LEN as u64 - 1))?;
    again.write_all(b"!")?;
    assert_eq!(mapping.read_range(10_000..10_002)?, [0; 2]);
    mapping.close()?;
    assert_eq!(fs::read(PATH)?, [&[0; LEN - 1][..], b"!"].concat());
    Ok(())
}

/// A mapping writes its bytes where they belong, also with a descriptor that appends.
fn appending_descriptors_are_written_in_place() -> Result<()> {
    drop(open()?);
    for is_taken in [false, true] {
        let mut log = OpenOptions::new().read(true).append(true).open(PATH)?;
        let mut mapping = map(&log)?;
        mapping.write_all_at(b"here", 70_000)?;
        mapping.flush()?;
        assert_eq!(&fs::read(PATH)?[69_999..70_005], b".here.");
        drop(mapping);
        // The program's own writes still append.
        log.write_all(b"+")?;
        assert_eq!(fs::read(PATH)?.last(), Some(&b'+'));
        if is_taken {
            let mut mapping = Mapping::options().access(Access::Write).map(log)?;
            mapping.write_all_at(b"there", 80_000)?;
            mapping.close()?;
            assert_eq!(&fs::read(PATH)?[79_999..80_006], b".there.");
        }
    }
    assert_eq!(fs::metadata(PATH)?.len(), LEN as u64 + 2);
    Ok(())
}

/// Reads of 4 bytes.
trait ReadFour {
    fn read_four(&self, offset: u64) -> Result<[u8; 4]>;
}

impl ReadFour for Mapping {
    fn read_four(&self, offset: u64) -> Result<[u8; 4]> {
        let mut bytes = [0; 4];
        self.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }
}

/// A private mapping sees ordinary writes to the pages that it has not written, and its own are nobody else's.
fn copies() -> Result<()> {
    let mut file = open()?;
    let mut copy = Mapping::options().access(Access::Copy).map(&file)?;
    copy.write_all_at(b"mine", 0)?;
    assert_eq!(copy.read_range(150_000..150_002)?, b"..");
    file.write_all(b"yours")?;
    file.seek(SeekFrom::Start(150_000))?;
    file.write_all(b"both")?;
    assert_eq!(copy.read_range(..5)?, b"mine.");
    assert_eq!(copy.read_range(150_000..150_005)?, b"both.");
    assert_eq!(&fs::read(PATH)?[..6], b"yours.");
    Ok(())
}

/// Files that are not mapped any more are read and written as ever.
fn after_the_last_mapping() -> Result<()> {
    let mut file = open()?;
    file.write_all(b"one")?;
    drop(map(&file)?);
    file.write_all(b"two")?;
    assert_eq!(&fs::read(PATH)?[..7], b"onetwo.");
    let mapping = map(&file)?;
    file.write_all(b"three")?;
    assert_eq!(mapping.read_range(..12)?, b"onetwothree.");
    Ok(())
}
