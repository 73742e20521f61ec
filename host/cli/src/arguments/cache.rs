//! The options of `wasi-mmap cache`.

use clap::Args;

/// Show or clear the cache of compiled plugins
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wasi-mmap cache            show where it is, and its size
  wasi-mmap cache --clear    remove all compiled plugins
  WASI_MMAP_CACHE= wasi-mmap run …    run without a cache, as with --no-cache

`run` keeps the native code of each plugin in the user's folder for caches, in `wasi-mmap`, or in the folder that the
environment variable WASI_MMAP_CACHE names. If WASI_MMAP_CACHE is empty, there is no cache. When all files together exceed
1 GiB, those that were not used for the longest time are removed.

The code runs without a sandbox, so nobody else may be able to change it: a folder that others may write to, or replace,
is not used, and plugins are not allowed to write there.

Exit status: 0, or 1 if there is no cache, or it could not be cleared")]
pub struct CacheOptions {
    /// Remove all compiled plugins
    #[arg(long)]
    pub clear: bool,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
