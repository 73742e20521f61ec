//! The subcommands `wasi-mmap compile` and `wasi-mmap cache`.

use std::process::ExitCode;

use serde::Serialize;
use wasmtime::{Result, bail};

use crate::arguments::{CacheOptions, CompileOptions};
use crate::cache::{Amount, Cache, MOST_BYTES, Unavailable};
use crate::console::Console;
use crate::engine::{self, Preparation};
use crate::{compiled, files, plugin};

pub(crate) fn compile(options: &CompileOptions, console: Console) -> Result<ExitCode> {
    let plugin = plugin::read(&options.plugin)?;
    let preparation = Preparation {
        path: &options.plugin,
        backend: options.backend,
        use_cache: false,
        allow_compiled: false,
        console,
    };
    let (component, description) = preparation.compile(&engine::engine()?, plugin)?;
    files::write(&options.output, &compiled::serialize(&component, &description)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The output of `cache --json`.
#[derive(Debug, Serialize)]
struct Contents {
    folder: String,
    plugins: u64,
    bytes: u64,
    most_bytes: u64,
}

pub(crate) fn cache(options: &CacheOptions) -> Result<ExitCode> {
    let cache = match Cache::open() {
        Ok(cache) => cache,
        Err(Unavailable::Missing(why)) => bail!("there is no cache: {why}"),
        Err(Unavailable::Unsafe(why)) => bail!("the cache is not used: {why}"),
    };
    let removed = if options.clear { Some(cache.clear()?) } else { None };
    let (Amount { files, bytes }, folder) = (cache.amount()?, cache.folder().display().to_string());
    if options.json {
        println!("{}", serde_json::to_string(&Contents { folder, plugins: files, bytes, most_bytes: MOST_BYTES })?);
        return Ok(ExitCode::SUCCESS);
    }
    match removed {
        Some(Amount { files, bytes }) => println!("{folder}: removed {}", amount(files, bytes)),
        None => println!("{folder}: {}, of at most {}", amount(files, bytes), mebibytes(MOST_BYTES)),
    }
    Ok(ExitCode::SUCCESS)
}

fn amount(files: u64, bytes: u64) -> String {
    format!("{files} compiled plugin{}, {}", if files == 1 { "" } else { "s" }, mebibytes(bytes))
}

#[expect(clippy::cast_precision_loss, reason = "a size of at most a few GiB, rounded to tenths")]
fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
