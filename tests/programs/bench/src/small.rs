//! Small reads at random offsets.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use wasi_mmap::{Access, Mapping, Views};
use wasi_mmap_conformance::measured::Random;
use wasi_mmap_core::{Mapping as Object, Storage};

use crate::{Done, Job, Result, Workload, library, timed};

pub(crate) const WORKLOADS: &[Workload] = &[
    ("object-random", |job| object_random(&Mapping::open(job.file)?, job)),
    ("library-random", |job| object_random(&library(job, Access::Read, 2)?, job)),
    ("file-random", file_random),
    ("read-small", read_small),
    ("object-get", object_get),
    ("view-get", view_get),
    ("object-read-byte", object_read_byte),
    ("view-read-byte", view_read_byte),
];

/// Makes `number 0` reads of 8 bytes within the first `number 1` bytes, after as many that warm up the cache.
fn object_random<S: Storage>(mapping: &Object<S>, job: &Job<'_>) -> Result<Done> {
    let reads = |seed: u64| {
        let (mut random, mut state, mut word) = (Random::new(seed), 0u64, [0; 8]);
        for _ in 0..job.number(0) {
            mapping.read_exact_at(&mut word, random.word_below(job.numbers[1]))?;
            state = state.rotate_left(7).wrapping_add(u64::from_le_bytes(word));
        }
        Ok(state)
    };
    reads(1)?;
    timed(|| reads(2))
}

/// Does the same with ordinary reads.
fn file_random(job: &Job<'_>) -> Result<Done> {
    let mut file = File::open(job.file)?;
    let (mut random, mut state, mut word) = (Random::new(2), 0u64, [0; 8]);
    timed(|| {
        for _ in 0..job.number(0) {
            file.seek(SeekFrom::Start(random.word_below(job.numbers[1])))?;
            file.read_exact(&mut word)?;
            state = state.rotate_left(7).wrapping_add(u64::from_le_bytes(word));
        }
        Ok(state)
    })
}

/// Makes `number 0` reads of 16 bytes at random, each of which is a call of the host.
fn read_small(job: &Job<'_>) -> Result<Done> {
    let mapping = Mapping::open(job.file)?;
    let len = mapping.len()? - 16;
    let (mut random, mut state, mut bytes) = (Random::new(3), 0u64, [0; 16]);
    timed(|| {
        for _ in 0..job.number(0) {
            mapping.read_exact_at(&mut bytes, random.word_below(len))?;
            state = state.wrapping_add(u64::from(bytes[0]));
        }
        Ok(state)
    })
}

/// Makes `number 0` calls of `get` at random within the first `number 1` bytes.
fn object_get(job: &Job<'_>) -> Result<Done> {
    let mapping = Mapping::open(job.file)?;
    timed(|| random_gets(job, |index| mapping.get(index.cast_signed())))
}

/// Does the same by indices into a view.
fn view_get(job: &Job<'_>) -> Result<Done> {
    let mapping = Mapping::open(job.file)?;
    // SAFETY: nobody writes to the files of benchmarks.
    let view = unsafe { mapping.view(..job.numbers[1]) }?;
    crate::views::check(view.is_zero_copy())?;
    timed(|| random_gets(job, |index| Ok(view[usize::try_from(index).expect("within the view")])))
}

fn random_gets(job: &Job<'_>, get: impl Fn(u64) -> wasi_mmap::Result<u8>) -> Result<u64> {
    let (mut random, mut state) = (Random::new(5), 0u64);
    for _ in 0..job.number(0) {
        state = state.rotate_left(7).wrapping_add(u64::from(get(random.below(job.numbers[1]))?));
    }
    Ok(state)
}

/// Reads the first `number 0` bytes one by one.
fn object_read_byte(job: &Job<'_>) -> Result<Done> {
    let mut mapping = Mapping::open(job.file)?;
    timed(|| {
        let mut state = 0u64;
        for _ in 0..job.number(0) {
            state = state.rotate_left(7).wrapping_add(u64::from(mapping.read_byte()?));
        }
        Ok(state)
    })
}

/// Does the same by indices into a view.
fn view_read_byte(job: &Job<'_>) -> Result<Done> {
    let mapping = Mapping::open(job.file)?;
    // SAFETY: as above.
    let view = unsafe { mapping.view(..job.numbers[0]) }?;
    crate::views::check(view.is_zero_copy())?;
    timed(|| Ok(view.iter().fold(0u64, |state, &byte| state.rotate_left(7).wrapping_add(u64::from(byte)))))
}
