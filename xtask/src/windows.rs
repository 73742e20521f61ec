//! `cargo xtask test --windows`: the suite and the tests of `core` and `native` on Windows, as Wine is one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::guests;
use crate::run::{answers, cargo, quietly, step, target_dir};

/// What is built for: 64 bits, with the C library and the linker of MinGW.
pub(crate) const TARGET: &str = "x86_64-pc-windows-gnu";

/// Wine, where it can be: on the path, or where Debian's package `wine64` alone puts it.
const WINE: [&str; 3] = ["wine64", "wine", "/usr/lib/wine/wine64"];
const MINGW: &str = "x86_64-w64-mingw32-gcc";
/// Debian's packages of both.
const PACKAGES: [&str; 2] = ["wine64", "gcc-mingw-w64-x86-64-win32"];

/// The library of Windows that Wine 8 lacks, and the standard library needs for its hash maps: a random generator, which Wine
/// has under another name.
const MISSING_LIBRARY: &str = "bcryptprimitives.dll";
const MISSING_EXPORTS: &str = "LIBRARY bcryptprimitives.dll\nEXPORTS\nProcessPrng = advapi32.SystemFunction036\n";

/// Programs for Windows, and what runs them.
#[derive(Debug)]
pub(crate) struct Windows {
    wine: PathBuf,
    /// Where Wine keeps its files, and where the missing library is.
    directory: PathBuf,
}

impl Windows {
    /// Finds Wine and MinGW, and installs them where that can be done without asking: as root, on Debian.
    ///
    /// # Errors
    ///
    /// If they are missing; says how to get them.
    pub(crate) fn find() -> Result<Self> {
        guests::install_target(TARGET)?;
        if wine().is_none() || !is_program(MINGW) {
            install()?;
        }
        let Some(wine) = wine().filter(|_| is_program(MINGW)) else { bail!(how_to_get()) };
        Ok(Self { wine, directory: target_dir().join("wine") })
    }

    /// Runs all that can be run, random operations in their long form if that is asked for.
    ///
    /// # Errors
    ///
    /// If something does not build, or a test fails.
    pub(crate) fn test(&self, long: bool) -> Result<()> {
        self.make_missing_library()?;
        let mut build = cargo("tests/plugins");
        build.args(["build", "--release", "--locked", "--target", TARGET, "--package", "suite", "--target-dir"]);
        let directory = guests::directory();
        step("building the suite for Windows", build.arg(&directory))?;
        let suite = directory.join(TARGET).join("release/suite.exe");

        // Wine makes its folder when it is first run, and says so.
        let started = Instant::now();
        quietly("starting Wine", self.wine().args(["cmd", "/c", "exit"]))?;
        println!("== starting Wine: {:.0} s", started.elapsed().as_secs_f64());
        let operations = if long { "1000000" } else { "20000" };
        for (name, how) in [("mappings", &[][..]), ("views", &["--views"])] {
            let started = Instant::now();
            check(&self.run_suite(&suite, how)?)?;
            println!("== the suite on {name} of Windows: {:.0} s", started.elapsed().as_secs_f64());
            let started = Instant::now();
            let printed = self.run_suite(&suite, &[&["0", operations], how].concat())?;
            ensure!(printed == "agreed\n", "{operations} random operations on {name} of Windows: {printed}");
            println!(
                "== {operations} random operations on {name} of Windows: {:.0} s",
                started.elapsed().as_secs_f64()
            );
        }
        let mut tests = cargo(".");
        tests.args(["test", "--release", "--locked", "--target", TARGET]);
        tests.args(["--package", "wasi-mmap-core", "--package", "wasi-mmap-native"]);
        step("tests of core and native on Windows", self.tell(&mut tests).env(RUNNER, &self.wine))
    }

    /// Runs the suite in an empty folder; answers what it printed.
    fn run_suite(&self, suite: &Path, arguments: &[&str]) -> Result<String> {
        let scratch = self.directory.join("scratch");
        if scratch.exists() {
            std::fs::remove_dir_all(&scratch)?;
        }
        std::fs::create_dir_all(&scratch)?;
        let mut command = self.wine();
        command.arg(suite).arg("windows").arg(windows_path(&scratch)).args(arguments);
        let output = command.stderr(Stdio::inherit()).output().context("cannot run Wine")?;
        ensure!(output.status.success(), "the suite on Windows: {}", output.status);
        String::from_utf8(output.stdout).context("the suite prints UTF-8")
    }

    /// Wine, in a folder of its own and without a screen.
    fn wine(&self) -> Command {
        let mut command = Command::new(&self.wine);
        self.tell(&mut command);
        command.stdin(Stdio::null());
        command
    }

    /// Tells a program that runs Wine where its files are.
    fn tell<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("WINEPREFIX", self.directory.join("prefix"))
            .env("WINEPATH", windows_path(&self.directory))
            .env("WINEDEBUG", "-all")
            // Neither .NET nor a browser is needed, and no entries in the menus of the desktop.
            .env("WINEDLLOVERRIDES", "mscoree,mshtml,winemenubuilder.exe=")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
    }

    fn make_missing_library(&self) -> Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        let exports = self.directory.join("bcryptprimitives.def");
        std::fs::write(&exports, MISSING_EXPORTS)?;
        let mut link = Command::new(MINGW);
        link.args(["-shared", "-nostdlib", "-Wl,--entry=0", "-o"])
            .arg(self.directory.join(MISSING_LIBRARY))
            .arg(exports);
        quietly("making the library that Wine lacks", &mut link)
    }
}

/// What makes cargo run programs for Windows with Wine.
const RUNNER: &str = "CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER";

/// The verdict on a case, as the suite prints it.
#[derive(Debug, Deserialize)]
struct Report {
    case: String,
    verdict: Verdict,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Prints how many cases were run, and which were not and why.
fn check(printed: &str) -> Result<()> {
    let reports = printed.lines().map(serde_json::from_str).collect::<Result<Vec<Report>, _>>()?;
    let mut skipped = BTreeMap::<&str, Vec<&str>>::new();
    let mut failures = 0;
    for report in &reports {
        match &report.verdict {
            Verdict::Passed => {}
            Verdict::Skipped(why) => skipped.entry(why).or_default().push(&report.case),
            Verdict::Failed(how) => {
                failures += 1;
                println!("{}: {how}", report.case);
            }
        }
    }
    let count: usize = skipped.values().map(Vec::len).sum();
    println!("Windows: {} cases, {count} skipped", reports.len());
    for (why, cases) in skipped {
        println!("  {why}: {}", cases.join("; "));
    }
    ensure!(failures == 0, "{failures} cases failed on Windows");
    ensure!(reports.len() > count, "no case was run on Windows");
    Ok(())
}

/// A path of this system, as Wine shows it to programs.
fn windows_path(path: &Path) -> OsString {
    let mut windows = OsString::from("Z:");
    windows.push(path);
    windows
}

fn wine() -> Option<PathBuf> {
    WINE.into_iter().map(PathBuf::from).find(|wine| is_program(wine))
}

/// Whether a program runs when it is asked for its version.
fn is_program(program: impl AsRef<Path>) -> bool {
    answers(Command::new(program.as_ref()).arg("--version"))
}

/// Installs both from Debian's packages.
fn install() -> Result<()> {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !is_root || !Path::new("/etc/debian_version").exists() {
        bail!(how_to_get());
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let install = [&["install", "--yes", "--no-install-recommends"], &PACKAGES[..]].concat();
    quietly("looking for Wine and MinGW", &mut apt(&["update"])).with_context(how_to_get)?;
    quietly("installing Wine and MinGW", &mut apt(&install)).with_context(how_to_get)
}

fn how_to_get() -> String {
    format!("Wine or {MINGW} is missing; on Debian: apt-get install {}", PACKAGES.join(" "))
}
