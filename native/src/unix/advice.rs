//! Advice as the constants of `madvise(2)`.

use rustix::mm::Advice as OsAdvice;
use wasi_mmap_core::Advice;

/// Returns the system's constant for `advice`, or `None` if the system does not have it.
pub(crate) fn os_advice(advice: Advice) -> Option<OsAdvice> {
    match advice {
        Advice::Normal => Some(OsAdvice::Normal),
        Advice::Random => Some(OsAdvice::Random),
        Advice::Sequential => Some(OsAdvice::Sequential),
        Advice::WillNeed => Some(OsAdvice::WillNeed),
        advice => platform_advice(advice),
    }
}

#[cfg(target_os = "linux")]
fn platform_advice(advice: Advice) -> Option<OsAdvice> {
    Some(match advice {
        Advice::DontNeed => OsAdvice::LinuxDontNeed,
        Advice::Free => OsAdvice::LinuxFree,
        Advice::Remove => OsAdvice::LinuxRemove,
        Advice::DontFork => OsAdvice::LinuxDontFork,
        Advice::DoFork => OsAdvice::LinuxDoFork,
        Advice::Mergeable => OsAdvice::LinuxMergeable,
        Advice::Unmergeable => OsAdvice::LinuxUnmergeable,
        Advice::HugePage => OsAdvice::LinuxHugepage,
        Advice::NoHugePage => OsAdvice::LinuxNoHugepage,
        Advice::DontDump => OsAdvice::LinuxDontDump,
        Advice::DoDump => OsAdvice::LinuxDoDump,
        Advice::HwPoison => OsAdvice::LinuxHwPoison,
        Advice::SoftOffline => OsAdvice::LinuxSoftOffline,
        _ => return None,
    })
}

#[cfg(not(target_os = "linux"))]
fn platform_advice(advice: Advice) -> Option<OsAdvice> {
    match advice {
        Advice::DontNeed => Some(OsAdvice::DontNeed),
        _ => None,
    }
}
