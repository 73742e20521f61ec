//! Finds CPython's own tests of `mmap`.
//!
//! The Python of componentize-py has no tests, so they come from an installed interpreter, of the nearest version. The
//! tests of later versions do not work, because their imports need that version.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::Absent;

/// The versions of Python 3, in order of preference. The first is that of componentize-py.
const VERSIONS: [u32; 5] = [14, 13, 12, 11, 10];

/// Finds the folder of the package `test` of an installed CPython, or checks the given one.
///
/// # Errors
///
/// Fails if there is no such folder with tests of `mmap`.
pub(crate) fn tests(given: Option<&Path>) -> Result<PathBuf, Absent> {
    if let Some(given) = given {
        let found = given.canonicalize().ok().filter(|folder| is_tests(folder));
        return found.ok_or_else(|| Absent(format!("{} is not a package `test` with tests of mmap", given.display())));
    }
    let libraries = libraries();
    let newest = VERSIONS.iter().find_map(|minor| {
        let name = format!("python3.{minor}");
        let folders = libraries.iter().map(|library| library.join(&name).join("test"));
        folders.into_iter().find(|folder| is_tests(folder))
    });
    newest.ok_or_else(|| {
        Absent("no Python from 3.10 to 3.14 with its tests is installed (Debian: libpython3.*-testsuite)".to_owned())
    })
}

fn is_tests(folder: &Path) -> bool {
    ["__init__.py", "test_mmap.py", "support/__init__.py"].iter().all(|file| folder.join(file).is_file())
}

/// Returns the folders of the standard libraries of the interpreters on the path, and of those that are installed
/// beside them by tools that manage several versions.
fn libraries() -> Vec<PathBuf> {
    let names = VERSIONS.iter().map(|minor| format!("python3.{minor}")).chain(["python3".to_owned()]);
    let mut prefixes: Vec<PathBuf> = Vec::new();
    for folder in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
        for name in names.clone() {
            let program = folder.join(name).with_extension(env::consts::EXE_EXTENSION);
            let output = Command::new(&program).args(["-c", "import sys; print(sys.base_prefix)"]).output();
            let Some(output) = output.ok().filter(|output| output.status.success()) else { continue };
            let prefix = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
            let beside = prefix.parent().and_then(|parent| fs::read_dir(parent).ok());
            prefixes.extend(beside.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())));
            prefixes.insert(0, prefix);
        }
    }
    prefixes.into_iter().map(|prefix| prefix.join("lib")).collect()
}
