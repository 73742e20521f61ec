//! Named memory between processes, on Windows.
#![cfg(windows)]

use std::process::Command;

use wasi_mmap_native::{MapOptions, Mapping};

/// What tells the test program that it is the other process, and the name of the memory.
const NAME: &str = "WASI_MMAP_TEST_NAME";

#[test]
fn a_name_is_one_memory_in_all_processes() {
    if let Ok(name) = std::env::var(NAME) {
        return in_the_other_process(&name);
    }
    let name = format!("wasi-mmap-test-{}", std::process::id());
    let mut mapping = Mapping::named(&name, &MapOptions::new().length(100_000)).expect("new memory");
    mapping.write_at(0, b"ping").expect("it is writable");
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
    let mapping = Mapping::named(&name, &MapOptions::new().length(4)).expect("new memory");
    assert_eq!(read(&mapping, 0), [0; 4]);
}

fn in_the_other_process(name: &str) {
    let mut mapping = Mapping::named(name, &MapOptions::new()).expect("the memory of the first process");
    assert_eq!(read(&mapping, 0), *b"ping");
    mapping.write_at(99_996, b"pong").expect("it is writable");
}

fn read(mapping: &Mapping, offset: u64) -> [u8; 4] {
    let mut bytes = [0; 4];
    mapping.read_at(offset, &mut bytes).expect("it is mapped");
    bytes
}
