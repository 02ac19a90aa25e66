//! Finds the known word nearest to an unknown one.

/// The longest word that is compared, in bytes: longer than any known word and what is near it.
const MAX_BYTES: usize = 32;

/// Returns the known word nearest to `word`, whatever the case, if one is near: at most one edit
/// for every three bytes, and at least one. Of equals the first.
#[must_use]
pub fn nearest<'a>(word: &[u8], known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > MAX_BYTES {
        return None;
    }
    known
        .into_iter()
        .map(|known| (edits(word, known.as_bytes()), known))
        .filter(|(edits, known)| *edits <= word.len().max(known.len()).div_euclid(3).max(1))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, known)| known)
}

/// Returns how many bytes must be inserted, removed, replaced or swapped with their neighbour.
fn edits(from: &[u8], to: &[u8]) -> usize {
    let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX);
    let mut above_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut before_x = None;
    for (rows, x) in from.iter().map(u8::to_ascii_lowercase).enumerate() {
        let mut left = rows.saturating_add(1);
        let mut row = Vec::with_capacity(last.len());
        row.push(left);
        let mut before_y = None;
        for (column, y) in to.iter().map(u8::to_ascii_lowercase).enumerate() {
            let replaced = at(&last, column).saturating_add(usize::from(x != y));
            let taken_out = at(&last, column.saturating_add(1)).saturating_add(1);
            let put_in = left.saturating_add(1);
            let swapped = if before_x == Some(y) && before_y == Some(x) {
                at(&above_last, column.wrapping_sub(1)).saturating_add(1)
            } else {
                usize::MAX
            };
            left = replaced.min(taken_out).min(put_in).min(swapped);
            row.push(left);
            before_y = Some(y);
        }
        above_last = std::mem::replace(&mut last, row);
        before_x = Some(x);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted_as_by_hand() {
        for (from, to, count) in [
            ("", "abc", 3),
            ("abc", "", 3),
            ("syn", "SYN", 0),
            ("sny", "syn", 1),
            ("seqence", "sequence", 1),
            ("sequencee", "sequence", 1),
            ("kitten", "sitting", 3),
            ("ca", "abc", 3),
        ] {
            assert_eq!(edits(from.as_bytes(), to.as_bytes()), count, "{from} {to}");
        }
    }

    #[test]
    fn only_a_near_word_is_suggested() {
        let known = ["tcp", "udp"];
        assert_eq!(nearest(b"TPC", known), Some("tcp"));
        assert_eq!(nearest(b"upd", known), Some("udp"));
        assert_eq!(nearest(b"icmp", known), None);
        assert_eq!(nearest(b"", known), None);
        assert_eq!(nearest(&[b't'; 33], ["tttttttttttttttttttttttttttttttt"]), None);
    }
}
