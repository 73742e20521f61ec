//! Operations on a file that is truncated and extended all the time: their results were in the file at some time.
//!
//! The file never holds anything but [`content`], cut off at the end of a page. None of its bytes is 0, so that a page
//! which the fault handler has put in place of a lost one cannot be taken for the file's.

use std::io::SeekFrom;
use std::path::Path;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use wasi_mmap::Views;
use wasi_mmap_core::{Access, Backend, Error, MapOptions, Mapping, MappingOptions, Result};

use crate::memory::touch_everything;

/// The file's full length in bytes.
pub const LEN: usize = 64 * 4096;

/// Random numbers, the same on every system: SplitMix64.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }
}

/// Returns the bytes of the whole file, from 1 to 255. No sequence of eight occurs twice.
pub fn content() -> &'static [u8] {
    static CONTENT: OnceLock<Vec<u8>> = OnceLock::new();
    CONTENT.get_or_init(|| {
        let mut random = Random(7);
        (0..LEN).map(|_| 1 + random.below(255) as u8).collect()
    })
}

/// The counts of a storm.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Tally {
    /// The number of operations that returned the file's bytes.
    pub right: u64,
    /// The number of operations that failed with `truncated`, or found the file too short to be mapped.
    pub truncated: u64,
    /// The number of refreshes that succeeded.
    pub refreshed: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.right += other.right;
        self.truncated += other.truncated;
        self.refreshed += other.refreshed;
    }
}

/// Operates on the file at `path` until `done`, and until an operation succeeds: in the end, the file is whole.
///
/// # Errors
///
/// A wrong result, or an error other than the file's length.
pub fn storm<S: Backend>(
    path: &Path,
    access: Access,
    seed: u64,
    mut done: impl FnMut() -> bool,
) -> std::result::Result<Tally, String>
where
    Mapping<S>: Views,
{
    let (mut random, mut tally) = (Random(seed), Tally::default());
    let options = MapOptions::new().access(access).length(LEN as u64);
    let mut mapping: Option<Mapping<S>> = None;
    while !done() || tally.right == 0 {
        let Some(open) = &mut mapping else {
            match MappingOptions::from(options).open(path) {
                Ok(new) => mapping = Some(new),
                Err(Error::EmptyFile | Error::BeyondEndOfFile(_)) => tally.truncated += 1,
                Err(error) => return Err(format!("mapping: {error}")),
            }
            continue;
        };
        let outcome = if access.is_writable() && random.below(3) == 0 {
            change(open, &mut random)
        } else {
            look(open, &mut random)
        };
        if !count(outcome, &mut tally)? {
            // A window that was refused has left the memory that it was meant for.
            touch_everything();
            refresh(open, &mut tally)?;
        }
        if random.below(200) == 0 {
            mapping = None;
        }
    }
    Ok(tally)
}

/// Counts an outcome, and returns whether the mapping is whole.
///
/// # Errors
///
/// A wrong result; an error other than the file's length.
pub fn count(outcome: Result<std::result::Result<(), String>>, tally: &mut Tally) -> std::result::Result<bool, String> {
    match outcome {
        Ok(right) => {
            right?;
            tally.right += 1;
            Ok(true)
        }
        Err(Error::Truncated) => {
            tally.truncated += 1;
            Ok(false)
        }
        Err(error) => Err(format!("another error than the file's length: {error}")),
    }
}

/// Refreshes the mapping, if the file is whole again.
///
/// # Errors
///
/// An error other than the file's length.
pub fn refresh<S: Backend>(mapping: &mut Mapping<S>, tally: &mut Tally) -> std::result::Result<(), String> {
    match mapping.refresh() {
        Ok(()) => tally.refreshed += 1,
        Err(Error::Truncated) => {}
        Err(error) => return Err(format!("refreshing: {error}")),
    }
    Ok(())
}

/// Checks that bytes are those of the file from `at` on.
fn same(what: &str, bytes: &[u8], at: usize) -> std::result::Result<(), String> {
    let expected = &content()[at..at + bytes.len()];
    match bytes.iter().zip(expected).position(|(one, other)| one != other) {
        None => Ok(()),
        Some(place) => Err(format!(
            "{what} of {} bytes at {at}: the byte at {} is {}, and was never other than {} in the file",
            bytes.len(),
            at + place,
            bytes[place],
            expected[place]
        )),
    }
}

/// Performs an operation that only reads. The inner error describes a wrong result.
///
/// # Errors
///
/// Those of the operation.
pub fn look<S: Backend>(mapping: &Mapping<S>, random: &mut Random) -> Result<std::result::Result<(), String>>
where
    Mapping<S>: Views,
{
    let start = random.below(LEN);
    let longest = if random.below(2) == 0 { 200 } else { LEN };
    let count = 1 + random.below((LEN - start).min(longest));
    let (offset, length) = (start as u64, count as u64);
    // Eight bytes of the file that occur nowhere else.
    let needle = &content()[random.below(LEN - 8)..][..8];
    let at = content().windows(8).position(|bytes| bytes == needle).map(|at| at as u64);
    let found =
        |place: Option<u64>| if place == at { Ok(()) } else { Err(format!("found at {place:?}, stands at {at:?}")) };
    Ok(match random.below(7) {
        0 | 1 => same("a read", &mapping.read_range(offset..offset + length)?, start),
        2 => found(mapping.find_from_cursor(needle, Some(0), None)?),
        3 => found(mapping.rfind_from_cursor(needle, Some(0), None)?),
        4 => match mapping.compare(&content()[start..start + count], offset)? {
            std::cmp::Ordering::Equal => Ok(()),
            order => Err(format!("{count} bytes at {start} are {order:?}")),
        },
        5 => {
            let ranges = [offset..offset + length, 0..100];
            let bytes = mapping.read_ranges(&ranges)?;
            same("ranges", &bytes[..count], start).and_then(|()| same("ranges", &bytes[count..], 0))
        }
        _ => {
            // SAFETY: others write what is there already, and cut pages off, which read as zeros: the bytes are copied
            // once, and taken for values.
            let view = unsafe { mapping.view(offset..offset + length) }?;
            let bytes = view.to_vec();
            view.check()?;
            same("a view", &bytes, start)
        }
    })
}

/// Performs an operation that changes the mapping or its cursor, but no byte. The inner error describes a wrong result.
///
/// # Errors
///
/// Those of the operation.
pub fn change<S: Backend>(mapping: &mut Mapping<S>, random: &mut Random) -> Result<std::result::Result<(), String>>
where
    Mapping<S>: Views,
{
    let start = random.below(LEN);
    let count = 1 + random.below((LEN - start).min(40_000));
    let (offset, length, bytes) = (start as u64, count as u64, &content()[start..start + count]);
    match random.below(6) {
        0 | 1 => mapping.write_all_at(bytes, offset)?,
        2 => mapping.copy_within(offset..offset + length, offset)?,
        3 => mapping.flush()?,
        4 => {
            mapping.seek(SeekFrom::Start(offset))?;
            let line = mapping.read_line()?;
            return Ok(same("a line", &line, start));
        }
        _ => {
            // SAFETY: as in `look`; what is written is what is there.
            let mut view = unsafe { mapping.view_mut(offset..offset + length) }?;
            view.copy_from_slice(bytes);
            view.check()?;
            view.close()?;
        }
    }
    Ok(Ok(()))
}

/// Truncates and extends the file at random, `count` times. In the end it is whole.
///
/// # Errors
///
/// Those of the file.
pub fn shrink_and_grow(path: &Path, count: usize, seed: u64) -> std::io::Result<()> {
    use std::io::{Seek, Write};

    let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
    let mut random = Random(seed);
    let grow_to = |file: &mut std::fs::File, end: usize| -> std::io::Result<()> {
        let at = file.seek(SeekFrom::End(0))? as usize;
        // Written, and not only made longer: else it would hold zeros.
        if at < end { file.write_all(&content()[at..end]) } else { Ok(()) }
    };
    for _ in 0..count {
        let len = file.metadata()?.len() as usize;
        file.set_len((random.below(len / 4096) * 4096) as u64)?;
        for _ in 0..random.below(4) {
            std::thread::yield_now();
        }
        grow_to(&mut file, random.below(LEN / 4096) * 4096)?;
        if random.below(2) == 0 {
            grow_to(&mut file, LEN)?;
            // A while in which mappings can be made and refreshed.
            std::thread::sleep(std::time::Duration::from_micros(random.below(500) as u64));
        }
    }
    grow_to(&mut file, LEN)
}
