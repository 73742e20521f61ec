//! The fuzz target for the command's arguments: any arguments are parsed, or refused with an error that names the
//! fault.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use wasi_mmap_cli::{Command, parse};

/// Parses arguments, which are separated by zeros.
///
/// # Panics
///
/// Panics if an empty path is accepted, or if an error does not name the fault.
pub fn arguments(bytes: &[u8]) {
    let given = bytes.split(|&byte| byte == 0).map(|argument| OsString::from_vec(argument.to_vec()));
    let line: Vec<OsString> = std::iter::once("wasi-mmap".into()).chain(given).collect();
    match parse(line.iter().cloned()) {
        Ok(understood) => {
            if let Command::Run(options) = &understood.command {
                for directory in options.directories.iter().chain(&options.read_only_directories) {
                    assert!(!directory.host.as_os_str().is_empty() && !directory.guest.is_empty(), "{line:?}");
                }
            }
        }
        Err(error) => must_name_the_fault(&line, &error),
    }
}

fn must_name_the_fault(line: &[OsString], error: &clap::Error) {
    let message = error.to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::DisplayVersion => {
            assert!(!message.is_empty(), "{line:?}");
            return;
        }
        // clap does not say which argument it is.
        ErrorKind::InvalidUtf8 => assert!(message.contains("invalid UTF-8"), "{line:?}: {message}"),
        kind => {
            let named = error.context().filter(|(kind, _)| {
                matches!(kind, ContextKind::InvalidArg | ContextKind::InvalidSubcommand | ContextKind::InvalidValue)
            });
            let mut names: Vec<String> = Vec::new();
            for (_, name) in named {
                match name {
                    ContextValue::String(name) => names.push(name.clone()),
                    ContextValue::Strings(several) => names.extend_from_slice(several),
                    _ => {}
                }
            }
            assert!(!names.is_empty(), "{line:?}: {kind} names nothing: {message}");
            // The message leaves out control characters.
            for name in names.iter().filter(|name| !name.contains(char::is_control)) {
                assert!(message.contains(name), "{line:?}: {kind} does not name {name}: {message}");
            }
        }
    }
    assert!(message.starts_with("error: "), "{line:?}: {message}");
    assert_eq!(error.exit_code(), 2, "{line:?}: {message}");
}
