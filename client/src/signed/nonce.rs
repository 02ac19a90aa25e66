//! Random bytes for packets.

use std::io;

use fastrand::Rng;
use knock_signed::Nonce;

/// Where the nonces of packets come from.
pub(crate) enum Nonces {
    /// The system: the only ones for packets that are sent.
    System,
    /// This one, then the next numbers: for captures that are the same every time.
    From(Nonce),
    /// A seed, for the same.
    Seed(Box<Rng>),
}

impl Nonces {
    /// Returns the next one.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(crate) fn next(&mut self) -> io::Result<Nonce> {
        let mut nonce: Nonce = [0; _];
        match self {
            Self::System => getrandom::fill(&mut nonce).map_err(io::Error::other)?,
            Self::From(next) => {
                nonce = *next;
                for byte in next.iter_mut().rev() {
                    *byte = byte.wrapping_add(1);
                    if *byte != 0 {
                        break;
                    }
                }
            }
            Self::Seed(numbers) => numbers.fill(&mut nonce),
        }
        Ok(nonce)
    }

    /// Reads a nonce: 48 hexadecimal digits.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub(crate) fn parse(text: &str) -> Result<Nonce, &'static str> {
        const FAULT: &str = "not 48 hexadecimal digits";
        let mut nonce: Nonce = [0; _];
        if text.len() != 2_usize.saturating_mul(nonce.len()) {
            return Err(FAULT);
        }
        for (byte, digits) in nonce.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| FAULT)?;
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            let number = u8::from_str_radix(digits, 16).ok().filter(|_| is_hex);
            *byte = number.ok_or(FAULT)?;
        }
        Ok(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_of_the_system_differ() {
        let mut nonces = Nonces::System;
        assert_ne!(nonces.next().unwrap(), nonces.next().unwrap());
    }

    #[test]
    fn nonces_from_a_number_are_counted() {
        let mut first = [0; 24];
        first[22] = 7;
        first[23] = 0xff;
        let mut nonces = Nonces::From(first);
        assert_eq!(nonces.next().unwrap(), first);
        assert_eq!(nonces.next().unwrap()[22..], [8, 0]);
        let mut last = Nonces::From([0xff; 24]);
        assert_eq!(last.next().unwrap(), [0xff; 24]);
        assert_eq!(last.next().unwrap(), [0; 24]);
    }

    #[test]
    fn a_nonce_is_48_hexadecimal_digits() {
        let text = "000102030405060708090a0B0c0d0e0f1011121314151617";
        assert_eq!(Nonces::parse(text).unwrap()[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        for bad in ["", &text[1..], &text.replace("0a", "+a"), &text.replace("0a", "ä")] {
            assert!(Nonces::parse(bad).is_err(), "{bad}");
        }
    }
}
