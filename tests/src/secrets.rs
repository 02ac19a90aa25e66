//! Secrets, and whether a part of one is in a text, a file or the memory of a process.

/// A secret, and the ways in which it may be written.
#[derive(Debug)]
pub struct Secret {
    name: &'static str,
    /// How a part of it is written, and that part.
    parts: Vec<(&'static str, Vec<u8>)>,
}

impl Secret {
    /// Takes the bytes of a secret.
    ///
    /// # Panics
    /// If there are fewer than 32: a part of a short one may be anywhere.
    #[must_use]
    pub fn new(name: &'static str, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 32, "{name} is short");
        let standard = base64(bytes, b'+', b'/');
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let hex = hex.concat();
        let ways = [
            ("raw", bytes.to_vec()),
            ("base64", standard.into_bytes()),
            ("base64 for URLs", base64(bytes, b'-', b'_').into_bytes()),
            ("hex", hex.clone().into_bytes()),
            ("HEX", hex.to_uppercase().into_bytes()),
        ];
        let halves = |(way, whole): (&'static str, Vec<u8>)| {
            let (first, second) = whole.split_at(whole.len() / 2);
            [(way, first.to_vec()), (way, second.to_vec())]
        };
        Self { name, parts: ways.into_iter().flat_map(halves).collect() }
    }

    /// Returns its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns where halves of it begin in some bytes, and how they are written there.
    #[must_use]
    pub fn places_in(&self, bytes: &[u8]) -> Vec<(usize, &'static str)> {
        let begins: Vec<bool> =
            (0..=255).map(|byte| self.parts.iter().any(|(_, part)| part[0] == byte)).collect();
        let mut found = Vec::new();
        for at in (0..bytes.len()).filter(|at| begins[usize::from(bytes[*at])]) {
            let is_there = |(_, part): &&(&str, Vec<u8>)| bytes[at..].starts_with(part);
            found.extend(self.parts.iter().filter(is_there).map(|(way, _)| (at, *way)));
        }
        // A half may be written in the same way in both alphabets.
        found.dedup_by_key(|(at, _)| *at);
        found
    }
}

/// Fails if any of the secrets is in these bytes.
///
/// # Panics
/// If so.
pub fn assert_none_in(what: &str, bytes: &[u8], secrets: &[Secret]) {
    for secret in secrets {
        let places = secret.places_in(bytes);
        assert!(places.is_empty(), "{what} has {}: {places:?}", secret.name());
    }
}

/// Returns bytes in base64 with these two last letters, and without `=`.
fn base64(bytes: &[u8], plus: u8, slash: u8) -> String {
    let letters: Vec<u8> =
        (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain([plus, slash]).collect();
    let bits: Vec<u8> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let letter = |six: &[u8]| {
        let number = (0..6).fold(0, |number, at| number << 1 | six.get(at).unwrap_or(&0));
        char::from(letters[usize::from(number)])
    };
    bits.chunks(6).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_of_a_secret_is_found_however_it_is_written() {
        let secret =
            Secret::new("it", &(0..32).map(|at: u8| at.wrapping_mul(9)).collect::<Vec<_>>());
        for written in [
            // `printf ... | base64`, and its halves.
            &b"AAkSGyQtNj9IUVpjbHV+h5CZoqu0vcbP2OHq8/wFDhc="[..],
            b"xAAkSGyQtNj9IUVpjbHV+h",
            b"q=AAkSGyQtNj9IUVpjbHV-h5CZoqu0vcbP2OHq8_wFDhc&until",
            b"0009121b242d363f48515a636c757e87",
            b" 9099A2ABB4BDC6CFD8E1EAF3FC050E17",
            &[
                0x90, 0x99, 0xa2, 0xab, 0xb4, 0xbd, 0xc6, 0xcf, 0xd8, 0xe1, 0xea, 0xf3, 0xfc, 5,
                14, 23,
            ],
        ] {
            assert!(!secret.places_in(written).is_empty(), "{}", written.escape_ascii());
        }
        assert_eq!(secret.places_in(&[0; 64]), []);
    }
}
