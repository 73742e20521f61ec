//! Python plugins: the environment that builds them, their tests on both backends, and their demo.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::command::{Absent, command, scratch};
use crate::cpython;
use crate::outcomes::{self, Outcome};
use crate::run::{cannot_run, output, root, target_dir};

/// Options of the tests.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The package `test` of CPython 3.14 or earlier, with tests of mmap; by default that of an installed one
    #[arg(long, value_name = "FOLDER")]
    cpython_tests: Option<PathBuf>,
}

/// The backends on which plugins run.
pub(crate) const BACKENDS: [&str; 2] = ["host", "fallback"];

/// Returns the folder of the Python package.
fn sources() -> PathBuf {
    root().join("guest/python")
}

/// A virtual environment of Python with tools, such as those that build Python plugins.
#[derive(Debug)]
pub(crate) struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// Makes the environment of Python plugins, unless it exists already with the same versions.
    ///
    /// # Errors
    ///
    /// The outer error is an error of the file system, the inner one says what this machine lacks.
    pub(crate) fn install() -> Result<Result<Self, Absent>> {
        Self::with("componentize-py", target_dir().join("python/environment"), &sources().join("requirements.txt"))
    }

    /// Makes an environment in a folder with the packages that a file of requirements lists, the most important of
    /// which is named in messages. Does nothing if it exists already with the same versions.
    ///
    /// # Errors
    ///
    /// As [`install`](Self::install).
    pub(crate) fn with(name: &str, folder: PathBuf, requirements: &Path) -> Result<Result<Self, Absent>> {
        let wanted = fs::read(requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
        let installed = folder.join("installed.txt");
        let environment = Self { folder };
        if fs::read(&installed).is_ok_and(|stamp| stamp == wanted) {
            return Ok(Ok(environment));
        }
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&environment.folder);
        let mut pip = environment.pip();
        pip.arg("--requirement").arg(requirements);
        let steps = [("making an environment for Python".to_owned(), venv), (format!("installing {name}"), pip)];
        for (what, mut step) in steps {
            println!("== {what}");
            if let Err(error) = output(&mut step) {
                return Ok(Err(Absent(format!("{what} failed: {error:#}"))));
            }
        }
        fs::write(installed, wanted)?;
        Ok(Ok(environment))
    }

    fn pip(&self) -> Command {
        let mut pip = self.program("python");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip
    }

    /// Returns a program of the environment.
    pub(crate) fn program(&self, name: &str) -> Command {
        let programs = self.folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
        let mut command = Command::new(programs.join(name).with_extension(std::env::consts::EXE_EXTENSION));
        // componentize-py packs the packages of this environment.
        command.env("VIRTUAL_ENV", &self.folder);
        command
    }

    /// Installs the package as a user does, and builds a plugin from a module, unless one was built from the same
    /// sources.
    ///
    /// # Errors
    ///
    /// Fails if the package cannot be installed, or if the plugin does not build.
    pub(crate) fn build(&self, module: &Path) -> Result<PathBuf> {
        let name = module.file_stem().and_then(|name| name.to_str()).context("a module has a name")?;
        let folder = module.parent().context("a module lies in a folder")?;
        let plugin = target_dir().join(format!("python/{name}-{:016x}.wasm", digest(module)?));
        if plugin.is_file() {
            return Ok(plugin);
        }
        let mut pip = self.pip();
        pip.args(["--no-deps", "--no-build-isolation", "--force-reinstall"]).arg(sources());
        output(&mut pip).context("the Python package cannot be installed")?;
        // Renamed when it is complete.
        let unfinished = plugin.with_extension("unfinished");
        let mut componentize = self.program("componentize-py");
        componentize
            .current_dir(folder)
            .args(["-w", "wasi-mmap:python/plugin", "componentize", name, "-o"])
            .arg(&unfinished);
        println!("== building the Python plugin {name}");
        output(&mut componentize)?;
        fs::rename(&unfinished, &plugin)?;
        Ok(plugin)
    }
}

/// Returns a hash of the sources of a plugin.
fn digest(module: &Path) -> Result<u64> {
    let mut files = vec![module.to_owned()];
    for folder in
        ["guest/python", "guest/python/wasi_mmap", "guest/python/wit", "guest/python/wit/deps", "wit", "wit/deps"]
    {
        for entry in fs::read_dir(root().join(folder)).with_context(|| format!("cannot read {folder}"))? {
            files.push(entry?.path());
        }
    }
    files.retain(|path| path.is_file());
    files.sort();
    let mut hasher = DefaultHasher::new();
    for path in files {
        path.hash(&mut hasher);
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// Runs the project's tests of Python's `mmap` and CPython's own, on both backends, and prints the outcomes.
///
/// # Errors
///
/// Fails if a test fails, or if something is missing and the tests are `required`.
pub(crate) fn test(options: &Options, required: bool) -> Result<()> {
    let tests = options.cpython_tests.as_deref();
    println!("== tests of Python plugins");
    let started = Instant::now();
    let environment = match Environment::install()? {
        Ok(environment) => environment,
        Err(Absent(why)) if required => bail!("Python plugins cannot be tested: {why}"),
        Err(Absent(why)) => {
            println!("== the tests of Python plugins were left out: {why}");
            return Ok(());
        }
    };
    let cpython = match cpython::tests(tests) {
        Ok(found) => Some(found),
        Err(Absent(why)) if required || tests.is_some() => bail!("CPython's tests cannot be run: {why}"),
        Err(Absent(why)) => {
            println!("== CPython's tests were left out: {why}");
            None
        }
    };
    let plugin = environment.build(&sources().join("tests/plugin.py"))?;
    let command = command()?;
    let mut outcomes: Vec<Vec<Outcome>> = Vec::new();
    for backend in BACKENDS {
        let scratch = scratch()?;
        let mut run = Command::new(&command);
        run.args(["run", "--backend", backend]);
        run.arg("--read-only-dir").arg(format!("{}::/tests", sources().join("tests").display()));
        run.arg("--dir").arg(format!("{}::/scratch", scratch.path().display()));
        if let Some(tests) = &cpython {
            run.arg("--read-only-dir").arg(format!("{}::/cpython", tests.display()));
        }
        run.arg(&plugin).args(["/tests/run.py", "/scratch"]).args(cpython.iter().map(|_| "/cpython"));
        outcomes.push(outcomes::parse(backend, run)?);
    }
    if let Some(tests) = &cpython {
        println!("CPython's tests: {}", tests.display());
    }
    outcomes::print(&BACKENDS, &outcomes)?;
    println!("== tests of Python plugins: {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Measures Python plugins on both backends, and prints a line of JSON for each figure, whose name begins with the
/// backend.
///
/// # Errors
///
/// Fails if something is missing, or if a plugin fails.
pub(crate) fn bench() -> Result<()> {
    let environment = match Environment::install()? {
        Ok(environment) => environment,
        Err(Absent(why)) => bail!("Python plugins cannot be measured: {why}"),
    };
    let plugin = environment.build(&sources().join("tests/plugin.py"))?;
    let command = command()?;
    for backend in BACKENDS {
        let scratch = scratch()?;
        let mut run = Command::new(&command);
        run.args(["run", "--backend", backend]);
        run.arg("--read-only-dir").arg(format!("{}::/bench", sources().display()));
        run.arg("--dir").arg(format!("{}::/scratch", scratch.path().display()));
        run.arg(&plugin).args(["/bench/bench.py", "/scratch"]);
        let output = run.stdin(Stdio::null()).stderr(Stdio::inherit()).output().with_context(|| cannot_run(&run))?;
        ensure!(output.status.success(), "measuring Python on {backend} failed: {}", output.status);
        for line in String::from_utf8(output.stdout)?.lines() {
            println!("{}", line.replacen("\"name\": \"", &format!("\"name\": \"{backend}-"), 1));
        }
    }
    Ok(())
}

/// The file that the demo edits, the text that it searches for, and what it writes instead.
const TEXT: &str = "LICENSE-APACHE";
const PATTERN: &str = "[Ll]icensors?";
const REPLACEMENT: &str = "OWNER";

/// Runs the Python demo on both backends.
///
/// # Errors
///
/// Fails if something is missing, if the plugin fails, or if the backends do not agree.
pub(crate) fn demo() -> Result<()> {
    let environment = match Environment::install()? {
        Ok(environment) => environment,
        Err(Absent(why)) => bail!("the Python demo cannot be run: {why}"),
    };
    let plugin = environment.build(&sources().join("demo/edit.py"))?;
    let command = command()?;
    let mut outcomes = Vec::new();
    for backend in BACKENDS {
        let scratch = scratch()?;
        let file = scratch.path().join(TEXT);
        fs::copy(root().join(TEXT), &file)?;
        let mut run = Command::new(&command);
        run.args(["run", "--backend", backend, "--dir"]).arg(format!("{}::/scratch", scratch.path().display()));
        run.arg(&plugin).args([&format!("/scratch/{TEXT}"), PATTERN, REPLACEMENT]);
        let output = run.stdin(Stdio::null()).stderr(Stdio::inherit()).output().with_context(|| cannot_run(&run))?;
        ensure!(output.status.success(), "the Python demo failed on {backend}: {}", output.status);
        outcomes.push((String::from_utf8(output.stdout)?, fs::read_to_string(&file)?));
    }
    let (printed, edited) = &outcomes[0];
    println!("{TEXT}, replacing {PATTERN:?} with {REPLACEMENT:?}:\n\n{printed}\nThe file now has:\n");
    let changed: Vec<&str> = edited.lines().filter(|line| line.contains(REPLACEMENT)).collect();
    println!("{}\n", changed.join("\n"));
    ensure!(!changed.is_empty(), "the Python demo changed nothing");
    ensure!(outcomes.iter().all(|outcome| outcome == &outcomes[0]), "the backends do not agree");
    println!("Both backends agree.");
    Ok(())
}
