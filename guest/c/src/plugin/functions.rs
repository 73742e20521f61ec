//! The functions of `<sys/mman.h>`.

use std::ffi::{c_int, c_uchar, c_void};
use std::ops::Range;
use std::ptr::with_exposed_provenance_mut;
use std::sync::Arc;

use libc::off_t;
use wasi_mmap_core::Rights;
use wasi_mmap_sys::copies::HeldSource;

use super::constants::{
    KNOWN_FLAGS, MADV_DONTNEED, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_POPULATE, MAP_PRIVATE, MAP_SHARED,
    MAP_SHARED_VALIDATE, MAP_TYPE, MREMAP_FIXED, MREMAP_MAYMOVE, MS_ASYNC, MS_INVALIDATE, MS_SYNC, PROT_EXEC,
    PROT_READ, PROT_WRITE,
};
use super::errno::{EACCES, EINVAL, ENOMEM, ENOTSUP, EOVERFLOW, EPERM, Errno, Result, status};
use super::page;
use super::process::{Place, Spec, process};

/// Returns what functions return that return an address: that, or `MAP_FAILED` and `errno`.
fn address(outcome: Result<usize>) -> *mut c_void {
    with_exposed_provenance_mut(outcome.unwrap_or_else(|errno| {
        errno.set();
        usize::MAX
    }))
}

/// Maps pages of a file, or memory: `mmap(2)`.
#[unsafe(no_mangle)]
extern "C" fn mmap(
    addr: *mut c_void,
    length: usize,
    prot: c_int,
    flags: c_int,
    fd: c_int,
    offset: off_t,
) -> *mut c_void {
    address(map(addr.expose_provenance(), length, prot, flags, fd, offset))
}

fn map(addr: usize, length: usize, prot: i32, flags: i32, fd: i32, offset: off_t) -> Result<usize> {
    let is_shared = match flags & MAP_TYPE {
        MAP_SHARED => true,
        MAP_SHARED_VALIDATE if flags & !KNOWN_FLAGS == 0 => true,
        MAP_SHARED_VALIDATE => return Err(ENOTSUP),
        MAP_PRIVATE => false,
        _ => return Err(EINVAL),
    };
    let page = page::size() as u64;
    let Some(offset) = u64::try_from(offset).ok().filter(|offset| offset % page == 0 && length > 0) else {
        return Err(EINVAL);
    };
    check_protection(prot)?;
    let place = if flags & MAP_FIXED_NOREPLACE != 0 {
        Place::AtFree(addr)
    } else if flags & MAP_FIXED != 0 {
        Place::At(addr)
    } else {
        Place::Anywhere(addr)
    };
    if let Place::At(addr) | Place::AtFree(addr) = place
        && !addr.is_multiple_of(page::size())
    {
        return Err(EINVAL);
    }
    let whole = length.checked_next_multiple_of(page::size()).ok_or(ENOMEM)?;
    let populate = flags & MAP_POPULATE != 0;
    let mut spec = Spec { protection: prot, is_shared, file: None, may_write: true, populate };
    if flags & MAP_ANONYMOUS == 0 {
        let file = HeldSource::new(fd)?;
        let rights = file.rights()?;
        if !rights.contains(Rights::READ) {
            return Err(EACCES);
        }
        spec.may_write = !is_shared || rights.contains(Rights::WRITE);
        if prot & PROT_WRITE != 0 && !spec.may_write {
            return Err(EACCES);
        }
        let end = offset.checked_add(whole as u64).filter(|end| i64::try_from(*end).is_ok());
        end.ok_or(EOVERFLOW)?;
        spec.file = Some((Arc::new(file), offset));
    }
    process().map(place, whole, spec)
}

fn check_protection(prot: i32) -> Result<()> {
    if prot & !(PROT_READ | PROT_WRITE | PROT_EXEC) != 0 {
        return Err(EINVAL);
    }
    // The code of a plugin is not in its memory.
    if prot & PROT_EXEC != 0 { Err(ENOTSUP) } else { Ok(()) }
}

/// Returns the pages of a range that starts with a page.
fn pages(addr: *const c_void, length: usize, too_long: Errno) -> Result<Range<usize>> {
    let start = addr.expose_provenance();
    if !start.is_multiple_of(page::size()) {
        return Err(EINVAL);
    }
    page::whole(start, length).ok_or(too_long)
}

/// Removes what is mapped in a range: `munmap(2)`.
#[unsafe(no_mangle)]
extern "C" fn munmap(addr: *mut c_void, length: usize) -> c_int {
    let range = if length == 0 { Err(EINVAL) } else { pages(addr, length, EINVAL) };
    status(range.and_then(|range| process().unmap(&range)))
}

/// Changes what may be done with pages: `mprotect(2)`.
#[unsafe(no_mangle)]
extern "C" fn mprotect(addr: *mut c_void, length: usize, prot: c_int) -> c_int {
    let range = pages(addr, length, ENOMEM).and_then(|range| check_protection(prot).map(|()| range));
    status(range.and_then(|range| process().protect(&range, prot)))
}

/// Writes changes to the files: `msync(2)`.
#[unsafe(no_mangle)]
extern "C" fn msync(addr: *mut c_void, length: usize, flags: c_int) -> c_int {
    let is_known =
        flags & !(MS_ASYNC | MS_INVALIDATE | MS_SYNC) == 0 && flags & (MS_ASYNC | MS_SYNC) != MS_ASYNC | MS_SYNC;
    let range = if is_known { pages(addr, length, ENOMEM) } else { Err(EINVAL) };
    status(range.and_then(|range| process().sync(&range, flags)))
}

/// Says how pages will be used: `madvise(2)`.
#[unsafe(no_mangle)]
extern "C" fn madvise(addr: *mut c_void, length: usize, advice: c_int) -> c_int {
    status(pages(addr, length, EINVAL).and_then(|range| process().advise(&range, advice)))
}

/// Says how pages will be used: `posix_madvise(3)`. Returns the error.
#[unsafe(no_mangle)]
extern "C" fn posix_madvise(addr: *mut c_void, length: usize, advice: c_int) -> c_int {
    let outcome = pages(addr, length, EINVAL).and_then(|range| match advice {
        // It keeps private changes, other than `MADV_DONTNEED`.
        MADV_DONTNEED if process().covers(&range) => Ok(()),
        MADV_DONTNEED => Err(ENOMEM),
        0..MADV_DONTNEED => process().advise(&range, advice),
        _ => Err(EINVAL),
    });
    outcome.map_or_else(|errno| errno.0, |()| 0)
}

/// Makes a mapping longer or shorter: `mremap(2)`.
///
/// # Safety
///
/// `arguments` is what a C program passes for `...`: with `MREMAP_FIXED`, the new address.
#[unsafe(no_mangle)]
unsafe extern "C" fn mremap(
    old: *mut c_void,
    old_length: usize,
    new_length: usize,
    flags: c_int,
    arguments: *const *mut c_void,
) -> *mut c_void {
    let target = if flags & MREMAP_FIXED != 0 {
        // SAFETY: the contract is the caller's.
        Some(unsafe { arguments.read() }.expose_provenance())
    } else {
        None
    };
    address(remap(old, old_length, new_length, flags, target))
}

fn remap(old: *mut c_void, old_length: usize, new_length: usize, flags: i32, target: Option<usize>) -> Result<usize> {
    let may_move = flags & MREMAP_MAYMOVE != 0;
    let is_known = flags & !(MREMAP_MAYMOVE | MREMAP_FIXED) == 0 && (may_move || target.is_none());
    let is_aligned = target.is_none_or(|target| target.is_multiple_of(page::size()));
    if !is_known || !is_aligned || new_length == 0 || old_length == 0 {
        return Err(EINVAL);
    }
    let range = pages(old, old_length, EINVAL)?;
    process().remap(&range, new_length, may_move, target)
}

/// Tells which pages are in memory: all that are mapped. `mincore(2)`.
///
/// # Safety
///
/// `vec` has a byte for each page.
#[unsafe(no_mangle)]
unsafe extern "C" fn mincore(addr: *mut c_void, length: usize, vec: *mut c_uchar) -> c_int {
    let range = pages(addr, length, ENOMEM);
    status(range.and_then(|range| {
        if !process().covers(&range) {
            return Err(ENOMEM);
        }
        // SAFETY: the contract is the caller's.
        unsafe { vec.write_bytes(1, range.len() / page::size()) };
        Ok(())
    }))
}

/// Refuses to keep pages in memory, which a plugin cannot: `mlock(2)`.
#[unsafe(no_mangle)]
extern "C" fn mlock(addr: *const c_void, length: usize) -> c_int {
    let start = addr.expose_provenance();
    let range = start.checked_add(length).map(|end| start..end).filter(page::is_memory);
    status(Err(range.map_or(ENOMEM, |_| EPERM)))
}

/// Refuses to keep pages in memory: `mlock2(2)`.
#[unsafe(no_mangle)]
extern "C" fn mlock2(addr: *const c_void, length: usize, _: libc::c_uint) -> c_int {
    mlock(addr, length)
}

/// Does nothing, since no page is kept in memory: `munlock(2)`.
#[unsafe(no_mangle)]
extern "C" fn munlock(addr: *const c_void, length: usize) -> c_int {
    let start = addr.expose_provenance();
    let range = start.checked_add(length).map(|end| start..end).filter(page::is_memory);
    status(range.map(|_| ()).ok_or(ENOMEM))
}

/// Refuses to keep all pages in memory: `mlockall(2)`.
#[unsafe(no_mangle)]
extern "C" fn mlockall(_: c_int) -> c_int {
    status(Err(EPERM))
}

/// Does nothing: `munlockall(2)`.
#[unsafe(no_mangle)]
extern "C" fn munlockall() -> c_int {
    0
}

/// Checks that all bytes of a range that were read so far were those of their files, and that all that were stored had
/// room. Not a function of POSIX.
#[unsafe(no_mangle)]
extern "C" fn wasi_mmap_check(addr: *const c_void, length: usize) -> c_int {
    status(pages(addr, length, ENOMEM).and_then(|range| process().check(&range)))
}

/// Returns the size of a page: `getpagesize(3)`, which the header `<unistd.h>` calls by this name.
#[unsafe(no_mangle)]
extern "C" fn wasi_mmap_getpagesize() -> c_int {
    c_int::try_from(page::size()).unwrap_or(c_int::MAX)
}

/// Returns a limit or a property of the system: `sysconf(3)`, which the header `<unistd.h>` calls by this name.
#[unsafe(no_mangle)]
extern "C" fn wasi_mmap_sysconf(name: c_int) -> libc::c_long {
    if name == libc::_SC_PAGESIZE {
        return libc::c_long::try_from(page::size()).unwrap_or(libc::c_long::MAX);
    }
    // SAFETY: the call takes any number.
    unsafe { libc::sysconf(name) }
}
