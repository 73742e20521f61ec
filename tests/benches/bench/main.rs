//! `cargo xtask bench`: compares the project with its alternatives, in one run.

mod c;
mod fallback;
mod files;
mod host;
mod measure;
mod memmap2;
mod native;
mod plugins;
mod report;
mod scale;
mod start;
mod window;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use wasmtime::{Result, ensure};

use measure::{Comparison, Row};
use plugins::Plugins;
use wasi_mmap_test_support as support;

/// Compare the project with its alternatives.
///
/// Every row is a ratio of two medians of one run, in which the two take turns; below 1 ours takes less. That both find
/// the same is checked before anything is timed, and in every round.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask bench",
    after_help = "\
Examples:
  cargo xtask bench                        everything, as a table
  cargo xtask bench window --json          one group, a line of JSON for each row
  cargo xtask bench python                 Python plugins: lines of JSON, against Python itself in the same sandbox
  cargo xtask bench instructions           instructions of small operations, which no other work on the machine changes
  cargo xtask bench --save docs/bench      everything, also as Markdown and plots; with groups, only theirs

Exit status: 0 if everything could be measured, 1 if something failed, 2 for wrong arguments"
)]
struct Options {
    /// The groups to measure; all, if none is named
    groups: Vec<Group>,

    /// Print a line of JSON for each row: name, ours, peer, peer_name, unit, ratio
    #[arg(long)]
    json: bool,

    /// The number of rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,

    /// Measure only rows whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    /// Write the results to this folder, as Markdown and as SVG
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,

    /// Measures a part in a process of its own: what, how many, the folder of the files
    #[arg(long, hide = true, num_args = 3)]
    part: Option<Vec<String>>,

    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// A group of measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// The file's pages in the plugin's memory
    Window,
    /// The native mapping
    Native,
    /// The host's mapping, called by a plugin
    Host,
    /// The fallback's page cache in a plugin
    Fallback,
    /// The fallback's default size of pages, against others
    Pages,
    /// Programs over memmap2, in a plugin and without a sandbox
    Memmap2,
    /// Programs in C as plugins: SQLite, LMDB and a scan, which `cargo xtask c` builds
    C,
    /// Instances of a plugin, against the same engine without a context of the interface
    Start,
    /// Many mappings and plugins at once, against ten
    Scale,
}

impl Group {
    fn name(self) -> String {
        self.to_possible_value().expect("no group is hidden").get_name().to_owned()
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(part) = &options.part {
        return scale::part(part);
    }
    let groups = if options.groups.is_empty() { Group::value_variants() } else { &options.groups };
    // Plain memory may get huge pages, which those of a file do not: what is compared is the access, not the pages'
    // size.
    // SAFETY: this option of `prctl(2)` takes numbers only.
    let status = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    ensure!(status == 0, "huge pages cannot be switched off");
    let files = files::Files::new()?;
    let plugins = Plugins::new(files.folder())?;
    let programs = if groups.contains(&Group::C) {
        match c::Programs::new(&files) {
            Err(error) if options.groups.is_empty() => {
                eprintln!("The group c is left out, which `cargo xtask c` builds: {error:#}");
                None
            }
            programs => Some(programs?),
        }
    } else {
        None
    };
    let mut all = Vec::new();
    for group in groups {
        let comparisons = match group {
            Group::Window => window::comparisons(&files, &plugins)?,
            Group::Native => native::comparisons(&files)?,
            Group::Host => host::comparisons(&files, &plugins)?,
            Group::Fallback => fallback::comparisons(&files, &plugins),
            Group::Pages => fallback::page_sizes(&plugins),
            Group::Memmap2 => memmap2::comparisons(&files, &plugins)?,
            Group::C => programs.iter().flat_map(|programs| c::comparisons(&files, programs)).collect(),
            Group::Start => start::comparisons()?,
            Group::Scale => scale::comparisons(&files),
        };
        let wanted =
            |comparison: &Comparison<'_>| options.only.as_ref().is_none_or(|only| comparison.name.contains(only));
        let mut rows = Vec::new();
        if !options.json {
            report::print_head(&group.name());
        }
        for comparison in comparisons.into_iter().filter(wanted) {
            for row in comparison.measure(options.rounds)? {
                print(&row, options.json)?;
                rows.push(row);
            }
        }
        all.push((group.name(), rows));
    }
    if let Some(folder) = &options.save {
        report::save(folder, &all, options.rounds)?;
    }
    Ok(())
}

fn print(row: &Row, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(row)?);
    } else {
        report::print(row);
    }
    Ok(())
}
