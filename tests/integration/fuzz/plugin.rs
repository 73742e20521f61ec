//! The fuzz target for plugins: a plugin runs a random program against the model, while its file is truncated
//! and extended.

use std::fs;
use std::sync::OnceLock;

use wasi_mmap_conformance::fuzz::scratch;
use wasi_mmap_host::Limit;
use wasmtime_wasi::p2::bindings::sync::CommandPre;

use crate::support::{Run, State, any_windows, plugin as built, prepare};

/// The ways in which a plugin reaches its mappings: the backend, whether the host provides it, and the last arguments
/// of the plugin `suite`.
const WAYS: [(&str, bool, &[&str]); 4] =
    [("host-wit", true, &[]), ("host", true, &[]), ("host", true, &["--views"]), ("fallback-wit", false, &[])];

/// Returns the plugin, by itself or composed with the fallback, which is compiled once.
fn suite(with_host: bool) -> &'static CommandPre<State> {
    static SUITE: [OnceLock<CommandPre<State>>; 2] = [const { OnceLock::new() }; 2];
    SUITE[usize::from(with_host)].get_or_init(|| {
        let mut suite = built("suite", "wasm32-wasip2");
        if !with_host {
            suite = wasi_mmap_host::fallback::compose(&suite).expect("a composition");
        }
        prepare(&suite, with_host).expect("a component")
    })
}

/// Runs a program, which the bytes after the first encode. The first byte chooses the way, and whether the file stays
/// cut after a fault.
///
/// # Panics
///
/// Panics if the plugin traps, if it differs from the model, or if its mappings outlive it.
pub fn plugin(bytes: &[u8]) {
    let Some((&first, program)) = bytes.split_first() else { return };
    let (backend, with_host, more) = WAYS[usize::from(first) % WAYS.len()];
    let play = if first & 0x80 == 0 { "play" } else { "play-with-faults" };
    let scratch = scratch();
    fs::write(scratch.join("program"), program).expect("a file");
    let arguments = [&["suite", backend, "/scratch", play, "/scratch/program"], more].concat();
    let mut run = Run::new(any_windows(), &scratch, &arguments).expect("a store");
    let (printed, outcome) =
        run.call_prepared(suite(with_host)).unwrap_or_else(|trap| panic!("{arguments:?}: {trap:?}"));
    assert_eq!((&*printed, outcome), ("agreed\n", Ok(())), "{arguments:?}: {printed}");
    let usage = run.store.data().mmap.usage();
    for limit in Limit::ALL {
        assert_eq!(usage.get(limit), 0, "{arguments:?}: {limit} at the end");
    }
}
