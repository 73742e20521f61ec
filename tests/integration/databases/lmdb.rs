//! LMDB with its locks, as a plugin and natively.

use std::path::Path;
use std::process::Command;

use super::{Plugin, Way, path, run_native, scratch};

/// Runs the native program on a folder.
fn native(command: &str, folder: &Path, arguments: &[&str]) -> String {
    run_native(Command::new(path("lmdb")).arg(command).arg(folder).args(arguments))
}

/// Returns the number of times that the map became larger, and the line that says what the database contains.
fn parse(printed: &str) -> (u32, &str) {
    let (grown, contents) = printed.split_once('\n').expect("two lines");
    (grown.strip_prefix("grown ").and_then(|count| count.parse().ok()).expect("a number"), contents)
}

/// The steps of a test: the command, the first entry and the number of entries.
const STEPS: [(&str, &str, &str); 4] =
    [("fill", "0", "20000"), ("delete", "5000", "7000"), ("fill", "20000", "9000"), ("fill", "4000", "2000")];

#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn maps_grow_and_are_written() {
    for (name, way) in [
        ("lmdb", Way::Windows),
        // The fallback has no locks.
        ("lmdb-pretended", Way::Composed),
        ("lmdb-vl32", Way::Windows),
    ] {
        let plugin = Plugin::new(name).compile(way);
        for flags in ["-", "w", "s"] {
            let (folder, expected) = (scratch(), scratch());
            let mut grown = 0;
            for (command, first, count) in STEPS {
                let printed = plugin.run(folder.path(), &[command, "/scratch", flags, "1", first, count]);
                let native = native(command, expected.path(), &["-", "1", first, count]);
                let (times, contents) = parse(&printed);
                grown += times;
                assert_eq!(contents, parse(&native).1, "{name} {way:?} {flags} {command} {first}");
            }
            assert!(grown >= 2, "{name} {way:?} {flags}: the map grew {grown} times");
        }
    }
}

#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn files_are_exchanged_with_the_native_library() {
    let plugin = Plugin::new("lmdb-vl32").compile(Way::Windows);
    let (one, other) = (scratch(), scratch());
    let mut last = String::new();
    for (number, (command, first, count)) in STEPS.into_iter().enumerate() {
        // They take turns on both databases.
        let mut contents = Vec::new();
        for (database, is_plugin) in [(&one, number % 2 == 0), (&other, number % 2 == 1)] {
            let folder = database.path();
            let printed = if is_plugin {
                plugin.run(folder, &[command, "/scratch", "-", "1", first, count])
            } else {
                native(command, folder, &["-", "1", first, count])
            };
            contents.push(parse(&printed).1.to_owned());
            // The other one reads it.
            let read = if is_plugin {
                native("list", folder, &["r", "1"])
            } else {
                plugin.run(folder, &["list", "/scratch", "r", "1"])
            };
            assert_eq!(read, contents[contents.len() - 1], "{number} {is_plugin}");
        }
        assert_eq!(contents[0], contents[1], "{number}");
        last.clone_from(&contents[0]);
    }
    assert!(last.starts_with("23000 entries, "), "{last}");
}
