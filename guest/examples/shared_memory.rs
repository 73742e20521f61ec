//! A board that several programs write on: memory that has a name.
//!
//! Natively, all processes of one user share a name (on Linux and Windows). Run this in two terminals at the same time:
//!
//! ```sh
//! cargo run --release -p wasi-mmap --example shared_memory -- board "hello from one"
//! cargo run --release -p wasi-mmap --example shared_memory -- board "hello from the other"
//! ```
//!
//! In a host, the embedder decides which plugins share a name. `host/examples/two_plugins.rs` runs this program
//! twice as a plugin.

use std::error::Error;
use std::io::Write;

use wasi_mmap::Mapping;

/// The size of the board in bytes. It starts as zeros.
const SIZE: u64 = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, message] = &arguments[..] else { return Err("usage: shared_memory NAME MESSAGE".into()) };

    let mut board = Mapping::options().length(SIZE).named(name)?;
    let end = board.find(&[0], ..)?.unwrap_or(SIZE);
    let mut out = std::io::stdout();
    out.write_all(&board.read_range(..end)?)?;
    board.write_all_at(format!("{message}\n").as_bytes(), end)?;

    // The memory exists as long as someone maps it. A plugin without input does not wait here.
    writeln!(out, "press Enter to leave the board")?;
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}
