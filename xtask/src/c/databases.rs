//! Databases in C from packages of the registry, unmodified, as plugins and natively, and the tests that use them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::toolchain::{Machine, Toolchain};
use super::{TARGET, folder, install};
use crate::command::Absent;
use crate::guests;
use crate::run::{cargo, output, root, step};

/// The folder of the workspace that names the packages, and has the programs over them.
pub(crate) const FOLDER: &str = "tests/databases";

/// A program, made of sources of the repository and of a package.
struct Program {
    name: &'static str,
    machine: Machine,
    /// The source of the repository.
    driver: &'static str,
    /// The package of the registry, and the folder of its sources.
    package: Option<(&'static str, &'static str)>,
    sources: &'static [&'static str],
    flags: &'static [&'static str],
}

use Machine::{Emulation, Native, Plugin};

const SQLITE: Program = Program {
    name: "sqlite",
    machine: Plugin,
    driver: "tests/databases/c/sqlite.c",
    package: Some(("libsqlite3-sys", "sqlite3")),
    sources: &["sqlite3.c"],
    // No threads, no shared libraries, pauses in milliseconds, and `mmap_size`, which is left out on systems that SQLite
    // does not know.
    flags: &[
        "-DSQLITE_THREADSAFE=0",
        "-DSQLITE_OMIT_LOAD_EXTENSION",
        "-DHAVE_USLEEP=1",
        "-DSQLITE_MAX_MMAP_SIZE=0x7fff0000",
    ],
};

const LMDB: Program = Program {
    name: "lmdb",
    machine: Plugin,
    driver: "tests/databases/c/lmdb.c",
    package: Some(("lmdb-master-sys", "lmdb/libraries/liblmdb")),
    sources: &["mdb.c", "midl.c"],
    // wasi-libc has no robust mutexes.
    flags: &["-DMDB_USE_ROBUST=0"],
};

const SCAN: Program = Program {
    name: "scan",
    machine: Plugin,
    driver: "tests/benches/peers/mapped.c",
    package: None,
    sources: &[],
    flags: &[],
};

const PROGRAMS: [Program; 9] = [
    SQLITE,
    Program { machine: Native, ..SQLITE },
    LMDB,
    // The files of 64-bit systems.
    Program { name: "lmdb-vl32", flags: &["-DMDB_USE_ROBUST=0", "-DMDB_VL32"], ..LMDB },
    // For the fallback, which has no locks.
    Program { name: "lmdb-pretended", flags: &["-DMDB_USE_ROBUST=0", "-DWASI_MMAP_PRETEND_LOCKS"], ..LMDB },
    Program { machine: Native, flags: &[], ..LMDB },
    SCAN,
    Program { machine: Native, ..SCAN },
    Program { name: "scan-emulated", machine: Emulation, ..SCAN },
];

/// The tests of the library's own functions.
const OWN: [Program; 8] = [
    Program { name: "io", driver: "tests/c/io.c", ..SCAN },
    Program { name: "upper", driver: "guest/c/examples/upper.c", ..SCAN },
    Program { name: "map", driver: "tests/c/map.c", ..SCAN },
    Program { name: "bad", driver: "tests/c/bad.c", ..SCAN },
    Program { name: "full", driver: "tests/c/full.c", ..SCAN },
    Program { name: "beside", driver: "tests/c/beside.c", ..SCAN },
    Program { name: "locks", driver: "tests/c/locks.c", ..SCAN },
    Program { name: "locks-pretended", driver: "tests/c/locks.c", flags: &["-DWASI_MMAP_PRETEND_LOCKS"], ..SCAN },
];

/// The header that makes programs take a plugin for an ordinary Unix.
const UNIX: &str = "wasi-mmap/unix.h";

/// Builds the programs, natively and as plugins.
///
/// # Errors
///
/// Fails if something cannot be downloaded or does not build.
pub(crate) fn build(toolchain: &Toolchain) -> Result<()> {
    let packages = Packages::download()?;
    std::thread::scope(|scope| {
        let builds: Vec<_> =
            PROGRAMS.iter().chain(&OWN).map(|program| scope.spawn(|| program.build(toolchain, &packages))).collect();
        builds.into_iter().try_for_each(|build| build.join().expect("no panic"))
    })?;
    build_rusqlite(toolchain)
}

/// Builds the programs, and runs the tests of C programs and of databases.
///
/// # Errors
///
/// Fails if something cannot be downloaded or does not build, if a test fails, or if there is no compiler and the tests
/// are `required`.
pub(crate) fn test(required: bool) -> Result<()> {
    let toolchain = match install()? {
        Ok(toolchain) => toolchain,
        Err(Absent(why)) if required => bail!("programs in C cannot be tested: {why}"),
        Err(Absent(why)) => {
            println!("== the tests of C programs were left out: {why}");
            return Ok(());
        }
    };
    build(&toolchain)?;
    let mut tests = cargo(".");
    tests.args(["test", "--release", "--locked", "--package", "wasi-mmap-integration", "--test", "all", "--"]);
    tests.args(["databases::", "c_programs::", "--include-ignored", "--test-threads=2"]);
    step("C programs and databases", tests.env("WASI_MMAP_C", folder()))
}

/// The packages of the registry.
struct Packages(serde_json::Value);

impl Packages {
    fn download() -> Result<Self> {
        let mut metadata = cargo(FOLDER);
        metadata.args(["metadata", "--format-version", "1", "--locked", "--features", "sources"]);
        Ok(Self(serde_json::from_str(&output(&mut metadata)?)?))
    }

    /// Returns the folder that cargo has unpacked a package to.
    fn folder(&self, name: &str) -> Result<PathBuf> {
        let mut packages = self.0["packages"].as_array().into_iter().flatten();
        let package = packages.find(|package| package["name"] == name).with_context(|| format!("no package {name}"))?;
        let manifest = package["manifest_path"].as_str().context("a package has a manifest")?;
        Ok(Path::new(manifest).parent().context("a manifest lies in a folder")?.to_owned())
    }
}

impl Program {
    fn build(&self, toolchain: &Toolchain, packages: &Packages) -> Result<()> {
        let mut flags: Vec<String> = self.flags.iter().map(|&flag| flag.to_owned()).collect();
        let mut foreign = flags.clone();
        // Warnings about sources of others are of no use here.
        foreign.push("-w".to_owned());
        if self.machine == Plugin {
            foreign.extend(["-include", UNIX].map(str::to_owned));
        }
        let mut objects = Vec::new();
        if let Some((package, sources)) = self.package {
            let folder = packages.folder(package)?.join(sources);
            for source in self.sources {
                objects.push(toolchain.compile(&folder.join(source), &foreign, self.machine)?);
            }
            flags.extend(["-I".to_owned(), folder.display().to_string()]);
        }
        flags.extend(["-Wall", "-Wextra", "-Werror"].map(str::to_owned));
        objects.push(toolchain.compile(&root().join(self.driver), &flags, self.machine)?);
        let extension = if self.machine == Native { std::env::consts::EXE_EXTENSION } else { "wasm" };
        let path = folder().join("programs").join(self.name).with_extension(extension);
        toolchain.link(&objects, &path, self.machine).with_context(|| format!("cannot link {}", self.name))
    }
}

/// Builds the Rust program over rusqlite, whose build script compiles SQLite with the compiler for plugins.
fn build_rusqlite(toolchain: &Toolchain) -> Result<()> {
    let [compiler, archiver] = toolchain.scripts(&["-include".to_owned(), UNIX.to_owned()])?;
    let mut build = cargo(FOLDER);
    build.args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"]).arg(guests::directory());
    build.env("CC_wasm32_wasip2", compiler).env("AR_wasm32_wasip2", archiver);
    // A plugin loads no shared libraries.
    build.env("LIBSQLITE3_FLAGS", "-DSQLITE_OMIT_LOAD_EXTENSION");
    step("a Rust program over rusqlite", &mut build)?;
    let built = guests::directory().join(TARGET).join("release/databases.wasm");
    std::fs::copy(built, folder().join("programs/rusqlite.wasm"))?;
    Ok(())
}
