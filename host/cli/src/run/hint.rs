//! Hints for a plugin that failed because it cannot see a file.

use std::path::{Component, Path, PathBuf};

use crate::arguments::{Directory, RunOptions};

/// Returns a hint if one of the plugin's arguments names a file that exists here and that no directory holds which the
/// plugin was given.
pub(super) fn missing_directory(options: &RunOptions) -> Option<String> {
    let given = || options.directories.iter().chain(&options.read_only_directories);
    let holds = |path: &Path| {
        let path = steps(path);
        given().any(|Directory { host, guest }| {
            let rest = path.strip_prefix(steps(Path::new(guest)));
            rest.is_ok_and(|rest| !rest.starts_with("..") && host.join(rest).exists())
        })
    };
    let paths = options.arguments.iter().map(|argument| {
        // The file of `--name=FILE`, or the whole argument.
        let value = argument.strip_prefix('-').and_then(|option| option.split_once('=')).map(|(_, value)| value);
        Path::new(value.unwrap_or(argument))
    });
    let path = paths.into_iter().find(|path| {
        let is_path = !path.as_os_str().is_empty() && !path.to_string_lossy().starts_with('-');
        is_path && path.exists() && !holds(path)
    })?;
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    Some(format!(
        "the plugin cannot see {}, because it was given no directory that holds it: --dir {} gives it one",
        path.display(),
        folder.display()
    ))
}

/// Returns the names that a path consists of, from the plugin's root, which is also its current directory.
fn steps(path: &Path) -> PathBuf {
    let mut steps = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => steps.push(name),
            // Out of the root, there is nothing: the rest is kept, so that no directory holds it.
            Component::ParentDir => {
                if !steps.pop() {
                    steps.push("..");
                }
            }
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn hint(line: &[&str]) -> Option<String> {
        let line = [&["wasi-mmap", "run"], line].concat();
        match Arguments::try_parse_from(line).expect("a command line").command {
            Command::Run(options) => missing_directory(&options),
            other => panic!("{other:?}"),
        }
    }

    /// Paths are those of this package, in whose folder its tests run.
    #[test]
    fn the_directory_that_is_missing_is_named() {
        let named = |line: &[&str], directory: &str| {
            let hint = hint(line).expect("a hint");
            assert!(hint.ends_with(&format!("--dir {directory} gives it one")), "{line:?}: {hint}");
        };
        named(&["x.wasm", "Cargo.toml"], ".");
        named(&["x.wasm", "word", "src/lib.rs"], "src");
        named(&["x.wasm", "--file=src/lib.rs"], "src");
        named(&["x.wasm", "src"], "src");
        named(&["--dir", "tests", "x.wasm", "src/lib.rs"], "src");
        named(&["--dir", "src::/data", "x.wasm", "src/lib.rs"], "src");
        named(&["--dir", ".", "x.wasm", "../Cargo.toml"], "..");
        named(&["--dir", ".", "x.wasm", "/etc/passwd"], "/etc");
        // The plugin's current directory is its root, where this is not.
        named(&["--dir", "/", "x.wasm", "src/lib.rs"], "src");
    }

    #[test]
    fn there_is_no_hint_if_nothing_is_missing() {
        for line in [
            &["x.wasm"][..],
            &["x.wasm", "no/such/file", "", "-", "-v", "--file="],
            &["--dir", ".", "x.wasm", "src/lib.rs", "./Cargo.toml"],
            &["--read-only-dir", "./src", "x.wasm", "src/lib.rs"],
            &["--dir", "src", "x.wasm", "src"],
        ] {
            assert_eq!(hint(line), None, "{line:?}");
        }
    }
}
