//! Advice in the system's terms.

use rustix::mm::Advice as OsAdvice;
use wasi_mmap_core::Advice;

/// The system's advice, where it has it.
pub(crate) fn of_system(advice: Advice) -> Option<OsAdvice> {
    match advice {
        Advice::Normal => Some(OsAdvice::Normal),
        Advice::Random => Some(OsAdvice::Random),
        Advice::Sequential => Some(OsAdvice::Sequential),
        Advice::WillNeed => Some(OsAdvice::WillNeed),
        advice => system_advice(advice),
    }
}

#[cfg(target_os = "linux")]
fn system_advice(advice: Advice) -> Option<OsAdvice> {
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
fn system_advice(advice: Advice) -> Option<OsAdvice> {
    match advice {
        Advice::DontNeed => Some(OsAdvice::DontNeed),
        _ => None,
    }
}
