//! A plugin whose C library calls WASI by other symbols than those that wasi-mmap-sys knows: its open files cannot be
//! mapped, and everything else works.

use std::fs::{self, File};

use wasi_mmap::{Error, Mapping};

/// Checks mappings of files in `/scratch`.
pub fn check() {
    fs::write("/scratch/file", "text").expect("a file");
    let file = File::open("/scratch/file").expect("a file");
    match Mapping::from_file(&file) {
        Err(Error::Unsupported(what)) => println!("{what}"),
        other => panic!("{other:?}"),
    }
    // It is the same the second time, and for a file that is given away.
    assert!(matches!(Mapping::from_file(&file), Err(Error::Unsupported(_))));
    assert!(matches!(Mapping::options().map(file), Err(Error::Unsupported(_))));
    let mapping = Mapping::open("/scratch/file").expect("a mapping");
    assert_eq!(mapping.read_range(..).expect("its bytes"), b"text");
    assert_eq!(fs::read("/scratch/file").expect("the file"), b"text");
}
