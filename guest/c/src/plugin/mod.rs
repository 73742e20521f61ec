//! The functions, as C programs call them, and what they stand on.

mod constants;
mod errno;
mod functions;
mod locks;
mod page;
mod process;
mod shm;
mod window;
