//! What the fuzzer has found worth keeping, and some random bytes, on any compiler; and plugins that are damaged at random.

use std::fs;
use std::path::Path;

use super::support::{is_long, plugin};
use wasi_mmap_tests::fuzz::TARGETS;
use wasi_mmap_tests::storm::Random;

fn replay(name: &str) {
    let (_, target) = TARGETS.iter().find(|(target, _)| *target == name).expect("a target");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut count = 0;
    for entry in fs::read_dir(&corpus).expect("a corpus") {
        target(&fs::read(entry.expect("a file").path()).expect("a file"));
        count += 1;
    }
    assert!(count > 0, "the corpus of {name} is empty");
    let mut random = Random(1);
    let more = if is_long() { 20_000 } else { 200 };
    for _ in 0..more {
        let bytes: Vec<u8> = (0..random.below(3000)).map(|_| random.byte()).collect();
        target(&bytes);
    }
    println!("{name}: {count} inputs of the corpus, {more} random ones");
}

#[test]
fn operations() {
    replay("operations");
}

#[test]
fn faults() {
    replay("faults");
}

#[test]
fn windows() {
    replay("windows");
}

/// A damaged plugin is refused, or composed; nothing panics.
#[test]
fn damaged_plugins() {
    let original = plugin("probe", "wasm32-wasip2");
    let mut random = Random(2);
    let (mut refused, count) = (0, if is_long() { 20_000 } else { 200 });
    for _ in 0..count {
        let mut damaged = original.clone();
        // Mostly where the component describes itself: at its start and its end.
        for _ in 0..1 + random.below(4) {
            let near = random.below(2000.min(damaged.len()));
            let at = if random.below(2) == 0 { near } else { damaged.len() - 1 - near };
            match random.below(4) {
                0 => damaged[at] = random.byte(),
                1 => damaged[at] ^= 1 << random.below(8),
                2 => drop(damaged.drain(at..(at + 1 + random.below(8)).min(damaged.len()))),
                _ => damaged.truncate(at + 1),
            }
        }
        refused += u32::from(wasi_mmap_host::fallback::compose(&damaged).is_err());
    }
    println!("{count} damaged plugins, {refused} of them refused");
    assert!(refused > 0, "none was damaged");
}
