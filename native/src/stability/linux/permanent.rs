//! What files are: whether they can change at all, and whether a lease tells of all who change them.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use rustix::fs::{AtFlags, MemfdFlags, SealFlags, StatxAttributes, StatxFlags};
use wasi_mmap_core::{Error, Result};

use crate::stable::Held;

/// File systems on disks or in memory of this machine, where all who write are known to the kernel: ext2/3/4, XFS, Btrfs, F2FS,
/// tmpfs, ramfs. `linux/magic.h`.
const LOCAL: [u32; 6] = [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, TMPFS, 0x8584_58F6];
const TMPFS: u32 = 0x0102_1994;
/// File systems that cannot be written: SquashFS, EROFS, ISO 9660, cramfs, romfs.
const READ_ONLY: [u32; 5] = [0x7371_7368, 0xE0F5_E1E2, 0x9660, 0x28CD_3D45, 0x7275];
/// Those that are met most, to name them.
const OTHERS: [(u32, &str); 6] = [
    (0x6969, "NFS"),
    (0xFF53_4D42, "SMB"),
    (0xFE53_4D42, "SMB"),
    (0x6573_5546, "FUSE"),
    (0x794C_7630, "overlayfs"),
    (0x0102_1997, "9P"),
];

/// How a file's bytes are fixed for good, if they are.
///
/// # Errors
///
/// `unsupported`, if no lease can hold them either.
pub(super) fn fixed(file: &File) -> Result<Option<Held>> {
    // Files that have no seals at all answer an error, and those of tmpfs that nobody can seal them.
    let seals = rustix::fs::fcntl_get_seals(file).unwrap_or(SealFlags::empty());
    if seals.contains(SealFlags::WRITE | SealFlags::SHRINK) {
        return Ok(Some(Held::Sealed));
    }
    let kind = kind(file).ok_or_else(|| refuse("its file system does not say what it is"))?;
    if READ_ONLY.contains(&kind) {
        return Ok(Some(Held::ReadOnly));
    }
    if !LOCAL.contains(&kind) {
        let name = OTHERS.iter().find(|(other, _)| *other == kind).map(|(_, name)| *name);
        return Err(refuse(&match name {
            Some(name) => format!("it is on {name}, where others can change it unseen; copy it to a local disk"),
            None => format!(
                "its file system, of type {kind:#x}, is not known to tell of all who write; copy it to a local disk"
            ),
        }));
    }
    if statx(file, StatxFlags::empty()).is_some_and(|found| found.stx_attributes.contains(StatxAttributes::VERITY)) {
        return Ok(Some(Held::Verity));
    }
    if kind == TMPFS && is_memfd(file) {
        // The kernel gives a lease all the same: it counts who opened a file for writing, and a memfd was never opened.
        return Err(refuse("it is memory (memfd_create) that is not sealed; seal it against writing and shrinking"));
    }
    Ok(None)
}

/// Whether the file's file system is mounted to be read only, everywhere: a *bind* mount to be read leaves others that write.
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

/// Whether a line of `mountinfo` is that of the mount, and says of the file system itself that it is only read. `proc(5)`: the
/// mount's number comes first; the options of the file system last, those of the mount before the dash.
fn is_read_only_mount(line: &str, mount: u64) -> bool {
    let Some((mount_part, system_part)) = line.split_once(" - ") else { return false };
    let number = mount_part.split(' ').next().and_then(|number| number.parse().ok());
    number == Some(mount)
        && system_part.rsplit(' ').next().is_some_and(|options| options.split(',').any(|one| one == "ro"))
}

/// An error that says why a file's bytes cannot be held still.
pub(super) fn refuse(reason: &str) -> Error {
    Error::Unsupported(format!("holding the file's bytes still: {reason}").into())
}

/// What `statfs(2)` calls the file system's type.
fn kind(file: &File) -> Option<u32> {
    // The number is of 32 bits, in a field that may be wider, with a sign or without.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the upper half has nothing")]
    rustix::fs::fstatfs(file).ok().map(|found| found.f_type as u32)
}

fn statx(file: &File, mask: StatxFlags) -> Option<rustix::fs::Statx> {
    rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, mask).ok()
}

/// Whether a file of tmpfs is memory that was never opened: all such memory is on one file system that nobody can mount.
fn is_memfd(file: &File) -> bool {
    static DEVICE: OnceLock<Option<u64>> = OnceLock::new();
    let device = *DEVICE.get_or_init(|| {
        let memory = rustix::fs::memfd_create("wasi-mmap", MemfdFlags::CLOEXEC).ok()?;
        Some(File::from(memory).metadata().ok()?.dev())
    });
    // Where it cannot be told, it may be.
    device.is_none_or(|device| file.metadata().map_or(true, |found| found.dev() == device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_mount_to_be_read_is_not_a_file_system_to_be_read() {
        let bind = "41 27 254:0 /data /mnt ro,relatime shared:1 - ext4 /dev/vda rw,discard";
        let whole = "42 27 254:0 / /mnt rw,relatime - ext4 /dev/with\\040space ro,discard";
        let alike = "43 27 254:0 / /mnt ro - ext4 /dev/ro rw,errors=remount-ro";
        assert_eq!([bind, whole, alike].map(|line| is_read_only_mount(line, 42)), [false, true, false]);
        assert!(!is_read_only_mount(bind, 41));
        assert!(!is_read_only_mount(alike, 43));
        assert!(!is_read_only_mount("", 0));
    }
}
