//! The system's list of what is mapped where: Linux `/proc/self/maps`.

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

    /// Returns the file, and the offset in it that an address would show if the area reached there.
    fn place_of(&self, address: usize) -> ((&'a str, &'a str), i128) {
        (self.file, i128::from(self.file_offset) + address as i128 - self.addresses.start as i128)
    }
}

/// Returns whether `other` maps the same part of a file as the memory from `one` on. `None` if the system does not
/// tell.
pub(super) fn are_one_file(one: usize, other: &Range<usize>) -> Option<bool> {
    are_one_file_in(&std::fs::read_to_string("/proc/self/maps").ok()?, one, other)
}

fn are_one_file_in(maps: &str, one: usize, other: &Range<usize>) -> Option<bool> {
    let areas = || maps.lines().filter_map(Area::of_line);
    let wanted = areas().find(|area| area.addresses.contains(&one))?.place_of(one);
    // The areas are in the order of their addresses.
    let mut end = other.start;
    for area in areas() {
        if area.addresses.contains(&end) && area.place_of(other.start) == wanted {
            end = area.addresses.end;
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
        let is_same = |other| are_one_file_in(MAPS, 0x10000, &other);
        assert_eq!(is_same(0x20000..0x24000), Some(true));
        assert_eq!(is_same(0x10000..0x16000), Some(true), "in two areas");
        assert_eq!(is_same(0x10000..0x17000), Some(false), "partly without a file");
        assert_eq!(is_same(0x20000..0x28000), Some(false), "partly not mapped");
        assert_eq!(is_same(0x21000..0x24000), Some(false), "at another offset");
        assert_eq!(is_same(0x30000..0x34000), Some(false), "another file");
        assert_eq!(is_same(0x40000..0x44000), Some(false), "with a gap");
        assert_eq!(are_one_file_in(MAPS, 0x22000, &(0x12000..0x14000)), Some(true), "from the middle of an area");
        assert_eq!(are_one_file_in(MAPS, 0x50000, &(0x10000..0x11000)), None, "nothing is there");
    }

    #[test]
    fn this_process_is_read() {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(0x4000).expect("it grows");
        let map = |offset| memmap2::MmapOptions::new().offset(offset).len(0x2000).map_raw(&file).expect("a mapping");
        let (one, other, shifted) = (map(0), map(0), map(0x1000));
        let range = |map: &memmap2::MmapRaw| map.as_ptr().addr()..map.as_ptr().addr() + map.len();
        assert_eq!(are_one_file(one.as_ptr().addr(), &range(&other)), Some(true));
        assert_eq!(are_one_file(one.as_ptr().addr(), &range(&shifted)), Some(false));
    }
}
