//! A plugin's own memory.

/// Reads every page of this program's memory, and writes the same byte: a page that the host has unmapped traps.
///
/// Natively, where no window replaces memory, it does nothing.
pub fn touch_everything() {
    #[cfg(target_family = "wasm")]
    for place in (8..core::arch::wasm32::memory_size(0) * 65536).step_by(4096) {
        let place = std::ptr::with_exposed_provenance_mut::<u8>(place);
        // SAFETY: this program's memory has the address; what is written is what was there.
        let byte = unsafe { place.read_volatile() };
        // SAFETY: as above.
        unsafe { place.write_volatile(byte) };
    }
}
