//! `wasi-mmap inspect`.

use std::process::ExitCode;

use serde::Serialize;
use wasmtime::Result;

use crate::arguments::InspectOptions;
use crate::plugin::{self, Interfaces};

/// What `inspect --json` prints.
#[derive(Debug, Serialize)]
struct Inspection {
    /// The plugin's size in bytes.
    bytes: usize,
    /// Whether it is a command.
    command: bool,
    /// Whether `wasi-mmap run` can run it.
    runs_here: bool,
    /// Whether any WASI 0.2 engine can run it as it is.
    runs_on_plain_wasi: bool,
    #[serde(flatten)]
    interfaces: Interfaces,
}

pub(crate) fn inspect(options: &InspectOptions) -> Result<ExitCode> {
    let component = plugin::read(&options.plugin)?;
    let interfaces = plugin::interfaces(&component)?;
    let runs_here = interfaces.is_command() && interfaces.unknown.is_empty();
    let inspection = Inspection {
        bytes: component.len(),
        command: interfaces.is_command(),
        runs_here,
        runs_on_plain_wasi: runs_here && interfaces.ours.is_empty(),
        interfaces,
    };
    if options.json {
        println!("{}", serde_json::to_string(&inspection)?);
    } else {
        print(&options.plugin.display().to_string(), &inspection);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(name: &str, inspection: &Inspection) {
    let Inspection { bytes, command, runs_here, runs_on_plain_wasi, interfaces } = inspection;
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    println!("{name}: a component of {bytes} bytes");
    println!("  imports of wasi-mmap    {}", list(&interfaces.ours));
    println!("  imports of WASI 0.2     {}", list(&interfaces.wasi));
    println!("  unknown imports         {}", list(&interfaces.unknown));
    println!("  a command               {}", yes(*command));
    println!("  runs with wasi-mmap run {}", yes(*runs_here));
    println!("  runs on plain WASI 0.2  {}", yes(*runs_on_plain_wasi));
    if !interfaces.ours.is_empty() {
        println!("`wasi-mmap compose {name} -o OUT.wasm` makes a component that imports nothing of wasi-mmap.");
    }
}
