//! The outcomes of the tests in a Python plugin, printed as a table.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// The outcome of a test: a line that the plugin prints.
#[derive(Debug, Deserialize)]
pub(crate) struct Outcome {
    /// The suite: the project's own or that of CPython.
    suite: String,
    test: String,
    /// `passed`, `skipped` or `failed`.
    outcome: String,
    /// The reason if it was skipped, the error if it failed.
    detail: String,
}

/// Runs the tests on a backend, and reads the outcomes.
///
/// # Errors
///
/// Fails if the program dies, or if no test ran. A test that failed is an outcome.
pub(crate) fn parse(backend: &str, mut run: Command) -> Result<Vec<Outcome>> {
    let output = run.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot run {}", run.get_program().display()))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let read =
        |line: &str| serde_json::from_str(line).with_context(|| format!("on {backend} the tests printed {line:?}"));
    let outcomes: Vec<Outcome> = printed.lines().map(read).collect::<Result<_>>()?;
    let failed = outcomes.iter().any(|outcome| outcome.outcome == "failed");
    ensure!(output.status.success() || failed, "the Python tests ended early on {backend}: {}", output.status);
    ensure!(!outcomes.is_empty(), "no Python test ran on {backend}");
    Ok(outcomes)
}

/// Prints a line for each test, with a column for each backend, and the counts of each suite.
///
/// # Errors
///
/// Fails if a test failed, or if the backends did not run the same tests.
pub(crate) fn print(backends: &[&str], outcomes: &[Vec<Outcome>]) -> Result<()> {
    let first = &outcomes[0];
    let names = |outcomes: &[Outcome]| outcomes.iter().map(|outcome| outcome.test.clone()).collect::<Vec<_>>();
    ensure!(outcomes.iter().all(|other| names(other) == names(first)), "the backends ran different Python tests");
    let width = first.iter().map(|outcome| outcome.test.len()).max().unwrap_or(0);
    let line = |name: &str, words: &[&str], detail: &str| {
        let columns: String = words.iter().map(|word| format!("{word:<9}")).collect();
        println!("{}", format!("{name:<width$} {columns}{detail}").trim_end());
    };
    for suite in first.chunk_by(|one, next| one.suite == next.suite).map(|suite| &suite[0].suite) {
        println!();
        line(&format!("{suite} tests"), backends, "");
        let rows = (0..first.len()).filter(|&row| first[row].suite == *suite);
        for row in rows.clone() {
            let row: Vec<&Outcome> = outcomes.iter().map(|backend| &backend[row]).collect();
            let words: Vec<&str> = row.iter().map(|outcome| outcome.outcome.as_str()).collect();
            let skipped = row.iter().find(|outcome| outcome.outcome == "skipped");
            line(&row[0].test, &words, skipped.map_or("", |outcome| &outcome.detail));
        }
        for (backend, outcomes) in backends.iter().zip(outcomes) {
            let count = |outcome: &str| rows.clone().filter(|&row| outcomes[row].outcome == outcome).count();
            let (passed, skipped, failed) = (count("passed"), count("skipped"), count("failed"));
            println!("{suite} tests on {backend}: {passed} passed, {skipped} skipped, {failed} failed");
        }
    }
    let mut failed = 0;
    for (backend, outcomes) in backends.iter().zip(outcomes) {
        for Outcome { test, detail, .. } in outcomes.iter().filter(|outcome| outcome.outcome == "failed") {
            failed += 1;
            println!("\n{test} failed on {backend}: {detail}");
        }
    }
    if failed > 0 {
        bail!("{failed} Python tests failed");
    }
    Ok(())
}
