//! Files that the command writes and reads: it replaces regular files only, and `-` stands for the standard streams.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use super::{compose, finish, plugin, wasi_mmap};

/// Returns the bytes of `probe` with the fallback composed in.
fn composed() -> Vec<u8> {
    let output = wasi_mmap().arg("compose").arg(plugin("probe")).args(["-o", "-"]).output().expect("it runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    output.stdout
}

#[track_caller]
fn composes(output: &Path) {
    let outcome = compose(&plugin("probe"), output);
    assert_eq!((outcome.status, outcome.complained.as_str()), (0, ""), "{outcome:?}");
}

/// Returns the names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn streams_are_read_and_written() {
    let expected = composed();
    assert!(expected.starts_with(b"\0asm"));
    let stdin = || Stdio::from(File::open(plugin("probe")).expect("a file"));
    let piped = wasi_mmap().args(["compose", "-", "-o", "-"]).stdin(stdin()).output().expect("it runs");
    assert!(piped.status.success() && piped.stdout == expected);
    let inspected = finish(wasi_mmap().args(["inspect", "-"]).stdin(stdin()));
    assert!(inspected.printed.starts_with("standard input: a component of "), "{inspected:?}");
    let stats = finish(wasi_mmap().args(["run", "--stats", "-", "-", "exit", "0"]).stdin(stdin()));
    assert!(stats.printed.is_empty() && stats.complained.starts_with("exit status   0\n"), "{stats:?}");
    let nothing = finish(wasi_mmap().args(["inspect", "-"]).stdin(Stdio::null()));
    assert!(nothing.complained.contains("standard input is not a WebAssembly component"), "{nothing:?}");
}

/// As root, a device that is replaced is gone for every process.
#[test]
fn devices_and_pipes_are_written_to_and_not_replaced() {
    let scratch = tempfile::tempdir().expect("a folder");
    let expected = composed();
    let identity = |path: &str| fs::metadata(path).map(|metadata| (metadata.mode(), metadata.ino())).expect("there");
    let before = identity("/dev/null");
    composes(Path::new("/dev/null"));
    assert_eq!(identity("/dev/null"), before);

    let link = fs::read_link("/dev/stdout").expect("a link");
    let printed =
        wasi_mmap().arg("compose").arg(plugin("probe")).args(["-o", "/dev/stdout"]).output().expect("it runs");
    assert!(printed.status.success() && printed.stdout == expected, "{}", printed.stdout.len());
    // Standard output may be a file, with something in it already.
    let file = scratch.path().join("log");
    fs::write(&file, "before;").expect("a file");
    let log = File::options().append(true).open(&file).expect("a file");
    let status = wasi_mmap().arg("compose").arg(plugin("probe")).args(["-o", "/dev/stdout"]).stdout(log).status();
    assert!(status.expect("it runs").success());
    assert!(fs::read(&file).expect("a file") == [b"before;", &expected[..]].concat());
    assert_eq!(fs::read_link("/dev/stdout").expect("a link"), link, "it is what it was");

    let pipe = scratch.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).expect("a pipe")
    });
    composes(&pipe);
    assert!(reader.join().expect("no panic") == expected);

    let folder = compose(&plugin("probe"), scratch.path());
    assert!(folder.status == 1 && folder.complained.contains("cannot write"), "{folder:?}");
    assert_eq!(names(scratch.path()), ["log", "pipe"]);
}

#[test]
fn a_file_that_is_replaced_stays_what_it_was() {
    let scratch = tempfile::tempdir().expect("a folder");
    let path = |name: &str| scratch.path().join(name);
    let (file, expected) = (path("file"), composed());
    let is_written = |file: &Path| fs::read(file).expect("a file") == expected;
    // A new file has the permissions that the mask of the process leaves.
    composes(&file);
    fs::write(path("usual"), "").expect("a file");
    let mode = |path: &Path| fs::metadata(path).expect("a file").mode() & 0o7777;
    assert_eq!(mode(&file), mode(&path("usual")));
    for kept in [0o640, 0o777, 0o600] {
        fs::write(&file, "old").expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(kept)).expect("permissions");
        let old = File::open(&file).expect("a file");
        composes(&file);
        assert!(is_written(&file) && mode(&file) == kept, "{kept:o}");
        let mut text = String::new();
        (&old).read_to_string(&mut text).expect("a file");
        assert_eq!(text, "old", "who has the old file open sees it whole");
    }
    // Links are followed, also one to a file that is not there, and they stay.
    fs::create_dir(path("folder")).expect("a folder");
    for (link, to) in [("link", "folder/through-link"), ("link-to-link", "link"), ("absolute", "")] {
        let to = if to.is_empty() { path("folder/absolute") } else { to.into() };
        symlink(to, path(link)).expect("a link");
    }
    for _ in 0..2 {
        composes(&path("link-to-link"));
        assert!(is_written(&path("folder/through-link")));
        composes(&path("absolute"));
        assert!(is_written(&path("folder/absolute")));
        fs::write(path("folder/through-link"), "old").expect("a file");
    }
    assert!(["link", "link-to-link", "absolute"].iter().all(|link| path(link).is_symlink()));
    symlink("circle", path("circle")).expect("a link");
    assert_eq!(compose(&plugin("probe"), &path("circle")).status, 1);
    // A second name of the file is one afterwards.
    fs::write(path("one"), "longer than what is written? no").expect("a file");
    fs::hard_link(path("one"), path("other")).expect("a link");
    composes(&path("one"));
    assert!(is_written(&path("one")) && is_written(&path("other")));
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&file, Some(65534), Some(65534)).expect("root may do that");
        composes(&file);
        let metadata = fs::metadata(&file).expect("a file");
        assert_eq!((metadata.uid(), metadata.gid()), (65534, 65534));
    }
    // Nothing else is left.
    assert!(names(scratch.path()).iter().all(|name| !name.ends_with(".part")), "{:?}", names(scratch.path()));
    assert_eq!(names(&path("folder")), ["absolute", "through-link"]);
}

/// Runs the command as another user if this one is root, who may write everywhere.
#[test]
fn a_file_in_a_folder_that_cannot_be_written_is_written_in_place() {
    use std::os::unix::process::CommandExt;

    let scratch = tempfile::tempdir().expect("a folder");
    let path = |name: &str| scratch.path().join(name);
    let is_root = rustix::process::geteuid().is_root();
    let expected = composed();
    for (name, mode) in [("writable", 0o666), ("read-only", 0o444)] {
        fs::write(path(name), "old").expect("a file");
        fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).expect("permissions");
    }
    fs::copy(env!("CARGO_BIN_EXE_wasi-mmap"), path("wasi-mmap")).expect("a copy");
    fs::copy(plugin("probe"), path("probe.wasm")).expect("a copy");
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o555)).expect("permissions");
    let run = |output: &str| {
        let mut command = std::process::Command::new(path("wasi-mmap"));
        command.arg("compose").arg(path("probe.wasm")).arg("-o").arg(path(output));
        if is_root {
            command.uid(65534).gid(65534);
        }
        finish(&mut command)
    };
    let (writable, read_only, new) = (run("writable"), run("read-only"), run("new"));
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    assert_eq!(writable.status, 0, "{writable:?}");
    assert!(fs::read(path("writable")).expect("a file") == expected);
    for outcome in [read_only, new] {
        assert!(outcome.status == 1 && outcome.complained.contains("cannot write"), "{outcome:?}");
    }
    assert_eq!(fs::read(path("read-only")).expect("a file"), b"old");
}
