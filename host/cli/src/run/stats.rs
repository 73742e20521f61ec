//! What a run took, and what the mappings did for the plugin.

use std::fmt::{self, Display};

use serde::Serialize;
use wasi_mmap_host::Usage;

use crate::arguments::Backend;
use crate::engine::Origin;

/// What `--stats` writes.
#[derive(Debug, Serialize)]
pub(crate) struct Stats {
    pub(crate) backend: Backend,
    pub(crate) exit_status: u8,
    /// Where the plugin's code came from.
    pub(crate) code: Origin,
    /// The time until the plugin could start: reading, compiling or loading it, and linking.
    pub(crate) compile_seconds: f64,
    pub(crate) run_seconds: f64,
    /// The peak of the plugin's linear memory, which includes that of its fallback.
    pub(crate) peak_memory_bytes: u64,
    /// The faults of the process while the plugin ran, if the system tells.
    pub(crate) page_faults: Option<Faults>,
    /// What the host did for the plugin, if it is the backend.
    pub(crate) host: Option<Host>,
}

/// Page faults.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Faults {
    /// For pages that were in memory.
    pub(crate) minor: u64,
    /// For pages that were read from a disk.
    pub(crate) major: u64,
}

impl Faults {
    /// Returns the faults of this process so far, if the system tells.
    pub(crate) fn so_far() -> Option<Self> {
        // The name of the program, in parentheses, may contain anything. The numbers follow it.
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        // Fields 10 and 12 of proc_pid_stat(5); the state, the first after the name, is field 3.
        let minor = fields.nth(7)?.parse().ok()?;
        let major = fields.nth(1)?.parse().ok()?;
        Some(Self { minor, major })
    }

    /// Returns the faults since an earlier time.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { minor: self.minor.saturating_sub(earlier.minor), major: self.major.saturating_sub(earlier.major) }
    }
}

/// What the host did for the plugin.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Host {
    /// The number of mappings that the plugin made.
    pub(crate) mappings: u64,
    /// Their length together.
    pub(crate) mapped_bytes: u64,
    /// The length of the windows in the plugin's memory: bytes that it reads and writes without a copy.
    pub(crate) window_bytes: u64,
    /// The bytes that calls copied between mappings and the plugin's memory.
    pub(crate) copied_bytes: u64,
}

impl Host {
    /// Returns the figures of a store, after its plugin has made `mappings` of `mapped_bytes`.
    pub(crate) fn new(usage: &Usage, mappings: u64, mapped_bytes: u64) -> Self {
        Self { mappings, mapped_bytes, window_bytes: usage.attached_bytes(), copied_bytes: usage.copied_bytes() }
    }
}

impl Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match self.code {
            Origin::Compiled => "compiled now",
            Origin::Cache => "compiled earlier, from the cache",
            Origin::File => "compiled earlier, from the file",
        };
        writeln!(f, "exit status   {}", self.exit_status)?;
        writeln!(f, "ready after   {:.1} ms ({code})", self.compile_seconds * 1e3)?;
        writeln!(f, "ran for       {:.1} ms", self.run_seconds * 1e3)?;
        writeln!(f, "memory        {} at the most", size(self.peak_memory_bytes))?;
        if let Some(Faults { minor, major }) = self.page_faults {
            writeln!(f, "page faults   {}, {major} of them for pages on the disk", minor.saturating_add(major))?;
        }
        if let Some(Host { mappings, mapped_bytes, window_bytes, copied_bytes }) = self.host {
            writeln!(f, "mappings      {mappings}, of {}", size(mapped_bytes))?;
            writeln!(f, "in windows    {}, which the plugin reads and writes in place", size(window_bytes))?;
            writeln!(f, "copied        {}", size(copied_bytes))?;
        }
        Ok(())
    }
}

/// Formats a number of bytes.
#[expect(clippy::cast_precision_loss, reason = "rounded to tenths")]
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / unit as f64),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(
            [0, 1023, 1024, 3 << 19, 1 << 40].map(size),
            ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 MiB", "1.0 TiB"]
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn page_faults_are_counted() {
        let before = Faults::so_far().expect("Linux tells");
        let pages = vec![1u8; 64 << 20];
        let after = Faults::so_far().expect("Linux tells").since(before);
        // Huge pages take a fault for 2 MiB.
        assert!(after.minor >= 32, "{after:?} for {} bytes", std::hint::black_box(pages).len());
    }
}
