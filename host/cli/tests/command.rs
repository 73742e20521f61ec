//! Runs the command `wasi-mmap` as a user does, with good and bad input, and checks its output and its exit status.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasi_mmap_test_support::plugin_path;

#[path = "command/cache.rs"]
mod cache;
#[path = "command/compiled.rs"]
mod compiled;
#[path = "command/files.rs"]
mod files;
#[path = "command/help.rs"]
mod help;

/// Returns the path of a program of `tests/programs`, built as a component.
fn plugin(name: &str) -> PathBuf {
    plugin_path(name, "wasm32-wasip2")
}

/// The outcome of a run of the command.
#[derive(Debug)]
struct Outcome {
    status: i32,
    printed: String,
    complained: String,
}

/// Runs the command to its end.
fn finish(command: &mut Command) -> Outcome {
    let output = command.output().expect("the command runs");
    Outcome {
        status: output.status.code().expect("the command is not killed"),
        printed: String::from_utf8(output.stdout).expect("UTF-8"),
        complained: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn compose(plugin: &Path, output: &Path) -> Outcome {
    finish(wasi_mmap().arg("compose").arg(plugin).arg("-o").arg(output))
}

/// Returns the command, without a cache: tests do not depend on each other.
fn wasi_mmap() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wasi-mmap"));
    command.env("WASI_MMAP_CACHE", "");
    command
}

/// Makes a directory with a file `text` of 10 bytes, an empty file, a directory, and links that lead out of it.
fn data() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    fs::write(path.join("text"), "0123456789").expect("a file");
    fs::write(path.join("empty"), "").expect("a file");
    fs::create_dir(path.join("folder")).expect("a folder");
    symlink("/etc/passwd", path.join("absolute-link")).expect("a link");
    symlink("../../../../../../etc/passwd", path.join("relative-link")).expect("a link");
    directory
}

/// Runs `probe map` with each backend, and checks that the outcomes are the same.
fn probe_map(directory: &Path, read_only: bool, arguments: [&str; 4]) -> Outcome {
    let run = |backend| {
        let option = if read_only { "--read-only-dir" } else { "--dir" };
        let mut command = wasi_mmap();
        // Hints about files that the plugin cannot see are tested elsewhere.
        command.args(["--quiet", "run", "--backend", backend, option]);
        command.arg(format!("{}::/data", directory.display()));
        finish(command.arg(plugin("probe")).arg("map").args(arguments))
    };
    let (host, fallback) = (run("host"), run("fallback"));
    assert_eq!(
        (host.status, &host.printed),
        (fallback.status, &fallback.printed),
        "{arguments:?}: the backends differ"
    );
    host
}

#[track_caller]
fn refuses(directory: &Path, read_only: bool, arguments: [&str; 4], error: &str) {
    let outcome = probe_map(directory, read_only, arguments);
    assert_eq!(outcome.status, 1, "{arguments:?}: {outcome:?}");
    assert!(outcome.printed.starts_with(error), "{arguments:?}: expected {error}, found {outcome:?}");
    assert_eq!(outcome.complained, "", "{arguments:?}: no panic, no trap");
    assert_eq!(
        fs::read(directory.join("text")).expect("the file is there"),
        b"0123456789",
        "{arguments:?}: nothing is lost"
    );
}

#[test]
fn good_input_is_mapped() {
    let data = data();
    for (access, mapped) in
        [("read", "mapped 10 bytes\n"), ("copy", "mapped 10 bytes\n"), ("write", "mapped 10 bytes\n")]
    {
        let outcome = probe_map(data.path(), false, [access, "0", "0", "/data/text"]);
        assert_eq!((outcome.status, outcome.printed.as_str()), (0, mapped), "{}", outcome.complained);
    }
    assert_eq!(fs::read(data.path().join("text")).expect("the file is there"), b"!123456789");
}

#[test]
fn bad_files_are_refused() {
    let data = data();
    let refuses = |file, error| refuses(data.path(), false, ["read", "0", "0", file], error);
    refuses("/data/missing", "io: no such file or directory");
    refuses("/data/folder", "unsupported: not supported: mapping a directory");
    refuses("/data", "unsupported: not supported: mapping a directory");
    refuses("/data/empty", "empty-file: an empty file cannot be mapped");
    refuses("/data/text/x", "io: not a directory");
}

#[test]
fn special_files_are_refused_without_waiting() {
    let data = data();
    let made = Command::new("mkfifo").arg(data.path().join("pipe")).status().expect("mkfifo runs");
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(data.path().join("socket")).expect("a socket");
    // The error is that of WASI. The test is that there is one, without waiting for another process.
    for file in ["/data/pipe", "/data/socket"] {
        let mut command = wasi_mmap();
        command.arg("run").arg("--dir").arg(format!("{}::/data", data.path().display()));
        let mut child = command.arg(plugin("probe")).args(["map", "read", "0", "0", file]).spawn().expect("it runs");
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break status;
            }
            if std::time::Instant::now() > deadline {
                child.kill().expect("a child");
                panic!("{file}: the plugin hangs");
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        assert_eq!(status.code(), Some(1), "{file}");
    }
}

#[test]
fn ranges_outside_of_the_file_are_refused() {
    let data = data();
    let refuses = |offset, length, error| refuses(data.path(), false, ["read", offset, length, "/data/text"], error);
    refuses("0", "11", "beyond-end-of-file: length: 11 bytes from offset 0 reach past the end of the file, 10");
    refuses("4096", "0", "beyond-end-of-file: offset: 4096 is not before the end of the file, 10");
    refuses("4096", "1", "beyond-end-of-file: length");
    refuses("0", "9223372036854775808", "beyond-end-of-file: length");
    refuses("0", "18446744073709551615", "beyond-end-of-file: length");
    refuses("18446744073709551615", "18446744073709551615", "beyond-end-of-file: length");
    refuses("1", "1", "invalid: offset: 1 is not a multiple of the granularity, 4096");
}

#[test]
fn a_read_only_directory_stays_as_it_is() {
    let data = data();
    refuses(data.path(), true, ["write", "0", "0", "/data/text"], "not-permitted");
    for access in ["read", "copy"] {
        let outcome = probe_map(data.path(), true, [access, "0", "0", "/data/text"]);
        assert_eq!(outcome.printed, "mapped 10 bytes\n");
    }
}

#[test]
fn paths_do_not_lead_out_of_the_directory() {
    let data = data();
    let refuses = |file, error| refuses(data.path(), false, ["read", "0", "0", file], error);
    refuses("/etc/passwd", "io: no preopened directory holds /etc/passwd");
    refuses("/data/../etc/passwd", "not-permitted");
    refuses("/data/../../../../../../etc/passwd", "not-permitted");
    refuses("/data/folder/../../etc/passwd", "not-permitted");
    refuses("/data/absolute-link", "not-permitted");
    refuses("/data/relative-link", "not-permitted");
    refuses("text", "io: no preopened directory holds text");
    refuses("../data/text", "io: no preopened directory");
}

#[test]
fn permissions_of_files_hold() {
    let data = data();
    let file = data.path().join("text");
    fs::set_permissions(data.path(), fs::Permissions::from_mode(0o755)).expect("a directory of ours");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o200)).expect("a file of ours");
    for backend in ["host", "fallback"] {
        let mut command = wasi_mmap();
        command.args(["run", "--backend", backend, "--read-only-dir"]).arg(format!("{}::/data", data.path().display()));
        // Permissions do not apply to root, so run as another user, with copies that this user can read.
        if rustix::process::geteuid().is_root() {
            let (program, probe) = (data.path().join("wasi-mmap"), data.path().join("probe.wasm"));
            fs::copy(env!("CARGO_BIN_EXE_wasi-mmap"), &program).expect("a copy");
            fs::copy(plugin("probe"), &probe).expect("a copy");
            let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
            command = Command::new(program);
            command.env("WASI_MMAP_CACHE", "").args(arguments).arg(probe).uid(65534).gid(65534);
        } else {
            command.arg(plugin("probe"));
        }
        let outcome = finish(command.args(["map", "read", "0", "0", "/data/text"]));
        assert_eq!(outcome.status, 1, "{outcome:?}");
        assert!(outcome.printed.starts_with("not-permitted"), "{outcome:?}");
    }
}

#[test]
fn files_that_are_not_plugins_are_refused_with_a_reason() {
    let scratch = tempfile::tempdir().expect("a directory");
    let file = |name: &str, bytes: &[u8]| {
        let path = scratch.path().join(name);
        fs::write(&path, bytes).expect("a file");
        path
    };
    let unknown = wat::parse_str(
        r#"(component
            (import "example:unknown/thing@1.0.0" (instance))
            (import "wasi-mmap:mmap/mapping@0.2.0" (instance))
            (instance $run)
            (export "wasi:cli/run@0.2.6" (instance $run)))"#,
    );
    let foreign = r#"(module (import "env" "f" (func)) (memory (export "memory") 1) (func (export "_start")))"#;
    let module = fs::read(plugin_path("suite", "wasm32-wasip1")).expect("a module");
    let damaged = fs::read(plugin("probe")).expect("a plugin");
    let cases = [
        (scratch.path().join("missing.wasm"), "cannot read"),
        (scratch.path().to_owned(), "cannot read"),
        (file("text.wasm", b"not wasm at all"), "is not a WebAssembly component"),
        (file("empty.wasm", b""), "is not a WebAssembly component"),
        (file("module.wasm", &wat::parse_str(foreign).expect("a module")), "requires an import interface named `env`"),
        (file("half-a-module.wasm", &module[..module.len() / 2]), "the module is damaged"),
        (file("damaged.wasm", &damaged[..damaged.len() / 2]), "damaged"),
        (file("library.wasm", &wat::parse_str("(component)").expect("a component")), "is not a command"),
        (
            file("unknown.wasm", &unknown.expect("a component")),
            "example:unknown/thing@1.0.0, wasi-mmap:mmap/mapping@0.2.0",
        ),
    ];
    for (path, reason) in &cases {
        let outcome = finish(wasi_mmap().arg("run").arg(path));
        assert_eq!(outcome.status, 125, "{outcome:?}");
        assert!(outcome.complained.starts_with("error: ") && outcome.complained.contains(reason), "{outcome:?}");
        assert!(!outcome.complained.contains("panicked"), "{outcome:?}");
    }
    for (path, reason) in &cases[..7] {
        let outcome = finish(wasi_mmap().arg("inspect").arg(path));
        assert_eq!(outcome.status, 1, "{outcome:?}");
        assert!(outcome.complained.contains(reason), "{outcome:?}");
        let output = scratch.path().join("composed.wasm");
        let composed = compose(path, &output);
        assert_eq!(composed.status, 1, "{composed:?}");
        assert!(composed.complained.contains(reason), "{composed:?}");
        assert!(!output.exists(), "nothing is written if the plugin cannot be composed");
    }
}

#[test]
fn a_plugin_that_does_not_fit_the_fallback_is_refused_with_the_reason() {
    let scratch = tempfile::tempdir().expect("a directory");
    let cases = [
        // An interface that a later version may have, beside one that fits.
        (
            r#"(component
                (import "wasi-mmap:mmap/mapping@0.1.0" (instance (export "page-size" (func (result u64)))))
                (import "wasi-mmap:mmap/future@0.1.0" (instance (export "f" (func)))))"#,
            "it has no wasi-mmap:mmap/future@0.1.0",
        ),
        (r#"(component (import "wasi-mmap:mmap/mapping@0.2.0" (instance)))"#, "it has no wasi-mmap:mmap/mapping@0.2.0"),
        // Functions that the interface lacks, and that have other types.
        (
            r#"(component (import "wasi-mmap:mmap/mapping@0.1.0" (instance (export "future" (func)))))"#,
            "its wasi-mmap:mmap/mapping@0.1.0 differs: instance is missing expected function export `future`",
        ),
        (
            r#"(component (import "wasi-mmap:mmap/mapping@0.1.0" (instance (export "page-size" (func (result u8))))))"#,
            "its wasi-mmap:mmap/mapping@0.1.0 differs: mismatched type for export `page-size`",
        ),
    ];
    for (text, reason) in cases {
        let (plugin, output) = (scratch.path().join("plugin.wasm"), scratch.path().join("composed.wasm"));
        fs::write(&plugin, wat::parse_str(text).expect("a component")).expect("a file");
        let composed = compose(&plugin, &output);
        assert_eq!(composed.status, 1, "{composed:?}");
        assert!(composed.complained.contains(reason), "{composed:?}");
        assert!(!output.exists());
    }
}

#[test]
fn the_exit_status_is_that_of_the_plugin() {
    let run = |arguments: &[&str]| finish(wasi_mmap().arg("run").arg(plugin("probe")).args(arguments)).status;
    assert_eq!(run(&["exit", "0"]), 0);
    assert_eq!(run(&["exit", "1"]), 1);
    // Rust's standard library knows no other status than success and failure.
    assert_eq!(run(&["exit", "7"]), 1);
    assert_eq!(run(&["trap"]), 134);
    let wrong = finish(wasi_mmap().args(["run", "--limit", "mapings=1", "x.wasm"]));
    assert_eq!(wrong.status, 2);
    assert!(wrong.complained.contains("unknown limit mapings; the limits are mappings, mapped-bytes"), "{wrong:?}");
    let wrong = finish(wasi_mmap().args(["run", "--windows", "some", "x.wasm"]));
    assert!(wrong.complained.contains("[possible values: never, stable, any]"), "{wrong:?}");
    let wrong = finish(wasi_mmap().args(["run", "--dir", "/no/such/folder"]).arg(plugin("probe")));
    assert_eq!(wrong.status, 125);
    assert!(wrong.complained.contains("/no/such/folder"), "{wrong:?}");
}

#[test]
fn limits_hold() {
    let data = data();
    let run = |limit: &str, arguments: &[&str]| {
        let mut command = wasi_mmap();
        command.args(["run", "--limit", limit, "--dir"]).arg(format!("{}::/data", data.path().display()));
        finish(command.arg(plugin("probe")).args(arguments)).printed
    };
    assert_eq!(
        run("mapped-bytes=9", &["map", "read", "0", "0", "/data/text"]),
        "limit-exceeded: limit exceeded: mapped-bytes is 9, and 10 would be needed\n"
    );
    assert_eq!(run("mapped-bytes=10", &["map", "read", "0", "0", "/data/text"]), "mapped 10 bytes\n");
    assert_eq!(
        run("mappings=3", &["anonymous", "1", "5"]),
        "3 of 5\nlimit-exceeded: limit exceeded: mappings is 3, and 4 would be needed\n"
    );
    assert_eq!(
        run("anonymous-bytes=1MiB", &["anonymous", "400000", "5"]),
        "2 of 5\nlimit-exceeded: limit exceeded: anonymous-bytes is 1048576, and 1200000 would be needed\n"
    );
    assert!(run("work-per-call=9", &["find", "/data/text"]).starts_with("limit-exceeded"));
    assert_eq!(run("work-per-call=10", &["find", "/data/text"]), "None\n");
}

#[test]
fn a_composed_plugin_contains_the_plugin_and_imports_only_wasi() {
    let data = data();
    let (original, output) = (plugin("probe"), data.path().join("composed.wasm"));
    let composed = compose(&original, &output);
    assert_eq!(composed.status, 0, "{composed:?}");

    let inspect = |path: &Path| -> serde_json::Value {
        serde_json::from_str(&finish(wasi_mmap().args(["inspect", "--json"]).arg(path)).printed).expect("JSON")
    };
    let (before, after) = (inspect(&original), inspect(&output));
    let ours = ["types", "mapping", "window"].map(|interface| format!("wasi-mmap:mmap/{interface}@0.1.0"));
    assert_eq!(before["ours"], serde_json::json!(ours));
    assert_eq!(before["runs_on_plain_wasi"], false);
    assert_eq!(after["ours"], serde_json::json!([]));
    assert_eq!((&after["unknown"], &after["runs_on_plain_wasi"]), (&serde_json::json!([]), &serde_json::json!(true)));

    // The composition contains the plugin's bytes unchanged.
    let (plugin, composed) = (fs::read(&original).expect("a file"), fs::read(&output).expect("a file"));
    assert!(memchr::memmem::find(&composed, &plugin).is_some());

    let run = |path: &Path| {
        let mut command = wasi_mmap();
        command.arg("run").arg("--dir").arg(format!("{}::/data", data.path().display()));
        finish(command.arg(path).args(["map", "read", "0", "0", "/data/text"])).printed
    };
    assert_eq!((run(&original), run(&output)), ("mapped 10 bytes\n".into(), "mapped 10 bytes\n".into()));
    // There is nothing to compose a second time.
    let again = compose(&output, &data.path().join("again.wasm"));
    assert_eq!(again.status, 1);
    assert!(again.complained.contains("needs no fallback"), "{again:?}");
}

/// A module runs on its own implementation, and `compose` makes a component of it, which any engine for WASI 0.2 runs.
#[test]
fn a_module_for_preview_1_is_made_a_component() {
    let data = data();
    let (module, output) = (plugin_path("bench", "wasm32-wasip1"), data.path().join("composed.wasm"));
    let inspect = |path: &Path| -> serde_json::Value {
        serde_json::from_str(&finish(wasi_mmap().args(["inspect", "--json"]).arg(path)).printed).expect("JSON")
    };
    let found = inspect(&module);
    assert_eq!((&found["module"], &found["runs_here"]), (&true.into(), &true.into()));
    assert_eq!((&found["ours"], &found["runs_on_plain_wasi"]), (&serde_json::json!([]), &false.into()));
    assert_eq!(found["bytes"], fs::metadata(&module).expect("a file").len());

    let composed = compose(&module, &output);
    assert_eq!(composed.status, 0, "{composed:?}");
    let found = inspect(&output);
    assert_eq!((&found["module"], &found["runs_on_plain_wasi"]), (&false.into(), &true.into()));

    let run = |path: &Path, backend: &str, workload: &str| {
        let mut command = wasi_mmap();
        command.args(["run", "--backend", backend, "--dir"]).arg(format!("{}::/data", data.path().display()));
        let outcome = finish(command.arg(path).args([workload, "/data/text", "0", "0"]));
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let printed: serde_json::Value = serde_json::from_str(&outcome.printed).expect("JSON");
        printed["result"].as_u64().expect("a number")
    };
    // The lines of the file, read as a file: the mapping has the same.
    let expected = run(&module, "host", "file-lines");
    assert!(expected > 0);
    for (path, backend) in [(&module, "host"), (&module, "fallback"), (&output, "host")] {
        assert_eq!(run(path, backend, "object-lines"), expected);
    }
}

#[test]
fn the_demo_agrees_with_itself() {
    let data = data();
    fs::write(data.path().join("lines"), "one mmap\nmmapmmap\nlast").expect("a file");
    let run = |backend| {
        let stats = data.path().join("stats.json");
        let mut command = wasi_mmap();
        command.args(["run", "--backend", backend, "--dir"]).arg(format!("{}::/data", data.path().display()));
        command.arg("--json").arg("--stats").arg(&stats).arg(plugin("demo")).args(["/data/lines", "/data", "mmap"]);
        let outcome = finish(&mut command);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let stats: serde_json::Value = serde_json::from_slice(&fs::read(&stats).expect("a file")).expect("JSON");
        assert_eq!((&stats["backend"], &stats["exit_status"]), (&backend.into(), &0.into()));
        assert!(stats["peak_memory_bytes"].as_u64().is_some_and(|bytes| bytes >= 65536), "{stats}");
        let report: serde_json::Value = serde_json::from_str(&outcome.printed).expect("JSON");
        (report["lines"].clone(), report["matches"].clone(), report["checksum"].clone())
    };
    // CRC-32 as `python3 -c "import zlib; print(hex(zlib.crc32(b'one mmap\\nmmapmmap\\nlast')))"` has it.
    let expected = (3.into(), 3.into(), "ebc8291f".into());
    assert_eq!((run("host"), run("fallback")), (expected.clone(), expected));
}
