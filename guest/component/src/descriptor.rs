//! WASI's descriptors as files of the cache.

use wasi_mmap::fallback::{Cache, CacheOptions, File, FileId};
use wasi_mmap::{Result, Rights, wasi_error};
use wasi_mmap_core::{FileInfo, FileKind};

use crate::bindings::wasi::filesystem::types::{Descriptor, DescriptorFlags, DescriptorType, ErrorCode};

/// A descriptor of `wasi:filesystem`.
#[derive(Debug)]
pub(crate) struct DescriptorFile(pub(crate) Descriptor);

/// The most bytes that one call of WASI reads.
const MAX_READ: u64 = 64 * 1024;

fn error(code: ErrorCode) -> wasi_mmap::Error {
    wasi_error(code.name())
}

impl File for DescriptorFile {
    fn info(&self) -> Result<FileInfo> {
        let stat = self.0.stat().map_err(error)?;
        let flags = self.0.get_flags().map_err(error)?;
        let kind = match stat.type_ {
            DescriptorType::RegularFile => FileKind::Regular,
            DescriptorType::Directory => FileKind::Directory,
            DescriptorType::Fifo => FileKind::Pipe,
            DescriptorType::Socket => FileKind::Socket,
            DescriptorType::BlockDevice | DescriptorType::CharacterDevice => FileKind::Device,
            DescriptorType::Unknown | DescriptorType::SymbolicLink => FileKind::Other,
        };
        let mut rights = Rights::empty();
        rights.set(Rights::READ, flags.contains(DescriptorFlags::READ));
        rights.set(Rights::WRITE, flags.contains(DescriptorFlags::WRITE));
        Ok(FileInfo { kind, len: stat.size, rights, grows: false })
    }

    fn id(&self) -> Result<FileId> {
        let hash = self.0.metadata_hash().map_err(error)?;
        Ok(FileId(hash.lower, hash.upper))
    }

    fn len(&self) -> Result<u64> {
        Ok(self.0.stat().map_err(error)?.size)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let (bytes, _) = self.0.read((buffer.len() as u64).min(MAX_READ), offset).map_err(error)?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize> {
        let count = self.0.write(bytes, offset).map_err(error)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX).min(bytes.len()))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.0.set_size(len).map_err(error)
    }

    fn sync(&self) -> Result<()> {
        self.0.sync_data().map_err(error)
    }
}

thread_local! {
    static CACHE: Cache<DescriptorFile> = Cache::new(CacheOptions::default());
}

/// Returns the cache of all mappings in this component.
pub(crate) fn cache() -> Cache<DescriptorFile> {
    CACHE.with(Cache::clone)
}
