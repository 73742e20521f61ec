//! A file that no 32-bit program could map whole: operations on both sides of 2 GiB and 4 GiB, and across.

use std::path::Path;

use wasi_mmap_core::{Access, Backend, Mapping, Result};

/// The offsets that numbers of 31 and 32 bits do not reach.
pub const LINES: [u64; 2] = [1 << 31, 1 << 32];

/// The length of the file: 6 GiB.
pub const LEN: u64 = 6 << 30;

/// The length of the file afterwards.
pub const LEN_AFTER: u64 = (4 << 30) + 3;

/// The bytes that are written across each line, from 4 bytes before it.
pub const MARK: &[u8] = b"one side, the other";

/// Reads, writes, searches and resizes a sparse file of [`LEN`] bytes.
///
/// # Errors
///
/// Those of the mapping.
///
/// # Panics
///
/// Panics if a result is wrong.
pub fn check<S: Backend>(path: &Path) -> Result<()> {
    let mut mapping = Mapping::<S>::options().access(Access::Write).open(path)?;
    assert_eq!((mapping.len()?, mapping.file_len()?), (LEN, LEN));
    for line in LINES {
        let at = line - 4;
        mapping.write_all_at(MARK, at)?;
        let mut bytes = vec![0; MARK.len()];
        mapping.read_exact_at(&mut bytes, at)?;
        assert_eq!(bytes, MARK, "across {line}");
        // From both ends, with bounds on both sides of the line.
        let bounds = [(line - 100_000, line + 100_000), (at, at + MARK.len() as u64)];
        for (start, end) in bounds.map(|(start, end)| (Some(start as i64), Some(end as i64))) {
            assert_eq!(mapping.find_from_cursor(MARK, start, end)?, Some(at));
            assert_eq!(mapping.rfind_from_cursor(MARK, start, end)?, Some(at));
        }
        assert_eq!(mapping.find_from_cursor(MARK, Some(at as i64 + 1), Some(line as i64 + 100_000))?, None);
        // Negative bounds count from the end.
        let from_end = at as i64 - LEN as i64;
        assert_eq!(mapping.find_from_cursor(MARK, Some(from_end), Some(from_end + 100))?, Some(at));
        assert_eq!(mapping.get(from_end)?, MARK[0]);
        // The cursor goes there, and over the line.
        mapping.seek(std::io::SeekFrom::Start(line - 1))?;
        assert_eq!(mapping.read_byte()?, MARK[3]);
        assert_eq!((mapping.tell()?, mapping.read_byte()?), (line, MARK[4]));
        mapping.copy_within(at..at + MARK.len() as u64, line + 1000)?;
        assert_eq!(mapping.read_range(line + 1000..line + 1000 + MARK.len() as u64)?, MARK);
        let slice = wasi_mmap_core::Slice { start: Some(line as i64 + 2), stop: Some(line as i64 - 2), step: -2 };
        assert_eq!(mapping.read_slice(slice)?, [MARK[6], MARK[4]]);
        mapping.flush_range(line..line + 4096, wasi_mmap_core::FlushFlags::SYNC)?;
    }
    // A search of more bytes than a number of 32 bits counts.
    let far = LINES[1] + 5_000;
    mapping.write_all_at(b"here alone", far)?;
    assert_eq!(mapping.find_from_cursor(b"here alone", Some(100), None)?, Some(far));
    mapping.resize(LEN_AFTER)?;
    assert_eq!((mapping.len()?, mapping.file_len()?), (LEN_AFTER, LEN_AFTER));
    assert_eq!(mapping.get(-1)?, MARK[6]);
    mapping.read_exact_at(&mut [0], LEN_AFTER).expect_err("there is nothing past the end");
    mapping.close()
}
