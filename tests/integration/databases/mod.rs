//! Databases in C from packages of the registry, as plugins, beside the same natively. `cargo xtask databases` builds
//! them, and runs these tests.

mod lmdb;
mod sqlite;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

use wasi_mmap_host::{Limit, fallback};
use wasmtime::component::Component;

use super::child::{self, Running};
use super::support::{Run, any_windows, builder, engine};

/// What a plugin's mappings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The files' own pages.
    Windows,
    /// Copies, from a host that has no window left.
    Copies,
    /// Copies, from the fallback, which is composed into the plugin.
    Composed,
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// Returns the path of a program.
fn path(name: &str) -> PathBuf {
    let folder = std::env::var_os("WASI_MMAP_C").expect("`cargo xtask databases` runs these tests");
    Path::new(&folder).join("programs").join(name)
}

/// A plugin.
struct Plugin {
    name: &'static str,
    bytes: Vec<u8>,
}

impl Plugin {
    fn new(name: &'static str) -> Self {
        Self { name, bytes: fs::read(path(name).with_extension("wasm")).expect("the plugin") }
    }

    /// Compiles the plugin for a way.
    fn compile(&self, way: Way) -> Compiled {
        let composed = (way == Way::Composed).then(|| fallback::compose(&self.bytes).expect("a composition"));
        let component = Component::from_binary(engine(), composed.as_ref().unwrap_or(&self.bytes));
        Compiled { name: self.name, way, component: component.expect("a component") }
    }

    /// Compiles the plugin for processes of their own.
    fn for_processes(&self) -> Processes {
        let folder = scratch();
        let compiled = engine().precompile_component(&self.bytes).expect("it compiles");
        fs::write(folder.path().join(self.name), compiled).expect("a file");
        Processes { name: self.name, folder }
    }
}

/// A plugin that runs in this process.
struct Compiled {
    name: &'static str,
    way: Way,
    component: Component,
}

impl Compiled {
    /// Runs the plugin on a folder, which it sees as `/scratch`, and returns its output.
    fn run(&self, folder: &Path, arguments: &[&str]) -> String {
        let context = match self.way {
            Way::Copies => builder().limit(Limit::Windows, 0).build(),
            Way::Windows | Way::Composed => any_windows(),
        };
        let arguments = [&[self.name], arguments].concat();
        let mut run = Run::new(context, folder, &arguments).expect("a store");
        let (printed, outcome) = run.call_compiled(&self.component, self.way != Way::Composed).expect("no trap");
        assert_eq!(outcome, Ok(()), "{:?} {arguments:?}: {printed}", self.way);
        printed
    }
}

/// A plugin that runs in processes of their own, over the files' own pages.
struct Processes {
    name: &'static str,
    folder: tempfile::TempDir,
}

impl Processes {
    /// Starts the plugin on a folder, which it sees as `/scratch`.
    fn start(&self, folder: &Path, arguments: &[&str]) -> Process {
        let compiled = self.folder.path().join(self.name);
        let [folder, compiled] = [folder, &compiled].map(|path| path.to_str().expect("UTF-8"));
        Process::start(&mut child::command("c-program", &[&[folder, compiled, self.name], arguments].concat()))
    }
}

/// Runs a plugin in this process, for [`Processes::start`].
pub fn run(folder: &str, compiled: &str, arguments: &[&str]) {
    // SAFETY: the file was made by this program's own engine.
    let component = unsafe { Component::deserialize_file(engine(), compiled) }.expect("a compiled component");
    let mut run = Run::with_stdout(any_windows(), Path::new(folder), arguments).expect("a store");
    let (_, outcome) = run.call_compiled(&component, true).expect("no trap");
    assert_eq!(outcome, Ok(()), "{arguments:?}");
}

/// A running process, and its output.
struct Process {
    running: Running,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { running: Running(child), output }
    }

    /// Returns the next line that is a number, which is what the programs print for a transaction.
    fn number(&mut self) -> Option<u32> {
        loop {
            match self.line()?.parse() {
                Ok(number) => return Some(number),
                // The test that runs the plugin prints lines of its own.
                Err(_) => continue,
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.output.read_line(&mut line).expect("a pipe");
        (count > 0).then(|| line.trim_end().to_owned())
    }

    /// Waits for the end of the process, which must succeed.
    fn end(mut self) {
        drop(self.running.0.stdin.take());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("a pipe");
        let status = self.running.0.wait().expect("a status");
        assert!(status.success(), "{status}: {rest}");
    }
}

/// Runs a native program, which must succeed, and returns its output.
fn run_native(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}
