//! Calls of the host that do next to nothing.

use crate::Workload;
#[cfg(not(target_env = "p1"))]
use crate::{Done, Job, Result, timed};

#[cfg(target_env = "p1")]
pub(crate) const WORKLOADS: &[Workload] = &[];

#[cfg(not(target_env = "p1"))]
pub(crate) const WORKLOADS: &[Workload] = &[("empty-call", empty_call)];

/// `number 0` times the resolution of the clock: a function of WASI without arguments that returns a constant.
#[cfg(not(target_env = "p1"))]
fn empty_call(job: &Job<'_>) -> Result<Done> {
    timed(|| {
        let mut state = 0u64;
        for _ in 0..job.number(0) {
            state = state.wrapping_add(wasip2::clocks::monotonic_clock::resolution());
        }
        Ok(u64::from(state == 0))
    })
}
