//! The system's list of what is mapped where: Linux `/proc/self/maps`.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;

/// An area of memory.
#[derive(Debug, PartialEq, Eq)]
struct Area<'a> {
    addresses: Range<usize>,
    /// The offset in the file at which it starts, in bytes.
    file_offset: u64,
    /// The device and the number of the file. `00:00 0` for memory without a file.
    file: (&'a str, &'a str),
}

impl<'a> Area<'a> {
    /// Reads a line: `start-end permissions offset device inode path`, with numbers in hexadecimal.
    fn of_line(line: &'a str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        let addresses = number(start)?..number(end)?;
        let file_offset = u64::from_str_radix(fields.nth(1)?, 16).ok()?;
        Some(Self { addresses, file_offset, file: (fields.next()?, fields.next()?) })
    }

    /// Returns whether the memory maps no file.
    fn has_no_file(&self) -> bool {
        self.file == ("00:00", "0")
    }

    /// Returns the file, and the offset in it that an address would show if the area reached there.
    fn place_of(&self, address: usize) -> ((&'a str, &'a str), i128) {
        (self.file, i128::from(self.file_offset) + address as i128 - self.addresses.start as i128)
    }
}

/// The list of this process, ready to be read: opening it needs a descriptor, which may be missing later.
#[derive(Debug)]
pub(super) struct List(File);

impl List {
    /// Opens the list.
    ///
    /// # Errors
    ///
    /// The error of `open(2)`; `Unsupported` in a process that has no `/proc`.
    pub(super) fn open() -> io::Result<Self> {
        match File::open("/proc/self/maps") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(io::Error::new(io::ErrorKind::Unsupported, "the mode of a window without /proc"))
            }
            list => Ok(Self(list?)),
        }
    }

    /// Returns whether `other` maps the same part of a file as the memory from `one` on, except for memory without a
    /// file in the range that `lost` returns. `None` if the system does not tell.
    pub(super) fn are_one_file(
        mut self,
        one: usize,
        other: &Range<usize>,
        lost: impl FnOnce() -> Range<usize>,
    ) -> Option<bool> {
        let mut maps = Vec::new();
        self.0.read_to_end(&mut maps).ok()?;
        // Any mapped file may have a name that is not UTF-8. What was lost is recorded before zeros are there, so it is
        // looked up after the list.
        are_one_file_in(&String::from_utf8_lossy(&maps), one, other, &lost())
    }
}

fn are_one_file_in(maps: &str, one: usize, other: &Range<usize>, lost: &Range<usize>) -> Option<bool> {
    let areas = || maps.lines().filter_map(Area::of_line);
    let wanted = areas().find(|area| area.addresses.contains(&one))?.place_of(one);
    // The areas are in the order of their addresses.
    let mut end = other.start;
    for area in areas() {
        // An area without a file may reach past the target, into its owner's memory.
        let reached = area.addresses.end.min(other.end);
        let is_repaired = || area.has_no_file() && lost.start <= end && reached <= lost.end;
        if area.addresses.contains(&end) && (area.place_of(other.start) == wanted || is_repaired()) {
            end = reached;
        }
    }
    Some(end >= other.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
10000-14000 rw-s 00001000 08:01 77 /a file
14000-16000 rw-p 00005000 08:01 77 /a file
16000-17000 rw-p 00000000 00:00 0
20000-27000 rw-p 00001000 08:01 77 /a file
30000-34000 rw-p 00001000 08:01 78 /other
40000-41000 rw-p 00001000 08:01 77 /a file
42000-44000 rw-p 00003000 08:01 77 /a file
";

    #[test]
    fn the_same_part_of_the_same_file_is_recognized() {
        let is_same = |other| are_one_file_in(MAPS, 0x10000, &other, &(0..0));
        assert_eq!(is_same(0x20000..0x24000), Some(true));
        assert_eq!(is_same(0x10000..0x16000), Some(true), "in two areas");
        assert_eq!(is_same(0x10000..0x17000), Some(false), "partly without a file");
        assert_eq!(is_same(0x20000..0x28000), Some(false), "partly not mapped");
        assert_eq!(is_same(0x21000..0x24000), Some(false), "at another offset");
        assert_eq!(is_same(0x30000..0x34000), Some(false), "another file");
        assert_eq!(is_same(0x40000..0x44000), Some(false), "with a gap");
        assert_eq!(
            are_one_file_in(MAPS, 0x22000, &(0x12000..0x14000), &(0..0)),
            Some(true),
            "from the middle of an area"
        );
        assert_eq!(are_one_file_in(MAPS, 0x50000, &(0x10000..0x11000), &(0..0)), None, "nothing is there");
    }

    #[test]
    fn memory_without_a_file_counts_only_where_pages_were_lost() {
        let is_same = |lost| are_one_file_in(MAPS, 0x20000, &(0x10000..0x17000), &lost);
        assert_eq!(is_same(0x16000..0x17000), Some(true));
        assert_eq!(is_same(0x13000..0x18000), Some(true));
        assert_eq!(is_same(0..0), Some(false));
        assert_eq!(is_same(0x13000..0x16000), Some(false), "another place");
        let part = |lost| are_one_file_in(MAPS, 0x20000, &(0x10000..0x16800), &lost);
        assert_eq!(part(0x16000..0x16800), Some(true), "the area reaches further");
        assert_eq!(part(0x16000..0x16400), Some(false), "the target reaches further");
        let foreign = |lost| are_one_file_in(MAPS, 0x20000, &(0x30000..0x34000), &lost);
        assert_eq!(foreign(0x30000..0x34000), Some(false), "another file is no repair");
    }

    #[test]
    fn this_process_is_read() {
        // The list contains its name, which is not UTF-8.
        let folder = tempfile::tempdir().expect("a directory");
        let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"caf\xe9");
        let path = folder.path().join(name);
        let file = File::options().read(true).write(true).create_new(true).open(path).expect("a file");
        file.set_len(0x4000).expect("it grows");
        let map = |offset| memmap2::MmapOptions::new().offset(offset).len(0x2000).map_raw(&file).expect("a mapping");
        let (one, other, shifted) = (map(0), map(0), map(0x1000));
        let range = |map: &memmap2::MmapRaw| map.as_ptr().addr()..map.as_ptr().addr() + map.len();
        let are_one_file =
            |other| List::open().expect("Linux").are_one_file(one.as_ptr().addr(), &range(other), || 0..0);
        assert_eq!(are_one_file(&other), Some(true));
        assert_eq!(are_one_file(&shifted), Some(false));
    }
}
