//! Many mappings, and many plugins with a window each, in one process: what each costs, against what it costs among
//! ten.

use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};
use wasi_mmap::Mapping;
use wasmtime::component::Component;
use wasmtime::error::Context as _;
use wasmtime::{Result, bail, ensure};

use crate::files::Files;
use crate::measure::{Comparison, Sample, Subject, peer, timed};
use crate::support::{Run, any_windows, engine, plugin};
use crate::window::anonymous;

const FEW: usize = 10;

/// The cost of each, while all are alive.
#[derive(Debug, Serialize, Deserialize)]
struct Cost {
    microseconds: f64,
    /// Of the process's own memory.
    bytes: f64,
}

/// Makes `count` objects and keeps them.
#[expect(clippy::cast_precision_loss, reason = "less than 2^52")]
fn each<T>(count: usize, mut make: impl FnMut() -> Result<T>) -> Result<Cost> {
    let mut all = Vec::with_capacity(count);
    // One-time allocations are not counted.
    drop(make()?);
    let before = anonymous()?;
    let time = timed(|| {
        for _ in 0..count {
            all.push(make()?);
        }
        Ok(0)
    })?;
    let kibibytes = anonymous()? - before;
    Ok(Cost { microseconds: time.amount * 1e6 / count as f64, bytes: kibibytes * 1024.0 / count as f64 })
}

/// Measures in this process, which has done nothing else, and prints the cost: `what`, `count`, and the folder of the
/// files.
pub(crate) fn part(arguments: &[String]) -> Result<()> {
    let [what, count, folder] = arguments else { bail!("a part has three arguments") };
    let (count, folder) = (count.parse()?, Path::new(folder));
    // Each mapping has a descriptor.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)?;
    let cost = match what.as_str() {
        "mappings" => each(count, || Ok(Mapping::open(folder.join("text"))?))?,
        "plugins" => {
            let component = Component::from_binary(engine(), &plugin("faults", "wasm32-wasip2"))?;
            each(count, || {
                let mut run = Run::new(any_windows(), folder, &["faults", "hold", "/scratch/text"])?;
                let (printed, outcome) = run.call_compiled(&component, true)?;
                ensure!(outcome == Ok(()), "the plugin failed: {printed}");
                Ok(run)
            })?
        }
        _ => bail!("no part {what}"),
    };
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

/// Measures in a process of its own: memory that was used once is not given back.
fn alone(files: &Files, what: &str, count: usize) -> Result<Cost> {
    let mut part = Command::new(std::env::current_exe()?);
    part.args(["--part", what, &count.to_string()]).arg(files.folder());
    let output = part.output()?;
    ensure!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).with_context(|| format!("{what} printed no cost"))
}

pub(crate) fn comparisons(files: &Files) -> Vec<Comparison<'_>> {
    let subject = move |what: &'static str, count: usize, amount: fn(&Cost) -> f64| -> Subject<'_> {
        Box::new(move || Ok(Sample { result: 0, amount: amount(&alone(files, what, count)?) }))
    };
    let compare = move |name: &'static str, what, count, unit, amount: fn(&Cost) -> f64| {
        let ten = if what == "mappings" { "each of 10 mappings" } else { "each of 10 plugins" };
        Comparison::new(name, unit, subject(what, count, amount), vec![peer(ten, None, subject(what, FEW, amount))])
    };
    let time: fn(&Cost) -> f64 = |cost| cost.microseconds;
    let bytes: fn(&Cost) -> f64 = |cost| cost.bytes;
    vec![
        compare("scale-mappings-time", "mappings", 10_000, "µs for each of 10,000 mappings, all alive", time),
        compare("scale-mappings-memory", "mappings", 10_000, "bytes for each of 10,000 mappings, all alive", bytes),
        compare("scale-plugins-time", "plugins", 1_000, "µs for each of 1,000 plugins with a window, all alive", time),
        compare(
            "scale-plugins-memory",
            "plugins",
            1_000,
            "bytes for each of 1,000 plugins with a window, all alive",
            bytes,
        ),
    ]
}
