//! Runs cases on a backend.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use wasi_mmap_core::Result;

use crate::case::{Backend, Case, Source, Step};
use crate::cases::{self, Sizes};
use crate::op::{Refusal, Subject};

/// The outcome of a case on a backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The case passed.
    Passed,
    /// The case failed, in this step and way.
    Failed(String),
    /// The case was skipped, for this reason.
    Skipped(String),
}

/// The verdict on one case, as it is passed from a plugin to the test that runs it: a line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The case's name.
    pub case: String,
    /// The outcome.
    pub verdict: Verdict,
}

/// Runs all cases in turn, each in a new directory within `scratch`.
pub fn run_all<S: Subject>(
    cases: impl IntoIterator<Item = Case>,
    backend: Backend,
    scratch: &Path,
) -> impl Iterator<Item = Report> {
    cases.into_iter().enumerate().map(move |(index, case)| {
        let skip = case.skips.iter().find(|(skipped, _)| *skipped == backend);
        let verdict = match skip {
            Some((_, why)) => Verdict::Skipped((*why).to_owned()),
            None => match run_case::<S>(&case, &scratch.join(format!("{index:03}"))) {
                Ok(()) => Verdict::Passed,
                Err(difference) => Verdict::Failed(difference),
            },
        };
        Report { case: case.name.to_owned(), verdict }
    })
}

/// Checks that every case was run, or skipped as it says, and that none failed. Writes the counts to a file in
/// `folder/cases`, which `cargo xtask test` prints.
///
/// # Panics
///
/// Panics if a case failed, or if the cases differ from those of [`cases::all`].
pub fn check(backend: Backend, through: &str, reports: &[Report], folder: &Path) {
    let failures: Vec<_> = reports.iter().filter(|report| matches!(report.verdict, Verdict::Failed(_))).collect();
    let skips = reports.iter().filter(|report| matches!(report.verdict, Verdict::Skipped(_))).count();
    let count = format!("{backend:?} {through}: {} cases, {skips} of them skipped", reports.len());
    let counts = folder.join("cases");
    fs::create_dir_all(&counts).expect("a folder for the counts");
    fs::write(counts.join(format!("{backend:?} {through}")), count).expect("a file for the count");
    assert!(failures.is_empty(), "{backend:?}: {failures:#?}");
    let all = cases::all(Sizes { page: 4096, granularity: 4096 });
    let expected: Vec<_> = all.iter().map(|case| case.name).collect();
    let found: Vec<_> = reports.iter().map(|report| report.case.as_str()).collect();
    assert_eq!(found, expected, "{backend:?} ran other cases");
    let skipped = all.iter().filter(|case| case.skips.iter().any(|(skipped, _)| *skipped == backend)).count();
    assert_eq!(skips, skipped, "{backend:?} skipped other cases");
}

fn run_case<S: Subject>(case: &Case, directory: &Path) -> Result<(), String> {
    fs::create_dir(directory).map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
    let mut slots: Vec<Option<S>> = Vec::new();
    for (index, step) in case.steps.iter().enumerate() {
        run_step(step, directory, &mut slots).map_err(|difference| format!("step {}: {difference}", index + 1))?;
    }
    drop(slots);
    fs::remove_dir_all(directory).map_err(|error| format!("cannot remove {}: {error}", directory.display()))
}

fn run_step<S: Subject>(step: &Step, directory: &Path, slots: &mut Vec<Option<S>>) -> Result<(), String> {
    let path = |name: &str| directory.join(name);
    let io = |error: std::io::Error| format!("{step:?}: {error}");
    match step {
        Step::File { name, bytes } => fs::write(path(name), bytes).map_err(io),
        Step::Overwrite { name, offset, bytes } => {
            let mut file = fs::OpenOptions::new().write(true).open(path(name)).map_err(io)?;
            file.seek(SeekFrom::Start(*offset)).map_err(io)?;
            file.write_all(bytes).map_err(io)
        }
        Step::SetLen { name, len } => set_len(&path(name), *len).map_err(io),
        Step::SetLenFails { name, len } => match set_len(&path(name), *len) {
            Ok(()) => Err(format!("the file {name} could be given {len} bytes")),
            Err(_) => Ok(()),
        },
        Step::Rename { from, to } => fs::rename(path(from), path(to)).map_err(io),
        Step::Remove { name } => fs::remove_file(path(name)).map_err(io),
        Step::FileIs { name, bytes } => {
            let found = fs::read(path(name)).map_err(io)?;
            expect_equal(&format!("the file {name}"), bytes, &found)
        }
        Step::FileLenIs { name, len } => {
            let found = fs::metadata(path(name)).map_err(io)?.len();
            if found == *len { Ok(()) } else { Err(format!("the file {name} has {found} bytes, expected {len}")) }
        }
        Step::Map { slot, source, options, expect } => {
            let mapping = match source {
                Source::File { name, rights } => S::map_file(&path(name), *rights, options),
                Source::Anonymous => S::map_anonymous(options),
                Source::Named(name) => S::map_named(name, options),
            };
            let found = match mapping {
                Ok(mapping) => {
                    slots.resize_with(slots.len().max(slot + 1), || None);
                    slots[*slot] = Some(mapping);
                    Ok(())
                }
                Err(error) => Err(error),
            };
            compare(&format!("mapping {source:?} with {options:?}"), expect, found)
        }
        Step::Do { slot, op, expect } => {
            let found = mapping(slots, *slot)?.apply(op);
            compare(&abbreviate(&format!("{op:?}")), expect, found)
        }
        Step::CopyFrom { slot, destination, source, offset, count, expect } => {
            let from = slots.get_mut(*source).and_then(Option::take).ok_or("no source mapping")?;
            let found = mapping(slots, *slot)?.copy_from(*destination, &from, *offset, *count);
            slots[*source] = Some(from);
            compare(&format!("copying {count} bytes"), expect, found)
        }
        Step::Drop { slot } => {
            slots.get_mut(*slot).and_then(Option::take).ok_or("no mapping to drop")?;
            Ok(())
        }
    }
}

fn set_len(path: &Path, len: u64) -> std::io::Result<()> {
    fs::OpenOptions::new().write(true).open(path)?.set_len(len)
}

fn mapping<S>(slots: &mut [Option<S>], slot: usize) -> Result<&mut S, String> {
    slots.get_mut(slot).and_then(Option::as_mut).ok_or_else(|| format!("no mapping in slot {slot}"))
}

fn compare<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expect: &Result<T, Refusal>,
    found: Result<T>,
) -> Result<(), String> {
    let agree = match (expect, &found) {
        (Ok(expected), Ok(found)) => expected == found,
        (Err(refusal), Err(error)) => refusal.matches(error),
        _ => false,
    };
    if agree {
        return Ok(());
    }
    Err(format!("{what}: expected {}, found {}", abbreviate(&format!("{expect:?}")), abbreviate(&format!("{found:?}"))))
}

fn expect_equal(what: &str, expected: &[u8], found: &[u8]) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    let at = expected.iter().zip(found).take_while(|(one, other)| one == other).count();
    let part = |bytes: &[u8]| bytes.get(at..bytes.len().min(at + 16)).unwrap_or_default().to_vec();
    Err(format!(
        "{what} has {} bytes, expected {}; they differ from {at} on: {:?}, expected {:?}",
        found.len(),
        expected.len(),
        part(found),
        part(expected)
    ))
}

/// Cuts a long text between two characters.
fn abbreviate(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
