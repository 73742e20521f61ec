//! Flushed bytes survive the process.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use super::child::Running;
use super::support::{Run, any_windows, engine, is_long, plugin};
use wasi_mmap_conformance::durable;
use wasi_mmap_conformance::storm::Random;
use wasi_mmap_native::OsStorage;
use wasmtime::component::Component;

/// Writes records on a backend, in the process that is killed.
pub fn record(backend: &str, file: &Path, from: u64, compiled: &Path) {
    if backend == "native" {
        return durable::record::<OsStorage>(file, from, std::io::stdout());
    }
    // SAFETY: the file was made by this program's own engine.
    let component = unsafe { Component::deserialize_file(engine(), compiled) }.expect("a compiled component");
    let name = format!("/scratch/{}", file.file_name().expect("a name").display());
    let arguments = ["faults", "record", &name, &from.to_string()];
    let directory = file.parent().expect("a directory");
    let mut run = Run::with_stdout(any_windows(), directory, &arguments).expect("a store");
    let ended = run.call_compiled(&component, backend == "host");
    panic!("the plugin ended: {ended:?}");
}

/// Kills processes that write records, repeatedly.
fn kill(backend: &str) {
    let scratch = tempfile::tempdir().expect("a directory");
    let (file, compiled) = (scratch.path().join("records"), scratch.path().join("compiled"));
    let component = plugin("faults", "wasm32-wasip2");
    let component = match backend {
        "fallback" => wasi_mmap_host::fallback::compose(&component).expect("a composition"),
        _ => component,
    };
    if backend != "native" {
        fs::write(&compiled, engine().precompile_component(&component).expect("it compiles")).expect("a file");
    }
    File::create(&file).expect("a file").set_len(durable::LEN as u64).expect("its length");
    let kills = if is_long() { 100 } else { 5 };
    let (mut random, mut last) = (Random(3), 0u64);
    for kill in 0..kills {
        let next = (last + 1).to_string();
        let paths = [&file, &compiled].map(|path| path.to_str().expect("UTF-8"));
        let arguments = [backend, paths[0], &next, paths[1]];
        let mut child = Running::start("record", &arguments, Stdio::piped());
        let mut said = BufReader::new(child.0.stdout.take().expect("a pipe"));
        let records = 1 + random.below(40);
        let mut line = String::new();
        let mut seen = 0;
        let mut numbers = |said: &mut BufReader<_>, enough: &mut dyn FnMut(u64) -> bool| loop {
            line.clear();
            if said.read_line(&mut line).expect("a pipe") == 0 {
                break;
            }
            if let Ok(number) = line.trim().parse::<u64>()
                && enough(number)
            {
                break;
            }
        };
        numbers(&mut said, &mut |number| {
            (seen, last) = (seen + 1, number);
            seen == records
        });
        child.0.kill().expect("it runs");
        let status = child.0.wait().expect("a process");
        // What it had said before it was killed counts too.
        numbers(&mut said, &mut |number| {
            last = number;
            false
        });
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(libc::SIGKILL),
            "kill {kill}: {status}"
        );
        let bytes = fs::read(&file).expect("a file");
        durable::check(&bytes, last).unwrap_or_else(|lost| panic!("{backend}, kill {kill}: {lost}"));
    }
    println!("{backend}: {kills} kills, {last} records");
}

#[test]
fn native() {
    kill("native");
}

#[test]
fn host() {
    kill("host");
}

#[test]
fn fallback() {
    kill("fallback");
}
