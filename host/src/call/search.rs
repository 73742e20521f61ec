//! Searches.

use wasi_mmap_core::{Chunks, Direction, Internals, Result, SearchPlan, Storage};

use super::{CHUNK, Call, Started, Steps, with_room};
use crate::limits::Limit;

/// `find` and `rfind`.
pub(crate) fn start(
    call: Call,
    needle: &[u8],
    start: Option<i64>,
    end: Option<i64>,
    direction: Direction,
) -> Started<Option<u64>> {
    search(call, needle, start, end, direction).into()
}

fn search(
    call: Call,
    needle: &[u8],
    start: Option<i64>,
    end: Option<i64>,
    direction: Direction,
) -> Result<Started<Option<u64>>> {
    let Call { mapping, limits, interrupt } = call;
    let plan = mapping.lock().plan_search(needle, start, end, direction)?;
    let range = match plan {
        SearchPlan::Done(found) => return Ok(Started::Done(Ok(found))),
        SearchPlan::Search(range) => range,
    };
    limits.check(Limit::WorkPerCall, range.end - range.start)?;
    // The needle fits into the mapping, and is copied only then: it may lie in a window, and must not change during the
    // search.
    let mut copy = with_room(needle.len() as u64)?;
    copy.extend_from_slice(needle);
    let needle = copy;
    // Chunks overlap by the needle. If it is long, they must be longer, or most of the work would be done twice.
    let len = needle.len() as u64;
    let mut chunks = Chunks::new(range, len, CHUNK.max(len), direction);
    Ok(Started::Steps(Steps::new("a search", interrupt, move |_| {
        let Some(chunk) = chunks.next() else { return Some(Ok(None)) };
        let mapping = mapping.lock();
        let found = mapping.storage().and_then(|storage| match direction {
            Direction::Forward => storage.find(&needle, chunk),
            Direction::Backward => storage.rfind(&needle, chunk),
        });
        match found {
            Ok(None) => None,
            found => Some(found),
        }
    })))
}
