//! A log that grows: appends a message to a file that is mapped, and makes the file longer when it is full.
//!
//! The file starts with the number of bytes in use, as a 64-bit little-endian number. The length of the file doubles
//! each time, so that appending is one copy nearly always.
//!
//! Natively, on Linux and Windows:
//!
//! ```sh
//! cargo run --release -p wasi-mmap --example log -- service.log "the service has started"
//! ```
//!
//! As a plugin, with `cargo install --locked --path host/cli`:
//!
//! ```sh
//! cargo build --release -p wasi-mmap --example log --target wasm32-wasip2
//! wasi-mmap run --dir . target/wasm32-wasip2/release/examples/log.wasm service.log "the service has started"
//! ```

use std::error::Error;
use std::fs::File;
use std::io::Write;

use wasi_mmap::{Access, Mapping};

/// The length of the header in bytes.
const HEADER: u64 = 8;
/// The length of a new log in bytes, all of them zeros.
const NEW: u64 = 4096;

struct Log {
    file: Mapping,
}

impl Log {
    /// Opens a log, or makes an empty one.
    fn open(path: &str) -> Result<Self, Box<dyn Error>> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        if file.metadata()?.len() == 0 {
            // An empty file cannot be mapped.
            file.set_len(NEW)?;
        }
        drop(file);
        Ok(Self { file: Mapping::options().access(Access::Write).open(path)? })
    }

    /// Returns the end of the last message.
    fn end(&self) -> Result<u64, Box<dyn Error>> {
        let mut header = [0; size_of::<u64>()];
        self.file.read_exact_at(&mut header, 0)?;
        let len = self.file.len()?;
        let end = HEADER.checked_add(u64::from_le_bytes(header)).filter(|&end| end <= len);
        end.ok_or_else(|| "the file is not a log".into())
    }

    /// Appends a message.
    fn append(&mut self, message: &str) -> Result<(), Box<dyn Error>> {
        let line = format!("{message}\n");
        let start = self.end()?;
        let end = start + line.len() as u64;
        let len = self.file.len()?;
        if end > len {
            self.file.resize(end.max(2 * len))?;
        }
        self.file.write_all_at(line.as_bytes(), start)?;
        // The message is on the device before the header counts it: a crash leaves no half message.
        self.file.flush()?;
        self.file.write_all_at(&(end - HEADER).to_le_bytes(), 0)?;
        self.file.flush()?;
        Ok(())
    }

    /// Returns all messages.
    fn messages(&self) -> Result<Vec<u8>, Box<dyn Error>> {
        Ok(self.file.read_range(HEADER..self.end()?)?)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, path, messages @ ..] = &arguments[..] else { return Err("usage: log FILE [MESSAGE]...".into()) };

    let mut log = Log::open(path)?;
    for message in messages {
        log.append(message)?;
    }
    std::io::stdout().write_all(&log.messages()?)?;
    Ok(())
}
