//! Lines, most of which are short: searched and copied in one pass.

/// The most bytes of a line that is searched and copied in one pass.
pub const SHORT_LINE: usize = 256;

const ONES: u64 = u64::from_le_bytes([1; 8]);
const LINE_FEEDS: u64 = u64::from_le_bytes([b'\n'; 8]);

/// Returns the index of the first line feed of a word.
#[inline]
pub fn line_feed_in(word: [u8; 8]) -> Option<usize> {
    // The first byte is the lowest one.
    let differences = u64::from_le_bytes(word) ^ LINE_FEEDS;
    // The lowest bit that is set belongs to the first byte that does not differ.
    let equal = differences.wrapping_sub(ONES) & !differences & (ONES << 7);
    (equal != 0).then(|| equal.trailing_zeros() as usize / 8)
}

/// Appends the first line of `bytes`, including its line feed, if it ends soon, and `line` has room for it already.
/// Returns whether it did; otherwise `line` is unchanged.
#[inline]
pub fn append_short_line(bytes: &[u8], line: &mut Vec<u8>) -> bool {
    let old = line.len();
    let most = (line.capacity() - old).min(SHORT_LINE).min(bytes.len());
    let (words, _) = bytes[..most].as_chunks::<8>();
    for word in words {
        line.extend_from_slice(word);
        if let Some(index) = line_feed_in(*word) {
            line.truncate(line.len() - 7 + index);
            return true;
        }
    }
    line.truncate(old);
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_feed_of_a_word_is_found() {
        assert_eq!(line_feed_in([0; 8]), None);
        // A byte above a match that differs in the lowest bit alone.
        assert_eq!(line_feed_in(*b"\n\x0b\x0b\x0b\n\n\x0b\x0b"), Some(0));
        for word in 0..=u16::MAX {
            let [low, high] = word.to_le_bytes();
            for at in 0..7 {
                let mut bytes = [0xff; 8];
                (bytes[at], bytes[at + 1]) = (low, high);
                assert_eq!(line_feed_in(bytes), bytes.iter().position(|byte| *byte == b'\n'), "{bytes:x?}");
            }
        }
    }

    #[test]
    fn a_line_is_appended_or_nothing() {
        let text = b"a line of words\nanother";
        for len in 0..text.len() {
            for room in 0..40 {
                let mut line = Vec::with_capacity(3 + room);
                line.extend_from_slice(b"old");
                let appended = append_short_line(&text[..len], &mut line);
                let expected: &[u8] = if appended { b"olda line of words\n" } else { b"old" };
                assert_eq!(line, expected);
                assert_eq!(appended, len >= 16 && line.capacity() - 3 >= 16, "{len} bytes, room for {room}");
            }
        }
        let mut line = Vec::with_capacity(1000);
        let long = [vec![b'a'; SHORT_LINE], vec![b'\n']].concat();
        assert!(!append_short_line(&long, &mut line) && line.is_empty());
        assert!(append_short_line(&long[1..], &mut line) && line.len() == SHORT_LINE);
    }
}
