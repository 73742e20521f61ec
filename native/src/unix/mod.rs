//! What is Unix's own.

pub(crate) mod advice;
pub(crate) mod attach;
pub(crate) mod fault;
pub(crate) mod file;
