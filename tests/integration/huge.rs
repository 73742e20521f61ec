//! Memory of huge pages: resized, and given back.

use std::fs;

use super::child;
use wasi_mmap::Mapping;
use wasi_mmap_core::{Error, MapFlags};

const HUGE: u64 = 2 << 20;

fn map(len: u64, flags: MapFlags) -> Result<Mapping, Error> {
    Mapping::options().length(len).flags(MapFlags::HUGE_PAGES | flags).anonymous()
}

/// Returns the number of bytes of huge pages that this process has mapped.
fn mapped() -> u64 {
    let maps = fs::read_to_string("/proc/self/maps").expect("Linux");
    let areas = maps.lines().filter(|line| line.contains("anon_hugepage"));
    areas
        .map(|line| {
            let (start, end) = line.split_once(' ').and_then(|(range, _)| range.split_once('-')).expect("addresses");
            let address = |text| u64::from_str_radix(text, 16).expect("an address");
            address(end) - address(start)
        })
        .sum()
}

/// The pool of huge pages, enlarged until it is dropped.
struct Pool(u64);

impl Pool {
    const FILE: &str = "/proc/sys/vm/nr_hugepages";

    /// Enlarges the pool. Returns `None` if this user may not.
    fn of(pages: u64) -> Option<Self> {
        let old = fs::read_to_string(Self::FILE).ok()?.trim().parse().ok()?;
        let pool = Self(old);
        if let Err(error) = fs::write(Self::FILE, (old + pages).to_string()) {
            println!("skipped in part: the pool of huge pages cannot be made larger: {error}");
            return None;
        }
        let new: u64 = fs::read_to_string(Self::FILE).ok()?.trim().parse().ok()?;
        if new < old + pages {
            println!("skipped in part: the system has no {pages} huge pages");
            return None;
        }
        Some(pool)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        fs::write(Self::FILE, self.0.to_string()).expect("it could be written before");
    }
}

#[test]
fn huge_pages_are_freed_after_a_resize() {
    let output = child::command("huge-pages", &[]).output().expect("a process");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// The test above, alone in a process.
pub fn resize() {
    // Lengths within pages and at their borders. Without a pool, the memory must not be touched.
    match map(4 * HUGE, MapFlags::NO_RESERVE) {
        Err(Error::Unsupported(_) | Error::Io(_)) => {
            println!("skipped: this system has no huge pages");
            return;
        }
        outcome => drop(outcome.expect("address space")),
    }
    for lens in [&[3 * HUGE + 1, HUGE, 1][..], &[4 * HUGE - 1, 4 * HUGE], &[5000, 10_000, HUGE]] {
        let mut mapping = map(4 * HUGE, MapFlags::NO_RESERVE).expect("address space");
        assert_eq!(mapped(), 4 * HUGE);
        for &len in lens {
            mapping.resize(len).unwrap_or_else(|error| panic!("{lens:?}: {len}: {error}"));
            assert_eq!(mapping.len(), Ok(len));
            assert_eq!(mapped(), len.next_multiple_of(HUGE), "{lens:?}: {len}");
        }
        drop(mapping);
        assert_eq!(mapped(), 0, "{lens:?}: something stays");
    }
    // The kernel makes no huge pages of what is mapped already: nothing happens.
    let mut mapping = map(HUGE + 1, MapFlags::NO_RESERVE).expect("address space");
    for len in [2 * HUGE + 1, 64 * HUGE] {
        let refused = mapping.resize(len).expect_err("it cannot grow");
        assert_eq!(refused.name(), "unsupported", "{refused}");
        assert!(refused.to_string().contains("huge pages"), "{refused}");
        assert_eq!((mapping.len(), mapped()), (Ok(HUGE + 1), 2 * HUGE));
    }
    mapping.resize(2 * HUGE).expect("the page is there already");
    drop(mapping);
    assert_eq!(mapped(), 0);

    let Some(pool) = Pool::of(3) else { return };
    let mut mapping = map(3 * HUGE, MapFlags::empty()).expect("huge pages");
    mapping.fill(..3 * HUGE, 7).expect("they are reserved");
    mapping.resize(HUGE + 5000).expect("it becomes shorter");
    mapping.resize(HUGE + 20_000).expect("the page is there already");
    assert_eq!(mapping.read_range(HUGE..HUGE + 5000).expect("it is there"), vec![7; 5000]);
    assert_eq!(
        mapping.read_range(HUGE + 5000..HUGE + 5000 + 15_000).expect("it is there"),
        vec![0; 15_000],
        "what was cut off is gone"
    );
    mapping.resize(2 * HUGE).expect("the page is there already");
    let rest = HUGE - 5000;
    assert!(mapping.read_range(HUGE + 5000..HUGE + 5000 + rest).expect("it is there").iter().all(|&byte| byte == 0));
    assert_eq!(mapping.resize(2 * HUGE + 1).expect_err("it cannot grow").name(), "unsupported");
    assert_eq!(mapping.get(0), Ok(7));
    drop((mapping, pool));
    assert_eq!(mapped(), 0);
}
