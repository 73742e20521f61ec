//! Rounds in which ours and its peers take turns, and the ratios of their medians.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use wasmtime::error::Context as _;
use wasmtime::{Result, ensure};

/// One measurement: the result, and its cost in the unit of the comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) result: u64,
    pub(crate) amount: f64,
}

impl Sample {
    /// Returns the measurement in a unit that is `factor` times finer, or for one of `factor` operations.
    pub(crate) fn times(self, factor: f64) -> Self {
        Self { amount: self.amount * factor, ..self }
    }
}

/// Something that is measured.
pub(crate) type Subject<'a> = Box<dyn Fn() -> Result<Sample> + 'a>;

/// Ours, against one peer or several.
pub(crate) struct Comparison<'a> {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: Subject<'a>,
    pub(crate) peers: Vec<Peer<'a>>,
}

/// A peer that ours is compared with.
pub(crate) struct Peer<'a> {
    /// The end of the row's name, if there are several.
    pub(crate) suffix: &'static str,
    pub(crate) name: &'static str,
    /// The bar: the ratio should not exceed it.
    pub(crate) bar: Option<f64>,
    /// `None` if the peer is not available.
    pub(crate) subject: Option<Subject<'a>>,
}

/// A line of the results. The ratio is `ours / peer`: less is better.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) ours: f64,
    pub(crate) peer: Option<f64>,
    pub(crate) peer_name: String,
    pub(crate) unit: String,
    pub(crate) ratio: Option<f64>,
    #[serde(skip)]
    pub(crate) bar: Option<f64>,
}

/// A peer with a bar.
pub(crate) fn peer<'a>(name: &'static str, bar: impl Into<Option<f64>>, subject: Subject<'a>) -> Peer<'a> {
    Peer { suffix: "", name, bar: bar.into(), subject: Some(subject) }
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str, ours: Subject<'a>, peers: Vec<Peer<'a>>) -> Self {
        Self { name: name.into(), unit, ours, peers }
    }

    /// Measures everything in rounds, after a first one that is not counted.
    pub(crate) fn measure(self, rounds: u32) -> Result<Vec<Row>> {
        let bar = ProgressBar::new(u64::from(rounds) + 1).with_message(self.name.clone());
        bar.set_style(ProgressStyle::with_template("{spinner} {msg} {pos}/{len} {elapsed}").expect("a template"));
        bar.enable_steady_tick(Duration::from_millis(100));
        let (mut ours, mut peers) = (Vec::new(), vec![Vec::new(); self.peers.len()]);
        for round in 0..=rounds {
            let mine = (self.ours)().with_context(|| format!("{}, ours", self.name))?;
            if round > 0 {
                ours.push(mine.amount);
            }
            for (peer, amounts) in self.peers.iter().zip(&mut peers) {
                let Some(subject) = &peer.subject else { continue };
                let theirs = subject().with_context(|| format!("{}, {}", self.name, peer.name))?;
                ensure!(
                    theirs.result == mine.result,
                    "{}: {} returns {:#x}, ours {:#x}",
                    self.name,
                    peer.name,
                    theirs.result,
                    mine.result
                );
                if round > 0 {
                    amounts.push(theirs.amount);
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        let ours = median(ours);
        let rows = self.peers.iter().zip(peers).map(|(peer, amounts)| {
            let theirs = (!amounts.is_empty()).then(|| median(amounts));
            Row {
                name: format!("{}{}", self.name, peer.suffix),
                ours,
                peer: theirs,
                peer_name: peer.name.to_owned(),
                unit: self.unit.to_owned(),
                ratio: theirs.filter(|&theirs| theirs > 0.0).map(|theirs| ours / theirs),
                bar: peer.bar,
            }
        });
        Ok(rows.collect())
    }
}

fn median(mut amounts: Vec<f64>) -> f64 {
    amounts.sort_by(f64::total_cmp);
    let middle = amounts.len() / 2;
    if amounts.len() % 2 == 1 { amounts[middle] } else { f64::midpoint(amounts[middle - 1], amounts[middle]) }
}

/// Times something in this process, in seconds.
pub(crate) fn timed(work: impl FnOnce() -> Result<u64>) -> Result<Sample> {
    let started = Instant::now();
    let result = std::hint::black_box(work()?);
    Ok(Sample { result, amount: started.elapsed().as_secs_f64() })
}
