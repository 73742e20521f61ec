//! The functions, as C programs call them, and what they stand on.

mod constants;
mod errno;
mod functions;
mod lock_table;
mod locks;
mod page;
mod process;
mod shm;
mod vectors;
mod window;
