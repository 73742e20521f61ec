//! Compiled plugins: the engine's native code, followed by a trailer that says what it is.
//!
//! Native code is not checked when it is loaded, and nothing confines it: whoever writes it has the rights of the
//! process that runs it. So the code comes from two places only: from a file for which the user vouches, or from the
//! cache, whose files nobody else can have written. The trailer's checksum finds damage, not malice.
//!
//! ```text
//! native code                    as the engine serializes it: an ELF file
//! description                    JSON
//! length of the description      4 bytes, little-endian
//! CRC-32 of all that is above    4 bytes, little-endian
//! MAGIC                          16 bytes
//! ```

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};
use wasmtime::component::Component;
use wasmtime::error::Context;
use wasmtime::{Engine, Result, bail};

use crate::cache::Entry;
use crate::plugin::Interfaces;

/// The last bytes of a compiled plugin, with the version of the trailer.
const MAGIC: [u8; 16] = *b"wasi-mmap code 1";

/// The bytes after the description.
const FOOTER: usize = 24;

/// The first bytes of native code, as the engine serializes it.
const CODE: [u8; 4] = *b"\x7fELF";

/// The longest description that is read, in bytes.
const MOST_DESCRIBED: u64 = 1 << 20;

/// What a compiled plugin was made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Description {
    /// The version of the command that compiled the plugin.
    pub(crate) command: String,
    /// The processor and the system.
    pub(crate) machine: String,
    /// The fallback is composed into the plugin.
    pub(crate) fallback: bool,
    /// The plugin was a module for WASI preview 1.
    pub(crate) module: bool,
    /// The size of the plugin's file, in bytes.
    pub(crate) plugin_bytes: u64,
    /// The imports and exports of the component that was compiled.
    pub(crate) interfaces: Interfaces,
}

impl Description {
    /// Returns the processor and the system that this command compiles for.
    pub(crate) fn this_machine() -> String {
        format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
    }
}

/// Returns whether a file with these first bytes has native code instead of WebAssembly.
pub(crate) fn is_code(first: &[u8]) -> bool {
    first.starts_with(&CODE)
}

/// Returns the bytes of a compiled plugin.
///
/// # Errors
///
/// Fails if the engine cannot serialize the component, or if its description is too long.
pub(crate) fn serialize(component: &Component, description: &Description) -> Result<Vec<u8>> {
    seal(component.serialize()?, description)
}

/// Adds the trailer to native code.
fn seal(mut bytes: Vec<u8>, description: &Description) -> Result<Vec<u8>> {
    let description = serde_json::to_vec(description)?;
    if description.len() as u64 > MOST_DESCRIBED {
        bail!("the names of its imports and exports take {} bytes", description.len());
    }
    bytes.extend_from_slice(&description);
    bytes.extend_from_slice(&u32::try_from(description.len())?.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend_from_slice(&MAGIC);
    Ok(bytes)
}

/// Reads the description of a compiled plugin, and checks that the file is complete and not damaged.
///
/// # Errors
///
/// Says what is wrong with the file.
pub(crate) fn describe(file: &mut (impl Read + Seek)) -> Result<Description> {
    const FOREIGN: &str =
        "it is not complete, or another program, or another version of wasi-mmap, has compiled it: compile it again";
    let length = file.seek(SeekFrom::End(0))?;
    let Some(end) = length.checked_sub(FOOTER as u64) else { bail!(FOREIGN) };
    file.seek(SeekFrom::Start(end))?;
    let mut footer = [0; FOOTER];
    file.read_exact(&mut footer)?;
    let (numbers, magic) = footer.split_at(8);
    if magic != MAGIC {
        bail!(FOREIGN);
    }
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    let (described, expected) = (u64::from(number(&numbers[..4])), number(&numbers[4..]));
    let found = checksum(file, end + 4)?;
    if found != expected {
        bail!("it is damaged: its checksum is {found:08x} instead of {expected:08x}: compile it again");
    }
    let begin = end.checked_sub(described).filter(|_| described <= MOST_DESCRIBED);
    let begin = begin.context("the length of its description is wrong: compile it again")?;
    file.seek(SeekFrom::Start(begin))?;
    let mut json = Vec::new();
    file.take(described).read_to_end(&mut json)?;
    let description: Description =
        serde_json::from_slice(&json).context("its description is wrong: compile it again")?;
    let (theirs, ours) = (&description.command, env!("CARGO_PKG_VERSION"));
    if theirs != ours {
        bail!("wasi-mmap {theirs} has compiled it, and this is wasi-mmap {ours}: compile it again");
    }
    Ok(description)
}

/// Returns the CRC-32 of the first bytes of a file.
fn checksum(file: &mut (impl Read + Seek), length: u64) -> Result<u32> {
    file.seek(SeekFrom::Start(0))?;
    let (mut hasher, mut rest, mut buffer) = (crc32fast::Hasher::new(), length, vec![0; 256 << 10]);
    while rest > 0 {
        let most = usize::try_from(rest).unwrap_or(usize::MAX).min(buffer.len());
        let read = file.read(&mut buffer[..most])?;
        if read == 0 {
            bail!("it became shorter while it was read");
        }
        hasher.update(&buffer[..read]);
        rest -= read as u64;
    }
    Ok(hasher.finalize())
}

/// Loads a compiled plugin from a file for which the user vouches with `--allow-compiled`.
///
/// # Errors
///
/// Fails if the file is not complete, or damaged, or made for another machine or engine.
pub(crate) fn load_vouched(engine: &Engine, path: &Path) -> Result<(Component, Description)> {
    let description = describe(&mut File::open(path)?)?;
    Ok((load(engine, path, &description)?, description))
}

/// Loads the bytes of a compiled plugin for which the user vouches with `--allow-compiled`.
///
/// # Errors
///
/// As [`load_vouched`].
pub(crate) fn load_vouched_bytes(engine: &Engine, bytes: &[u8]) -> Result<(Component, Description)> {
    let description = describe(&mut std::io::Cursor::new(bytes))?;
    // SAFETY: the user vouches that wasi-mmap has compiled the bytes, which are complete and not damaged.
    let component = unsafe { Component::deserialize(engine, bytes) };
    Ok((foreign(component, &description)?, description))
}

/// Loads a compiled plugin from the cache.
///
/// # Errors
///
/// As [`load_vouched`].
pub(crate) fn load_cached(engine: &Engine, entry: Entry) -> Result<(Component, Description)> {
    let Entry { path, mut file } = entry;
    let description = describe(&mut file)?;
    Ok((load(engine, &path, &description)?, description))
}

/// Maps the code of a compiled plugin that was described.
fn load(engine: &Engine, path: &Path, description: &Description) -> Result<Component> {
    // SAFETY: this command has compiled the file: the user vouches for that, or the file is an entry of the cache, in
    // whose folder only this user can write. It is complete and not damaged. wasmtime maps it, so it must not change
    // meanwhile: this command replaces such files, and never writes to them, and the user does not, either.
    let component = unsafe { Component::deserialize_file(engine, path) };
    foreign(component, description)
}

/// Says why the engine has refused a compiled plugin.
fn foreign(component: Result<Component>, description: &Description) -> Result<Component> {
    component.map_err(|error| {
        let machine = &description.machine;
        wasmtime::format_err!(
            "it was compiled for another engine or another processor ({machine}): compile it again: {error:#}"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const THIS: &str = env!("CARGO_PKG_VERSION");

    fn sealed(command: &str) -> Vec<u8> {
        let description = Description {
            command: command.into(),
            machine: Description::this_machine(),
            fallback: true,
            module: false,
            plugin_bytes: 7,
            interfaces: Interfaces::default(),
        };
        seal(b"\x7fELF and code".repeat(10), &description).expect("sealed")
    }

    #[test]
    fn a_description_is_found_behind_the_code() {
        let description = describe(&mut Cursor::new(sealed(THIS))).expect("whole");
        assert_eq!((description.command.as_str(), description.fallback, description.plugin_bytes), (THIS, true, 7));
    }

    #[test]
    fn code_of_another_version_is_refused() {
        let error = describe(&mut Cursor::new(sealed("0.0.99"))).expect_err("another version");
        assert!(error.to_string().starts_with("wasi-mmap 0.0.99 has compiled it, and this is"), "{error}");
    }

    #[test]
    fn any_changed_bit_and_any_missing_or_added_byte_is_found() {
        let whole = sealed(THIS);
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            describe(&mut Cursor::new(damaged)).expect_err("a bit has changed");
        }
        for length in 0..whole.len() {
            describe(&mut Cursor::new(&whole[..length])).expect_err("the end is missing");
            describe(&mut Cursor::new(&whole[whole.len() - length..])).expect_err("the beginning is missing");
        }
        describe(&mut Cursor::new([&whole[..], &[0]].concat())).expect_err("there is a byte more");
    }

    #[test]
    fn numbers_of_a_trailer_are_checked_even_if_the_checksum_is_right() {
        for length in [u32::MAX, 1 << 20, 1 << 21, 101, 0] {
            let mut bytes = [&b"\x7fELF"[..], &[b' '; 96], &length.to_le_bytes()].concat();
            bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
            bytes.extend_from_slice(&MAGIC);
            describe(&mut Cursor::new(bytes)).expect_err("the length is wrong");
        }
    }
}
