//! The error type goes through `std::io::Error` and back without loss.

use std::io;

use wasi_mmap_core::{Argument, Error, OsError, System};

fn every_error() -> Vec<Error> {
    let argument = || Argument::new("offset", "7 is past the end of the mapping, 5");
    let os = |system| OsError { system, code: 5, message: "made up".into() };
    vec![
        Error::Closed,
        Error::ReadOnly,
        Error::OutOfRange(argument()),
        Error::Invalid(argument()),
        Error::EmptyFile,
        Error::BeyondEndOfFile(argument()),
        Error::NotPermitted("a reason".into()),
        Error::Busy,
        Error::Truncated,
        Error::LimitExceeded("mappings".into()),
        Error::Unsupported("windows".into()),
        Error::OutOfMemory,
        Error::NoSpace,
        Error::Io(os(System::Linux)),
        Error::Io(os(System::Wasi)),
        Error::Io(os(System::Other)),
        Error::from(io::Error::from_raw_os_error(BROKEN_DEVICE)),
    ]
}

#[test]
fn errors_survive_the_round_trip() {
    for error in every_error() {
        assert_eq!(Error::from(io::Error::from(error.clone())), error);
    }
}

#[test]
fn each_error_has_its_io_kind() {
    let kind = |error: Error| io::Error::from(error).kind();
    assert_eq!(kind(Error::NoSpace), io::ErrorKind::StorageFull);
    assert_eq!(kind(Error::ReadOnly), io::ErrorKind::PermissionDenied);
    assert_eq!(kind(Error::invalid("step", "0")), io::ErrorKind::InvalidInput);
}

/// A number that this system gives to a broken device: `EIO`, `ERROR_CRC`. It has no case of its own.
const BROKEN_DEVICE: i32 = if cfg!(windows) { 23 } else { 5 };

#[test]
fn error_numbers_of_this_system_are_kept() {
    let error = io::Error::from_raw_os_error(BROKEN_DEVICE);
    let (kind, text) = (error.kind(), error.to_string());
    let back = io::Error::from(Error::from(error));
    assert_eq!((back.raw_os_error(), back.kind(), back.to_string()), (Some(BROKEN_DEVICE), kind, text));
}

#[test]
fn io_errors_convert_to_the_matching_case() {
    let name = |kind: io::ErrorKind| Error::from(io::Error::from(kind)).name();
    assert_eq!(name(io::ErrorKind::PermissionDenied), "not-permitted");
    assert_eq!(name(io::ErrorKind::StorageFull), "no-space");
    assert_eq!(name(io::ErrorKind::OutOfMemory), "out-of-memory");
    assert_eq!(name(io::ErrorKind::Unsupported), "unsupported");
    assert_eq!(name(io::ErrorKind::NotFound), "io");
}

#[test]
fn the_text_names_the_argument() {
    let error = Error::beyond_end_of_file("length", "5 bytes from offset 0 reach past the end of the file, 3");
    assert_eq!(error.to_string(), "length: 5 bytes from offset 0 reach past the end of the file, 3");
    assert_eq!(error.argument().map(|argument| &*argument.name), Some("length"));
    assert_eq!(error.name(), "beyond-end-of-file");
}
