//! The compiler for C and the linker: clang and the headers of wasi-libc from the package `ziglang` of PyPI, everything
//! else from the Rust toolchain and its target `wasm32-wasip2`.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{TARGET, folder};
use crate::command::Absent;
use crate::python::Environment;
use crate::run::{output, provide_target, root, words};

/// The environment variables that keep the compiler's own caches in the target folder.
const CACHES: [&str; 2] = ["ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"];

/// The system that a program is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Machine {
    /// A plugin, over the library and the headers of this repository.
    Plugin,
    /// This machine, to compare with.
    Native,
    /// A module for WASI preview 1 over the `mmap` that wasi-libc emulates, to compare with.
    Emulation,
}

/// A C compiler and a linker for plugins.
#[derive(Debug)]
pub(crate) struct Toolchain {
    environment: Environment,
    /// What components are linked with, from the Rust toolchain.
    rust: RustParts,
}

/// Files of the Rust toolchain.
#[derive(Debug)]
struct RustParts {
    component_linker: PathBuf,
    linker: PathBuf,
    /// The start of a command.
    start: PathBuf,
    libc: PathBuf,
    builtins: PathBuf,
}

impl RustParts {
    fn find() -> Result<Self> {
        provide_target(TARGET)?;
        let libraries =
            PathBuf::from(output(&mut words(&format!("rustc --print target-libdir --target {TARGET}")))?.trim());
        let own = PathBuf::from(output(&mut words("rustc --print target-libdir"))?.trim());
        let programs = own.parent().context("a folder of libraries lies beside one of programs")?.join("bin");
        let extension = std::env::consts::EXE_EXTENSION;
        let builtins = fs::read_dir(&libraries)?.filter_map(|entry| Some(entry.ok()?.path())).find(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("libcompiler_builtins-") && path.extension().is_some_and(|extension| extension == "rlib")
        });
        let parts = Self {
            component_linker: programs.join("wasm-component-ld").with_extension(extension),
            linker: programs.join("gcc-ld/wasm-ld").with_extension(extension),
            start: libraries.join("self-contained/crt1-command.o"),
            libc: libraries.join("self-contained/libc.a"),
            builtins: builtins.context("the Rust toolchain has no compiler_builtins")?,
        };
        for part in [&parts.component_linker, &parts.linker, &parts.start, &parts.libc] {
            ensure!(part.is_file(), "the Rust toolchain has no {}", part.display());
        }
        Ok(parts)
    }
}

impl Toolchain {
    /// Installs the compiler, unless it is there in the same version.
    ///
    /// # Errors
    ///
    /// The outer error is an error of the file system or of the Rust toolchain, the inner one says what this machine
    /// lacks.
    pub(crate) fn install() -> Result<Result<Self, Absent>> {
        match Environment::with("ziglang", folder().join("environment"), &requirements())? {
            Ok(environment) => Ok(Ok(Self { environment, rust: RustParts::find()? })),
            Err(absent) => Ok(Err(absent)),
        }
    }

    /// Returns the command of the compiler for a machine.
    fn compiler(&self, machine: Machine) -> Command {
        let mut compiler = self.environment.program("python");
        compiler.args(["-m", "ziglang", "cc", "-O2", "-g0", "-fno-sanitize=all"]);
        for cache in CACHES {
            compiler.env(cache, folder().join("cache"));
        }
        match machine {
            Machine::Plugin => compiler.args(["-target", "wasm32-wasi", "-I"]).arg(folder().join("include")),
            // Without the instructions that only this machine has.
            Machine::Native => compiler.args(["-target", &format!("{}-linux-gnu", std::env::consts::ARCH)]),
            Machine::Emulation => compiler.args(["-target", "wasm32-wasi", "-D_WASI_EMULATED_MMAN"]),
        };
        compiler
    }

    /// Compiles a source, unless there is an object of the same source, headers and flags, and returns its path.
    ///
    /// # Errors
    ///
    /// Fails if the source does not compile.
    pub(crate) fn compile(&self, source: &Path, flags: &[String], machine: Machine) -> Result<PathBuf> {
        let name = source.file_stem().and_then(|name| name.to_str()).context("a source has a name")?;
        let mut compile = self.compiler(machine);
        let digest = digest(parts(source, machine)?, (flags, compile.get_args().collect::<Vec<_>>()))?;
        let object = folder().join("objects").join(format!("{name}-{digest:016x}.o"));
        if object.is_file() {
            return Ok(object);
        }
        println!("== compiling {name}.c for {machine:?}");
        // Renamed when it is complete.
        let unfinished = object.with_extension(format!("{}.unfinished", std::process::id()));
        fs::create_dir_all(folder().join("objects"))?;
        // The compiler's own cache does not notice a header that is new and comes before another of its name.
        compile.arg(format!("-DWASI_MMAP_BUILD=0x{digest:016x}"));
        output(compile.args(flags).arg("-c").arg(source).arg("-o").arg(&unfinished))?;
        fs::rename(&unfinished, &object)?;
        Ok(object)
    }

    /// Links objects, and the library if it is a plugin, to a program.
    ///
    /// # Errors
    ///
    /// Fails if the objects do not fit together.
    pub(crate) fn link(&self, objects: &[PathBuf], program: &Path, machine: Machine) -> Result<()> {
        if let Some(parent) = program.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut link = match machine {
            Machine::Plugin => {
                let RustParts { component_linker, linker, start, libc, builtins } = &self.rust;
                let mut link = Command::new(component_linker);
                link.arg("--wasm-ld-path")
                    .arg(linker)
                    .args(["--export=cabi_realloc", "--gc-sections", "--strip-debug"])
                    .arg(start)
                    .args(objects);
                link.arg("-L").arg(folder().join("lib")).arg("-lwasi-mmap").arg(libc).arg(builtins);
                link
            }
            Machine::Native | Machine::Emulation => {
                let mut link = self.compiler(machine);
                link.args(objects).args((machine == Machine::Emulation).then_some("-lwasi-emulated-mman"));
                link.arg("-Wl,--strip-all");
                link
            }
        };
        output(link.arg("-o").arg(program))?;
        Ok(())
    }

    /// Writes scripts that stand for a C compiler and an archiver for `wasm32-wasip2`, such as build scripts of Rust
    /// packages call, and returns their paths. These change with the headers, so that cargo runs build scripts again.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be written.
    pub(crate) fn scripts(&self, flags: &[String]) -> Result<[PathBuf; 2]> {
        use std::fmt::Write as _;
        let mut compiler = String::new();
        let command = self.compiler(Machine::Plugin);
        for (name, value) in command.get_envs() {
            let value = value.unwrap_or_default().display();
            writeln!(compiler, "export {}='{value}'", name.display())?;
        }
        // The compiler has another name for the target.
        compiler += "for argument; do\n    shift\n    case $argument in --target=*) ;; *) set -- \"$@\" \"$argument\" ;; esac\ndone\n";
        let archiver = compiler.clone() + &format!("exec '{}' -m ziglang ar \"$@\"\n", command.get_program().display());
        write!(compiler, "exec '{}'", command.get_program().display())?;
        for argument in
            command.get_args().map(|argument| argument.to_string_lossy()).chain(flags.iter().map(Into::into))
        {
            write!(compiler, " '{argument}'")?;
        }
        compiler += " \"$@\"\n";
        let mut headers = vec![requirements()];
        add_headers(&folder().join("include"), true, &mut headers)?;
        let folder = folder().join(format!("bin/{:016x}", digest(headers, flags)?));
        fs::create_dir_all(&folder)?;
        let write = |name: &str, text: &str| -> Result<PathBuf> {
            let path = folder.join(name);
            let text = format!("#!/bin/sh\n# Written by `cargo xtask c`.\n{text}");
            if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
                fs::write(&path, text)?;
                make_executable(&path)?;
            }
            Ok(path)
        };
        Ok([write("wasm32-wasip2-cc", &compiler)?, write("wasm32-wasip2-ar", &archiver)?])
    }
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    Ok(())
}

/// Returns the path of the file with the version of the compiler.
fn requirements() -> PathBuf {
    root().join("xtask/src/c/requirements.txt")
}

/// Returns the files that an object is made of: the version of the compiler, the source, the headers beside it, and
/// those that are installed.
fn parts(source: &Path, machine: Machine) -> Result<Vec<PathBuf>> {
    let mut files = vec![source.to_owned(), requirements()];
    add_headers(source.parent().context("a source lies in a folder")?, false, &mut files)?;
    if machine == Machine::Plugin {
        add_headers(&folder().join("include"), true, &mut files)?;
    }
    Ok(files)
}

/// Returns a hash of files and of what is done with them.
fn digest(mut files: Vec<PathBuf>, how: impl Hash) -> Result<u64> {
    files.sort();
    let mut hasher = DefaultHasher::new();
    how.hash(&mut hasher);
    for path in files {
        path.hash(&mut hasher);
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// Adds the headers of a folder, and of the folders in it if they are to be added as well.
fn add_headers(folder: &Path, recursive: bool, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            if recursive {
                add_headers(&path, recursive, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "h") {
            files.push(path);
        }
    }
    Ok(())
}
