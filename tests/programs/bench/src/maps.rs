//! Files mapped with memmap2, as a program maps them that knows nothing of wasi-mmap, and what it could do instead.

use std::fs::File;
use std::io::Read;

use memmap2::{Mmap, MmapOptions};
use wasi_mmap_conformance::measured::sum_times;

use crate::{Done, Job, Result, Workload, timed};

pub(crate) const WORKLOADS: &[Workload] = &[
    ("map-cycles", map_cycles),
    ("open-cycles", open_cycles),
    ("map-scan", map_scan),
    ("whole-scan", whole_scan),
    ("map-keep", map_keep),
    ("whole-keep", whole_keep),
];

fn map(file: &File) -> Result<Mmap> {
    // SAFETY: nobody writes to the files of benchmarks.
    Ok(unsafe { Mmap::map(file) }?)
}

/// `number 0` mappings of the whole file, one byte of each of which is read.
fn map_cycles(job: &Job<'_>) -> Result<Done> {
    let file = File::open(job.file)?;
    timed(|| {
        let mut state = 0u64;
        for cycle in 0..job.number(0) {
            let map = map(&file)?;
            state = state.wrapping_add(u64::from(std::hint::black_box(map[cycle % map.len()])));
        }
        Ok(state)
    })
}

/// Opens the file `number 0` times, and reads one byte of it.
fn open_cycles(job: &Job<'_>) -> Result<Done> {
    let len = File::open(job.file)?.metadata()?.len();
    timed(|| {
        let mut state = 0u64;
        for cycle in 0..job.numbers[0] {
            let mut file = File::open(job.file)?;
            let mut byte = [0];
            std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(cycle % len))?;
            file.read_exact(&mut byte)?;
            state = state.wrapping_add(u64::from(std::hint::black_box(byte[0])));
        }
        Ok(state)
    })
}

/// The bytes of a mapping, from the opening of the file on.
fn map_scan(job: &Job<'_>) -> Result<Done> {
    timed(|| Ok(sum_times(&map(&File::open(job.file)?)?, 1)))
}

/// Reads the whole file into memory, and sums the bytes.
fn whole_scan(job: &Job<'_>) -> Result<Done> {
    timed(|| Ok(sum_times(&whole(job)?, 1)))
}

fn whole(job: &Job<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(job.file)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A mapping of `number 0` bytes that is read once and stays when the program ends.
fn map_keep(job: &Job<'_>) -> Result<Done> {
    let file = File::open(job.file)?;
    // SAFETY: as above.
    let map = unsafe { MmapOptions::new().len(job.number(0)).map(&file) }?;
    let done = timed(|| Ok(sum_times(&map, 1)));
    std::mem::forget(map);
    done
}

/// Does the same with memory that holds the whole file.
fn whole_keep(job: &Job<'_>) -> Result<Done> {
    let bytes = whole(job)?;
    let done = timed(|| Ok(sum_times(&bytes, 1)));
    std::mem::forget(bytes);
    done
}
