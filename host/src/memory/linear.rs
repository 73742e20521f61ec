//! Linear memories that can take windows: they never move, and it is known which addresses are theirs.

use std::collections::BTreeMap;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasi_mmap_core::{Error, Result};
use wasi_mmap_native::{Reservation, Window};
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
    attached: Mutex<Vec<Window>>,
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
        let overlaps = |window: &Window| window.addresses().start < place.end && place.start < window.addresses().end;
        if attached.iter().any(overlaps) { Err(Error::Busy) } else { Ok(()) }
    }

    /// Notes a window, so that it is abandoned when the memory goes.
    pub(crate) fn note(&self, window: Window) {
        self.attached().push(window);
    }

    fn attached(&self) -> MutexGuard<'_, Vec<Window>> {
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
    /// The address space: the capacity, and the guard behind it. Given back last.
    reservation: Reservation,
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
        let reservation = reserve(capacity, guard, minimum).map_err(|error| format!("reserving a memory: {error}"))?;
        let base = reservation.addresses().start;
        let memory = Memory { base, size: AtomicUsize::new(minimum), attached: Mutex::default() };
        let memory = Arc::new(memory);
        if is_fixed {
            memories().insert(base, Arc::clone(&memory));
        }
        Ok(Box::new(Linear { memory, is_fixed, capacity, guard, reservation }))
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
            self.reservation.make_accessible(old_size..new_size)?;
            self.memory.size.store(new_size, Relaxed);
            return Ok(());
        }
        assert!(!self.is_fixed, "it was reserved for all that its type allows");
        let capacity = to_pages(new_size).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?;
        let reservation = reserve(capacity, self.guard, new_size)?;
        let base = reservation.addresses().start;
        let (from, to) = (self.as_ptr(), ptr::with_exposed_provenance_mut::<u8>(base));
        // SAFETY: both have at least `old_size` accessible bytes, and are apart; the engine has the memory to itself.
        unsafe { to.copy_from_nonoverlapping(from, old_size) };
        let memory = Memory { base, size: AtomicUsize::new(new_size), attached: Mutex::default() };
        // The old memory is dropped, and given back, in place of the new one.
        let guard = self.guard;
        drop(std::mem::replace(self, Self { memory: Arc::new(memory), is_fixed: false, capacity, guard, reservation }));
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
    }
}

/// Rounds up to whole pages.
fn to_pages(size: usize) -> Option<usize> {
    size.checked_next_multiple_of(rustix::param::page_size())
}

/// Reserves address space for a memory and the guard behind it, and makes the first `size` bytes accessible.
fn reserve(capacity: usize, guard: usize, size: usize) -> std::io::Result<Reservation> {
    let total = capacity.checked_add(guard).ok_or(std::io::ErrorKind::OutOfMemory)?;
    let reservation = Reservation::new(total)?;
    reservation.make_accessible(0..size)?;
    Ok(reservation)
}
