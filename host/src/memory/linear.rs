//! Linear memories that can take windows: they never move, and it is known which addresses are theirs.

use std::collections::BTreeMap;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};
use wasi_mmap_core::{Error, Result};
use wasi_mmap_native::Attached;
use wasmtime::{Config, LinearMemory, MemoryCreator, MemoryType};

/// What a 32-bit memory can grow to, in bytes.
const WHOLE: u64 = 1 << 32;

/// Sets what an engine needs for windows, and answers the configuration.
///
/// - [`Config::with_host_memory`]: linear memories of our own, whose addresses are known;
/// - [`Config::memory_init_cow`] off: the engine maps a module's initial data only over memories of its own;
/// - [`Config::memory_reservation`] of 4 GiB, so that a memory never moves. It is address space and costs nothing until it is
///   used.
///
/// Without it, or with another allocation strategy than [`on-demand`](wasmtime::InstanceAllocationStrategy::OnDemand), windows
/// answer `unsupported`, and the guest libraries copy instead.
///
/// ```
/// let mut config = wasmtime::Config::new();
/// wasi_mmap_host::configure(&mut config);
/// let engine = wasmtime::Engine::new(&config)?;
/// # Ok::<(), wasmtime::Error>(())
/// ```
pub fn configure(config: &mut Config) -> &mut Config {
    config.with_host_memory(Arc::new(Creator)).memory_init_cow(false).memory_reservation(WHOLE)
}

/// Makes linear memories.
struct Creator;

/// What is known of a linear memory that can take windows.
#[derive(Debug)]
pub(crate) struct Memory {
    base: usize,
    size: AtomicUsize,
    /// The windows in it, some of which may be detached already.
    attached: Mutex<Vec<Attached>>,
}

/// The linear memories that are alive and can take windows, by their first address.
static MEMORIES: Mutex<BTreeMap<usize, Arc<Memory>>> = Mutex::new(BTreeMap::new());

fn memories() -> MutexGuard<'static, BTreeMap<usize, Arc<Memory>>> {
    MEMORIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether any memory that can take windows is alive.
pub(crate) fn is_any() -> bool {
    !memories().is_empty()
}

impl Memory {
    /// The memory that an address lies in.
    pub(crate) fn find(address: usize) -> Option<Arc<Self>> {
        let memories = memories();
        let (base, memory) = memories.range(..=address).next_back()?;
        (address - base < memory.size.load(Relaxed)).then(|| Arc::clone(memory))
    }

    /// Refuses addresses that are not all in this memory, or that a window lies at.
    ///
    /// # Errors
    ///
    /// `out-of-range` (`anchor`); `busy`.
    pub(crate) fn check_free(&self, place: &Range<usize>) -> Result<()> {
        let size = self.size.load(Relaxed);
        if place.start < self.base || place.end > self.base + size {
            let reason = format!("{} bytes from there reach past the end of the plugin's memory", place.len());
            return Err(Error::out_of_range("anchor", reason));
        }
        let mut attached = self.attached();
        attached.retain(|window| !matches!(window.check(), Err(Error::Closed)));
        let overlaps = |window: &Attached| window.memory().start < place.end && place.start < window.memory().end;
        if attached.iter().any(overlaps) { Err(Error::Busy) } else { Ok(()) }
    }

    /// Notes a window, so that it is abandoned when the memory goes.
    pub(crate) fn note(&self, window: Attached) {
        self.attached().push(window);
    }

    fn attached(&self) -> MutexGuard<'_, Vec<Attached>> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A linear memory: reserved whole, accessible up to its size.
struct Linear {
    /// Known to others only if it never moves.
    memory: Arc<Memory>,
    is_fixed: bool,
    /// How far it can grow in place.
    capacity: usize,
    guard: usize,
}

// SAFETY: the memory is zeros, has as many bytes as were asked for, and as many inaccessible ones behind its capacity as the
// engine asks for; it moves only in `grow_to`, and not at all where it was reserved whole.
unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> std::result::Result<Box<dyn LinearMemory>, String> {
        // Even a memory of no bytes needs an address.
        let capacity = to_pages(reserved.unwrap_or(0).max(minimum).max(1)).ok_or("the memory's size has no number")?;
        // How large it can ever be.
        let most = maximum.map_or(if ty.is_64() { u64::MAX } else { WHOLE }, |maximum| maximum as u64);
        let is_fixed = !ty.is_shared() && most <= capacity as u64;
        let base = reserve(capacity, guard, minimum).map_err(|error| format!("reserving a memory: {error}"))?;
        let memory = Memory { base, size: AtomicUsize::new(minimum), attached: Mutex::default() };
        let memory = Arc::new(memory);
        if is_fixed {
            memories().insert(base, Arc::clone(&memory));
        }
        Ok(Box::new(Linear { memory, is_fixed, capacity, guard }))
    }
}

// SAFETY: `as_ptr` is where so many bytes as `byte_size` says are accessible, and as many more as `byte_capacity` says can
// be made accessible without moving.
unsafe impl LinearMemory for Linear {
    fn byte_size(&self) -> usize {
        self.memory.size.load(Relaxed)
    }

    fn byte_capacity(&self) -> usize {
        self.capacity
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        let old_size = self.byte_size();
        if new_size <= self.capacity {
            make_accessible(self.memory.base, old_size..new_size)?;
            self.memory.size.store(new_size, Relaxed);
            return Ok(());
        }
        assert!(!self.is_fixed, "it was reserved for all that its type allows");
        let capacity = to_pages(new_size).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?;
        let base = reserve(capacity, self.guard, new_size)?;
        let (from, to) = (self.as_ptr(), ptr::with_exposed_provenance_mut::<u8>(base));
        // SAFETY: both have at least `old_size` accessible bytes, and are apart; the engine has the memory to itself.
        unsafe { to.copy_from_nonoverlapping(from, old_size) };
        let memory = Memory { base, size: AtomicUsize::new(new_size), attached: Mutex::default() };
        // The old memory is dropped, and given back, in place of the new one.
        drop(std::mem::replace(self, Self { memory: Arc::new(memory), is_fixed: false, capacity, guard: self.guard }));
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        ptr::with_exposed_provenance_mut(self.memory.base)
    }
}

impl Drop for Linear {
    fn drop(&mut self) {
        if self.is_fixed {
            memories().remove(&self.memory.base);
        }
        // From here on nobody finds the memory. The windows in it go with it: their mappings must not touch it any more.
        for window in self.memory.attached().drain(..) {
            window.abandon();
        }
        let start = ptr::with_exposed_provenance_mut(self.memory.base);
        // SAFETY: the engine drops a memory when nothing runs in it; the whole reservation is ours, whatever is mapped in it.
        let unmapped = unsafe { rustix::mm::munmap(start, self.capacity + self.guard) };
        debug_assert!(unmapped.is_ok(), "the reservation was made by `reserve`");
    }
}

/// Rounds up to whole pages.
fn to_pages(size: usize) -> Option<usize> {
    size.checked_next_multiple_of(rustix::param::page_size())
}

/// Reserves address space for a memory and the guard behind it, and makes the first `size` bytes accessible.
fn reserve(capacity: usize, guard: usize, size: usize) -> std::io::Result<usize> {
    let total = capacity.checked_add(guard).ok_or(std::io::ErrorKind::OutOfMemory)?;
    // SAFETY: the kernel chooses where: nothing that exists is touched.
    let start = unsafe {
        rustix::mm::mmap_anonymous(ptr::null_mut(), total, ProtFlags::empty(), MapFlags::PRIVATE | MapFlags::NORESERVE)
    }?;
    let base = start.expose_provenance();
    make_accessible(base, 0..size)?;
    Ok(base)
}

/// Makes a part of a reservation accessible: whole pages, from where it is accessible already.
fn make_accessible(base: usize, part: Range<usize>) -> std::io::Result<()> {
    let page = rustix::param::page_size();
    let (from, to) = (part.start.next_multiple_of(page), part.end.next_multiple_of(page));
    if from >= to {
        return Ok(());
    }
    let start = ptr::with_exposed_provenance_mut(base + from);
    // SAFETY: the pages are in the reservation, and nothing has used them: they were inaccessible until now.
    unsafe { rustix::mm::mprotect(start, to - from, MprotectFlags::READ | MprotectFlags::WRITE) }?;
    Ok(())
}
