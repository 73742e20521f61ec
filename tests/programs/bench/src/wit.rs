//! The bare WIT resource: what a plugin in another language sees of the fallback component.

#[cfg(target_env = "p1")]
pub(crate) const WORKLOADS: &[crate::Workload] = &[];

#[cfg(not(target_env = "p1"))]
pub(crate) use component::WORKLOADS;

#[cfg(not(target_env = "p1"))]
mod component {
    use wasi_mmap::bindings::wasi_mmap::mmap::mapping::Mapping;
    use wasi_mmap::{Access, PluginStorage, Rights};
    use wasi_mmap_conformance::measured::{Random, Sum, sum};
    use wasi_mmap_core::{Backend, MapOptions};

    use crate::{Done, Job, Result, Workload, timed};

    pub(crate) const WORKLOADS: &[Workload] = &[("wit-scan", scan), ("wit-lines", lines), ("wit-random", random)];

    fn open(job: &Job<'_>) -> Result<Mapping> {
        let file = <PluginStorage as Backend>::open(job.file.as_ref(), Rights::READ)?;
        let file = file.into_descriptor().map_err(|_| "the file is not the plugin's own")?;
        Ok(Mapping::from_descriptor(file, MapOptions::new().access(Access::Read).into())
            .map_err(wasi_mmap::Error::from)?)
    }

    /// Reads of `number 0` bytes, each of which makes a new list.
    fn scan(job: &Job<'_>) -> Result<Done> {
        let mapping = open(job)?;
        timed(|| {
            let mut state = Sum::default();
            loop {
                let bytes = mapping.read(Some(job.numbers[0])).map_err(wasi_mmap::Error::from)?;
                if bytes.is_empty() {
                    return Ok(state.finish());
                }
                state = sum(state, &bytes);
            }
        })
    }

    fn lines(job: &Job<'_>) -> Result<Done> {
        let mapping = open(job)?;
        timed(|| {
            let mut state = 0;
            loop {
                let line = mapping.read_line().map_err(wasi_mmap::Error::from)?;
                match line.first() {
                    None => return Ok(state),
                    Some(&first) => state += line.len() as u64 * u64::from(first),
                }
            }
        })
    }

    /// Makes `number 0` reads of 8 bytes within the first `number 1` bytes, after as many that warm up the cache.
    fn random(job: &Job<'_>) -> Result<Done> {
        let mapping = open(job)?;
        let reads = |seed: u64| {
            let (mut random, mut state) = (Random::new(seed), 0u64);
            for _ in 0..job.number(0) {
                let word = mapping.read_at(random.word_below(job.numbers[1]), 8).map_err(wasi_mmap::Error::from)?;
                let word = word.try_into().map_err(|_| "8 bytes")?;
                state = state.rotate_left(7).wrapping_add(u64::from_le_bytes(word));
            }
            Ok(state)
        };
        reads(1)?;
        timed(|| reads(2))
    }
}
