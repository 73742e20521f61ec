//! The host's mapping, called by a plugin.

use memchr::memmem;
use wasi_mmap_conformance::measured::{ABSENT, Sum, sum};
use wasmtime::Result;

use crate::files::{Files, TEXT};
use crate::measure::{Comparison, Peer, Sample, peer, timed};
use crate::plugins::Plugins;
use crate::window::map;

const MIB: u64 = 1 << 20;
/// The number of calls.
const CALLS: u64 = 2_000_000;
/// The number of reads that need no call.
const GETS: u64 = 20_000_000;

pub(crate) fn comparisons<'a>(files: &'a Files, plugins: &'a Plugins) -> Result<Vec<Comparison<'a>>> {
    let ms = |sample: Sample| sample.times(1e3);
    let per_read = |sample: Sample| sample.times(1e6 / (TEXT / MIB) as f64);
    let per_get = |sample: Sample| sample.times(1e9 / GETS as f64);
    let per_call = |sample: Sample| sample.times(1e9 / CALLS as f64);
    Ok(vec![
        Comparison::new(
            "host-read",
            "µs for read-at of 1 MiB",
            Box::new(move || plugins.host("list-scan", "text", &[MIB]).map(per_read)),
            vec![peer(
                "one memcpy from memmap2 without a sandbox",
                1.5,
                Box::new(move || {
                    let (map, mut buffer) = (map(files, "text")?, vec![0; usize::try_from(MIB)?]);
                    timed(|| {
                        let state = map.chunks(buffer.len()).fold(Sum::default(), |state, chunk| {
                            buffer[..chunk.len()].copy_from_slice(std::hint::black_box(chunk));
                            sum(state, &std::hint::black_box(&buffer)[..256])
                        });
                        Ok(state.finish())
                    })
                    .map(per_read)
                }),
            )],
        ),
        Comparison::new(
            "host-find",
            "ms for an absent needle in 256 MiB, from open on",
            Box::new(move || plugins.host("find", "text", &[]).map(ms)),
            vec![
                peer(
                    "the native mapping's find",
                    1.05,
                    Box::new(move || {
                        let mapping =
                            wasi_mmap::Mapping::options().access(wasi_mmap::Access::Read).open(files.path("text"))?;
                        timed(|| Ok(mapping.find_from_cursor(ABSENT, None, None)?.unwrap_or(u64::MAX))).map(ms)
                    }),
                ),
                Peer {
                    suffix: "-memmem",
                    ..peer(
                        "memmem on memmap2",
                        None,
                        Box::new(move || {
                            let map = map(files, "text")?;
                            timed(|| Ok(memmem::find(&map, ABSENT).map_or(u64::MAX, |at| at as u64))).map(ms)
                        }),
                    )
                },
            ],
        ),
        Comparison::new(
            "host-call",
            "ns for read-at of 16 bytes",
            Box::new(move || {
                let sample = plugins.host("read-small", "text", &[CALLS]).map(per_call)?;
                // The other call returns nothing that could be compared.
                Ok(Sample { result: 0, ..sample })
            }),
            vec![peer(
                "a call of WASI that returns a constant",
                3.0,
                Box::new(move || plugins.host("empty-call", "text", &[CALLS]).map(per_call)),
            )],
        ),
        Comparison::new(
            "host-lines",
            "ms for the lines of 256 MiB",
            Box::new(move || plugins.host("object-lines", "text", &[]).map(ms)),
            vec![peer(
                "BufReader::read_until in the plugin",
                1.1,
                Box::new(move || plugins.host("file-lines", "text", &[]).map(ms)),
            )],
        ),
        Comparison::new(
            "host-get",
            "ns for get at random in 1 MiB",
            Box::new(move || plugins.host("object-get", "text", &[GETS, MIB]).map(per_get)),
            vec![peer(
                "an index into a view",
                // The bar is 20 ns.
                None,
                Box::new(move || plugins.host("view-get", "text", &[GETS, MIB]).map(per_get)),
            )],
        ),
        Comparison::new(
            "host-get-far",
            "ns for get at random in 256 MiB",
            Box::new(move || plugins.host("object-get", "text", &[CALLS, TEXT]).map(per_call)),
            vec![peer(
                "the same in a plugin that may have no windows",
                1.1,
                Box::new(move || plugins.without_windows("object-get", "text", &[CALLS, TEXT]).map(per_call)),
            )],
        ),
        Comparison::new(
            "host-read-byte",
            "ns for read-byte",
            Box::new(move || plugins.host("object-read-byte", "text", &[GETS]).map(per_get)),
            vec![peer(
                "the next byte of a view",
                None,
                Box::new(move || plugins.host("view-read-byte", "text", &[GETS]).map(per_get)),
            )],
        ),
    ])
}
