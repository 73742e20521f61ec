//! A Rust program over rusqlite with the SQLite that comes with it: executes statements, and prints rows.

#[cfg(target_os = "wasi")]
use wasi_mmap_c as _;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().expect("usage: databases FILE SQL...");
    let database = Connection::open(file)?;
    for sql in arguments {
        let mut statement = database.prepare(&sql)?;
        let count = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let columns: Result<Vec<String>> = (0..count).map(|column| Ok(text(row.get_ref(column)?))).collect();
            println!("{}", columns?.join("|"));
        }
    }
    database.close().map_err(|(_, error)| error)
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}
