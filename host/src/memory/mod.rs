//! The memory of plugins and the memory of mappings: windows put pages of a mapping in place of a plugin's memory, and
//! reads lend them to the engine. All unsafe code of the crate is here.

mod areas;
mod engine;
mod growing;
mod linear;
mod list;
mod read_result;
mod window;

pub(crate) use engine::EngineMemories;
pub(crate) use growing::GrowingWindows;
pub use linear::configure;
pub(crate) use linear::has_memory_for_windows;
pub(crate) use read_result::ReadResult;
pub(crate) use window::{AttachRequest, HostWindow, windows_not_allowed};
