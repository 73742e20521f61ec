//! Mappings of files whose descriptors remain the plugin's.

use std::fs;

use wasi_mmap::Error;
use wasi_mmap::bindings::wasi::filesystem::preopens::get_directories;
use wasi_mmap::bindings::wasi::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};
use wasi_mmap::bindings::wasi_mmap::mmap::mapping::Mapping;
use wasi_mmap::bindings::wasi_mmap::mmap::types::{Access, MapFlags, MapOptions};

fn map(file: &Descriptor, access: Access) -> Result<Mapping, Error> {
    map_with(file, access, MapFlags::empty())
}

fn map_with(file: &Descriptor, access: Access, map_flags: MapFlags) -> Result<Mapping, Error> {
    let options = MapOptions { offset: 0, length: None, access, map_flags };
    Ok(Mapping::from_borrowed(file, options)?)
}

/// Checks mappings of `file`, which lies in the directory `/scratch` and contains `0123456789`.
pub(crate) fn check() -> Result<(), Error> {
    let (directory, _) = get_directories().pop().expect("a directory");
    let open = |name: &str, flags| {
        directory.open_at(PathFlags::empty(), name, OpenFlags::empty(), flags).expect("the file is opened")
    };
    let file = open("file", DescriptorFlags::READ | DescriptorFlags::WRITE);
    let mapping = map(&file, Access::Write)?;

    // Descriptor and mapping are the same file, in both directions.
    file.write(b"abc", 0).expect("it is written");
    assert_eq!(mapping.read_at(0, 4)?, b"abc3");
    mapping.write_at(4, b"xyz")?;
    assert_eq!(file.read(10, 0).expect("it is read").0, b"abc3xyz789");

    // It is this file, also after another one has taken its name, and after it was deleted.
    fs::rename("/scratch/file", "/scratch/renamed").expect("a rename");
    fs::write("/scratch/file", "another one").expect("a file");
    assert_eq!(map(&file, Access::Read)?.read_at(0, 10)?, b"abc3xyz789");
    fs::remove_file("/scratch/renamed").expect("it is deleted");
    let deleted = map(&file, Access::Read)?;
    assert_eq!(deleted.read_at(0, 10)?, b"abc3xyz789");

    // The mappings outlive the descriptor, and a dropped mapping leaves the descriptor alone.
    drop(mapping);
    assert_eq!(file.stat().expect("it is open").size, 10);
    drop(file);
    assert_eq!(deleted.read_at(7, 3)?, b"789");

    // A mapping has no more rights than the descriptor, and only files are mapped.
    let read_only = open("file", DescriptorFlags::READ);
    assert_eq!(map(&read_only, Access::Read)?.length()?, 11);
    assert!(matches!(map(&read_only, Access::Write), Err(Error::NotPermitted(_))));
    assert!(matches!(map(&directory, Access::Read), Err(Error::Unsupported(_))));
    assert_eq!(read_only.stat().expect("it is open").size, 11);

    // As much access as the descriptor allows.
    let widest = |file| map_with(file, Access::Read, MapFlags::WIDEST_ACCESS);
    assert_eq!(widest(&read_only)?.access()?, Access::Read);
    let both = open("file", DescriptorFlags::READ | DescriptorFlags::WRITE);
    let mapping = widest(&both)?;
    assert_eq!(mapping.access()?, Access::Write);
    mapping.write_at(0, b"AN")?;
    assert_eq!(both.read(11, 0).expect("it is read").0, b"ANother one");
    Ok(())
}
