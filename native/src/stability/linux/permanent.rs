//! Files whose bytes can never change, and files that a lease can protect.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use rustix::fs::{AtFlags, MemfdFlags, SealFlags, SeekFrom, StatxAttributes, StatxFlags};
use wasi_mmap_core::Result;

use super::super::kind::{Stability, unstable};

/// File systems on disks or in memory of this machine, for which the kernel knows of every writer: ext2/3/4, XFS,
/// Btrfs, F2FS, tmpfs, ramfs. `linux/magic.h`.
const LOCAL: [u32; 6] = [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, IN_MEMORY[0], IN_MEMORY[1]];
/// tmpfs and ramfs.
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58F6];
/// File systems that cannot be written: SquashFS, EROFS, ISO 9660, cramfs, romfs.
const READ_ONLY: [u32; 5] = [0x7371_7368, 0xE0F5_E1E2, 0x9660, 0x28CD_3D45, 0x7275];
/// The names of common file systems among the others, for error messages.
const OTHERS: [(u32, &str); 6] = [
    (0x6969, "NFS"),
    (0xFF53_4D42, "SMB"),
    (0xFE53_4D42, "SMB"),
    (0x6573_5546, "FUSE"),
    (0x794C_7630, "overlayfs"),
    (0x0102_1997, "9P"),
];

/// Returns the reason why a file's bytes can never change, or `None` if they can.
///
/// # Errors
///
/// [`Error::Unsupported`](wasi_mmap_core::Error::Unsupported) if they can change, and a lease cannot protect them
/// either.
pub(super) fn permanent_stability(file: &File) -> Result<Option<Stability>> {
    // For files that cannot have seals, the call fails; files of tmpfs have a seal against sealing.
    let seals = rustix::fs::fcntl_get_seals(file).unwrap_or(SealFlags::empty());
    if seals.contains(SealFlags::WRITE | SealFlags::SHRINK) {
        return Ok(Some(Stability::Sealed));
    }
    let kind = kind(file).ok_or_else(|| unstable("the type of its file system is unknown"))?;
    if READ_ONLY.contains(&kind) {
        return Ok(Some(Stability::ReadOnly));
    }
    if !LOCAL.contains(&kind) {
        let name = OTHERS.iter().find(|(other, _)| *other == kind).map(|(_, name)| *name);
        return Err(unstable(&match name {
            Some(name) => format!("it is on {name}, where others can change it unnoticed; copy it to a local disk"),
            None => format!(
                "its file system, of type {kind:#x}, is not known to notice every writer; copy it to a local disk"
            ),
        }));
    }
    if statx(file, StatxFlags::empty()).is_some_and(|found| found.stx_attributes.contains(StatxAttributes::VERITY)) {
        return Ok(Some(Stability::Verity));
    }
    if IN_MEMORY.contains(&kind) && is_memfd(file) {
        // The kernel would give a lease all the same: it counts how often a file was opened for writing, and a memfd
        // was never opened.
        return Err(unstable("it is memory (memfd_create) that is not sealed; seal it against writing and shrinking"));
    }
    Ok(None)
}

/// Returns whether the file's file system is mounted read-only everywhere. A read-only *bind* mount is not enough: the
/// file can be written through another mount.
pub(super) fn is_mounted_read_only(file: &File) -> bool {
    let Some(found) = statx(file, StatxFlags::MNT_ID) else { return false };
    if found.stx_mask & StatxFlags::MNT_ID.bits() == 0 {
        // Linux before 5.8.
        return false;
    }
    let Ok(mounts) = std::fs::read("/proc/self/mountinfo") else { return false };
    let mounts = String::from_utf8_lossy(&mounts);
    mounts.lines().any(|line| is_read_only_mount(line, found.stx_mnt_id))
}

/// Returns whether a line of `mountinfo` describes the mount, and a file system that is itself read-only. `proc(5)`:
/// the mount's number comes first, the options of the mount before the dash, and those of the file system last.
fn is_read_only_mount(line: &str, mount: u64) -> bool {
    let Some((mount_part, system_part)) = line.split_once(" - ") else { return false };
    let number = mount_part.split(' ').next().and_then(|number| number.parse().ok());
    number == Some(mount)
        && system_part.rsplit(' ').next().is_some_and(|options| options.split(',').any(|one| one == "ro"))
}

/// Returns the type of the file system. `statfs(2)`.
fn kind(file: &File) -> Option<u32> {
    // A number of 32 bits, in a field that may be wider, signed or unsigned.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the upper half is empty")]
    rustix::fs::fstatfs(file).ok().map(|found| found.f_type as u32)
}

fn statx(file: &File, mask: StatxFlags) -> Option<rustix::fs::Statx> {
    rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, mask).ok()
}

/// Returns whether a file is on a file system in memory.
pub(super) fn is_in_memory(file: &File) -> bool {
    kind(file).is_none_or(|kind| IN_MEMORY.contains(&kind))
}

/// The reason for refusing a file with holes.
pub(super) const HOLES: &str = "it is in memory and has holes, for which there may be no space when they are read";

/// Returns the length of the file. Linux `lseek(2)`, which moves the description's position; `fstat(2)` takes more than
/// twice as long.
pub(super) fn length(file: &File) -> Result<u64> {
    Ok(rustix::fs::seek(file, SeekFrom::End(0)).map_err(std::io::Error::from)?)
}

/// Returns whether a range of the file has holes, as far as the system can tell. Linux `lseek(2)` with `SEEK_HOLE`,
/// which moves the description's position.
pub(super) fn has_holes(file: &File, range: &Range<u64>) -> bool {
    rustix::fs::seek(file, SeekFrom::Hole(range.start)).map_or(true, |hole| hole < range.end)
}

/// Returns whether a file in memory is a memfd: all of these are on one file system, which nobody can mount.
fn is_memfd(file: &File) -> bool {
    static DEVICE: OnceLock<u64> = OnceLock::new();
    // A failure, such as too many open files, is not kept.
    let device = DEVICE.get().copied().or_else(|| {
        let memory = rustix::fs::memfd_create("wasi-mmap", MemfdFlags::CLOEXEC).ok()?;
        let device = File::from(memory).metadata().ok()?.dev();
        Some(*DEVICE.get_or_init(|| device))
    });
    // If it cannot be determined, it may be one.
    device.is_none_or(|device| file.metadata().map_or(true, |found| found.dev() == device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_only_bind_mount_is_not_a_read_only_file_system() {
        let bind = "41 27 254:0 /data /mnt ro,relatime shared:1 - ext4 /dev/vda rw,discard";
        let whole = "42 27 254:0 / /mnt rw,relatime - ext4 /dev/with\\040space ro,discard";
        let alike = "43 27 254:0 / /mnt ro - ext4 /dev/ro rw,errors=remount-ro";
        assert_eq!([bind, whole, alike].map(|line| is_read_only_mount(line, 42)), [false, true, false]);
        assert!(!is_read_only_mount(bind, 41));
        assert!(!is_read_only_mount(alike, 43));
        assert!(!is_read_only_mount("", 0));
    }
}
