//! Patterns of names.

/// Returns whether a name matches a pattern, in which `*` means any bytes and `?` any single one.
///
/// After a mismatch, the last `*` takes one byte more; an earlier one need not.
#[must_use]
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut rest, mut left) = (pattern, name);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (rest, left) {
            ([], []) => return true,
            ([b'*', after @ ..], _) => {
                retry = Some((after, left));
                rest = after;
            }
            ([one, after @ ..], [byte, more @ ..]) if *one == b'?' || one == byte => {
                (rest, left) = (after, more);
            }
            _ => match retry {
                Some((after, [_, more @ ..])) => {
                    retry = Some((after, more));
                    (rest, left) = (after, more);
                }
                Some((_, [])) | None => return false,
            },
        }
    }
}
