//! `libwasi-mmap`, its headers and its file for pkg-config, as they are installed.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{TARGET, folder};
use crate::command::build;
use crate::guests;
use crate::run::{cargo, root};

/// The package of the library.
const PACKAGE: &str = "wasi-mmap-c";

/// The version of the library: that of the workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds the library, and installs it in `include`, `lib` and `lib/pkgconfig`.
///
/// # Errors
///
/// Fails if it does not build, or if a file cannot be written.
pub(crate) fn install() -> Result<()> {
    let mut library = cargo(".");
    library.args(["build", "--release", "--locked", "--package", PACKAGE, "--target", TARGET, "--target-dir"]);
    build(library.arg(guests::directory()))?;
    let archive = guests::directory().join(TARGET).join("release").join(format!("lib{}.a", PACKAGE.replace('-', "_")));
    let lib = folder().join("lib");
    write(&lib.join("libwasi-mmap.a"), &fs::read(&archive).with_context(|| format!("no {}", archive.display()))?)?;
    write(&lib.join("pkgconfig/wasi-mmap.pc"), pkg_config().as_bytes())?;
    let include = folder().join("include");
    if include.is_dir() {
        // A header that was removed must not be found.
        fs::remove_dir_all(&include)?;
    }
    copy(&root().join("guest/c/include"), &include)
}

/// Returns the file for pkg-config, which finds the library wherever its folder is moved to.
fn pkg_config() -> String {
    format!(
        "prefix=${{pcfiledir}}/../..\n\n\
         Name: wasi-mmap\n\
         Description: Memory-mapped files and file locks for C programs that run as WebAssembly plugins\n\
         Version: {VERSION}\n\
         Cflags: -I${{prefix}}/include\n\
         Libs: -L${{prefix}}/lib -lwasi-mmap -Wl,--export=cabi_realloc\n"
    )
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&from, &to)?;
        } else {
            write(&to, &fs::read(&from)?)?;
        }
    }
    Ok(())
}

/// Writes a file, and the folders that it lies in.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
