//! The subcommand `wasi-mmap inspect`.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use wasmtime::Result;

use crate::arguments::InspectOptions;
use crate::files;
use crate::plugin::{self, Interfaces, Plugin};

/// The output of `inspect --json`.
#[derive(Debug, Serialize)]
struct Inspection {
    /// The file's size in bytes.
    bytes: usize,
    /// The file is a module for WASI preview 1, which is made a component.
    module: bool,
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
    let plugin = plugin::read(&options.plugin)?;
    print!("{}", report(&options.plugin, &plugin, options.json)?);
    Ok(ExitCode::SUCCESS)
}

/// Describes a plugin as text or as a line of JSON. `path` is its file, for the text.
pub(crate) fn report(path: &Path, plugin: &Plugin, json: bool) -> Result<String> {
    let interfaces = plugin::interfaces(&plugin.component)?;
    let runs_here = interfaces.is_command() && interfaces.unknown.is_empty();
    let inspection = Inspection {
        bytes: plugin.file_len,
        module: plugin.is_module,
        command: interfaces.is_command(),
        runs_here,
        runs_on_plain_wasi: runs_here && interfaces.ours.is_empty() && !plugin.is_module,
        interfaces,
    };
    if json { Ok(serde_json::to_string(&inspection)? + "\n") } else { Ok(text(&files::name(path), &inspection)) }
}

fn text(name: &str, inspection: &Inspection) -> String {
    let Inspection { bytes, module, command, runs_here, runs_on_plain_wasi, interfaces } = inspection;
    let kind = if *module { "module for WASI preview 1" } else { "component" };
    let yes = |yes: &bool| if *yes { "yes" } else { "no" };
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let mut lines = vec![
        format!("{name}: a {kind} of {bytes} bytes"),
        format!("  imports of wasi-mmap    {}", list(&interfaces.ours)),
        format!("  imports of WASI 0.2     {}", list(&interfaces.wasi)),
        format!("  unknown imports         {}", list(&interfaces.unknown)),
        format!("  a command               {}", yes(command)),
        format!("  runs with wasi-mmap run {}", yes(runs_here)),
        format!("  runs on plain WASI 0.2  {}", yes(runs_on_plain_wasi)),
    ];
    if *module || !interfaces.ours.is_empty() {
        lines.push(format!(
            "`wasi-mmap compose {name} -o OUT.wasm` makes a component that imports nothing of wasi-mmap."
        ));
    }
    lines.join("\n") + "\n"
}
