//! Calls of the host that do next to nothing.

use crate::Workload;
#[cfg(target_env = "p2")]
use crate::{Done, Job, Result, timed};

#[cfg(not(target_env = "p2"))]
pub(crate) const WORKLOADS: &[Workload] = &[];

#[cfg(target_env = "p2")]
pub(crate) const WORKLOADS: &[Workload] = &[("empty-call", empty_call)];

/// `number 0` times the resolution of the clock: a function of WASI without arguments that returns a constant.
#[cfg(target_env = "p2")]
fn empty_call(job: &Job<'_>) -> Result<Done> {
    timed(|| {
        let mut state = 0u64;
        for _ in 0..job.number(0) {
            state = state.wrapping_add(wasip2::clocks::monotonic_clock::resolution());
        }
        Ok(u64::from(state == 0))
    })
}
