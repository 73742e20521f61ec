//! `cargo xtask bench instructions`: how many instructions of the processor small operations take, counted by Valgrind.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

/// Count the instructions of small operations: a regression shows on a noisy machine too.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask bench instructions",
    no_binary_name = true,
    after_help = "Exit status: 0; 1 if something could not be counted; 2 for wrong arguments"
)]
pub(crate) struct Options {
    /// Print a line of JSON for each operation: name, ours, unit
    #[arg(long)]
    json: bool,

    /// Write the table to this folder, as instructions.md
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
}

/// How often an operation is done: the difference is what counts, without what comes before and after.
const COUNTS: [u64; 2] = [1_000, 11_000];

pub(crate) fn count(program: &Path, options: &Options) -> Result<()> {
    let valgrind = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    if !valgrind.is_ok_and(|status| status.success()) {
        bail!("Valgrind is missing; on Debian: apt-get install valgrind");
    }
    let output = Command::new(program).output().with_context(|| format!("cannot run {}", program.display()))?;
    let names = String::from_utf8(output.stdout)?;
    let bar = ProgressBar::new(names.lines().count() as u64);
    bar.set_style(ProgressStyle::with_template("{spinner} {msg} {pos}/{len} {elapsed}").expect("a template"));
    let mut table = String::from("| operation | instructions |\n|---|--:|\n");
    for name in names.lines() {
        bar.set_message(name.to_owned());
        let [few, many] = COUNTS.map(|count| instructions(program, name, count));
        let each = (many? - few?) / (COUNTS[1] - COUNTS[0]);
        bar.suspend(|| match options.json {
            true => println!("{}", serde_json::json!({"name": name, "ours": each, "unit": "instructions"})),
            false => println!("{name:<30} {each:>6}"),
        });
        writeln!(table, "| {name} | {each} |")?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(folder) = &options.save {
        let text = format!(
            "# Instructions of small operations\n\nHow many instructions of an {} processor each takes natively, places and loop \
             included, counted by Valgrind's callgrind.\nLines have 40 bytes. `cargo xtask bench instructions --save docs/bench` \
             makes this page.\n\n{table}",
            std::env::consts::ARCH
        );
        let path = folder.join("instructions.md");
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// How many instructions the program takes to do an operation so often.
fn instructions(program: &Path, name: &str, count: u64) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    let output = valgrind.arg(name).arg(count.to_string()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim());
    match collected {
        Some(count) if output.status.success() => Ok(count.parse()?),
        _ => bail!("{name}: {}: {said}", output.status),
    }
}
