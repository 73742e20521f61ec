//! A program that maps files with memmap2, as any program does. Its arguments are a folder for the files, and whether
//! mappings are the files' own pages (`pages`) or copies (`copies`).

mod files;
mod limits;
mod sharing;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// What every check has: a folder of its own, and what mappings are.
pub(crate) struct Context {
    folder: PathBuf,
    /// Whether mappings are the files' own pages.
    is_pages: bool,
}

impl Context {
    /// Makes a file, and returns its path.
    fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, contents).expect("a file");
        path
    }
}

/// Opens a file for reading and writing.
pub(crate) fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).expect("the file")
}

/// Returns the number of an error, which a call must have returned.
pub(crate) fn code<T>(result: io::Result<T>) -> Option<i32> {
    match result {
        Ok(_) => panic!("no error"),
        Err(error) => error.raw_os_error(),
    }
}

/// Returns the kind of an error, which a call must have returned.
pub(crate) fn kind<T>(result: io::Result<T>) -> io::ErrorKind {
    match result {
        Ok(_) => panic!("no error"),
        Err(error) => error.kind(),
    }
}

type Check = (&'static str, fn(&Context));

const CHECKS: &[Check] = &[
    ("a mapping stays when its file is renamed, deleted or closed", files::stays),
    ("a file that is open for reading is mapped for reading", files::read_only),
    ("writes reach the file", files::write),
    ("a mapping for reading is made writable", files::make_mut),
    ("private copies never reach the file", files::private),
    ("files that were opened by functions of C", files::opened_by_c),
    ("offsets that are not aligned", files::unaligned),
    ("past the end of the file", files::past_the_end),
    ("empty files and empty mappings", files::empty),
    ("what is not a file is refused", files::refused),
    ("advice", files::advice),
    ("memory without a file", files::anonymous),
    ("ranges of flushes", files::flush_ranges),
    ("what is leaked is written when the program ends", files::leaked),
    ("mappings of a range share one memory", sharing::one_memory),
    ("mappings of overlapping ranges", sharing::overlapping),
    ("writes to the file are seen by mappings", sharing::file_writes),
    ("writes are seen by reads of the file", sharing::file_reads),
    ("a file that is truncated when it is opened", sharing::truncated_when_opened),
    ("a file that grows under its mapping", sharing::growing),
    ("a file that is opened for appending", sharing::appending),
    ("5,000 mappings in a row", limits::in_a_row),
    ("1,100 mappings at once", limits::at_once),
    ("large and too large mappings", limits::large),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, backend] = &arguments[..] else { panic!("expected a folder, and `pages` or `copies`") };
    for (index, (name, check)) in CHECKS.iter().enumerate() {
        println!("{name}");
        let folder = Path::new(folder).join(index.to_string());
        fs::create_dir(&folder).expect("a folder");
        check(&Context { folder, is_pages: backend == "pages" });
    }
    println!("{} checks", CHECKS.len());
}
