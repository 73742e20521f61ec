//! Mappings whose file other processes change, or whose disk is full, in a plugin. The tests do the same natively.
//!
//! `faults storm FILE ACCESS SEED STOP` operates on a file that another process truncates and extends, until the file
//! STOP is there, and prints what it did. `faults full-disk DIRECTORY THROUGH` fills the disk that the directory is on.
//! `faults keep DIRECTORY` checks what only the fallback does. `faults record FILE FROM` writes records until it is
//! killed. `faults cycles FILE COUNT` maps a file and makes a window of it, COUNT times. `faults hold FILE` keeps one.

use std::path::Path;

use wasi_mmap::{Access, Mapping, PluginStorage, Views};
use wasi_mmap_conformance::full_disk::{Through, fill_the_disk, keep_what_cannot_be_written};
use wasi_mmap_conformance::{durable, storm};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["storm", file, access, seed, stop] => {
            let access = match access {
                "read" => Access::Read,
                "write" => Access::Write,
                _ => Access::Copy,
            };
            let mut rounds = 0u32;
            // Looking for the file is slower than an operation.
            let done = || {
                rounds += 1;
                rounds.is_multiple_of(64) && Path::new(stop).exists()
            };
            match storm::storm::<PluginStorage>(Path::new(file), access, seed.parse().expect("a number"), done) {
                Ok(tally) => println!("{}", serde_json::to_string(&tally).expect("JSON")),
                Err(wrong) => println!("wrong: {wrong}"),
            }
        }
        ["full-disk", directory, through] => {
            let through: Through = serde_json::from_str(&format!("\"{through}\"")).expect("a way to write");
            println!("{}", fill_the_disk::<PluginStorage>(Path::new(directory), through));
        }
        ["keep", directory] => keep_what_cannot_be_written::<PluginStorage>(Path::new(directory)),
        ["record", file, from] => {
            durable::record::<PluginStorage>(Path::new(file), from.parse().expect("a number"), std::io::stdout());
        }
        ["cycles", file, count] => (0..count.parse().expect("a number")).for_each(|cycle| map_and_view(file, cycle)),
        ["hold", file] => {
            let mapping: &'static Mapping = Box::leak(Box::new(Mapping::open(file).expect("a mapping")));
            // SAFETY: nobody changes the file.
            let view = unsafe { mapping.view(..4096) }.expect("a view");
            println!("{}", view[5]);
            assert!(view.is_zero_copy());
            std::mem::forget(view);
        }
        _ => panic!("no such part: {arguments:?}"),
    }
}

/// Uses a mapping and a window once.
fn map_and_view(file: &str, cycle: usize) {
    let mut mapping = Mapping::options()
        .access([Access::Read, Access::Write, Access::Copy][cycle % 3])
        .open(file)
        .expect("a mapping");
    // SAFETY: nobody changes the file.
    let view = unsafe { mapping.view(4096..12288) }.expect("a view");
    assert!(view.is_zero_copy());
    assert_eq!(view[4096], 7);
    view.check().expect("it is whole");
    drop(view);
    if cycle.is_multiple_of(2) {
        mapping.close().expect("it closes");
    }
}
