//! Small writes at random offsets.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};

use wasi_mmap::{Access, Mapping};
use wasi_mmap_conformance::measured::Random;
use wasi_mmap_core::{Mapping as Object, Storage};

use crate::{Done, Job, Result, Workload, library, timed};

pub(crate) const WORKLOADS: &[Workload] = &[
    ("object-write", |job| object_write(Mapping::options().access(Access::Write).open(job.file)?, job)),
    ("library-write", |job| object_write(library(job, Access::Write, 2)?, job)),
    ("file-write", file_write),
];

/// Returns the bytes of the write with this number.
fn record(number: usize) -> [u8; 64] {
    [number.to_le_bytes()[0] | 1; 64]
}

/// Makes `number 0` writes of 64 bytes within the first `number 1` bytes, and a flush.
fn object_write<S: Storage>(mut mapping: Object<S>, job: &Job<'_>) -> Result<Done> {
    timed(|| {
        let mut random = Random::new(5);
        for number in 0..job.number(0) {
            mapping.write_all_at(&record(number), random.word_below(job.numbers[1] - 64))?;
        }
        mapping.flush()?;
        Ok(0)
    })
}

/// Does the same with ordinary writes.
fn file_write(job: &Job<'_>) -> Result<Done> {
    let mut file = OpenOptions::new().write(true).open(job.file)?;
    timed(|| {
        let mut random = Random::new(5);
        for number in 0..job.number(0) {
            file.seek(SeekFrom::Start(random.word_below(job.numbers[1] - 64)))?;
            file.write_all(&record(number))?;
        }
        file.sync_all()?;
        Ok(0)
    })
}
