//! Large files, and files that other processes write, as a plugin sees them.
//!
//! `files large FILE` reads, writes, searches and resizes a file of 6 GiB. `files watch FILE DONE` maps a file and says
//! that it has seen it; when there is a file DONE it prints what it sees of the first byte then, and after a refresh.
//! `files borrowed` maps files whose descriptors it keeps, `files held` files that the C library has opened, and
//! `files coherent` files that it reads and writes by itself as well.

mod borrowed;
mod coherent;
mod held;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use wasi_mmap::{Mapping, Result};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["large", file] => large(Path::new(file)),
        ["borrowed"] => borrowed::check(),
        ["held"] => held::check(),
        ["coherent"] => coherent::check(),
        ["watch", file, done] => watch(file, Path::new(done)),
        _ => panic!("no such thing to do: {arguments:?}"),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{}: {error}", error.name());
            ExitCode::FAILURE
        }
    }
}

fn large(file: &Path) -> Result<()> {
    wasi_mmap_conformance::large::check::<wasi_mmap::PluginStorage>(file)
}

fn watch(file: &str, done: &Path) -> Result<()> {
    let mut mapping = Mapping::open(file)?;
    let before = mapping.get(0)?;
    // The fallback keeps a page that is asked for a second time.
    assert_eq!(mapping.get(0)?, before);
    std::fs::write(done.with_extension("seen"), []).expect("a file");
    while !done.exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    let at_once = mapping.get(0)?;
    mapping.refresh()?;
    let refreshed = mapping.get(0)?;
    let seen = [before, at_once, refreshed].map(char::from);
    println!("{}", String::from_iter(seen));
    Ok(())
}
