//! SQLite as the ordinary build for Unix, whose locks and shared memory are those of this system.

use std::path::Path;
use std::process::Command;

use super::{Plugin, Process, Way, run_native, scratch};
use crate::support::is_long;

/// The tables of the tests: each transaction adds a row to `log`, and 1 to `counter`.
const TABLES: &str = "create table counter (total integer); insert into counter values (0); \
                      create table log (writer integer, number integer, data blob, primary key (writer, number)); \
                      create table junk (data blob)";

/// Statements whose rows say whether a database is as it should be.
const CONTENTS: [&str; 4] = [
    "pragma integrity_check",
    "select total from counter",
    "select writer, min(number), max(number), count(*) from log group by writer order by writer",
    "select count(*), sum(length(data)), max(hex(data)) from log",
];

const MAPPED: &str = "pragma mmap_size = 1000000000";

/// The native process: Python, with its own SQLite.
fn native(arguments: &[&str]) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder").join("databases/native.py");
    let mut python = Command::new("python3");
    python.arg(script).args(arguments);
    python
}

/// A database in a folder of its own.
struct Database {
    folder: tempfile::TempDir,
    path: String,
}

impl Database {
    /// Makes a database natively.
    fn new(journal: &str) -> Self {
        let folder = scratch();
        let path = folder.path().join("x.db").to_str().expect("UTF-8").to_owned();
        let database = Self { folder, path };
        let mut statements = vec![format!("pragma journal_mode = {journal}")];
        statements.extend(TABLES.split("; ").map(str::to_owned));
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        assert_eq!(database.native(&statements), format!("{journal}\n"));
        database
    }

    /// Executes statements in a native process.
    fn native(&self, statements: &[&str]) -> String {
        run_native(&mut native(&[&["sql", &*self.path], statements].concat()))
    }

    /// Starts native transactions.
    fn write_natively(&self, pragmas: &str, writer: &str, first: u32, count: u32) -> Process {
        let [first, count] = [first, count].map(|number| number.to_string());
        Process::start(&mut native(&["write", &self.path, pragmas, writer, &first, &count]))
    }
}

#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn every_journal_and_both_ways_to_read() {
    let sqlite = Plugin::new("sqlite");
    for way in [Way::Windows, Way::Copies, Way::Composed] {
        let plugin = sqlite.compile(way);
        for journal in ["delete", "truncate", "persist", "wal"] {
            if journal == "wal" && way != Way::Windows {
                // Memory that processes share is the file's own pages, or it is not shared.
                continue;
            }
            for mapped in [MAPPED, "pragma mmap_size = 0"] {
                // The fallback has no locks.
                let file = if way == Way::Composed { "file:/scratch/x.db?vfs=unix-none" } else { "/scratch/x.db" };
                let what = format!("{way:?} {journal} {mapped}");
                let database = Database::new(journal);
                let folder = database.folder.path();
                // Only the mode "wal" lasts longer than a connection.
                let set_mode = format!("pragma journal_mode = {journal}");
                let pragmas = format!("{mapped}; {set_mode}; pragma cache_size = 20");
                plugin.run(folder, &["write", file, &pragmas, "1", "0", "200"]);
                database.write_natively(&pragmas, "2", 0, 200).end();
                plugin.run(folder, &["write", file, &pragmas, "1", "200", "100"]);
                let [size, mode, changes, contents] = [
                    vec![mapped],
                    vec!["pragma journal_mode"],
                    // In a plugin, there is no folder for temporary files.
                    vec![&*set_mode, "pragma temp_store = memory; begin; delete from log where number % 3 = 0; update log set data = zeroblob(5000) where \
                          number % 3 = 1; commit; vacuum; pragma wal_checkpoint(truncate)"],
                    CONTENTS.to_vec(),
                ]
                .map(|statements| plugin.run(folder, &[&["sql", file], &statements[..]].concat()));
                let expected = if mapped == MAPPED { "1000000000\n" } else { "0\n" };
                assert_eq!(size, expected, "{what}");
                assert_eq!(mode, if journal == "wal" { "wal\n" } else { "delete\n" }, "{what}");
                let checkpoint = if journal == "wal" { "0|0|0" } else { "0|-1|-1" };
                assert_eq!(changes, format!("{journal}\n{checkpoint}\n"), "{what}");
                assert!(contents.starts_with("ok\n500\n1|1|299|200\n2|1|199|133\n"), "{what}: {contents}");
                assert_eq!(contents, database.native(&CONTENTS), "{what}");
                // Nothing is left of the journal but the file that these two modes keep.
                let left = ["x.db-journal", "x.db-wal", "x.db-shm"].map(|name| folder.join(name).exists());
                assert_eq!(left, [matches!(journal, "truncate" | "persist"), false, false], "{what}: {journal}");
            }
        }
    }
}

#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn two_processes_write_at_once() {
    let processes = Plugin::new("sqlite").for_processes();
    let count = if is_long() { 20_000 } else { 2000 };
    for (journal, pragmas) in [
        ("wal", format!("{MAPPED}; pragma wal_autocheckpoint = 100")),
        ("delete", format!("{MAPPED}; pragma synchronous = off")),
    ] {
        let database = Database::new(journal);
        let arguments = ["write", "/scratch/x.db", &pragmas, "1", "0", &count.to_string()];
        let mut plugin = processes.start(database.folder.path(), &arguments);
        // It has begun.
        assert_eq!(plugin.number(), Some(0));
        let mut python = database.write_natively(&pragmas, "2", 0, count);
        assert_eq!(python.number(), Some(0));
        // Neither waits for the other to end.
        let (mut of_plugin, mut of_python) = (0, 0);
        let mut alternations = 0;
        std::thread::scope(|scope| {
            let (sender, receiver) = std::sync::mpsc::channel();
            for (is_plugin, process) in [(true, &mut plugin), (false, &mut python)] {
                let sender = sender.clone();
                scope.spawn(move || {
                    while let Some(number) = process.number() {
                        sender.send((is_plugin, number)).expect("a receiver");
                        if number == count - 1 {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            let mut last = None;
            for (is_plugin, number) in receiver {
                let own = if is_plugin { &mut of_plugin } else { &mut of_python };
                assert_eq!(number, *own + 1, "{journal}");
                *own = number;
                alternations += u32::from(last.replace(is_plugin) != Some(is_plugin));
            }
        });
        plugin.end();
        python.end();
        assert!(alternations > 100, "{journal}: the processes did not write at once: {alternations}");
        let last = count - 1;
        let expected = format!("ok\n{}\n1|0|{last}|{count}\n2|0|{last}|{count}\n", 2 * count);
        let contents = database.native(&CONTENTS);
        assert!(contents.starts_with(&expected), "{journal}: {contents}");
    }
}

#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn a_plugin_that_is_killed_loses_no_transaction() {
    let sqlite = Plugin::new("sqlite");
    let (processes, plugin) = (sqlite.for_processes(), sqlite.compile(Way::Windows));
    for journal in ["wal", "delete"] {
        let database = Database::new(journal);
        let folder = database.folder.path();
        let mut next = 0;
        for kill in 0..if is_long() { 100 } else { 10 } {
            // The journal of large transactions is likely to be there when it is killed.
            let pragmas = format!("{MAPPED}; pragma cache_size = 5; pragma wal_autocheckpoint = 20");
            let first = next.to_string();
            let mut process = processes.start(folder, &["write", "/scratch/x.db", &pragmas, "1", &first, "1000000"]);
            let enough = next + 20 + kill * 13;
            while next < enough {
                let number = process.number().expect("the plugin runs");
                assert_eq!(number, next, "{journal}");
                next += 1;
            }
            process.running.0.kill().expect("it is killed");
            // What it committed, and said, before it died.
            while let Some(number) = process.number() {
                assert_eq!(number, next, "{journal}");
                next += 1;
            }
            drop(process);
            // A plugin or a native process recovers the database.
            let contents = if kill % 2 == 0 {
                plugin.run(folder, &[&["sql", "/scratch/x.db"], &CONTENTS[..]].concat())
            } else {
                database.native(&CONTENTS)
            };
            // One more may have been committed than it said.
            let [exact, more] = [next, next + 1].map(|count| format!("ok\n{count}\n1|0|{}|{count}\n", count - 1));
            assert!(contents.starts_with(&exact) || contents.starts_with(&more), "{journal} {kill} {next}: {contents}");
            next += u32::from(contents.starts_with(&more));
        }
    }
}

#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn a_native_connection_stays_open() {
    let plugin = Plugin::new("sqlite").compile(Way::Windows);
    let database = Database::new("wal");
    let insert = "insert into log values (9, 0, 'x'); select count(*) from log";
    let [first, second] = [insert.split("; ").next().expect("a statement"), "select count(*) from log"];
    let mut held = Process::start(&mut native(&["hold", &database.path, first, second]));
    assert_eq!(held.number(), Some(1));
    let folder = database.folder.path();
    assert_eq!(plugin.run(folder, &["write", "/scratch/x.db", MAPPED, "1", "0", "50"]).lines().count(), 50);
    // The last connection to close would have removed them.
    for name in ["x.db-wal", "x.db-shm"] {
        assert!(folder.join(name).exists(), "the native process has lost its {name}");
    }
    assert!(database.native(&CONTENTS).starts_with("ok\n50\n1|0|49|50\n9|0|0|1\n"));
    held.end();
    assert!(database.native(&CONTENTS).starts_with("ok\n50\n1|0|49|50\n9|0|0|1\n"));
    assert!(!folder.join("x.db-wal").exists());
}

#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn connections_of_one_plugin_share_their_locks() {
    let processes = Plugin::new("sqlite").for_processes();
    for journal in ["delete", "wal"] {
        let database = Database::new(journal);
        let folder = database.folder.path();
        let mut plugin = processes.start(folder, &["shared", "/scratch/x.db", "/scratch/signal"]);
        while plugin.line().expect("the plugin runs") != "shared" {}
        // Were a lock left behind, this would wait for the plugin's end.
        assert_eq!(database.native(&["update counter set total = 41"]), "");
        std::fs::write(folder.join("signal"), "").expect("a file");
        assert_eq!(plugin.line().as_deref(), Some("41 41"), "{journal}");
        plugin.end();
        assert!(database.native(&CONTENTS).starts_with("ok\n42\n"), "{journal}");
    }
}

#[test]
#[ignore = "`cargo xtask databases` builds the program"]
fn a_rust_program_over_rusqlite() {
    let rusqlite = Plugin::new("rusqlite");
    let statements = [
        "pragma journal_mode = wal",
        "begin",
        "insert into log values (7, 0, 'seven')",
        "update counter set total = total + 1",
        "commit",
        "select data, total, 1.5, null from log, counter",
    ];
    let plugin = rusqlite.compile(Way::Windows);
    let database = Database::new("wal");
    let arguments = [&["/scratch/x.db"], &statements[..]].concat();
    assert_eq!(plugin.run(database.folder.path(), &arguments), "wal\nseven|1|1.5|NULL\n");
    assert!(database.native(&CONTENTS).starts_with("ok\n1\n7|0|0|1\n"));
    database.write_natively("", "8", 0, 100).end();
    let arguments = [&["/scratch/x.db"], &CONTENTS[..]].concat();
    assert_eq!(plugin.run(database.folder.path(), &arguments), database.native(&CONTENTS));
}
