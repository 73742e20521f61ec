//! Linear memories that can take windows: they never move, and their addresses are known.

use std::collections::BTreeMap;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasi_mmap_core::{Error, Result};
use wasi_mmap_native::Reservation;
use wasmtime::{Config, LinearMemory, MemoryCreator, MemoryType};

use super::list::WindowList;

/// The largest size of a 32-bit memory, in bytes.
pub(super) const WHOLE: u64 = 1 << 32;

/// Configures an engine for windows, and returns the configuration.
///
/// - [`Config::with_host_memory`] makes linear memories whose addresses the host knows.
/// - [`Config::memory_init_cow`] is off, because the engine maps a module's initial data only over its own memories.
/// - [`Config::memory_reservation`] is 4 GiB, so that a memory never moves. This is address space, which costs nothing
///   until it is used.
///
/// Without it, or with an allocation strategy other than [on-demand](wasmtime::InstanceAllocationStrategy::OnDemand),
/// windows are `unsupported`, and the guest libraries copy instead, unless the embedder allows
/// [windows in memories of the engine](crate::MmapCtxBuilder::windows_in_engine_memories), which start faster.
///
/// # Example
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

/// A maker of linear memories.
struct Creator;

/// A linear memory that can take windows.
#[derive(Debug)]
pub(crate) struct Memory {
    base: usize,
    size: AtomicUsize,
    windows: WindowList,
}

/// The live linear memories that can take windows, by their first address.
static MEMORIES: Mutex<BTreeMap<usize, Arc<Memory>>> = Mutex::new(BTreeMap::new());

fn memories() -> MutexGuard<'static, BTreeMap<usize, Arc<Memory>>> {
    MEMORIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns whether a memory that can take windows is alive.
pub(crate) fn has_memory_for_windows() -> bool {
    !memories().is_empty()
}

impl Memory {
    /// Returns the memory that contains an address.
    pub(crate) fn find(address: usize) -> Option<Arc<Self>> {
        let memories = memories();
        let (base, memory) = memories.range(..=address).next_back()?;
        (address - base < memory.size.load(Relaxed)).then(|| Arc::clone(memory))
    }

    /// Checks that all the addresses are in this memory.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] (`anchor`).
    pub(super) fn check_inside(&self, addresses: &Range<usize>) -> Result<()> {
        let size = self.size.load(Relaxed);
        if addresses.start < self.base || addresses.end > self.base + size {
            let reason = format!("{} bytes from there reach past the end of the plugin's memory", addresses.len());
            return Err(Error::out_of_range("anchor", reason));
        }
        Ok(())
    }

    /// Returns the windows in the memory.
    pub(super) fn list(&self) -> &WindowList {
        &self.windows
    }
}

/// A linear memory as the engine sees it: reserved whole, accessible up to its size.
struct Linear {
    /// In [`MEMORIES`] only if it never moves.
    memory: Arc<Memory>,
    is_fixed: bool,
    /// The size up to which it can grow in place, in bytes.
    capacity: usize,
    guard: usize,
    /// The address space: the capacity, and the guard after it. Dropped last.
    reservation: Reservation,
}

// SAFETY: the memory is zeros, has as many bytes as were asked for, and as many inaccessible ones after its capacity as
// the engine asks for. It moves only in `grow_to`, and not at all if it was reserved whole.
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
        let capacity =
            to_pages(reserved.unwrap_or(0).max(minimum).max(1)).ok_or("the size of the memory is too large")?;
        // The size that it can ever have.
        let most = maximum.map_or(if ty.is_64() { u64::MAX } else { WHOLE }, |maximum| maximum as u64);
        let is_fixed = !ty.is_shared() && most <= capacity as u64;
        let reservation = reserve(capacity, guard, minimum).map_err(|error| format!("reserving a memory: {error}"))?;
        let base = reservation.addresses().start;
        let memory = Arc::new(Memory { base, size: AtomicUsize::new(minimum), windows: WindowList::default() });
        if is_fixed {
            memories().insert(base, Arc::clone(&memory));
        }
        Ok(Box::new(Linear { memory, is_fixed, capacity, guard, reservation }))
    }
}

// SAFETY: `byte_size` bytes at `as_ptr` are accessible, and up to `byte_capacity` bytes can be made accessible without
// moving.
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
        assert!(!self.is_fixed, "the reservation has room for all that the type allows");
        let capacity = to_pages(new_size).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?;
        let reservation = reserve(capacity, self.guard, new_size)?;
        let base = reservation.addresses().start;
        let (from, to) = (self.as_ptr(), ptr::with_exposed_provenance_mut::<u8>(base));
        // SAFETY: both have at least `old_size` accessible bytes, and are apart; the engine has the memory to itself.
        unsafe { to.copy_from_nonoverlapping(from, old_size) };
        let memory = Memory { base, size: AtomicUsize::new(new_size), windows: WindowList::default() };
        // Drops the old memory, whose place the new one takes.
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
        // From here on nobody finds the memory. Its windows go with it: their mappings must not touch it any more.
        self.memory.windows.abandon_all();
    }
}

/// Rounds a size up to whole pages. `None` if that overflows.
fn to_pages(size: usize) -> Option<usize> {
    size.checked_next_multiple_of(rustix::param::page_size())
}

/// Reserves address space for a memory and the guard after it, and makes the first `size` bytes accessible.
fn reserve(capacity: usize, guard: usize, size: usize) -> std::io::Result<Reservation> {
    let total = capacity.checked_add(guard).ok_or(std::io::ErrorKind::OutOfMemory)?;
    let reservation = Reservation::new(total)?;
    reservation.make_accessible(0..size)?;
    Ok(reservation)
}
