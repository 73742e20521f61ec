//! Compiled plugins, and files that only look like them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use wasmtime::{Config, Engine, ModuleVersionStrategy};

use super::{Outcome, finish, plugin, wasi_mmap};

fn compile(plugin: &Path, options: &[&str], to: &Path) {
    let outcome = finish(wasi_mmap().arg("compile").args(options).arg(plugin).arg("-o").arg(to));
    assert_eq!((outcome.status, outcome.complained.as_str()), (0, ""), "{outcome:?}");
}

fn run(options: &[&str], file: &Path) -> Outcome {
    finish(wasi_mmap().arg("run").args(options).arg(file).args(["anonymous", "10", "3"]))
}

#[track_caller]
fn assert_runs(outcome: &Outcome) {
    assert_eq!((outcome.status, outcome.printed.as_str(), outcome.complained.as_str()), (0, "3 of 3\n", ""));
}

#[track_caller]
fn assert_refused(outcome: &Outcome, why: &str) {
    assert_eq!((outcome.status, outcome.printed.as_str()), (125, ""), "{outcome:?}");
    assert!(outcome.complained.starts_with("error: ") && outcome.complained.contains(why), "{outcome:?}");
    assert!(!outcome.complained.contains("panicked"), "{outcome:?}");
}

const VOUCHED: &str = "--allow-compiled";

/// Makes the trailer of a compiled plugin right for other bytes.
fn seal(bytes: &mut [u8]) {
    let (before, footer) = bytes.split_at_mut(bytes.len() - 20);
    footer[..4].copy_from_slice(&crc32fast::hash(before).to_le_bytes());
}

#[test]
fn a_compiled_plugin_runs_only_if_the_user_vouches_for_it() {
    let scratch = tempfile::tempdir().expect("a folder");
    let (host, fallback) = (scratch.path().join("host"), scratch.path().join("fallback"));
    compile(&plugin("probe"), &[], &host);
    compile(&plugin("probe"), &["--backend", "fallback"], &fallback);
    for file in [&host, &fallback] {
        assert_refused(&run(&[], file), "native code, which no sandbox confines");
        assert_runs(&run(&[VOUCHED], file));
        let stdin = || fs::File::open(file).expect("a file");
        let piped = |options: &[&str]| {
            finish(wasi_mmap().arg("run").args(options).args(["-", "anonymous", "10", "3"]).stdin(stdin()))
        };
        assert_refused(&piped(&[]), "native code, which no sandbox confines");
        assert_runs(&piped(&[VOUCHED]));
        for subcommand in ["compose", "compile", "inspect"] {
            let mut command = wasi_mmap();
            command.arg(subcommand).arg(file);
            if subcommand != "inspect" {
                command.args(["-o", "-"]).stdout(Stdio::piped());
                let outcome = finish(&mut command);
                assert!(outcome.status == 1 && outcome.complained.contains("is a compiled plugin"), "{outcome:?}");
            }
        }
    }
    // The fallback is in one of them only.
    assert_runs(&run(&[VOUCHED, "--backend", "fallback"], &fallback));
    assert_refused(&run(&[VOUCHED, "--backend", "fallback"], &host), "was compiled without the fallback");
    // The flag does not make WebAssembly anything else.
    assert_runs(&run(&[VOUCHED], &plugin("probe")));
}

#[test]
fn what_cannot_be_run_is_not_compiled() {
    let scratch = tempfile::tempdir().expect("a folder");
    let (library, to) = (scratch.path().join("library.wasm"), scratch.path().join("library.compiled"));
    fs::write(&library, wat::parse_str("(component)").expect("a component")).expect("a file");
    for (file, why) in [(library, "is not a command"), (PathBuf::from("/no/such/file"), "cannot read")] {
        let outcome = finish(wasi_mmap().arg("compile").arg(file).arg("-o").arg(&to));
        assert!(outcome.status == 1 && outcome.complained.contains(why), "{outcome:?}");
    }
    assert!(!to.exists());
}

#[test]
fn a_damaged_compiled_plugin_is_refused() {
    let scratch = tempfile::tempdir().expect("a folder");
    let file = scratch.path().join("probe.compiled");
    compile(&plugin("probe"), &[], &file);
    let whole = fs::read(&file).expect("a file");
    let refuses = |bytes: &[u8], why: &str| {
        fs::write(&file, bytes).expect("a file");
        assert_refused(&run(&[VOUCHED], &file), why);
    };
    for place in [5, 4096, whole.len() / 2, whole.len() - 300, whole.len() - 18] {
        let mut changed = whole.clone();
        changed[place] ^= 0x10;
        refuses(&changed, "it is damaged: its checksum is");
    }
    for length in [4, 64, whole.len() / 2, whole.len() - 1] {
        refuses(&whole[..length], "it is not complete, or another program");
    }
    refuses(&[&whole[..], b"\n"].concat(), "it is not complete, or another program");
    refuses(&[0; 100], "is not a WebAssembly component");
}

#[test]
fn a_foreign_compiled_plugin_is_refused() {
    let scratch = tempfile::tempdir().expect("a folder");
    let file = scratch.path().join("probe.compiled");
    compile(&plugin("probe"), &[], &file);
    let ours = fs::read(&file).expect("a file");
    let refuses = |bytes: &[u8], why: &str| {
        fs::write(&file, bytes).expect("a file");
        assert_refused(&run(&[VOUCHED], &file), why);
    };
    let footer = ours.len() - 24;
    let described = u32::from_le_bytes(ours[footer..footer + 4].try_into().expect("4 bytes")) as usize;
    let component = fs::read(plugin("probe")).expect("a plugin");
    // The code of another engine, with our trailer.
    let code = |change: &dyn Fn(&mut Config)| {
        let mut config = Config::new();
        // As the command does it.
        if cfg!(not(target_os = "linux")) {
            wasi_mmap_host::configure(&mut config);
        }
        change(&mut config);
        Engine::new(&config).and_then(|engine| engine.precompile_component(&component)).expect("code")
    };
    let sealed = |code: &[u8]| {
        let mut sealed = [code, &ours[footer - described..]].concat();
        seal(&mut sealed);
        sealed
    };
    let foreign = "was compiled for another engine or another processor";
    let same = sealed(&code(&|_| {}));
    fs::write(&file, same).expect("a file");
    assert_runs(&run(&[VOUCHED], &file));
    // Of an engine with other memories.
    if cfg!(target_os = "linux") {
        let other = code(&|config| {
            wasi_mmap_host::configure(config);
        });
        refuses(&sealed(&other), foreign);
    }
    // Of another version of the engine.
    let other = code(&|config| {
        config.module_version(ModuleVersionStrategy::Custom("47.9.9".into())).expect("a version");
    });
    refuses(&sealed(&other), foreign);
    refuses(&sealed(&other), "incompatible version '47.9.9'");
    // Of another version of this command.
    let mut other = ours.clone();
    *other.last_mut().expect("a trailer") += 1;
    refuses(&other, "another version of wasi-mmap, has compiled it");
    // Of the same engine with other settings, with our trailer, and as other programs write it.
    let other = code(&|config| {
        config.consume_fuel(true);
    });
    refuses(&sealed(&other), foreign);
    refuses(&sealed(&other), "fuel");
    refuses(&other, "another program");
    // Code of a module instead of a component.
    let module = Engine::default().precompile_module(&wat::parse_str("(module)").expect("a module")).expect("code");
    refuses(&sealed(&module), foreign);
    // A program of the system.
    refuses(&fs::read("/bin/true").expect("a program"), "another program");
}
