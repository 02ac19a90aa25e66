//! Fields of a fixed length, one after the other.

/// Puts fields together. Their lengths are those of the result.
pub(crate) fn join<const N: usize>(fields: &[&[u8]]) -> [u8; N] {
    debug_assert_eq!(fields.iter().map(|field| field.len()).sum::<usize>(), N);
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(fields.iter().copied().flatten()) {
        *to = *from;
    }
    bytes
}

/// Takes fields apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl Fields<'_> {
    /// Returns the next field; zeros if there is none of this length.
    pub(crate) fn next<const N: usize>(&mut self) -> [u8; N] {
        let Some((field, rest)) = self.0.split_first_chunk::<N>() else {
            debug_assert!(false, "no field of {N} bytes");
            return [0; N];
        };
        self.0 = rest;
        *field
    }

    /// Returns the next byte.
    pub(crate) fn byte(&mut self) -> u8 {
        u8::from_be_bytes(self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_joined_and_taken_apart() {
        let bytes: [u8; 7] = join(&[&[1], &[2, 3], &[4, 5, 6, 7]]);
        assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7]);
        let mut fields = Fields(&bytes);
        assert_eq!((fields.byte(), fields.next(), fields.next()), (1, [2, 3], [4, 5, 6, 7]));
    }
}
