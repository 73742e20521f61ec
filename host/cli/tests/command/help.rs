//! What the command says about itself, about a plugin, and about a run.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use super::{data, finish, plugin, plugin_path, wasi_mmap};

#[test]
fn the_version_is_that_of_the_command() {
    let version = finish(wasi_mmap().arg("--version"));
    assert_eq!(version.printed, format!("wasi-mmap {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = finish(wasi_mmap().args(["completions", shell]));
        assert_eq!(script.status, 0, "{script:?}");
        assert!(script.printed.contains("wasi-mmap") && script.printed.contains("allow-compiled"), "{shell}");
    }
    // bash takes its own.
    let script = finish(wasi_mmap().args(["completions", "bash"])).printed;
    let completed = finish(std::process::Command::new("bash").arg("-c").arg(format!(
        "{script}\nCOMP_WORDS=(wasi-mmap comp); COMP_CWORD=1; _wasi__mmap wasi-mmap comp wasi-mmap; echo ${{COMPREPLY[*]}}"
    )));
    assert_eq!(completed.printed, "compile compose completions\n", "{completed:?}");
}

#[test]
fn the_manual_has_a_page_for_the_command_and_for_each_subcommand() {
    let page = |name: &[&str]| finish(wasi_mmap().arg("man").args(name));
    let whole = page(&[]);
    assert!(whole.status == 0 && whole.printed.contains(".TH wasi-mmap 1"), "{whole:?}");
    for name in ["run", "compile", "compose", "inspect", "cache", "completions", "man"] {
        assert!(whole.printed.contains(&format!("wasi\\-mmap\\-{name}(1)")), "{name} is listed: {}", whole.printed);
        let page = page(&[name]);
        assert!(page.status == 0 && page.printed.contains(&format!(".TH wasi-mmap-{name} 1")), "{page:?}");
    }
    assert!(page(&["run"]).printed.contains("Exit status"));
    let wrong = page(&["walk"]);
    assert!(wrong.status == 1 && wrong.complained.contains("there is no subcommand walk"), "{wrong:?}");
    // A reader that stops is no error.
    let pipe = finish(
        std::process::Command::new("bash")
            .args(["-c", "set -o pipefail; \"$0\" man run | true"])
            .arg(env!("CARGO_BIN_EXE_wasi-mmap")),
    );
    assert_eq!((pipe.status, pipe.complained.as_str()), (0, ""));
}

#[test]
fn a_directory_that_is_missing_is_named() {
    let data = data();
    let run = |options: &[&str], arguments: &[&str]| {
        let mut command = wasi_mmap();
        command.current_dir(data.path()).args(options).arg(plugin("probe")).args(arguments);
        finish(&mut command)
    };
    let map = ["map", "read", "0", "0", "text"];
    let refused = run(&["run"], &map);
    assert_eq!(refused.status, 1);
    assert!(
        refused.printed.contains("text: give the plugin one, as `--dir .` does"),
        "the library says it: {refused:?}"
    );
    assert!(refused.complained.starts_with("note: the plugin cannot see text, "), "and the command: {refused:?}");
    assert!(refused.complained.ends_with("--dir . gives it one\n"), "{refused:?}");
    // For a plugin whose own file I/O fails, the command alone knows.
    let refused = run(&["run"], &["connect", "text"]);
    assert!(refused.complained.starts_with("note: the plugin cannot see text, "), "{refused:?}");
    assert_eq!(run(&["--quiet", "run"], &map).complained, "");
    assert_eq!(run(&["run", "--dir", "."], &map).complained, "");
    let refused = run(&["run", "--dir", "."], &["map", "read", "0", "0", "missing"]);
    assert_eq!((refused.status, refused.complained.as_str()), (1, ""), "no directory would help");
}

#[test]
fn errors_of_opening_name_the_path() {
    let data = data();
    for backend in ["host", "fallback"] {
        for file in ["/data/missing", "/data/folder", "/data/text/x", "/data/absolute-link", "/elsewhere/text"] {
            let mut command = wasi_mmap();
            command.args(["run", "--backend", backend, "--dir"]).arg(format!("{}::/data", data.path().display()));
            let refused = finish(command.arg(plugin("probe")).args(["map", "read", "0", "0", file]));
            assert_eq!((refused.status, refused.printed.matches(file).count()), (1, 1), "{refused:?}");
        }
    }
}

#[test]
fn the_network_is_a_plugins_only_if_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let run = |options: &[&str]| {
        finish(wasi_mmap().arg("run").args(options).arg(plugin("probe")).args(["connect", &address]))
    };
    let connected = run(&["--tcp"]);
    assert_eq!((connected.status, connected.printed.as_str()), (0, "connected\n"), "{connected:?}");
    for options in [&[][..], &["--udp"]] {
        let refused = run(options);
        assert!(refused.status == 1 && !refused.printed.contains("connected"), "{refused:?}");
    }
}

/// A plugin says only that it has failed, unless it is a component that calls exit-with-code.
#[test]
fn exit_statuses_are_passed_on() {
    let scratch = tempfile::tempdir().expect("a folder");
    let file = scratch.path().join("exit.wasm");
    let run = |text: &str| {
        fs::write(&file, wat::parse_str(text).expect("WebAssembly")).expect("a file");
        finish(wasi_mmap().arg("run").arg(&file)).status
    };
    for status in [0, 1, 7, 255] {
        let module = format!(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                (memory (export "memory") 1)
                (func (export "_start") (call $exit (i32.const {status}))))"#
        );
        assert_eq!(run(&module), status.min(1), "the adapter for modules knows success and failure alone");
        let component = format!(
            r#"(component
                (import "wasi:cli/exit@0.2.12" (instance $exit
                    (export "exit-with-code" (func (param "status-code" u8)))))
                (core func $exit (canon lower (func $exit "exit-with-code")))
                (core module $m
                    (import "" "exit" (func $exit (param i32)))
                    (func (export "run") (result i32) (call $exit (i32.const {status})) (i32.const 0)))
                (core instance $i (instantiate $m (with "" (instance (export "exit" (func $exit))))))
                (func $run (result (result)) (canon lift (core func $i "run")))
                (instance $run (export "run" (func $run)))
                (export "wasi:cli/run@0.2.12" (instance $run)))"#
        );
        assert_eq!(run(&component), status);
    }
}

#[test]
fn statistics_say_what_the_mapping_did() {
    let data = data();
    let file = data.path().join("large");
    fs::write(&file, vec![b'x'; 4 << 20]).expect("a file");
    let stats = |options: &[&str], arguments: &[&str]| -> serde_json::Value {
        let mut command = wasi_mmap();
        command.args(["run", "--json", "--stats", "-", "--dir"]).arg(format!("{}::/data", data.path().display()));
        let outcome = finish(command.args(options).arg(plugin("probe")).args(arguments));
        assert_eq!(outcome.status, 0, "{outcome:?}");
        serde_json::from_str(&outcome.complained).expect("JSON")
    };
    let read = stats(&[], &["read", "3000000", "/data/large"]);
    let host = &read["host"];
    assert_eq!((&host["mappings"], &host["mapped_bytes"]), (&1.into(), &(4 << 20).into()), "{read}");
    assert_eq!((&host["copied_bytes"], &host["window_bytes"]), (&3_000_000.into(), &0.into()), "{read}");
    assert!(read["page_faults"]["minor"].as_u64().is_some_and(|faults| faults > 0), "{read}");
    assert!(read["run_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{read}");
    assert!(read["peak_memory_bytes"].as_u64().is_some_and(|bytes| bytes > 3_000_000), "{read}");
    // What is found on the host is not copied.
    assert_eq!(stats(&[], &["find", "/data/large"])["host"]["copied_bytes"], 0);
    assert_eq!(stats(&["--backend", "fallback"], &["find", "/data/large"])["host"], serde_json::Value::Null);
    // As text, to a file, and not without being asked for.
    let to = data.path().join("stats");
    let mut command = wasi_mmap();
    command.args(["run", "--dir"]).arg(format!("{}::/data", data.path().display())).arg("--stats").arg(&to);
    let outcome = finish(command.arg(plugin("probe")).args(["read", "3000000", "/data/large"]));
    assert_eq!((outcome.status, outcome.complained.as_str()), (0, ""), "{outcome:?}");
    let text = fs::read_to_string(&to).expect("a file");
    assert!(text.contains("\nmappings      1, of 4.0 MiB\n") && text.contains("\ncopied        2.9 MiB\n"), "{text}");
    let wrong = finish(wasi_mmap().args(["run", "--json"]).arg(plugin("probe")));
    assert_eq!(wrong.status, 2, "{wrong:?}");
}

/// Bytes in a window are counted as such, and what a plugin writes as copied.
#[test]
fn statistics_count_windows_and_writes() {
    let data = data();
    fs::write(data.path().join("large"), vec![b'x'; 1 << 20]).expect("a file");
    let stats = |workload: &str| -> serde_json::Value {
        let mut command = wasi_mmap();
        command.args(["run", "--json", "--stats", "-", "--dir"]).arg(format!("{}::/data", data.path().display()));
        let outcome = finish(command.arg(plugin("bench")).args([workload, "/data/large", "0", "0"]));
        assert_eq!(outcome.status, 0, "{outcome:?}");
        serde_json::from_str(outcome.complained.lines().last().expect("a line")).expect("JSON")
    };
    let window = stats("view-scan");
    assert!(window["host"]["window_bytes"].as_u64().is_some_and(|bytes| bytes >= 1 << 20), "{window}");
    assert_eq!(window["host"]["copied_bytes"], 0, "{window}");
}

#[test]
fn inspect_says_where_a_plugin_runs_and_what_it_holds() {
    let scratch = tempfile::tempdir().expect("a folder");
    let composed = scratch.path().join("composed.wasm");
    assert_eq!(super::compose(&plugin("probe"), &composed).status, 0);
    let compiled = scratch.path().join("compiled");
    assert_eq!(finish(wasi_mmap().arg("compile").arg(plugin("probe")).arg("-o").arg(&compiled)).status, 0);
    let text = |file: &Path| finish(wasi_mmap().arg("inspect").arg(file)).printed;
    let json = |file: &Path| -> serde_json::Value {
        serde_json::from_str(&finish(wasi_mmap().args(["inspect", "--json"]).arg(file)).printed).expect("JSON")
    };
    let (probe, module) = (plugin("probe"), plugin_path("suite", "wasm32-wasip1"));
    let own = concat!("in the plugin, of wasi-mmap ", env!("CARGO_PKG_VERSION"));
    assert!(text(&probe).contains(&format!("a fallback              {own}\n")), "{}", text(&probe));
    assert!(text(&probe).contains("no; after `wasi-mmap compose "), "{}", text(&probe));
    assert!(text(&probe).contains("wasi-mmap:mmap/mapping@0.1.0"));
    assert!(text(&composed).contains(&format!("{own}, and composed in\n")), "{}", text(&composed));
    assert_eq!((&json(&composed)["is_composed"], &json(&probe)["is_composed"]), (&true.into(), &false.into()));
    assert_eq!(json(&module)["library_fallback"], env!("CARGO_PKG_VERSION"), "{}", text(&module));
    // The fallback component has the library's fallback in itself, and is no part of a plugin.
    let bare = scratch.path().join("bare.wasm");
    let import = r#"(component (import "wasi-mmap:mmap/mapping@0.1.0" (instance (export "page-size" (func (result u64)))))
        (import "wasi:cli/stdout@0.2.3" (instance)) (import "wasi:cli/stdin@0.2.10" (instance)))"#;
    fs::write(&bare, wat::parse_str(import).expect("a component")).expect("a file");
    assert!(text(&bare).contains("a fallback              none\n"), "{}", text(&bare));
    assert_eq!(json(&bare)["wasi_version"], "0.2.10");
    let outside = scratch.path().join("outside.wasm");
    assert_eq!(super::compose(&bare, &outside).status, 0);
    assert!(text(&outside).contains("a fallback              composed in\n"), "{}", text(&outside));
    assert!(text(&compiled).contains("a compiled plugin of "), "{}", text(&compiled));
    assert_eq!(json(&compiled)["compiled"]["plugin_bytes"], fs::metadata(&probe).expect("a file").len());
}
