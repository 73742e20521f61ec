//! `docs/differences.md` is compared with the cases that backends skip.

use std::collections::{BTreeMap, BTreeSet};

use wasi_mmap_conformance::case::Backend;
use wasi_mmap_conformance::cases::{self, Sizes};

/// The names of cases, by the heading of the document that has them.
type Differences = BTreeMap<String, BTreeSet<String>>;

/// Returns the name that the document has for a backend and those that always skip the same cases.
fn group(backend: Backend) -> &'static str {
    match backend {
        Backend::Native | Backend::Host | Backend::HostWit => "Unix",
        Backend::Windows => "Windows",
        // A native program that uses the fallback is not told of ordinary reads and writes either.
        Backend::FallbackWit | Backend::FallbackNative => "the fallback component",
        Backend::Fallback | Backend::FallbackLibrary => "the fallback in a plugin",
    }
}

/// Returns what is skipped, with the headings that the document must have.
fn skipped() -> Differences {
    let mut differences = Differences::new();
    for case in cases::all(Sizes { page: 4096, granularity: 4096 }) {
        let mut reasons = BTreeMap::<&str, Vec<Backend>>::new();
        for (backend, why) in &case.skips {
            reasons.entry(why).or_default().push(*backend);
        }
        for (why, backends) in reasons {
            let groups: BTreeSet<_> = backends.iter().map(|&backend| group(backend)).collect();
            let whole = Backend::ALL.into_iter().filter(|&backend| groups.contains(group(backend))).count();
            assert_eq!(backends.len(), whole, "{:?} is skipped by a part of {groups:?}", case.name);
            let groups: Vec<_> = groups.into_iter().collect();
            let heading = format!("Not on {}: {why}", groups.join(", "));
            differences.entry(heading).or_default().insert(case.name.to_owned());
        }
    }
    differences
}

/// Returns what the document says: headings of the third level, and the names in the lists below them.
fn documented() -> Differences {
    let mut differences = Differences::new();
    let mut heading = None;
    for line in include_str!("../../../docs/differences.md").lines() {
        if let Some(text) = line.strip_prefix("### ") {
            heading = Some(text);
            differences.entry(text.to_owned()).or_default();
        } else if line.starts_with('#') {
            heading = None;
        } else if let (Some(heading), Some(name)) = (heading, line.strip_prefix("- `")) {
            let name = name.strip_suffix('`').expect("nothing but the name of a case");
            differences.entry(heading.to_owned()).or_default().insert(name.to_owned());
        }
    }
    differences
}

/// The document has every case that a backend skips, with the reason, and no other.
#[test]
fn the_document_names_every_difference() {
    let (skipped, documented) = (skipped(), documented());
    for (heading, cases) in &skipped {
        let list: String = cases.iter().map(|case| format!("- `{case}`\n")).collect();
        assert_eq!(documented.get(heading), Some(cases), "docs/differences.md must have:\n### {heading}\n\n{list}");
    }
    assert_eq!(documented, skipped);
}
