//! The semantics of `Mapping` and of the provided methods of `Storage`, over a storage that is a vector.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use wasi_mmap_conformance::model::{Run, run};
use wasi_mmap_core::{
    Access, Advice, Backend, BeyondEnd, Extent, FileInfo, FileKind, FlushFlags, MapFlags, MapOptions, Result, Rights,
    Storage,
};

const PAGE: u64 = 4096;

/// A file that was read into memory, and is written when its last mapping is dropped.
struct Open {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Drop for Open {
    fn drop(&mut self) {
        std::fs::write(&self.path, &self.bytes).expect("the file was there");
    }
}

thread_local! {
    /// The one file that is mapped at a time.
    static OPEN: RefCell<std::rc::Weak<RefCell<Open>>> = const { RefCell::new(std::rc::Weak::new()) };
}

struct Plain {
    file: Rc<RefCell<Open>>,
    extent: Extent,
    /// The rules of a mapping that may reach past the end of the file.
    beyond_end: Option<BeyondEnd>,
}

impl Plain {
    fn place(&self, offset: u64, len: usize) -> Range<usize> {
        let start = usize::try_from(self.extent.offset + offset).expect("a small file");
        start..start + len
    }

    /// Returns the part of a place that lies in the file, if the mapping may reach past its end.
    fn in_file(&self, place: Range<usize>) -> Range<usize> {
        let end = if self.beyond_end.is_some() { self.file.borrow().bytes.len() } else { usize::MAX };
        place.start.min(end)..place.end.min(end)
    }
}

impl Backend for Plain {
    type File = Rc<RefCell<Open>>;

    fn open(path: &Path, _: Rights) -> Result<Self::File> {
        OPEN.with_borrow_mut(|open| {
            if let Some(file) = open.upgrade() {
                return Ok(file);
            }
            let file = Open { path: path.to_owned(), bytes: std::fs::read(path)? };
            let file = Rc::new(RefCell::new(file));
            *open = Rc::downgrade(&file);
            Ok(file)
        })
    }

    fn map_file(file: Self::File, options: &MapOptions) -> Result<(Self, Access)> {
        let info = FileInfo {
            kind: FileKind::Regular,
            len: file.borrow().bytes.len() as u64,
            rights: Rights::all(),
            grows: false,
        };
        let extent = options.extent_of_file(&info, PAGE)?;
        let beyond_end =
            options.flags.contains(MapFlags::BEYOND_END).then(|| BeyondEnd::new(extent.offset, info.len, PAGE));
        Ok((Self { extent, beyond_end, file }, options.with_rights(info.rights).access))
    }

    fn map_anonymous(_: &MapOptions) -> Result<Self> {
        unreachable!("the model maps files")
    }

    fn map_named(_: &str, _: &MapOptions) -> Result<Self> {
        unreachable!("the model maps files")
    }

    fn granularity() -> u64 {
        PAGE
    }
}

impl Storage for Plain {
    fn len(&self) -> u64 {
        self.extent.len
    }

    fn offset(&self) -> u64 {
        self.extent.offset
    }

    fn file_len(&self) -> Result<u64> {
        Ok(self.file.borrow().bytes.len() as u64)
    }

    fn page_size() -> u64 {
        PAGE
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let place = self.in_file(self.place(offset, buffer.len()));
        let (present, absent) = buffer.split_at_mut(place.len());
        present.copy_from_slice(&self.file.borrow().bytes[place]);
        absent.fill(0);
        Ok(())
    }

    fn check_write(&self, range: &Range<u64>) -> Result<()> {
        self.beyond_end.as_ref().map_or(Ok(()), |rules| rules.check_write(range, self.file_len()?))
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.check_write(&(offset..offset + bytes.len() as u64))?;
        let place = self.in_file(self.place(offset, bytes.len()));
        let count = place.len();
        self.file.borrow_mut().bytes[place].copy_from_slice(&bytes[..count]);
        Ok(())
    }

    fn flush(&mut self, _: Range<u64>, _: FlushFlags) -> Result<()> {
        Ok(())
    }

    fn advise(&mut self, _: Advice, _: Range<u64>) -> Result<()> {
        Ok(())
    }

    fn resize(&mut self, len: u64) -> Result<()> {
        let end = self.place(len, 0).start;
        self.file.borrow_mut().bytes.resize(end, 0);
        self.extent.len = len;
        Ok(())
    }

    fn refresh(&mut self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn random_operations_agree_with_the_model() {
    let scratch = tempfile::tempdir().expect("a directory for the file");
    // Miri runs some ten thousand times slower.
    let operations = if cfg!(miri) { 100 } else { 50_000 };
    let one = Run { seed: 7, operations, private: false, windows: false };
    let outcome = run::<wasi_mmap_core::Mapping<Plain>>(one, scratch.path());
    if let Err(difference) = outcome {
        panic!("{difference}");
    }
}
