//! Python plugins: the environment that builds them, their tests on both backends, and their demo.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::cpython;
use crate::demo::{Scratch, command};
use crate::guests::Guests;
use crate::outcomes::{self, Outcome};
use crate::run::{quietly, root, target_dir};

/// The backends that plugins run on.
pub(crate) const BACKENDS: [&str; 2] = ["host", "fallback"];

/// Where the sources for Python are.
fn sources() -> PathBuf {
    root().join("guest/python")
}

/// What cannot be had here, and why: no failure of this project.
#[derive(Debug)]
pub(crate) struct Absent(pub(crate) String);

/// A private environment with the tools that build Python plugins.
#[derive(Debug)]
pub(crate) struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// Makes the environment, or takes the one that was made before for the same versions.
    ///
    /// # Errors
    ///
    /// The outer error is one of the file system; the inner one says what this machine or its network lacks.
    pub(crate) fn install() -> Result<Result<Self, Absent>> {
        let folder = target_dir().join("python/environment");
        let requirements = sources().join("requirements.txt");
        let wanted = fs::read(&requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
        let installed = folder.join("installed.txt");
        let environment = Self { folder };
        if fs::read(&installed).is_ok_and(|stamp| stamp == wanted) {
            return Ok(Ok(environment));
        }
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&environment.folder);
        let mut pip = environment.pip();
        pip.arg("--requirement").arg(&requirements);
        let steps = [("making an environment for Python", venv), ("installing componentize-py", pip)];
        for (what, mut step) in steps {
            if let Err(error) = quietly(what, &mut step) {
                return Ok(Err(Absent(format!("{error:#}"))));
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

    /// A program of the environment.
    fn program(&self, name: &str) -> Command {
        let programs = self.folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
        let mut command = Command::new(programs.join(name).with_extension(std::env::consts::EXE_EXTENSION));
        // componentize-py takes the packages of the environment along.
        command.env("VIRTUAL_ENV", &self.folder);
        command
    }

    /// Installs the package as a user would, and builds a plugin of the module in this file. A plugin that was built
    /// before from the same sources is not built again.
    ///
    /// # Errors
    ///
    /// If the package cannot be installed, or the plugin does not build.
    pub(crate) fn build(&self, module: &Path) -> Result<PathBuf> {
        let name = module.file_stem().and_then(|name| name.to_str()).context("a module has a name")?;
        let folder = module.parent().context("a module lies in a folder")?;
        let plugin = target_dir().join(format!("python/{name}-{:016x}.wasm", digest(module)?));
        if plugin.is_file() {
            return Ok(plugin);
        }
        let mut pip = self.pip();
        pip.args(["--no-deps", "--no-build-isolation", "--force-reinstall"]).arg(sources());
        quietly("installing the Python package", &mut pip)?;
        // Under its name only when it is whole.
        let unfinished = plugin.with_extension("unfinished");
        let mut componentize = self.program("componentize-py");
        componentize
            .current_dir(folder)
            .args(["-w", "wasi-mmap:mmap/python", "componentize", name, "-o"])
            .arg(&unfinished);
        quietly(&format!("building the Python plugin {name}"), &mut componentize)?;
        fs::rename(&unfinished, &plugin)?;
        Ok(plugin)
    }
}

/// A number that changes when something changes that a plugin is made of.
fn digest(module: &Path) -> Result<u64> {
    let mut files = vec![module.to_owned()];
    for folder in ["guest/python", "guest/python/wasi_mmap", "wit", "wit/deps"] {
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

/// Compares the README's copy of the demo with the demo.
///
/// # Errors
///
/// If they differ.
pub(crate) fn check_readme() -> Result<()> {
    let demo = fs::read_to_string(sources().join("demo/edit.py"))?;
    let readme = fs::read_to_string(root().join("README.md"))?;
    ensure!(
        readme.contains(&format!("```python\n{demo}```")),
        "README.md shows another demo than guest/python/demo/edit.py"
    );
    Ok(())
}

/// Runs the project's tests of Python's `mmap` and CPython's own, on both backends, and prints what each came to.
///
/// # Errors
///
/// If a test fails; and, when they were asked for (`required`), if something for them cannot be had here.
pub(crate) fn test(guests: &Guests, required: bool, tests: Option<&Path>) -> Result<()> {
    println!("== tests of Python plugins");
    let started = Instant::now();
    let environment = match Environment::install()? {
        Ok(environment) => environment,
        Err(Absent(why)) if required => bail!("Python plugins cannot be tested here: {why}"),
        Err(Absent(why)) => {
            println!("== tests of Python plugins: left out, because {why}");
            return Ok(());
        }
    };
    let cpython = match cpython::tests(tests) {
        Ok(found) => Some(found),
        Err(Absent(why)) if required || tests.is_some() => bail!("CPython's tests cannot be run here: {why}"),
        Err(Absent(why)) => {
            println!("== CPython's tests: left out, because {why}");
            None
        }
    };
    let plugin = environment.build(&sources().join("tests/plugin.py"))?;
    let command = command(guests)?;
    let mut outcomes: Vec<Vec<Outcome>> = Vec::new();
    for backend in BACKENDS {
        let scratch = Scratch::new()?;
        let mut run = Command::new(&command);
        run.args(["run", "--backend", backend]);
        run.arg("--read-only-dir").arg(format!("{}::/tests", sources().join("tests").display()));
        run.arg("--dir").arg(format!("{}::/scratch", scratch.0.display()));
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

/// Measures Python plugins on both backends; a line of JSON for each figure, which is preceded by the backend's name.
///
/// # Errors
///
/// If something for it cannot be had here, or if it fails.
pub(crate) fn bench(guests: &Guests) -> Result<()> {
    let environment = match Environment::install()? {
        Ok(environment) => environment,
        Err(Absent(why)) => bail!("Python plugins cannot be measured here: {why}"),
    };
    let plugin = environment.build(&sources().join("tests/plugin.py"))?;
    let command = command(guests)?;
    for backend in BACKENDS {
        let scratch = Scratch::new()?;
        let mut run = Command::new(&command);
        run.args(["run", "--backend", backend]);
        run.arg("--read-only-dir").arg(format!("{}::/bench", sources().display()));
        run.arg("--dir").arg(format!("{}::/scratch", scratch.0.display()));
        run.arg(&plugin).args(["/bench/bench.py", "/scratch"]);
        let output = run.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("cannot run {}", command.display()))?;
        ensure!(output.status.success(), "measuring Python on {backend} failed: {}", output.status);
        for line in String::from_utf8(output.stdout)?.lines() {
            println!("{}", line.replacen("\"name\": \"", &format!("\"name\": \"{backend}-"), 1));
        }
    }
    Ok(())
}

/// The text that the demo edits, and what it looks for and writes instead.
const TEXT: &str = "LICENSE-APACHE";
const PATTERN: &str = "[Ll]icensors?";
const REPLACEMENT: &str = "OWNER";

/// Runs the Python demo on both backends.
///
/// # Errors
///
/// If something for it cannot be had here, if it fails, or if the backends do not agree.
pub(crate) fn demo(guests: &Guests) -> Result<()> {
    let environment = match Environment::install()? {
        Ok(environment) => environment,
        Err(Absent(why)) => bail!("the Python demo cannot be run here: {why}"),
    };
    let plugin = environment.build(&sources().join("demo/edit.py"))?;
    let command = command(guests)?;
    let mut answers = Vec::new();
    for backend in BACKENDS {
        let scratch = Scratch::new()?;
        let file = scratch.0.join(TEXT);
        fs::copy(root().join(TEXT), &file)?;
        let mut run = Command::new(&command);
        run.args(["run", "--backend", backend, "--dir"]).arg(format!("{}::/scratch", scratch.0.display()));
        run.arg(&plugin).args([&format!("/scratch/{TEXT}"), PATTERN, REPLACEMENT]);
        let output = run.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("cannot run {}", command.display()))?;
        ensure!(output.status.success(), "the Python demo failed on {backend}: {}", output.status);
        answers.push((String::from_utf8(output.stdout)?, fs::read_to_string(&file)?));
    }
    let (printed, edited) = &answers[0];
    println!("{TEXT}, with {PATTERN:?} as {REPLACEMENT:?}:\n\n{printed}\nThe file has now:\n");
    let changed: Vec<&str> = edited.lines().filter(|line| line.contains(REPLACEMENT)).collect();
    println!("{}\n", changed.join("\n"));
    ensure!(!changed.is_empty(), "the Python demo changed nothing");
    ensure!(answers.iter().all(|answer| answer == &answers[0]), "the backends do not agree");
    println!("Both backends agree.");
    Ok(())
}
