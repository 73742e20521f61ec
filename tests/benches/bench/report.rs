//! Reports: a table, Markdown, and plots.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use wasmtime::Result;
use wasmtime::error::Context as _;

use crate::measure::Row;

pub(crate) fn print_head(group: &str) {
    println!("\n{group}\n{:<30} {:>12} {:>12} {:>8} {:>6}  against; unit", "", "ours", "peer", "ratio", "bar");
}

pub(crate) fn print(row: &Row) {
    let Row { name, peer_name, unit, .. } = row;
    let [ours, peer, ratio, bar] = figures(row);
    println!("{name:<30} {ours:>12} {peer:>12} {ratio:>8} {bar:>6}  {peer_name}; {unit}");
}

fn figures(row: &Row) -> [String; 4] {
    let amount = |amount: f64| if amount < 100.0 { format!("{amount:.3}") } else { format!("{amount:.0}") };
    [
        amount(row.ours),
        row.peer.map_or("–".to_owned(), amount),
        row.ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.3}")),
        row.bar.map_or("–".to_owned(), |bar| bar.to_string()),
    ]
}

/// Writes `README.md` and a plot for each group. Groups that are there and were not measured stay.
pub(crate) fn save(folder: &Path, groups: &[(String, Vec<Row>)], rounds: u32) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let page = folder.join("README.md");
    let old = if page.exists() { fs::read_to_string(&page)? } else { String::new() };
    let mut text = format!(
        "# Benchmarks\n\nMedians of {rounds} runs, in which ours and its peer take turns, on {}.\nThe ratio is ours / peer: \
         less is better. `cargo xtask bench --save docs/bench` makes this page, and with the names of groups their part.\n",
        machine()
    );
    let mut sections: Vec<(&str, String)> = old
        .split("\n## ")
        .skip(1)
        .map(|section| (section.lines().next().unwrap_or_default(), section.to_owned()))
        .collect();
    for (group, rows) in groups {
        let section = section(group, rows)?;
        match sections.iter_mut().find(|(name, _)| name == group) {
            Some((_, old)) => *old = section,
            None => sections.push((group, section)),
        }
        fs::write(folder.join(format!("{group}.svg")), plot(rows)?)?;
    }
    for (_, section) in sections {
        write!(text, "\n## {section}")?;
    }
    fs::write(page, text)?;
    Ok(())
}

/// Returns the section of a group, from its name on.
fn section(group: &str, rows: &[Row]) -> Result<String> {
    let mut text = format!("{group}\n\n![ratios of {group}]({group}.svg)\n\n");
    text += "| name | ours | peer | ratio | bar | against | unit |\n|---|--:|--:|--:|--:|---|---|\n";
    for row in rows {
        let [ours, peer, ratio, bar] = figures(row);
        writeln!(text, "| {} | {ours} | {peer} | {ratio} | {bar} | {} | {} |", row.name, row.peer_name, row.unit)?;
    }
    Ok(text)
}

/// Returns the kind of the machine, and the versions of the programs that were measured.
fn machine() -> String {
    let line = |path: &str, key: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let value = text.lines().find(|line| line.starts_with(key)).and_then(|line| line.split_once(':'));
        value.map(|(_, value)| value.trim().to_owned())
    };
    let processor = line("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = line("/proc/meminfo", "MemTotal").and_then(|total| total.split(' ').next()?.parse::<u64>().ok());
    let memory = memory.map_or(String::new(), |kibibytes| format!(", {} GiB of memory", kibibytes >> 20));
    let version = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().ok()?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    let versions = [version("uname", "-sr"), version("rustc", "--version"), version("python3", "--version")];
    let versions: Vec<_> = versions.into_iter().flatten().collect();
    format!("{count} × {processor}{memory}; {}, wasmtime 48", versions.join(", "))
}

/// The height of a bar with its space, and how wide names and bars are, in pixels.
const LINE: usize = 26;
const NAMES: usize = 210;
const BARS: usize = 420;

/// Horizontal bars of the ratios, which end at 2; a line marks 1, where both are alike. The colours follow the reader's
/// theme.
fn plot(rows: &[Row]) -> Result<String> {
    let rows: Vec<_> = rows.iter().filter_map(|row| Some((row, row.ratio?))).collect();
    let (width, height) = (NAMES + BARS + 70, rows.len() * LINE + 40);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <style>text {{ fill: #1f2328 }} .bar {{ fill: #2f6fde }} .over {{ fill: #c2541a }} .one {{ stroke: #57606a }}\n\
         @media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3 }} .bar {{ fill: #6ea8ff }} .over {{ fill: #ff9a5c }} \
         .one {{ stroke: #9da7b1 }} }}</style>\n"
    );
    for (number, (row, ratio)) in rows.iter().enumerate() {
        let top = number * LINE + 8;
        let middle = top + 14;
        let length = (ratio.clamp(0.0, 2.0) * BARS as f64 / 2.0).max(1.0);
        let class = if row.bar.is_some_and(|bar| *ratio > bar) { "over" } else { "bar" };
        let end = NAMES as f64 + length + 6.0;
        writeln!(svg, "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>", NAMES - 8, row.name)?;
        writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{NAMES}\" y=\"{top}\" width=\"{length:.1}\" height=\"18\" rx=\"2\"/>"
        )?;
        writeln!(svg, "<text x=\"{end:.1}\" y=\"{middle}\">{ratio:.3}</text>")?;
    }
    let (one, bottom) = (NAMES + BARS / 2, rows.len() * LINE + 6);
    writeln!(svg, "<line class=\"one\" x1=\"{one}\" x2=\"{one}\" y1=\"2\" y2=\"{bottom}\" stroke-dasharray=\"3 3\"/>")?;
    let label = "ours / peer: less is better; the line marks 1";
    writeln!(svg, "<text x=\"{NAMES}\" y=\"{}\">{label}</text>\n</svg>", bottom + 24)?;
    Ok(svg)
}
