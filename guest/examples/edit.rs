//! Replaces a text in a file, in place. The new text may be shorter than the old one: spaces fill the rest.
//!
//! Natively:
//!
//! ```sh
//! cargo run --release -p wasi-mmap --example edit -- essay.txt colour color
//! ```
//!
//! As a plugin, with `cargo install --locked --path host/cli`:
//!
//! ```sh
//! cargo build --release -p wasi-mmap --example edit --target wasm32-wasip2
//! wasi-mmap run --dir . target/wasm32-wasip2/release/examples/edit.wasm essay.txt colour color
//! ```

use std::error::Error;

use wasi_mmap::{Access, Mapping};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, path, old, new] = &arguments[..] else { return Err("usage: edit FILE OLD NEW".into()) };
    if old.is_empty() || new.len() > old.len() {
        return Err("NEW must not be longer than OLD".into());
    }
    let new = format!("{new:width$}", width = new.chars().count() + old.len() - new.len());

    let mut file = Mapping::options().access(Access::Write).open(path)?;
    let (mut start, mut count) = (0, 0);
    while let Some(offset) = file.find(old.as_bytes(), start..)? {
        file.write_all_at(new.as_bytes(), offset)?;
        start = offset + old.len() as u64;
        count += 1;
    }
    // When `flush` returns, the changes are on the storage device.
    file.flush()?;
    println!("replaced {count} times in {} bytes", file.len()?);
    Ok(())
}
