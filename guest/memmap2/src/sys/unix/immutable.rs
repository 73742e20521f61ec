//! The length of a file, and files that nobody can change.

use std::fs::File;
use std::io::{Error, Result};
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;

use crate::request::FileRequest;
use crate::{MapIfSafeError, MmapRawDescriptor};

/// Returns the length of a file in bytes.
pub(crate) fn file_len(file: &MmapRawDescriptor) -> Result<u64> {
    if file.0 < 0 {
        return Err(Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: the `File` does not close the descriptor, and only asks about it. If it is not open, the system says so.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(file.0) });
    Ok(file.metadata()?.len())
}

/// Checks that nobody can change or shorten a file, and that a range is within it.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(crate) fn check_immutable(_: &MmapRawDescriptor, _: &FileRequest) -> std::result::Result<(), MapIfSafeError> {
    Err(MapIfSafeError::unsupported())
}

/// Checks that nobody can change or shorten a file, and that a range is within it.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(crate) fn check_immutable(
    file: &MmapRawDescriptor,
    request: &FileRequest,
) -> std::result::Result<(), MapIfSafeError> {
    check_seals(file)?;
    let end = request.offset.checked_add(request.len as u64).ok_or_else(|| {
        MapIfSafeError::failed(Error::new(std::io::ErrorKind::InvalidInput, "mapping region overflows u64"))
    })?;
    // The file cannot become shorter after this.
    let len = file_len(file).map_err(MapIfSafeError::failed)?;
    if end > len {
        let why = format!("map request is not safe: offset + length ({end}) exceeds the size of the file ({len})");
        return Err(MapIfSafeError::unsafe_to_map(why));
    }
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn check_seals(file: &MmapRawDescriptor) -> std::result::Result<(), MapIfSafeError> {
    // SAFETY: the arguments are numbers, and the call only asks. If it fails, the file has no seals.
    let seals = unsafe { libc::fcntl(file.0, libc::F_GET_SEALS) };
    if seals < 0 {
        return if has_verity(file) {
            Ok(())
        } else {
            let why = "fd is not safe to map: it is not a memfd and it has no fs-verity";
            Err(MapIfSafeError::unsafe_to_map(why.to_owned()))
        };
    }
    let wanted = [(libc::F_SEAL_SHRINK, "F_SEAL_SHRINK"), (libc::F_SEAL_WRITE, "F_SEAL_WRITE")];
    let missing: Vec<_> = wanted.iter().filter(|(seal, _)| seals & seal == 0).map(|(_, name)| *name).collect();
    // A file on tmpfs can be asked for its seals as well. It may have fs-verity, too.
    if missing.is_empty() || has_verity(file) {
        return Ok(());
    }
    Err(MapIfSafeError::unsafe_to_map(format!("fd is not safe to map: missing seals {}", missing.join(" and "))))
}

/// Returns whether a file has fs-verity, which makes it unchangeable.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn has_verity(file: &MmapRawDescriptor) -> bool {
    /// `struct fsverity_digest` of `linux/fsverity.h`, with room for SHA-512.
    #[repr(C)]
    struct Digest {
        algorithm: u16,
        size: u16,
        digest: [u8; 64],
    }
    /// `FS_IOC_MEASURE_VERITY`: `_IOWR('f', 134, struct fsverity_digest)`.
    const MEASURE_VERITY: u32 = 0xC004_6686;
    let mut digest = Digest { algorithm: 0, size: 64, digest: [0; 64] };
    // SAFETY: the call writes at most `size` bytes to the digest, and its head. If it fails, the file has no fs-verity,
    // or the system does not know it.
    let outcome = unsafe { libc::ioctl(file.0, MEASURE_VERITY as _, &raw mut digest) };
    outcome == 0
}

#[cfg(target_os = "freebsd")]
fn has_verity(_: &MmapRawDescriptor) -> bool {
    false
}
