//! Memory of huge pages: resized, and given back.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::child;
use super::support::{Run, any_windows, plugin};
use wasi_mmap::Mapping;
use wasi_mmap_core::{Access, Error, Internals, MapFlags};

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

/// Runs a part in a process of its own, one at a time: the system has one pool.
#[track_caller]
fn in_a_process(part: &str) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let output = child::command(part, &[]).output().expect("a process");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

#[test]
fn huge_pages_are_freed_after_a_resize() {
    in_a_process("huge-pages");
}

/// The kernel maps files on hugetlbfs in huge pages only, at multiples of their size.
#[test]
fn files_of_huge_pages_are_mapped_and_have_no_windows() {
    in_a_process("huge-files");
}

/// The first test above, alone in a process.
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

/// hugetlbfs, mounted until this is dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// Mounts it. Returns `None` if this user may not.
    fn at(folder: &Path) -> Option<Self> {
        let mount = Command::new("mount").args(["-t", "hugetlbfs", "none"]).arg(folder).status();
        let is_mounted = mount.is_ok_and(|status| status.success());
        if !is_mounted {
            println!("skipped: hugetlbfs cannot be mounted");
        }
        is_mounted.then(|| Self(folder.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Returns the number of areas of this process that map a file.
fn areas(path: &Path) -> usize {
    let name = path.to_str().expect("UTF-8");
    fs::read_to_string("/proc/self/maps").expect("Linux").matches(name).count()
}

/// Attaches a window of a page.
fn attach(
    mapping: &mut wasi_mmap_native::Mapping,
    address: usize,
    to_write: bool,
) -> Result<wasi_mmap_native::Window, Error> {
    // SAFETY: the address is that of private memory of at least a huge page, which nobody uses meanwhile. There are
    // further ones of this process behind it, but no window may get there.
    unsafe { mapping.storage_mut()?.attach_window(0..4096, address, to_write) }
}

/// The second test above, alone in a process.
pub fn map_files() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (Some(pool), Some(mounted)) = (Pool::of(4), Mounted::at(scratch.path())) else { return };
    let path = mounted.0.join("file");
    let file = File::options().read(true).write(true).create_new(true).open(&path).expect("a file");
    file.set_len(2 * HUGE).expect("it is longer");
    let map = |len, access| wasi_mmap_native::Mapping::options().length(len).access(access).map(&file);
    let mut mapping = map(2 * HUGE, Access::Write).expect("a mapping");
    mapping.write_all_at(b"here", 0).expect("it writes");
    mapping.write_all_at(b"there", HUGE + 4096).expect("it writes");

    // A part of a huge page is mapped, and unmapped again.
    let part = map(4096, Access::Read).expect("a mapping");
    assert_eq!((part.read_range(..4).expect("it reads"), areas(&path)), (b"here".to_vec(), 2));
    drop(part);
    assert_eq!(areas(&path), 1, "it is unmapped");

    // No window, whether its place is a multiple of the size of a huge page or not.
    let huge = usize::try_from(HUGE).expect("it fits in memory");
    let mut memory = memmap2::MmapMut::map_anon(3 * huge).expect("memory");
    memory.fill(7);
    let start = memory.as_ptr().expose_provenance().next_multiple_of(huge);
    for (address, to_write) in [(start, true), (start, false), (start + 4096, true), (start + 4096, false)] {
        for access in [Access::Read, Access::Write, Access::Copy] {
            let mut mapping = map(4096, access).expect("a mapping");
            let refused = attach(&mut mapping, address, to_write).expect_err("no window");
            assert_eq!(refused.name(), "unsupported", "{refused}");
        }
    }
    assert!(memory.iter().all(|&byte| byte == 7), "nothing was put there");

    // What is lost is replaced whole, and comes back.
    file.set_len(HUGE).expect("it is shorter");
    assert_eq!(mapping.get(HUGE as i64 + 4096), Err(Error::Truncated));
    assert_eq!(mapping.get(0), Ok(b'h'));
    file.set_len(2 * HUGE).expect("it is longer");
    mapping.refresh().expect("it is whole");
    assert_eq!(mapping.get(HUGE as i64 + 4096), Ok(0));
    assert_eq!(mapping.get(0), Ok(b'h'));
    let refused = mapping.resize(3 * HUGE).expect_err("it cannot grow");
    assert_eq!(refused.name(), "unsupported", "{refused}");
    drop(mapping);
    assert_eq!(areas(&path), 0, "it is unmapped");
    drop(memory);

    // A plugin gets copies.
    let mut run = Run::new(any_windows(), &mounted.0, &["window", "huge-file"]).expect("a store");
    let (printed, outcome) = run.call(&plugin("window", "wasm32-wasip2"), true).expect("it runs");
    assert_eq!((printed.as_str(), outcome), ("huge-file: done\n", Ok(())));
    drop(run);
    assert_eq!(areas(&path), 0, "it is unmapped");
    drop((file, mounted, pool));
}
