//! `cargo xtask kernels`: the tests of windows, faults and hostile plugins on older kernels of Linux, in QEMU.
//!
//! The state after a system call that fails differs between versions, and the memory that a plugin can reach depends on
//! it.

mod images;
mod machine;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use crate::guests;
use crate::run::{cargo, output, succeeds, target_dir};

/// Run the tests of windows, faults and hostile plugins on the kernels of Debian 12 and 13, in QEMU
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The folder of the kernels, vmlinuz-6.1.… and vmlinuz-6.12.…; by default they are downloaded from Debian's
    /// mirror
    #[arg(long, value_name = "FOLDER")]
    kernel_images: Option<PathBuf>,
}

impl Options {
    /// Returns whether the kernels are given, so that they must not be left out.
    pub(crate) fn is_given(&self) -> bool {
        self.kernel_images.is_some()
    }
}

/// The modules of `tests/integration` whose tests run.
const MODULES: [&str; 9] = [
    "window",
    "window_modes",
    "faults",
    "hostile",
    "failures",
    "stable",
    "stable_attacks",
    "stable_breaks",
    "stable_windows",
];

/// Tests that cannot run in such a machine, which has a tmpfs and no disk, and the reasons.
const LEFT_OUT: [(&str, &str); 0] = [];

/// Debian's packages of the emulator and of the programs in the machine.
const PACKAGES: [&str; 2] = ["qemu-system-x86", "busybox-static"];

/// A version of the kernel.
#[derive(Debug)]
struct Kernel {
    version: &'static str,
    /// The release of Debian with this kernel.
    release: &'static str,
}

const KERNELS: [Kernel; 2] =
    [Kernel { version: "6.1", release: "bookworm" }, Kernel { version: "6.12", release: "trixie" }];

/// The kernels and their images.
#[derive(Debug)]
pub(crate) struct Kernels(Vec<(&'static Kernel, PathBuf)>);

impl Kernels {
    /// Finds the emulator and the kernels, in the given folder or in that of earlier downloads, or downloads them.
    ///
    /// # Errors
    ///
    /// Fails if something is missing; says how to get it.
    pub(crate) fn find(options: &Options) -> Result<Self> {
        let folder = options.kernel_images.as_deref();
        ensure!(cfg!(all(target_os = "linux", target_arch = "x86_64")), "they need Linux on x86-64");
        for (program, argument) in [(machine::QEMU, "--version"), (machine::BUSYBOX, "true")] {
            let is_there = succeeds(Command::new(program).arg(argument));
            ensure!(is_there, "{program} is missing; on Debian: apt-get install {}", PACKAGES.join(" "));
        }
        let downloaded = directory();
        let image = |kernel| -> Result<PathBuf> {
            if let Some(image) = images::find(kernel, folder.unwrap_or(&downloaded))? {
                return Ok(image);
            }
            let name = format!("vmlinuz-{}.*", kernel.version);
            match folder {
                Some(folder) => bail!("there is no {name} in {}", folder.display()),
                None => images::download(kernel, &downloaded).with_context(|| {
                    format!(
                        "Linux {} could not be downloaded from Debian {}; --kernel-images names a folder with {name}",
                        kernel.version, kernel.release
                    )
                }),
            }
        };
        Ok(Self(KERNELS.iter().map(|kernel| Ok((kernel, image(kernel)?))).collect::<Result<_>>()?))
    }

    /// Runs the tests on each kernel, and prints the outcomes.
    ///
    /// # Errors
    ///
    /// Fails if something does not build, if a machine does not run to its end, or if a test fails.
    pub(crate) fn test(&self) -> Result<()> {
        let guests = guests::build()?;
        let program = build()?;
        let tests = choose(&program)?;
        let folder = directory();
        let initramfs = machine::pack(&program, &guests, &tests, &folder)?;
        let mut failures = Vec::new();
        for (kernel, image) in &self.0 {
            let version = kernel.version;
            println!("== tests on Linux {version}");
            let started = Instant::now();
            let log = folder.join(format!("{version}.log"));
            match machine::run(image, version, &initramfs, &log) {
                Ok(outcomes) => {
                    ensure!(outcomes.len() == tests.len(), "Linux {version} did not run all tests");
                    let failed = outcomes.iter().filter(|outcome| !outcome.has_passed);
                    let failed: Vec<&str> = failed.map(|outcome| outcome.test.as_str()).collect();
                    let passed = outcomes.len() - failed.len();
                    println!("Linux {version}: {passed} tests passed, {} failed", failed.len());
                    if !failed.is_empty() {
                        failures.push(format!("on Linux {version}: {}", failed.join(", ")));
                    }
                }
                // Go on with the other kernel.
                Err(error) => failures.push(format!("{error:#}")),
            }
            println!("== tests on Linux {version}: {:.0} s", started.elapsed().as_secs_f64());
        }
        ensure!(failures.is_empty(), "tests failed\n  {}", failures.join("\n  "));
        Ok(())
    }
}

/// Returns the folder of the kernels and of the file system that they boot.
fn directory() -> PathBuf {
    target_dir().join("kernels")
}

/// Builds the tests as `cargo xtask test` does, and returns the path of the program.
fn build() -> Result<PathBuf> {
    println!("== building the tests for other kernels");
    let mut tests = cargo(".");
    // The whole workspace, or its packages would be compiled again with fewer features.
    tests.args(["test", "--release", "--locked", "--workspace", "--test", "all", "--no-run"]);
    let printed = output(tests.arg("--message-format=json-render-diagnostics"))?;
    for line in printed.lines() {
        let message: Value = serde_json::from_str(line)?;
        if message["target"]["name"] == "all"
            && let Some(program) = message["executable"].as_str()
        {
            return Ok(program.into());
        }
    }
    bail!("cargo does not name the program of the tests");
}

/// Returns the names of the tests to be run, and prints those that are left out, with the reasons.
fn choose(program: &Path) -> Result<Vec<String>> {
    let ignored = machine::names(program, true)?;
    let mut tests = machine::names(program, false)?;
    for module in MODULES {
        if !tests.iter().any(|test| is_in(test, module)) {
            println!("there are no tests of {module}");
        }
    }
    tests.retain(|test| MODULES.iter().any(|module| is_in(test, module)));
    for (test, _) in LEFT_OUT {
        ensure!(tests.iter().any(|known| known == test), "there is no test {test} to be left out");
    }
    tests.retain(|test| {
        let left_out = LEFT_OUT.iter().find(|(left_out, _)| left_out == test).map(|(_, why)| *why);
        let why = left_out.or(ignored.contains(test).then_some("it is ignored everywhere"));
        if let Some(why) = why {
            println!("left out: {test}: {why}");
        }
        why.is_none()
    });
    Ok(tests)
}

fn is_in(test: &str, module: &str) -> bool {
    test.strip_prefix(module).is_some_and(|rest| rest.starts_with("::"))
}
