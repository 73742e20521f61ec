//! The error of `map_if_safe`.

use std::error;
use std::fmt;
use std::io::{Error, ErrorKind};

/// The error of [`MmapOptions::map_if_safe`](crate::MmapOptions::map_if_safe): the reason why a file was not mapped.
pub struct MapIfSafeError {
    reason: Reason,
}

#[derive(Debug)]
#[allow(dead_code, reason = "not every system has every reason")]
enum Reason {
    NotSupported,
    NotSafe(Error),
    MapFailed(Error),
}

impl MapIfSafeError {
    #[allow(dead_code, reason = "not every system has every reason")]
    pub(crate) fn unsupported() -> Self {
        Self { reason: Reason::NotSupported }
    }

    #[allow(dead_code, reason = "not every system has every reason")]
    pub(crate) fn unsafe_to_map(why: String) -> Self {
        Self { reason: Reason::NotSafe(Error::new(ErrorKind::InvalidInput, why)) }
    }

    pub(crate) fn failed(error: Error) -> Self {
        Self { reason: Reason::MapFailed(error) }
    }

    /// Returns whether this system has no files that are known not to change.
    pub fn not_supported(&self) -> bool {
        matches!(self.reason, Reason::NotSupported)
    }

    /// Returns whether the file may change.
    pub fn not_safe(&self) -> bool {
        matches!(self.reason, Reason::NotSafe(_))
    }

    /// Returns whether the file cannot change, and mapping it failed.
    pub fn map_failed(&self) -> bool {
        matches!(self.reason, Reason::MapFailed(_))
    }
}

impl error::Error for MapIfSafeError {}

impl fmt::Display for MapIfSafeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::NotSupported => Error::from(ErrorKind::Unsupported).fmt(f),
            Reason::NotSafe(error) | Reason::MapFailed(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for MapIfSafeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl From<MapIfSafeError> for Error {
    fn from(error: MapIfSafeError) -> Self {
        match error.reason {
            Reason::NotSupported => ErrorKind::Unsupported.into(),
            Reason::NotSafe(error) | Reason::MapFailed(error) => error,
        }
    }
}
