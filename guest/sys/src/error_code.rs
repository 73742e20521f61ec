//! The error codes of `wasi:filesystem` as errors of `wasi-mmap`.

use wasi_mmap_core::{Error, OsError, System};

/// WASI's error codes: their names in `wasi:filesystem/types`, and their `errno` numbers in preview 1 and wasi-libc.
const CODES: [(&str, i32); 37] = [
    ("access", 2),
    ("would-block", 6),
    ("already", 7),
    ("bad-descriptor", 8),
    ("busy", 10),
    ("deadlock", 16),
    ("quota", 19),
    ("exist", 20),
    ("file-too-large", 22),
    ("illegal-byte-sequence", 25),
    ("in-progress", 26),
    ("interrupted", 27),
    ("invalid", 28),
    ("io", 29),
    ("is-directory", 31),
    ("loop", 32),
    ("too-many-links", 34),
    ("message-size", 35),
    ("name-too-long", 37),
    ("no-device", 43),
    ("no-entry", 44),
    ("no-lock", 46),
    ("insufficient-memory", 48),
    ("insufficient-space", 51),
    ("not-directory", 54),
    ("not-empty", 55),
    ("not-recoverable", 56),
    ("unsupported", 58),
    ("no-tty", 59),
    ("no-such-device", 60),
    ("overflow", 61),
    ("not-permitted", 63),
    ("pipe", 64),
    ("read-only", 69),
    ("invalid-seek", 70),
    ("text-file-busy", 74),
    ("cross-device", 75),
];

/// Returns the error for an error code of `wasi:filesystem/types`, given by its name.
pub fn wasi_error(name: &str) -> Error {
    match name {
        "access" => Error::NotPermitted("permission denied".into()),
        "not-permitted" => Error::NotPermitted("operation not permitted".into()),
        "read-only" => Error::NotPermitted("the file system or directory is read-only".into()),
        "insufficient-space" | "quota" => Error::NoSpace,
        "insufficient-memory" => Error::OutOfMemory,
        "unsupported" => Error::Unsupported("by the file system".into()),
        name => {
            let code = CODES.iter().find(|(known, _)| *known == name).map_or(0, |(_, code)| *code);
            let text = match name {
                "no-entry" => "no such file or directory",
                "is-directory" => "is a directory",
                "not-directory" => "not a directory",
                "loop" => "too many levels of symbolic links",
                "io" => "input/output error",
                name => name,
            };
            let message = format!("{text} (WASI error {code})");
            Error::Io(OsError { system: System::Wasi, code, message })
        }
    }
}
