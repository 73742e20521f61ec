//! Computes the checksum of a file of any size, through views: slices of the file's own pages where the system or the
//! host has them, and copies elsewhere.
//!
//! Natively:
//!
//! ```sh
//! cargo run --release -p wasi-mmap --example views -- README.md
//! ```
//!
//! As a plugin, with `cargo install --locked --path host/cli`:
//!
//! ```sh
//! cargo build --release -p wasi-mmap --example views --target wasm32-wasip2
//! wasi-mmap run --dir . target/wasm32-wasip2/release/examples/views.wasm README.md
//! ```

use std::error::Error;

use wasi_mmap::{Mapping, Views};

/// The size of a view in bytes: a plugin's memory has at most 4 GiB, a file may have more.
const SIZE: usize = 64 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, path] = &arguments[..] else { return Err("usage: views FILE".into()) };

    let file = Mapping::open(path)?;
    let (mut checksum, mut is_zero_copy) = (1, true);
    // SAFETY: the user does not change the file while this program reads it.
    for view in unsafe { file.views(.., SIZE) }? {
        let view = view?;
        checksum = adler32(checksum, &view);
        is_zero_copy &= view.is_zero_copy();
        // If the file became shorter, the view has read zeros, which do not count.
        view.check()?;
    }
    println!("{checksum:08x} {}", if is_zero_copy { "zero-copy" } else { "copied" });
    Ok(())
}

/// Continues an Adler-32 checksum (RFC 1950), which starts at 1.
fn adler32(checksum: u32, bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65521;
    /// The number of bytes after which the sums must be reduced: with more, they may exceed 32 bits.
    const CHUNK: usize = 5552;
    let (mut low, mut high) = (checksum & 0xffff, checksum >> 16);
    for chunk in bytes.chunks(CHUNK) {
        for &byte in chunk {
            low += u32::from(byte);
            high += low;
        }
        low %= MODULUS;
        high %= MODULUS;
    }
    high << 16 | low
}
