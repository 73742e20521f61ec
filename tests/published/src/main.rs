//! Runs libraries of the registry that write to files through memmap2, and prints what they find. Nothing here knows of
//! wasi-mmap: `published LIBRARY FOLDER` does the same natively and as a plugin.

mod synchronized;
mod vector;

use std::error::Error;
use std::path::Path;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, library, folder] = &arguments[..] else { return Err("usage: published LIBRARY FOLDER".into()) };
    let folder = Path::new(folder);
    match library.as_str() {
        "memvec" => vector::run(folder),
        "mmap-sync" => synchronized::run(folder),
        _ => Err(format!("no library {library}").into()),
    }
}
