//! Attacks of a plugin on its host: `hostile TRICK` tries one in `/scratch`, and prints the outcome.

mod long;

use std::fs;

use wasi_mmap::bindings::wasi_mmap::mmap::mapping::Mapping;
use wasi_mmap::bindings::wasi_mmap::mmap::types::{
    Access as WitAccess, Advice as WitAdvice, FlushFlags, MapFlags, MapOptions as WitOptions, Slice, WindowMode,
};
use wasi_mmap::bindings::wasi_mmap::mmap::window::Window;
use wasi_mmap::{Access, Error, Mapping as Object, PluginStorage};
use wasi_mmap_conformance::memory::touch_everything;
use wasi_mmap_core::{Backend, MapOptions};

/// A trick and its name.
type Trick = (&'static str, fn() -> Result<String, Error>);

const TRICKS: &[Trick] = &[
    ("dropped-handle", dropped_handle),
    ("closed-handle", closed_handle),
    ("foreign-handle", foreign_handle),
    ("unknown-handle", unknown_handle),
    ("swapped-links", swapped_links),
    ("leak-everything", leak_everything),
    ("lose-every-second-page", lose_every_second_page),
    ("advise-every-page", advise_every_page),
    ("populate", populate),
    ("missing-huge-pages", missing_huge_pages),
    ("a-huge-page-for-a-byte", a_huge_page_for_a_byte),
    ("long-line", long_line),
    ("long-steps", long_steps),
    ("long-steps-to-write", long_steps_to_write),
    ("long-needle", long_needle),
    ("read-much", read_much),
    ("read-ranges", read_ranges),
    ("fill-much", fill_much),
    ("fill-all", fill_all),
    ("copy-much", copy_much),
    ("copy-all", copy_all),
    ("copy-pieces", copy_pieces),
    ("many-names", many_names),
    ("remove-pages", remove_pages),
    ("harmful-advice", harmful_advice),
    ("numbers", numbers),
];

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let (_, trick) = TRICKS.iter().chain(long::TRICKS).find(|(name, _)| *name == wanted).expect("a trick");
    match trick() {
        Ok(text) => println!("{text}"),
        Err(error) => println!("{error}"),
    }
}

/// Maps a small file of its own.
fn small(access: Access) -> Object {
    if !fs::exists("/scratch/small").is_ok_and(|there| there) {
        fs::write("/scratch/small", vec![b'a'; 1 << 20]).expect("a file");
    }
    Object::options().access(access).open("/scratch/small").expect("a mapping")
}

/// The sparse file that the test has made.
fn large(access: Access) -> Object {
    // A copy of so much would be more memory than most systems promise.
    let options = Object::options().access(access).flags(wasi_mmap::MapFlags::NO_RESERVE);
    options.open("/scratch/large").expect("a mapping")
}

fn anonymous() -> Mapping {
    let options = WitOptions { offset: 0, length: Some(65536), access: WitAccess::Write, map_flags: MapFlags::empty() };
    Mapping::anonymous(options).expect("memory")
}

/// The number of pages of [`anonymous`] memory.
#[repr(C, align(4096))]
struct Pages([u8; 65536]);

/// Returns another object with the same handle.
fn alias(mapping: &Mapping) -> Mapping {
    // SAFETY: none is claimed: the host must cope with whatever number a plugin passes it.
    unsafe { Mapping::from_handle(mapping.handle()) }
}

fn dropped_handle() -> Result<String, Error> {
    let mapping = anonymous();
    let other = alias(&mapping);
    drop(mapping);
    Ok(format!("a dropped mapping is {:?} long", other.length()))
}

fn closed_handle() -> Result<String, Error> {
    let mapping = anonymous();
    mapping.close()?;
    Ok(format!("{:?}", mapping.length().map_err(|error| Error::from(error).name())))
}

fn foreign_handle() -> Result<String, Error> {
    let pages: &'static Pages = Box::leak(Box::new(Pages([0; 65536])));
    let mapping = anonymous();
    let window = Window::attach(&mapping, &pages.0[..1], end(&pages.0), 0, 4096, WindowMode::Read)?;
    // SAFETY: as in `alias`.
    let foreign = unsafe { Mapping::from_handle(window.handle()) };
    Ok(format!("a window is {:?} long", foreign.length()))
}

fn unknown_handle() -> Result<String, Error> {
    // SAFETY: as in `alias`.
    let unknown = unsafe { Mapping::from_handle(0x7fff_0000) };
    Ok(format!("a mapping that never was is {:?} long", unknown.length()))
}

/// Opens `link`, which the test makes lead in and out of the directory all the time, for at least the given number of
/// tries, and until both targets were met.
fn swapped_links() -> Result<String, Error> {
    let (mut inside, mut refused) = (0, 0);
    let tries: u64 = std::env::args().nth(2).and_then(|tries| tries.parse().ok()).expect("a number");
    for tried in 0..tries * 1000 {
        if tried >= tries && inside > 0 && refused > 0 {
            break;
        }
        match Object::open("/scratch/link") {
            Ok(mapping) if mapping.read_range(..6)? == b"inside" => inside += 1,
            Ok(_) => return Ok("outside".into()),
            Err(_) => refused += 1,
        }
    }
    Ok(format!("{inside} {refused}"))
}

/// Mappings of all kinds, windows and files, none of which is ever dropped; as many as there can be.
fn leak_everything() -> Result<String, Error> {
    let options = |access| WitOptions { offset: 0, length: Some(4096), access, map_flags: MapFlags::empty() };
    drop(small(Access::Write));
    let mut count = 0;
    loop {
        let made = match count % 4 {
            0 => Object::options().access(Access::Write).open("/scratch/small").map(std::mem::forget),
            1 => Object::options().access(Access::Copy).open("/scratch/small").map(std::mem::forget),
            2 => Object::options().length(4096).named(&format!("name {count}")).map(std::mem::forget),
            _ => Mapping::anonymous(options(WitAccess::Write)).map_err(Error::from).and_then(|mapping| {
                mapping.fill(0, 4096, 7).map_err(Error::from)?;
                let pages: &'static Pages = Box::leak(Box::new(Pages([0; 65536])));
                let window = Window::attach(&mapping, &pages.0[..1], end(&pages.0), 0, 4096, WindowMode::Write)?;
                std::mem::forget((mapping, window));
                Ok(())
            }),
        };
        match made {
            Ok(()) => count += 1,
            Err(error) => return Ok(format!("{count}: {error}")),
        }
    }
}

/// A thousand mappings of a sparse file on a full disk, every second page of which is written. Each page without
/// space may take memory areas of the host. Returns the number of calls that were refused for want of space.
fn lose_every_second_page() -> Result<String, Error> {
    let mut refused = 0;
    for _ in 0..1000 {
        let mut mapping = Object::options().access(Access::Write).open("/scratch/sparse")?;
        for page in (0..mapping.len()?).step_by(8192) {
            match mapping.write_all_at(b"x", page) {
                Ok(()) => {}
                Err(Error::NoSpace) => refused += 1,
                Err(error) => return Ok(format!("{refused}: {error}")),
            }
        }
        std::mem::forget(mapping);
    }
    Ok(format!("{refused}"))
}

/// Gives advice for every second page, which makes a memory area of each. The host has some ten thousand areas.
fn advise_every_page() -> Result<String, Error> {
    let mut mapping = large(Access::Read);
    for page in 0..1_000_000 {
        if let Err(error) = mapping.advise_range(wasi_mmap::Advice::Random, page * 8192..page * 8192 + 4096) {
            return Ok(format!("{page}: {error}"));
        }
    }
    Ok("a million".into())
}

/// A sparse terabyte that is to be populated.
fn populate() -> Result<String, Error> {
    let options = Object::options().flags(wasi_mmap::MapFlags::POPULATE);
    let mapping = options.open("/scratch/large")?;
    Ok(format!("{} bytes", mapping.len()?))
}

/// Returns the last byte of a window's memory.
fn end(pages: &[u8]) -> &[u8] {
    &pages[pages.len() - 1..]
}

/// Huge pages that are not reserved, and that the host does not have.
fn missing_huge_pages() -> Result<String, Error> {
    let flags = MapFlags::HUGE_PAGES | MapFlags::NO_RESERVE;
    for length in [1, 4 << 20, 64 << 20] {
        let options = WitOptions { offset: 0, length: Some(length), access: WitAccess::Write, map_flags: flags };
        let mapping = match Mapping::anonymous(options).map_err(Error::from) {
            Ok(mapping) => mapping,
            Err(error) => {
                println!("{}", error.name());
                continue;
            }
        };
        // In the middle, not at the start of a huge page.
        let outcomes = [mapping.read_at(length / 2, 1).map(|_| ()), mapping.fill(0, length, 1)];
        for outcome in outcomes {
            println!("{:?}", outcome.map_err(|error| Error::from(error).name()));
        }
    }
    Ok("still there".into())
}

fn a_huge_page_for_a_byte() -> Result<String, Error> {
    let options = WitOptions { offset: 0, length: Some(1), access: WitAccess::Write, map_flags: MapFlags::HUGE_PAGES };
    Mapping::anonymous(options)?;
    Ok("a huge page".into())
}

fn long_line() -> Result<String, Error> {
    let options = MapOptions::new();
    let file = <PluginStorage as Backend>::open("/scratch/large".as_ref(), options.rights())?;
    Ok(format!(
        "{} bytes",
        Mapping::from_descriptor(file.into_descriptor().expect("it is the plugin's"), options.into())?
            .read_line()?
            .len()
    ))
}

/// A byte of every page, all over the file.
fn long_steps() -> Result<String, Error> {
    let slice = wasi_mmap::Slice { start: None, stop: None, step: 1 << 30 };
    Ok(format!("{} bytes", large(Access::Read).read_slice(slice)?.len()))
}

fn long_steps_to_write() -> Result<String, Error> {
    let mut mapping = large(Access::Copy);
    let count = usize::try_from(mapping.len()? >> 30).expect("not many");
    mapping.write_slice(wasi_mmap::Slice { start: None, stop: None, step: 1 << 30 }, &vec![1; count])?;
    Ok(format!("{count} bytes"))
}

/// A needle that is longer than the chunks that the host searches.
fn long_needle() -> Result<String, Error> {
    let mapping = large(Access::Read);
    let mut needle = vec![0; 48 << 20];
    *needle.last_mut().expect("it has bytes") = 1;
    Ok(format!("{:?}", mapping.find_from_cursor(&needle, Some(0), Some(1 << 30))?))
}

fn read_much() -> Result<String, Error> {
    Ok(format!("{} bytes", large(Access::Read).read_range(..1 << 20)?.len()))
}

fn read_ranges() -> Result<String, Error> {
    let ranges = vec![0..1 << 16; 16];
    Ok(format!("{} bytes", large(Access::Read).read_ranges(&ranges)?.len()))
}

fn fill_much() -> Result<String, Error> {
    large(Access::Copy).fill(..1 << 20, 1)?;
    Ok("filled".into())
}

/// A fill that takes longer than a second.
fn fill_all() -> Result<String, Error> {
    let mut mapping = large(Access::Write);
    let len = mapping.len()?;
    loop {
        mapping.fill(..len.min(256 << 20), 0)?;
    }
}

fn copy_much() -> Result<String, Error> {
    large(Access::Copy).copy_within(1 << 20..2 << 20, 0)?;
    Ok("copied".into())
}

fn copy_all() -> Result<String, Error> {
    let mut mapping = large(Access::Write);
    loop {
        mapping.copy_within(1..(256 << 20) + 1, 0)?;
    }
}

/// Copies that the host makes in chunks, in both directions and between mappings, have the same result.
fn copy_pieces() -> Result<String, Error> {
    let len = 70usize << 20;
    let mut expected: Vec<u8> = (0..len).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut mapping = Object::anonymous(len as u64)?;
    mapping.write_all_at(&expected, 0)?;
    let count = 50 << 20;
    for (to, from) in [(5usize << 20, 3usize), (3, 5 << 20), (20 << 20, 0), (0, 20 << 20)] {
        mapping.copy_within(from as u64..from as u64 + count as u64, to as u64)?;
        expected.copy_within(from..from + count, to);
    }
    let mut other = Object::anonymous(len as u64)?;
    other.copy_from(&mapping, 11..11 + count as u64, 7)?;
    other.fill(count as u64..count as u64 + (20 << 20), 9)?;
    let same = mapping.compare(&expected, 0)?.is_eq() && other.compare(&expected[11..count + 4], 7)?.is_eq();
    let filled = other.compare(&vec![9; 20 << 20], count as u64)?.is_eq();
    Ok(format!("{same} {filled}"))
}

fn many_names() -> Result<String, Error> {
    let options = Object::options().length(4096);
    let mut all = Vec::new();
    loop {
        match options.named(&format!("name {}", all.len())) {
            Ok(mapping) => all.push(mapping),
            Err(error) => return Ok(format!("{}: {error}", all.len())),
        }
    }
}

/// Freeing the space behind pages is writing: what is open for reading does not allow it.
fn remove_pages() -> Result<String, Error> {
    let outcome = small(Access::Read).advise(wasi_mmap::Advice::Remove);
    Ok(format!("{}", outcome.is_err()))
}

/// Advice that would harm the host is not in the interface, so that the guest library refuses it.
fn harmful_advice() -> Result<String, Error> {
    use wasi_mmap::Advice;
    let mut mapping = Object::anonymous(4096)?;
    for advice in [Advice::HwPoison, Advice::SoftOffline, Advice::Protect] {
        match mapping.advise(advice) {
            Err(Error::NotPermitted(_)) => {}
            other => return Ok(format!("{advice:?}: {other:?}")),
        }
        if let Ok(advice) = WitAdvice::try_from(advice) {
            return Ok(format!("the interface has {advice:?}"));
        }
    }
    Ok("not permitted".into())
}

/// Passes numbers at the limits of their types for every argument.
fn numbers() -> Result<String, Error> {
    let edges = [
        0,
        1,
        4095,
        4096,
        65535,
        65536,
        65537,
        u64::from(u32::MAX),
        i64::MAX as u64,
        1 << 63,
        u64::MAX - 4095,
        u64::MAX,
    ];
    let mapping = anonymous();
    let other = anonymous();
    let pages: &'static Pages = Box::leak(Box::new(Pages([0; 65536])));
    let mut answered = 0u32;
    for a in edges {
        for b in edges {
            for c in edges {
                let _ = mapping.copy_within(a, b, c);
                let _ = mapping.copy_from(a, &other, b, c);
                let slice = Slice { start: Some(a as i64), stop: Some(b as i64), step: c as i64 };
                let _ = mapping.read_slice(slice);
                let _ = mapping.write_slice(slice, b"bytes");
                answered += 4;
            }
            let _ = mapping.fill(a, b, 1);
            let _ = mapping.read_at(a, b);
            let _ = mapping.flush(a, Some(b), FlushFlags::empty());
            let _ = mapping.advise(WitAdvice::Normal, a, Some(b));
            let _ = mapping.find(b"needle", Some(a as i64), Some(b as i64));
            let _ = mapping.rfind(b"", Some(a as i64), Some(b as i64));
            let _ = mapping.read_ranges(&[wasi_mmap::bindings::wasi_mmap::mmap::types::Range { offset: a, length: b }]);
            for (anchor, end) in [(&b"anchor"[..], &b"end"[..]), (&pages.0[..1], end(&pages.0)), (&pages.0[..1], b"")] {
                // One that is attached is dropped at once. Whatever came of it, all memory is there.
                drop(Window::attach(&mapping, anchor, end, a, b, WindowMode::Write));
                touch_everything();
            }
            let options =
                WitOptions { offset: a, length: Some(b), access: WitAccess::Write, map_flags: MapFlags::empty() };
            let _ = Mapping::anonymous(options);
            let _ = Mapping::named("edges", options);
            answered += 10;
        }
        let _ = mapping.write_at(a, b"bytes");
        let _ = mapping.compare(a, b"bytes");
        let _ = mapping.get(a as i64);
        let _ = mapping.set(a as i64, 1);
        let _ = mapping.read(Some(a));
        let _ = mapping.seek(a as i64, wasi_mmap::bindings::wasi_mmap::mmap::types::Whence::Current);
        answered += 6;
    }
    assert_eq!(mapping.length()?, 65536, "nothing has resized it");
    Ok(format!("{answered} results"))
}
