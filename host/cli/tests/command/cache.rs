//! The cache of compiled plugins: what it keeps, and whom it does not trust.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Outcome, data, finish, plugin, wasi_mmap};

/// A folder that holds a cache.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("cache")
    }

    fn command(&self) -> Command {
        let mut command = wasi_mmap();
        command.env("WASI_MMAP_CACHE", self.cache());
        command
    }

    /// Runs a plugin, and returns where its code came from, and the outcome.
    fn run(&self, options: &[&str], plugin: &Path) -> (String, Outcome) {
        let stats = self.0.path().join("stats.json");
        let outcome =
            finish(self.command().arg("run").args(options).args(["--json", "--stats"]).arg(&stats).arg(plugin).args([
                "anonymous",
                "10",
                "3",
            ]));
        let stats: serde_json::Value = serde_json::from_slice(&fs::read(stats).expect("a file")).expect("JSON");
        (stats["code"].as_str().expect("a word").to_owned(), outcome)
    }

    /// Runs `probe`, which must succeed, and returns where its code came from, and what was said about it.
    fn run_probe(&self) -> (String, String) {
        let (code, outcome) = self.run(&[], &plugin("probe"));
        assert_eq!((outcome.status, outcome.printed.as_str()), (0, "3 of 3\n"), "{outcome:?}");
        (code, outcome.complained)
    }

    fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.cache()) else { return Vec::new() };
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }

    fn file(&self) -> PathBuf {
        let files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }
}

const COMPILED: (&str, &str) = ("compiled", "");
const CACHED: (&str, &str) = ("cache", "");

#[track_caller]
fn assert_said((code, said): (String, String), expected: (&str, &str)) {
    assert_eq!((code.as_str(), said.as_str()), expected);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}

#[test]
fn a_plugin_is_compiled_once() {
    let folder = Folder::new();
    assert_said(folder.run_probe(), COMPILED);
    assert_said(folder.run_probe(), CACHED);
    assert_eq!((mode(&folder.cache()), mode(&folder.file())), (0o700, 0o600), "for this user alone");
    // With the fallback composed in it is another program.
    let fallback = ["--backend", "fallback"];
    for code in ["compiled", "cache"] {
        let (found, outcome) = folder.run(&fallback, &plugin("probe"));
        assert_eq!((found.as_str(), outcome.printed.as_str()), (code, "3 of 3\n"), "{outcome:?}");
    }
    // A copy of the plugin is the same plugin; a plugin with other bytes is not.
    let copy = folder.0.path().join("copy.wasm");
    let mut bytes = fs::read(plugin("probe")).expect("a plugin");
    fs::write(&copy, &bytes).expect("a file");
    assert_eq!(folder.run(&[], &copy).0, "cache");
    bytes.extend_from_slice(b"\0\x02\x01a"); // a custom section
    fs::write(&copy, &bytes).expect("a file");
    assert_eq!(folder.run(&[], &copy).0, "compiled");
    assert_eq!(folder.files().len(), 3);
    // From standard input as well.
    let piped = |option: &[&str]| {
        let stdin = fs::File::open(plugin("probe")).expect("a file");
        finish(folder.command().arg("run").args(option).args(["-", "anonymous", "10", "2"]).stdin(stdin))
    };
    for options in [&[][..], &["--no-cache"]] {
        let outcome = piped(options);
        assert_eq!((outcome.status, outcome.printed.as_str()), (0, "2 of 2\n"), "{outcome:?}");
    }
    assert_eq!(folder.files().len(), 3);
}

#[test]
fn nothing_is_kept_without_a_cache() {
    let folder = Folder::new();
    assert_eq!(folder.run(&["--no-cache"], &plugin("probe")).0, "compiled");
    assert!(!folder.cache().exists());
    assert_said(folder.run_probe(), COMPILED);
    assert_eq!(folder.run(&["--no-cache"], &plugin("probe")).0, "compiled", "what is there is not used, either");
    let none = finish(wasi_mmap().arg("cache"));
    assert_eq!(none.status, 1);
    assert!(none.complained.contains("there is no cache"), "{none:?}");
    // A folder that cannot be made is no reason not to run.
    let outcome =
        finish(wasi_mmap().env("WASI_MMAP_CACHE", "/dev/null/x").arg("run").arg(plugin("probe")).arg("exit").arg("0"));
    assert_eq!((outcome.status, outcome.complained.as_str()), (0, ""));
}

#[test]
fn the_cache_is_shown_and_cleared() {
    let folder = Folder::new();
    assert_said(folder.run_probe(), COMPILED);
    let bytes = fs::metadata(folder.file()).expect("a file").len();
    let other = folder.cache().join("of another program");
    fs::write(&other, "").expect("a file");
    let show = |options: &[&str]| finish(folder.command().arg("cache").args(options));
    let json: serde_json::Value = serde_json::from_str(&show(&["--json"]).printed).expect("JSON");
    assert_eq!((&json["plugins"], &json["bytes"]), (&1.into(), &bytes.into()));
    assert_eq!(json["folder"], folder.cache().canonicalize().expect("a folder").to_str().expect("UTF-8"));
    assert!(show(&[]).printed.contains("1 compiled plugin, "), "{:?}", show(&[]));
    assert!(show(&["--clear"]).printed.contains("removed 1 compiled plugin, "));
    assert_eq!(folder.files(), [other]);
    assert!(show(&[]).printed.contains("0 compiled plugins, 0 bytes"), "{:?}", show(&[]));
}

#[test]
fn a_damaged_file_is_compiled_again() {
    let folder = Folder::new();
    assert_said(folder.run_probe(), COMPILED);
    let file = folder.file();
    let whole = fs::read(&file).expect("a file");
    let half = whole.len() / 2;
    let changed: Vec<u8> = whole.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == half)).collect();
    for (damaged, why) in [
        (&changed[..], "it is damaged: its checksum is"),
        (&whole[..half], "it is not complete"),
        (&[], "not complete"),
    ] {
        fs::write(&file, damaged).expect("a file");
        let (code, said) = folder.run_probe();
        assert_eq!(code, "compiled");
        assert!(said.starts_with("warning: a file of the cache is replaced: ") && said.contains(why), "{said}");
        assert_said(folder.run_probe(), CACHED);
    }
    // A quiet command replaces it all the same.
    fs::write(&file, &changed).expect("a file");
    let quiet = finish(folder.command().args(["--quiet", "run"]).arg(plugin("probe")).args(["exit", "0"]));
    assert_eq!((quiet.status, quiet.complained.as_str()), (0, ""));
    assert_said(folder.run_probe(), CACHED);
}

#[test]
fn a_folder_that_others_can_write_or_replace_is_not_used() {
    let folder = Folder::new();
    assert_said(folder.run_probe(), COMPILED);
    let refuses = |why: &str| {
        let (code, said) = folder.run_probe();
        assert_eq!(code, "compiled", "{why}");
        assert!(said.starts_with("warning: compiled plugins are not kept: ") && said.contains(why), "{why}: {said}");
        for options in [&[][..], &["--clear"]] {
            let outcome = finish(folder.command().arg("cache").args(options));
            assert!(outcome.status == 1 && outcome.complained.contains(why), "{why}: {outcome:?}");
        }
        assert_eq!(
            folder.run(&["--no-cache"], &plugin("probe")).1.complained,
            "",
            "nothing is said if it is not wanted"
        );
        assert_eq!(folder.files().len(), 1, "nothing is written or removed");
    };
    for bad in [0o777, 0o770, 0o702, 0o1777] {
        set_mode(&folder.cache(), bad);
        refuses("others may write to");
    }
    set_mode(&folder.cache(), 0o755);
    assert_said(folder.run_probe(), CACHED);
    // Whoever can write to the folder above could put another in its place, unless it is sticky.
    set_mode(folder.0.path(), 0o777);
    refuses("others may write to");
    set_mode(folder.0.path(), 0o1777);
    assert_said(folder.run_probe(), CACHED);
    set_mode(folder.0.path(), 0o700);
    // A link is followed, and what it leads to is checked.
    let (cache, moved) = (folder.cache(), folder.0.path().join("moved"));
    fs::rename(&cache, &moved).expect("a folder");
    symlink(&moved, &cache).expect("a link");
    assert_said(folder.run_probe(), CACHED);
    set_mode(&moved, 0o777);
    refuses("others may write to");
    set_mode(&moved, 0o700);
    if rustix::process::geteuid().is_root() {
        for owned in [&moved, folder.0.path()] {
            std::os::unix::fs::chown(owned, Some(65534), None).expect("root may do that");
            refuses("belongs to another user");
            std::os::unix::fs::chown(owned, Some(0), None).expect("root may do that");
        }
        assert_said(folder.run_probe(), CACHED);
    } else {
        eprintln!("folders of other users are tested by root only");
    }
}

#[test]
fn a_file_that_others_can_have_written_is_not_run() {
    let folder = Folder::new();
    assert_said(folder.run_probe(), COMPILED);
    let (file, elsewhere) = (folder.file(), folder.0.path().join("elsewhere"));
    // The code of another plugin, which would print something else, takes the place of the right one.
    let compiled = finish(wasi_mmap().arg("compile").arg(plugin("demo")).arg("-o").arg(&elsewhere));
    assert_eq!(compiled.status, 0, "{compiled:?}");
    set_mode(&elsewhere, 0o600);
    let put = || fs::copy(&elsewhere, &file).map(drop).expect("a copy");
    put();
    let (code, outcome) = folder.run(&[], &plugin("probe"));
    assert!(code == "cache" && outcome.printed != "3 of 3\n", "the test can tell them apart: {outcome:?}");
    for bad in [0o666, 0o620, 0o602] {
        put();
        set_mode(&file, bad);
        assert_said(folder.run_probe(), COMPILED);
        assert_said(folder.run_probe(), CACHED);
    }
    fs::remove_file(&file).expect("a file");
    symlink(&elsewhere, &file).expect("a link");
    assert_said(folder.run_probe(), COMPILED);
    assert!(file.symlink_metadata().expect("a file").is_file(), "the link is replaced");
    assert_said(folder.run_probe(), CACHED);
    // A pipe, whose reader would wait.
    fs::remove_file(&file).expect("a file");
    assert!(Command::new("mkfifo").arg(&file).status().expect("mkfifo runs").success());
    assert_said(folder.run_probe(), COMPILED);
    if rustix::process::geteuid().is_root() {
        put();
        std::os::unix::fs::chown(&file, Some(65534), None).expect("root may do that");
        assert_said(folder.run_probe(), COMPILED);
    }
}

#[test]
fn a_plugin_is_not_given_the_cache_to_write() {
    let folder = Folder::new();
    let data = data();
    let run = |option: &str, directory: &Path| {
        let directory = format!("{}::/data", directory.display());
        finish(
            folder.command().args(["run", "--no-cache", option, &directory]).arg(plugin("probe")).args(["exit", "0"]),
        )
    };
    let refuses = |directory: &Path| {
        let outcome = run("--dir", directory);
        assert_eq!(outcome.status, 125, "{outcome:?}");
        assert!(outcome.complained.contains("would let the plugin write to"), "{outcome:?}");
        assert_eq!(run("--read-only-dir", directory).status, 0, "reading is harmless");
    };
    // The plugin could make it, if it is not there.
    refuses(folder.0.path());
    assert_said(folder.run_probe(), COMPILED);
    let within = folder.cache().join("within");
    fs::create_dir(&within).expect("a folder");
    let link = data.path().join("link");
    symlink(folder.0.path(), &link).expect("a link");
    for directory in [folder.0.path(), Path::new("/"), &folder.cache(), &within, &link] {
        refuses(directory);
    }
    assert_eq!(run("--dir", data.path()).status, 0, "a folder with a link to it is another one");
    let nowhere = finish(wasi_mmap().args(["run", "--dir", "/"]).arg(plugin("probe")).args(["exit", "0"]));
    assert_eq!(nowhere.status, 0, "without a cache there is nothing to protect: {nowhere:?}");
}
