//! Every byte of a file, once and in order.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use wasi_mmap::{Access, Mapping};
use wasi_mmap_conformance::measured::{ABSENT, Sum, sum, sum_times};
use wasi_mmap_core::{Mapping as Object, Storage};

use crate::{Done, Job, Result, Workload, library, timed};

pub(crate) const WORKLOADS: &[Workload] = &[
    ("object-scan", |job| object_scan(Mapping::open(job.file)?, job)),
    ("library-scan", |job| object_scan(library(job, Access::Read, 1)?, job)),
    ("list-scan", list_scan),
    ("file-scan", file_scan),
    ("memory-scan", memory_scan),
    ("object-lines", |job| object_lines(Mapping::open(job.file)?)),
    ("library-lines", |job| object_lines(library(job, Access::Read, 0)?)),
    ("file-lines", file_lines),
    ("find", find),
    ("first-byte", first_byte),
];

/// Reads of the mapping into one buffer of `number 0` bytes.
fn object_scan<S: Storage>(mut mapping: Object<S>, job: &Job<'_>) -> Result<Done> {
    let mut buffer = vec![0; job.number(0)];
    timed(|| {
        let mut state = Sum::default();
        loop {
            let count = mapping.read(&mut buffer)?;
            if count == 0 {
                return Ok(state.finish());
            }
            state = sum(state, &buffer[..count]);
        }
    })
}

/// Does the same with a new list for each read, of which only the first row is summed.
fn list_scan(job: &Job<'_>) -> Result<Done> {
    let mapping = Mapping::open(job.file)?;
    let (len, chunk) = (mapping.len()?, job.number(0) as u64);
    timed(|| {
        let mut state = Sum::default();
        for at in (0..len).step_by(job.number(0)) {
            let bytes = mapping.read_range(at..at + chunk.min(len - at))?;
            state = sum(state, &bytes[..256.min(bytes.len())]);
        }
        Ok(state.finish())
    })
}

/// Ordinary reads into one buffer of `number 0` bytes.
fn file_scan(job: &Job<'_>) -> Result<Done> {
    let mut buffer = vec![0; job.number(0)];
    let mut file = File::open(job.file)?;
    timed(|| {
        let mut state = Sum::default();
        loop {
            // Whole words, so that the sum does not depend on how much a read brings.
            let mut filled = 0;
            while filled < buffer.len() {
                match file.read(&mut buffer[filled..])? {
                    0 => break,
                    count => filled += count,
                }
            }
            if filled == 0 {
                return Ok(state.finish());
            }
            state = sum(state, &buffer[..filled]);
        }
    })
}

/// Memory that holds the whole file, `number 0` times; it was looked at once before.
fn memory_scan(job: &Job<'_>) -> Result<Done> {
    let bytes = std::fs::read(job.file)?;
    std::hint::black_box(sum(Sum::default(), &bytes));
    timed(|| Ok(sum_times(&bytes, job.number(0))))
}

fn object_lines<S: Storage>(mut mapping: Object<S>) -> Result<Done> {
    let mut line = Vec::new();
    timed(|| {
        let mut state = 0;
        loop {
            line.clear();
            match mapping.read_line_into(&mut line)? {
                0 => return Ok(state),
                count => state += count as u64 * u64::from(line[0]),
            }
        }
    })
}

fn file_lines(job: &Job<'_>) -> Result<Done> {
    let mut file = BufReader::with_capacity(64 * 1024, File::open(job.file)?);
    let mut line = Vec::new();
    timed(|| {
        let mut state = 0;
        loop {
            line.clear();
            match file.read_until(b'\n', &mut line)? {
                0 => return Ok(state),
                count => state += count as u64 * u64::from(line[0]),
            }
        }
    })
}

/// Searches for an absent needle.
fn find(job: &Job<'_>) -> Result<Done> {
    let mapping = Mapping::open(job.file)?;
    timed(|| Ok(mapping.find(ABSENT, ..)?.unwrap_or(u64::MAX)))
}

/// One byte in the middle of a file that has just been opened.
fn first_byte(job: &Job<'_>) -> Result<Done> {
    timed(|| {
        let mapping = Mapping::open(job.file)?;
        let mut byte = [0];
        mapping.read_exact_at(&mut byte, mapping.len()? / 2)?;
        Ok(u64::from(byte[0]))
    })
}
