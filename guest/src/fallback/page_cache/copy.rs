//! A copy that is fast for a few bytes.

/// Copies bytes, a few of them without `memory.copy`: in a sandbox that may be a call, which takes longer than they do.
#[inline]
pub(super) fn copy(from: &[u8], to: &mut [u8]) {
    const WORD: usize = 8;
    if from.len() <= 2 * WORD
        && let (Some(first), Some(last)) = (from.first_chunk::<WORD>(), from.last_chunk::<WORD>())
        && to.len() == from.len()
    {
        // The two may overlap.
        to[..WORD].copy_from_slice(first);
        let at = to.len() - WORD;
        to[at..].copy_from_slice(last);
    } else {
        to.copy_from_slice(from);
    }
}
