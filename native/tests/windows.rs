//! Named memory on Windows: between processes, and in a namespace of its own.
#![cfg(windows)]

use std::process::Command;

use wasi_mmap_core::Storage;
use wasi_mmap_native::{MapOptions, Mapping, Namespace};

/// What tells the test program that it is the other process, and the name of the memory.
const NAME: &str = "WASI_MMAP_TEST_NAME";

#[test]
fn a_name_is_one_memory_in_all_processes() {
    if let Ok(name) = std::env::var(NAME) {
        return in_the_other_process(&name);
    }
    let name = format!("wasi-mmap-test-{}", std::process::id());
    let mut mapping = Mapping::options().length(100_000).named(&name).expect("new memory");
    mapping.write_all_at(b"ping", 0).expect("it is writable");
    let test = std::env::current_exe().expect("this program");
    let status = Command::new(test)
        .args(["--exact", "a_name_is_one_memory_in_all_processes"])
        .env(NAME, &name)
        .status()
        .expect("it runs");
    assert!(status.success(), "the other process: {status}");
    assert_eq!(read(&mapping, 99_996), *b"pong");
    drop(mapping);
    // With its last mapping, the memory was gone: this one is new.
    let mapping = Mapping::options().length(4).named(&name).expect("new memory");
    assert_eq!(read(&mapping, 0), [0; 4]);
}

#[test]
fn a_namespace_has_its_own_names() {
    let (one, other) = (Namespace::new(), Namespace::new());
    let options = MapOptions::new().length(70_001);
    let mut first = one.map("name", &options).expect("new memory");
    let mut second = one.map("name", &MapOptions::new()).expect("the same memory");
    let apart = other.map("name", &options).expect("new memory");
    assert_eq!((one.len_of("name"), second.len(), one.len_of("another")), (Some(70_001), 70_001, None));
    first.write_at(70_000, b"x").expect("it is writable");
    assert_eq!(second.read_vec(69_999..70_001), Ok(b"\0x".to_vec()));
    assert_eq!(apart.read_vec(69_999..70_001), Ok(b"\0\0".to_vec()));
    assert_eq!(second.resize(5).map_err(|error| error.name()), Err("unsupported"));
    drop((first, second));
    assert_eq!(one.len_of("name"), None);
}

fn in_the_other_process(name: &str) {
    let mut mapping = Mapping::options().named(name).expect("the memory of the first process");
    assert_eq!(read(&mapping, 0), *b"ping");
    mapping.write_all_at(b"pong", 99_996).expect("it is writable");
}

fn read(mapping: &Mapping, offset: u64) -> [u8; 4] {
    let mut bytes = [0; 4];
    mapping.read_exact_at(&mut bytes, offset).expect("it is mapped");
    bytes
}
