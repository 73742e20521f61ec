//! Prints the lines of a file that contain a text.
//!
//! Natively:
//!
//! ```sh
//! cargo run --release -p wasi-mmap --example grep -- mmap README.md
//! ```
//!
//! As a plugin, with `cargo install --locked --path host/cli`:
//!
//! ```sh
//! cargo build --release -p wasi-mmap --example grep --target wasm32-wasip2
//! wasi-mmap run --dir . target/wasm32-wasip2/release/examples/grep.wasm mmap README.md
//! ```

use std::error::Error;
use std::io::Write;

use wasi_mmap::{Advice, Mapping};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, text, path] = &arguments[..] else { return Err("usage: grep TEXT FILE".into()) };

    let mut file = Mapping::open(path)?;
    // A hint, which not every system takes.
    let _ = file.advise(Advice::Sequential);
    let len = file.len()?;
    let mut out = std::io::stdout().lock();
    let mut start = 0;
    // In a plugin, the host searches: only the lines that are printed are copied.
    while let Some(offset) = file.find(text.as_bytes(), start..)? {
        let line_start = file.rfind(b"\n", start..offset)?.map_or(start, |newline| newline + 1);
        let line_end = file.find(b"\n", offset..)?.unwrap_or(len);
        out.write_all(&file.read_range(line_start..line_end)?)?;
        writeln!(out)?;
        start = line_end + 1;
        if start >= len {
            break;
        }
    }
    Ok(())
}
