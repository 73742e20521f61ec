//! The short subcommands.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;
use serde::Serialize;
use wasmtime::error::Context;
use wasmtime::{Result, bail};

use crate::arguments::{Arguments, CacheOptions, CompileOptions};
use crate::cache::{Amount, Cache, MOST_BYTES, Unavailable};
use crate::console::Console;
use crate::engine::{self, Preparation};
use crate::run::size;
use crate::{compiled, files, plugin};

/// The name of the command.
const NAME: &str = "wasi-mmap";

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
        None => println!("{folder}: {}, of at most {}", amount(files, bytes), size(MOST_BYTES)),
    }
    Ok(ExitCode::SUCCESS)
}

fn amount(files: u64, bytes: u64) -> String {
    format!("{files} compiled plugin{}, {}", if files == 1 { "" } else { "s" }, size(bytes))
}

pub(crate) fn completions(shell: Shell) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut script);
    print(&script)
}

pub(crate) fn man(subcommand: Option<&str>) -> Result<ExitCode> {
    let mut command = Arguments::command();
    // Gives subcommands their whole names, and the options that all of them have.
    command.build();
    let Some(name) = subcommand else { return page(command) };
    match command.get_subcommands().find(|command| command.get_name() == name) {
        Some(subcommand) => page(subcommand.clone()),
        None => {
            let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
            bail!("there is no subcommand {name}; the subcommands are {}", names.join(", "))
        }
    }
}

fn page(command: clap::Command) -> Result<ExitCode> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    print(&page)
}

/// Prints bytes. A reader that has seen enough is no error.
fn print(bytes: &[u8]) -> Result<ExitCode> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
