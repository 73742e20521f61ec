//! The fuzz targets, run on their corpus and on random bytes with any compiler; and randomly damaged plugins.

mod arguments;
mod components;
mod plugin;

use std::fs;
use std::path::{Path, PathBuf};

use super::support::{is_long, plugin};
use wasi_mmap_conformance::fuzz;
use wasi_mmap_conformance::storm::Random;

/// The name of a target, and its function.
type Target = (&'static str, fn(&[u8]));

/// All targets.
const TARGETS: [Target; 6] = [
    ("operations", fuzz::operations),
    ("faults", fuzz::faults),
    ("windows", fuzz::windows),
    ("plugin", plugin::plugin),
    ("arguments", arguments::arguments),
    ("components", components::components),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// The targets of cargo-fuzz are those that are replayed here.
#[test]
fn every_target_is_replayed() {
    let mut targets: Vec<_> = fs::read_dir(folder().join("fuzz_targets"))
        .expect("a folder")
        .map(|entry| {
            let path = entry.expect("a file").path();
            path.file_stem().expect("a name").to_str().expect("UTF-8").to_owned()
        })
        .collect();
    let mut replayed = TARGETS.map(|(name, _)| name);
    targets.sort();
    replayed.sort();
    assert_eq!(targets, replayed);
}

fn replay(name: &str) {
    let (_, target) = TARGETS.iter().find(|(target, _)| *target == name).expect("a target");
    let corpus = folder().join("corpus").join(name);
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

#[test]
fn plugins() {
    replay("plugin");
}

#[test]
fn arguments_of_the_command() {
    replay("arguments");
}

/// Components that were written by hand, and those that the fuzzer derived from them.
#[test]
fn components_of_any_kind() {
    let mut count = 0;
    for entry in fs::read_dir(folder().join("components")).expect("a folder") {
        let path = entry.expect("a file").path();
        components::components(&wat::parse_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        count += 1;
    }
    assert!(count > 0, "no component");
    replay("components");
}

/// A damaged plugin is refused or composed; nothing panics.
#[test]
fn damaged_plugins() {
    let original = plugin("probe", "wasm32-wasip2");
    let mut random = Random(2);
    let (mut refused, count) = (0, if is_long() { 20_000 } else { 200 });
    for _ in 0..count {
        let mut damaged = original.clone();
        // Mostly where the component describes itself: at its start and its end.
        for _ in 0..1 + random.below(4) {
            if damaged.is_empty() {
                break;
            }
            let near = random.below(2000.min(damaged.len()));
            let at = if random.below(2) == 0 { near } else { damaged.len() - 1 - near };
            match random.below(4) {
                0 => damaged[at] = random.byte(),
                1 => damaged[at] ^= 1 << random.below(8),
                2 => drop(damaged.drain(at..(at + 1 + random.below(8)).min(damaged.len()))),
                _ => damaged.truncate(at + 1),
            }
        }
        components::components(&damaged);
        refused += u32::from(wasi_mmap_host::fallback::compose(&damaged).is_err());
    }
    println!("{count} damaged plugins, {refused} of them refused");
    assert!(refused > 0, "none was damaged");
}
