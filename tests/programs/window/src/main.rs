//! The rules of windows, as a plugin sees them: `window CHECK` runs one, in `/scratch`, and panics where the rule does
//! not hold.

mod failures;
mod growth;
mod memory;
mod modes;
mod reads;
mod rules;
mod stable;
mod tenants;
mod views;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let checks = rules::CHECKS.iter().chain(memory::CHECKS).chain(views::CHECKS);
    let checks = checks.chain(failures::CHECKS).chain(stable::CHECKS).chain(modes::CHECKS).chain(growth::CHECKS);
    let checks = checks.chain(reads::CHECKS).chain(tenants::CHECKS);
    let wanted = arguments.first().map_or("", String::as_str);
    match checks.clone().find(|(name, _)| *name == wanted) {
        Some((_, check)) => {
            check();
            println!("{wanted}: done");
            ExitCode::SUCCESS
        }
        None => {
            let names: Vec<_> = checks.map(|(name, _)| *name).collect();
            eprintln!("usage: window CHECK, one of {}", names.join(", "));
            ExitCode::FAILURE
        }
    }
}

/// A check and its name.
type Check = (&'static str, fn());

/// The size of a page, which all hosts of these tests have.
const PAGE: usize = 4096;

/// Pages of this program's memory.
#[repr(C, align(4096))]
struct Pages<const N: usize>([[u8; PAGE]; N]);

impl<const N: usize> Pages<N> {
    /// Pages that nothing else lies in, and that are never freed: a window may stay in them.
    fn new() -> &'static mut Self {
        let mut pages = Box::<Self>::new_uninit();
        // SAFETY: the pages are as long as the pointer is told, and bytes of zeros are a value of them.
        unsafe { pages.as_mut_ptr().cast::<u8>().write_bytes(0, N * PAGE) };
        // SAFETY: all bytes have just been written.
        Box::leak(unsafe { pages.assume_init() })
    }

    fn bytes(&mut self) -> &mut [u8] {
        self.0.as_flattened_mut()
    }
}

/// Returns the last byte of a window's memory.
fn end(pages: &[u8]) -> &[u8] {
    &pages[pages.len() - 1..]
}

/// Reads a byte from memory: a window changes it without the compiler knowing.
fn peek(bytes: &[u8], at: usize) -> u8 {
    // SAFETY: the reference is valid for a read.
    unsafe { std::ptr::from_ref(&bytes[at]).read_volatile() }
}

/// Writes a byte for others to see.
fn poke(bytes: &mut [u8], at: usize, value: u8) {
    // SAFETY: the reference is valid for a write.
    unsafe { std::ptr::from_mut(&mut bytes[at]).write_volatile(value) };
}

/// Makes a file of `pages` pages, each filled with its own number plus `'a'`.
fn make_file(name: &str, pages: usize) -> String {
    let path = format!("/scratch/{name}");
    let bytes: Vec<u8> = (0..pages).flat_map(|page| [b'a' + page as u8; PAGE]).collect();
    std::fs::write(&path, bytes).expect("a file");
    path
}
