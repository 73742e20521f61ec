//! The file's bytes as slices.

use wasi_mmap::{Mapping, Views};
use wasi_mmap_conformance::measured::{random_loads, sum_times, touch};

use crate::{Done, Job, Result, Workload, timed};

/// The length of a view of a page, in bytes.
const PAGE: u64 = 4096;

pub(crate) const WORKLOADS: &[Workload] = &[
    ("view-scan", view_scan),
    ("view-first", view_first),
    ("view-random", view_random),
    ("memory-random", memory_random),
    ("view-cycles", view_cycles),
    ("view-keep", view_keep),
];

/// One view of the whole file, summed `number 0` times after a first time.
fn view_scan(job: &Job<'_>) -> Result<Done> {
    let mapping = Mapping::open(job.file)?;
    // SAFETY: nobody writes to the files of benchmarks.
    let view = unsafe { mapping.view(..) }?;
    check(view.is_zero_copy())?;
    std::hint::black_box(sum_times(&view, 1));
    timed(|| Ok(sum_times(&view, job.number(0))))
}

/// Does the same once, including the set-up.
fn view_first(job: &Job<'_>) -> Result<Done> {
    timed(|| {
        let mapping = Mapping::open(job.file)?;
        // SAFETY: as above.
        let view = unsafe { mapping.view(..) }?;
        check(view.is_zero_copy())?;
        Ok(sum_times(&view, 1))
    })
}

/// `number 0` loads of 8 bytes anywhere in the file, every page of which was touched before.
fn view_random(job: &Job<'_>) -> Result<Done> {
    let mapping = Mapping::open(job.file)?;
    // SAFETY: as above.
    let view = unsafe { mapping.view(..) }?;
    check(view.is_zero_copy())?;
    touch(&view);
    timed(|| Ok(random_loads(&view, job.number(0))))
}

/// Does the same in memory that holds the whole file.
fn memory_random(job: &Job<'_>) -> Result<Done> {
    let bytes = std::fs::read(job.file)?;
    touch(&bytes);
    timed(|| Ok(random_loads(&bytes, job.number(0))))
}

/// `number 0` views of `number 1` bytes at random places, one byte of each of which is read.
fn view_cycles(job: &Job<'_>) -> Result<Done> {
    let mapping = Mapping::open(job.file)?;
    let (len, size) = (mapping.len()?, job.numbers[1]);
    // `number 2` views of a page stay meanwhile.
    let mut others = Vec::new();
    for page in 0..job.numbers.get(2).copied().unwrap_or(0) {
        let start = page * PAGE % len;
        // SAFETY: as above.
        let view = unsafe { mapping.view(start..start + PAGE) }?;
        check(view.is_zero_copy())?;
        others.push(view);
    }
    let done = timed(|| {
        let mut state = 0u64;
        for cycle in 0..job.numbers[0] {
            let start = cycle * size % (len - size);
            // SAFETY: as above.
            let view = unsafe { mapping.view(start..start + size) }?;
            check(view.is_zero_copy())?;
            state = state.wrapping_add(u64::from(std::hint::black_box(view[0])));
        }
        Ok(state)
    });
    drop(others);
    done
}

/// A view of `number 0` bytes that is read once and stays when the program ends.
fn view_keep(job: &Job<'_>) -> Result<Done> {
    let mapping = Box::leak(Box::new(Mapping::open(job.file)?));
    // SAFETY: as above.
    let view = unsafe { mapping.view(..job.numbers[0]) }?;
    check(view.is_zero_copy())?;
    let done = timed(|| Ok(sum_times(&view, 1)));
    std::mem::forget(view);
    done
}

pub(crate) fn check(is_zero_copy: bool) -> Result<()> {
    if is_zero_copy { Ok(()) } else { Err("the view is a copy, of which there is nothing to be measured".into()) }
}
