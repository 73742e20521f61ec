//! The pages of a mapping, and every access to them.

mod mapped;
#[cfg(unix)]
mod relocation;
mod segments;

pub(crate) use mapped::MappedPages;
