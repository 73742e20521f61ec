//! What is mapped at an address, as Linux tells.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::Range;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use wasi_mmap_core::{Error, Result};

/// Whether [`are_anonymous`] knows.
pub(super) const CAN_BE_KNOWN: bool = cfg!(target_os = "linux");

/// Ranges of addresses. None overlaps another, or touches it.
#[derive(Debug, Default)]
pub(super) struct Ranges(BTreeMap<usize, usize>);

impl Ranges {
    /// Returns whether all of a range is in one of these.
    pub(super) fn contain(&self, range: &Range<usize>) -> bool {
        self.0.range(..=range.start).next_back().is_some_and(|(_, end)| *end >= range.end)
    }

    /// Adds a range.
    pub(super) fn add(&mut self, mut range: Range<usize>) {
        while let Some((&start, &end)) = self.0.range(..=range.end).next_back().filter(|(_, end)| **end >= range.start)
        {
            self.0.remove(&start);
            range = range.start.min(start)..range.end.max(end);
        }
        self.0.insert(range.start, range.end);
    }
}

/// An area of the process: addresses that are mapped in the same way.
#[derive(Debug, PartialEq, Eq)]
struct Area {
    addresses: Range<usize>,
    /// Whether it is private memory without a file, which can be read and written.
    is_anonymous: bool,
}

/// Returns whether all of a range is private memory without a file, which can be read and written.
///
/// # Errors
///
/// [`Error::Unsupported`], if the kernel does not tell.
pub(super) fn are_anonymous(addresses: &Range<usize>) -> Result<bool> {
    let unknown =
        |error: std::io::Error| Error::Unsupported(format!("windows without /proc/self/maps: {error}").into());
    let mut at = addresses.start;
    let mut listed = None;
    while at < addresses.end {
        let area = match ask(at) {
            Ok(area) => area,
            Err(Errno::NOENT) => None,
            // Before Linux 6.11, or where it is not permitted, all areas have to be listed.
            Err(_) => {
                if listed.is_none() {
                    listed = Some(fs::read_to_string("/proc/self/maps").map_err(unknown)?);
                }
                listed
                    .as_deref()
                    .unwrap_or_default()
                    .lines()
                    .filter_map(parse)
                    .find(|area| area.addresses.contains(&at))
            }
        };
        match area {
            Some(area) if area.is_anonymous && area.addresses.contains(&at) => at = area.addresses.end,
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Reads a line of `/proc/self/maps`. Returns `None` if it is not an area.
fn parse(line: &str) -> Option<Area> {
    // addresses, permissions, offset, device, inode, and a name
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let (permissions, inode) = (fields.next()?, fields.nth(2)?);
    let number = |digits| usize::from_str_radix(digits, 16).ok();
    let is_anonymous = permissions.starts_with("rw") && permissions.ends_with('p') && inode == "0";
    Some(Area { addresses: number(start)?..number(end)?, is_anonymous })
}

/// `struct procmap_query` of Linux.
#[repr(C)]
#[derive(Debug, Default)]
struct Query {
    size: u64,
    flags: u64,
    address: u64,
    start: u64,
    end: u64,
    area_flags: u64,
    page_size: u64,
    offset: u64,
    inode: u64,
    device: [u32; 2],
    name_size: u32,
    build_id_size: u32,
    name: u64,
    build_id: u64,
}

/// `PROCMAP_QUERY`.
const QUERY: Opcode = opcode::read_write::<Query>(b'f', 17);

/// Flags of an area.
const READABLE: u64 = 1;
const WRITABLE: u64 = 2;
const SHARED: u64 = 8;

/// Asks the kernel for the area at an address. Linux 6.11 and later have this.
///
/// # Errors
///
/// `ENOENT`, if nothing is mapped there; other errors, if the kernel cannot be asked.
fn ask(address: usize) -> std::result::Result<Option<Area>, Errno> {
    // Not kept open: in a forked process, it would tell about the parent.
    let maps = File::open("/proc/self/maps").map_err(|_| Errno::NOSYS)?;
    let mut query = Query { size: size_of::<Query>() as u64, address: address as u64, ..Query::default() };
    // SAFETY: the opcode says that the kernel gets a `Query`.
    let call = unsafe { Updater::<QUERY, Query>::new(&mut query) };
    // SAFETY: the call reads and writes the `Query`. With sizes of 0 for a name and a build ID, it writes no other memory.
    // After an error, nothing is used.
    unsafe { ioctl(maps, call) }?;
    let bits = query.area_flags & (READABLE | WRITABLE | SHARED);
    let (Ok(start), Ok(end)) = (usize::try_from(query.start), usize::try_from(query.end)) else { return Ok(None) };
    Ok(Some(Area { addresses: start..end, is_anonymous: bits == READABLE | WRITABLE && query.inode == 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_joined() {
        let mut ranges = Ranges::default();
        for range in [10..20, 40..50, 20..25, 30..35, 5..10] {
            assert!(!ranges.contain(&range));
            ranges.add(range);
        }
        assert!(ranges.contain(&(5..25)) && ranges.contain(&(31..34)) && ranges.contain(&(40..50)));
        assert!(!ranges.contain(&(4..6)) && !ranges.contain(&(24..31)) && !ranges.contain(&(49..51)));
        ranges.add(22..45);
        assert!(ranges.contain(&(5..50)));
        assert_eq!(ranges.0.len(), 1);
    }

    #[test]
    fn lines_are_read() {
        let area = |line| parse(line).map(|area| (area.addresses, area.is_anonymous));
        assert_eq!(area("1000-3000 rw-p 00000000 00:00 0 "), Some((0x1000..0x3000, true)));
        assert_eq!(area("1000-3000 rw-p 00000000 00:00 0      [anon: a name]"), Some((0x1000..0x3000, true)));
        for line in [
            "1000-3000 r--p 00000000 00:00 0",
            "1000-3000 rw-s 00000000 00:01 1047 /dev/zero (deleted)",
            "1000-3000 rw-p 00002000 fd:00 393 /a file",
            "1000-3000 ---p 00000000 00:00 0",
        ] {
            assert_eq!(area(line), Some((0x1000..0x3000, false)), "{line}");
        }
        assert_eq!(area("what is this"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn both_ways_tell_the_same() {
        let maps = fs::read_to_string("/proc/self/maps").expect("a list");
        let mut asked = 0;
        for area in maps.lines().map(|line| parse(line).expect("an area")) {
            match ask(area.addresses.start) {
                // Other threads of this test map and unmap memory.
                Ok(Some(same)) if same.addresses == area.addresses => {
                    assert_eq!(same, area);
                    asked += 1;
                }
                Ok(_) | Err(Errno::NOENT) => {}
                // Before Linux 6.11.
                Err(Errno::NOTTY) => return,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(asked > 5, "{asked}");
        let code = both_ways_tell_the_same as fn() as usize;
        assert_eq!(are_anonymous(&(code..code + 1)), Ok(false), "code is not memory");
        assert_eq!(are_anonymous(&(4096..8192)), Ok(false), "nothing is there");
    }
}
