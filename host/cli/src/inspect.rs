//! The subcommand `wasi-mmap inspect`.

use std::io::Cursor;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use wasmtime::Result;
use wasmtime::error::Context;

use crate::arguments::InspectOptions;
use crate::compiled::Description;
use crate::plugin::{self, Interfaces, Plugin};
use crate::{compiled, files};

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
    /// The least version of WASI that has all that it imports.
    wasi_version: Option<String>,
    #[serde(flatten)]
    interfaces: Interfaces,
}

pub(crate) fn inspect(options: &InspectOptions) -> Result<ExitCode> {
    let bytes = files::read(&options.plugin)?;
    let report = if compiled::is_code(&bytes) {
        let name = files::name(&options.plugin);
        let description =
            compiled::describe(&mut Cursor::new(&bytes)).with_context(|| format!("{name} cannot be used"))?;
        code(&name, bytes.len(), &description, options.json)?
    } else {
        report(&options.plugin, &plugin::load(&options.plugin, bytes)?, options.json)?
    };
    print!("{report}");
    Ok(ExitCode::SUCCESS)
}

/// Describes a compiled plugin, as it describes itself.
fn code(name: &str, bytes: usize, description: &Description, json: bool) -> Result<String> {
    if json {
        return Ok(serde_json::to_string(&serde_json::json!({ "bytes": bytes, "compiled": description }))? + "\n");
    }
    let Description { command, machine, fallback, plugin_bytes, .. } = description;
    Ok(format!(
        "{name}: a compiled plugin of {bytes} bytes, from one of {plugin_bytes}\n  compiled by             wasi-mmap \
         {command}, for {machine}\n  with the fallback       {}\n`wasi-mmap run --allow-compiled {name}` runs it, if \
         you trust whoever made it.\n",
        yes(*fallback)
    ))
}

fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
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
        wasi_version: interfaces.wasi_version(),
        interfaces,
    };
    if json { Ok(serde_json::to_string(&inspection)? + "\n") } else { Ok(text(&files::name(path), &inspection)) }
}

fn text(name: &str, inspection: &Inspection) -> String {
    let Inspection { bytes, module, command, runs_here, runs_on_plain_wasi, wasi_version, interfaces } = inspection;
    let kind = if *module { "module for WASI preview 1" } else { "component" };
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let wasi = wasi_version.as_deref().unwrap_or("0.2");
    let composes = *runs_here && !runs_on_plain_wasi;
    let fallback = match (&interfaces.library_fallback, interfaces.is_composed) {
        (Some(version), true) => format!("in the plugin, of wasi-mmap {version}, and composed in"),
        (Some(version), false) => format!("in the plugin, of wasi-mmap {version}"),
        (None, true) => "composed in".to_owned(),
        (None, false) => "none".to_owned(),
    };
    let lines = [
        format!("{name}: a {kind} of {bytes} bytes"),
        format!("  imports of wasi-mmap    {}", list(&interfaces.ours)),
        format!("  imports of WASI 0.2     {}", list(&interfaces.wasi)),
        format!("  unknown imports         {}", list(&interfaces.unknown)),
        format!("  a fallback              {fallback}"),
        format!("  a command               {}", yes(*command)),
        format!("  runs with wasi-mmap run {}", yes(*runs_here)),
        format!(
            "  runs with WASI {wasi}{:width$}{}{}",
            " ",
            yes(*runs_on_plain_wasi),
            if composes { format!("; after `wasi-mmap compose {name} -o OUT.wasm`: yes") } else { String::new() },
            width = 9usize.saturating_sub(wasi.len())
        ),
    ];
    lines.join("\n") + "\n"
}
