//! The emulated machine: the file system that it boots, and its output.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::guests::Guests;
use crate::run::output;

/// The emulator.
pub(super) const QEMU: &str = "qemu-system-x86_64";
/// A program with the shell and the tools of the machine.
pub(super) const BUSYBOX: &str = "busybox";
const INIT: &str = include_str!("init.sh");

/// The memory in MiB. A test reads a sparse file of 5 GiB through mappings, and on tmpfs each page that is read takes
/// memory.
const MEMORY: &str = "8192";
/// Without the instructions for strings, which are emulated byte by byte: copies of eight bytes are faster.
const PROCESSOR: &str = "max,-erms,-fsrm";
/// The time after which the machine is stopped.
const MOST: Duration = Duration::from_secs(3600);
/// The number of lines of output that are shown if the machine did not run to its end.
const TAIL: usize = 60;

/// Writes the file system that the machine boots: the program of the tests with its libraries, the plugins, and the
/// names of the tests to be run.
pub(super) fn pack(program: &Path, guests: &Guests, tests: &[String], folder: &Path) -> Result<PathBuf> {
    let root = folder.join("root");
    let _ = fs::remove_dir_all(&root);
    for directory in ["bin", "dev", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(directory))?;
    }
    let busybox = on_path(BUSYBOX).context("busybox is missing")?;
    for (name, from) in [("program", program), ("bin/busybox", &busybox)] {
        copy(from, &root.join(name))?;
        for library in libraries(from)? {
            copy(&library, &root.join(library.strip_prefix("/").unwrap_or(&library)))?;
        }
    }
    for target in ["wasm32-wasip1", "wasm32-wasip2"] {
        let release = Path::new(target).join("release");
        let from = guests.directory.join(&release);
        for entry in fs::read_dir(&from).with_context(|| format!("cannot read {}", from.display()))? {
            let plugin = entry?.path();
            if let (Some("wasm"), Some(name)) = (plugin.extension().and_then(|ext| ext.to_str()), plugin.file_name()) {
                copy(&plugin, &root.join("plugins").join(&release).join(name))?;
            }
        }
    }
    let init = root.join("init");
    fs::write(&init, INIT)?;
    fs::set_permissions(init, fs::Permissions::from_mode(0o755))?;
    fs::write(root.join("tests"), tests.iter().map(|test| format!("{test}\n")).collect::<String>())?;
    let image = folder.join("initramfs.cpio");
    let mut archive = Command::new(BUSYBOX);
    archive.args(["sh", "-c", "busybox find . | busybox cpio -o -H newc > \"$0\""]).arg(&image).current_dir(&root);
    output(&mut archive)?;
    fs::remove_dir_all(root)?;
    Ok(image)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

/// Returns the path of a program, found as a shell does.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|place| place.is_file())
}

/// Returns the shared libraries of a program and their loader, or nothing if it is linked statically.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    // Fails for a program that is linked statically.
    let output = Command::new("ldd").arg(program).output().context("cannot run ldd")?;
    let printed = String::from_utf8(output.stdout).context("ldd does not print UTF-8")?;
    ensure!(!printed.contains("not found"), "a library of {} is missing:\n{printed}", program.display());
    let words = printed.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    Ok(words.filter(|word| !word.ends_with(':')).map(PathBuf::from).collect())
}

/// The outcome of a test.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) test: String,
    pub(super) has_passed: bool,
}

/// Boots a kernel, and prints the outcome of each test. The complete output of the machine is in `log`.
///
/// # Errors
///
/// Fails if the machine does not start, does not run to its end, or has another version of the kernel.
pub(super) fn run(kernel: &Path, version: &str, initramfs: &Path, log: &Path) -> Result<Vec<Outcome>> {
    let mut qemu = Command::new(QEMU);
    qemu.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"]);
    qemu.args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", PROCESSOR, "-smp", "2", "-m", MEMORY]);
    qemu.arg("-kernel").arg(kernel).arg("-initrd").arg(initramfs);
    qemu.args(["-append", "console=ttyS0 panic=-1 quiet"]);
    let qemu = qemu.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut machine = Machine(qemu.with_context(|| format!("cannot run {QEMU}"))?);
    let output = machine.0.stdout.take().context("its output")?;
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let mut output = BufReader::new(output).split(b'\n').map_while(Result::ok);
        // Ends when the receiver has enough.
        let _ = output.try_for_each(|line| sender.send(line));
    });
    let mut log_file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let until = Instant::now() + MOST;
    let mut follower = Follower::new(version);
    loop {
        let why = match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                writeln!(log_file, "{line}")?;
                follower.follow(line)?;
                continue;
            }
            Err(RecvTimeoutError::Disconnected) if follower.is_done => return Ok(follower.outcomes),
            Err(RecvTimeoutError::Disconnected) => "it stopped before all tests had run".to_owned(),
            Err(RecvTimeoutError::Timeout) => format!("it was stopped after {} s", MOST.as_secs()),
        };
        follower.tail.iter().for_each(|line| println!("{line}"));
        let during = follower.running.map(|(test, ..)| format!(", during {test}")).unwrap_or_default();
        bail!("Linux {version} did not run to its end: {why}{during}; its output is in {}", log.display());
    }
}

/// A running emulator, which is killed when it is dropped.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A parser of the output of `init.sh`.
struct Follower<'a> {
    version: &'a str,
    /// The test that runs, when it started, and its output.
    running: Option<(String, Instant, String)>,
    outcomes: Vec<Outcome>,
    tail: VecDeque<String>,
    is_done: bool,
}

impl<'a> Follower<'a> {
    fn new(version: &'a str) -> Self {
        Self { version, running: None, outcomes: Vec::new(), tail: VecDeque::new(), is_done: false }
    }

    fn follow(&mut self, line: String) -> Result<()> {
        if let Some(release) = line.strip_prefix("::kernel ") {
            let expected = format!("{}.", self.version);
            ensure!(release.starts_with(&expected), "Linux {release} was booted instead of {}", self.version);
            println!("Linux {release} is up");
        } else if let Some(test) = line.strip_prefix("::begin ") {
            self.running = Some((test.to_owned(), Instant::now(), String::new()));
        } else if let Some(status) = line.strip_prefix("::end ") {
            let (test, since, said) = self.running.take().context("a test ended that did not begin")?;
            let has_passed = status == "0";
            let how = if has_passed { "passed".to_owned() } else { format!("failed with {status}") };
            println!("Linux {}: {test}: {how}, {:.0} s", self.version, since.elapsed().as_secs_f64());
            if !has_passed {
                println!("{said}");
            }
            self.outcomes.push(Outcome { test, has_passed });
        } else if line == "::done" {
            self.is_done = true;
        } else if let Some((_, _, said)) = &mut self.running {
            said.push_str(&line);
            said.push('\n');
        }
        self.tail.push_back(line);
        if self.tail.len() > TAIL {
            self.tail.pop_front();
        }
        Ok(())
    }
}

/// Returns the names of the tests of a program: all, or those that are ignored.
pub(super) fn names(program: &Path, ignored: bool) -> Result<Vec<String>> {
    let mut list = Command::new(program);
    list.args(["--list", "--format", "terse"]).args(ignored.then_some("--ignored"));
    let printed = output(&mut list)?;
    Ok(printed.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}
