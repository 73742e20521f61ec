//! `cargo xtask wine`: the tests for Windows, which Wine runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run::{cargo, output, provide_target, step, succeeds, target_dir};
use crate::{guests, memmap2};

/// 64 bits, with the C library and the linker of MinGW.
pub(crate) const TARGET: &str = "x86_64-pc-windows-gnu";

/// The packages whose tests run on Windows.
const PACKAGES: [&str; 3] = ["wasi-mmap-core", "wasi-mmap-native", "wasi-mmap-conformance"];

/// The names of Wine: on the path, or where Debian's package `wine64` puts it.
const WINE: [&str; 3] = ["wine64", "wine", "/usr/lib/wine/wine64"];
const MINGW: &str = "x86_64-w64-mingw32-gcc";
/// Debian's packages of both.
const DEBIAN: [&str; 2] = ["wine64", "gcc-mingw-w64-x86-64-win32"];

/// The random generator that the standard library needs for its hash maps. Wine 8 has it in another library, under
/// another name.
const MISSING_LIBRARY: &str = "bcryptprimitives.dll";
const MISSING_EXPORTS: &str = "LIBRARY bcryptprimitives.dll\nEXPORTS\nProcessPrng = advapi32.SystemFunction036\n";

/// Wine, and the compiler for its programs.
#[derive(Debug)]
pub(crate) struct Wine {
    program: PathBuf,
    /// The folder of the files of Wine and of the missing library.
    directory: PathBuf,
}

impl Wine {
    /// Finds Wine and MinGW, and on Debian installs them if this process is root.
    ///
    /// # Errors
    ///
    /// Fails if they are missing; says how to install them.
    pub(crate) fn find() -> Result<Self> {
        provide_target(TARGET)?;
        if wine().is_none() || !is_program(MINGW) {
            install()?;
        }
        let Some(program) = wine().filter(|_| is_program(MINGW)) else { bail!(missing()) };
        Ok(Self { program, directory: target_dir().join("wine") })
    }

    /// Runs the tests, in their long form if `long`.
    ///
    /// # Errors
    ///
    /// Fails if something does not build, or if a test fails.
    pub(crate) fn test(&self, long: bool) -> Result<()> {
        self.make_missing_library()?;
        // Wine makes its folder when it starts for the first time, which takes a while.
        output(self.configure(Command::new(&self.program).args(["cmd", "/c", "exit"])))
            .context("Wine does not start")?;
        let mut tests = cargo(".");
        tests.args(["test", "--release", "--locked", "--target", TARGET]);
        tests.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
        if long {
            tests.env("WASI_MMAP_LONG", "1");
        }
        tests.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", &self.program);
        step("tests under Wine", self.configure(&mut tests))?;
        let mut tests = cargo(memmap2::FOLDER);
        tests.args(["test", "--release", "--locked", "--all-features", "--tests", "--target", TARGET, "--target-dir"]);
        tests.arg(guests::directory()).env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", &self.program);
        step("tests of memmap2's stand-in under Wine", self.configure(&mut tests))
    }

    /// Gives Wine a folder of its own, and no screen.
    fn configure<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("WINEPREFIX", self.directory.join("prefix"))
            .env("WINEPATH", windows_path(&self.directory))
            .env("WINEDEBUG", "-all")
            // Without .NET, a browser, and entries in the menus of the desktop.
            .env("WINEDLLOVERRIDES", "mscoree,mshtml,winemenubuilder.exe=")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
    }

    fn make_missing_library(&self) -> Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        let exports = self.directory.join("bcryptprimitives.def");
        std::fs::write(&exports, MISSING_EXPORTS)?;
        let mut link = Command::new(MINGW);
        link.args(["-shared", "-nostdlib", "-Wl,--entry=0", "-o"]);
        link.arg(self.directory.join(MISSING_LIBRARY)).arg(exports);
        output(&mut link).map(drop).context("the library that Wine lacks could not be built")
    }
}

/// Returns the path by which Wine knows a path of this system.
fn windows_path(path: &Path) -> OsString {
    let mut windows = OsString::from("Z:");
    windows.push(path);
    windows
}

fn wine() -> Option<PathBuf> {
    WINE.into_iter().map(PathBuf::from).find(|wine| is_program(wine))
}

fn is_program(program: impl AsRef<Path>) -> bool {
    succeeds(Command::new(program.as_ref()).arg("--version"))
}

fn install() -> Result<()> {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !is_root || !Path::new("/etc/debian_version").exists() {
        bail!(missing());
    }
    let install = [&["install", "--yes", "--no-install-recommends"], &DEBIAN[..]].concat();
    for arguments in [&["update"][..], &install] {
        let mut apt = Command::new("apt-get");
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        step("installing Wine and MinGW", &mut apt).with_context(missing)?;
    }
    Ok(())
}

fn missing() -> String {
    format!("Wine or {MINGW} is missing; on Debian: apt-get install {}", DEBIAN.join(" "))
}
