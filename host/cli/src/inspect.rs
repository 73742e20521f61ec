//! The subcommand `wasi-mmap inspect`.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use wasmtime::Result;

use crate::arguments::InspectOptions;
use crate::plugin::{self, Interfaces};

/// The output of `inspect --json`.
#[derive(Debug, Serialize)]
struct Inspection {
    /// The plugin's size in bytes.
    bytes: usize,
    /// It can be run: it exports `wasi:cli/run`.
    command: bool,
    /// `wasi-mmap run` can run it.
    runs_here: bool,
    /// Any WASI 0.2 engine can run it as it is.
    runs_on_plain_wasi: bool,
    #[serde(flatten)]
    interfaces: Interfaces,
}

pub(crate) fn inspect(options: &InspectOptions) -> Result<ExitCode> {
    let component = plugin::read(&options.plugin)?;
    print!("{}", report(&options.plugin, &component, options.json)?);
    Ok(ExitCode::SUCCESS)
}

/// Describes a component as text or as a line of JSON. `path` is its file, for the text.
pub(crate) fn report(path: &Path, component: &[u8], json: bool) -> Result<String> {
    let interfaces = plugin::interfaces(component)?;
    let runs_here = interfaces.is_command() && interfaces.unknown.is_empty();
    let inspection = Inspection {
        bytes: component.len(),
        command: interfaces.is_command(),
        runs_here,
        runs_on_plain_wasi: runs_here && interfaces.ours.is_empty(),
        interfaces,
    };
    if json {
        Ok(serde_json::to_string(&inspection)? + "\n")
    } else {
        Ok(text(&path.display().to_string(), &inspection))
    }
}

fn text(name: &str, inspection: &Inspection) -> String {
    let Inspection { bytes, command, runs_here, runs_on_plain_wasi, interfaces } = inspection;
    let yes = |yes: &bool| if *yes { "yes" } else { "no" };
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let mut lines = vec![
        format!("{name}: a component of {bytes} bytes"),
        format!("  imports of wasi-mmap    {}", list(&interfaces.ours)),
        format!("  imports of WASI 0.2     {}", list(&interfaces.wasi)),
        format!("  unknown imports         {}", list(&interfaces.unknown)),
        format!("  a command               {}", yes(command)),
        format!("  runs with wasi-mmap run {}", yes(runs_here)),
        format!("  runs on plain WASI 0.2  {}", yes(runs_on_plain_wasi)),
    ];
    if !interfaces.ours.is_empty() {
        lines.push(format!(
            "`wasi-mmap compose {name} -o OUT.wasm` makes a component that imports nothing of wasi-mmap."
        ));
    }
    lines.join("\n") + "\n"
}
