//! Names of servers and doors, as packets have them.

use ctutils::CtEq as _;
use sha2::{Digest as _, Sha256};

/// The first half of the SHA-256 of a name: whatever its length, it takes 16 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Digest([u8; Self::BYTES]);

impl Digest {
    /// How many bytes it has.
    pub const BYTES: usize = 16;

    /// Takes the name of a server: upper and lower case letters are the same, as in all names of hosts.
    #[must_use]
    pub fn of_server(name: &[u8]) -> Self {
        let mut hash = Sha256::new();
        for byte in name {
            hash.update([byte.to_ascii_lowercase()]);
        }
        Self::half(&hash.finalize().into())
    }

    /// Takes the name of a door, which is exactly that of its section.
    #[must_use]
    pub fn of_door(name: &[u8]) -> Self {
        Self::half(&Sha256::digest(name).into())
    }

    pub(crate) const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// Returns its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    fn half(hash: &[u8; 32]) -> Self {
        let mut half = [0; Self::BYTES];
        for (to, from) in half.iter_mut().zip(hash) {
            *to = *from;
        }
        Self(half)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).to_bool()
    }
}

impl Eq for Digest {}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4: SHA-256 of "abc" begins with these bytes.
    #[test]
    fn it_is_the_first_half_of_sha_256() {
        let expected = 0xba78_16bf_8f01_cfea_4141_40de_5dae_2223_u128.to_be_bytes();
        assert_eq!(Digest::of_door(b"abc").as_bytes(), &expected);
        assert_eq!(Digest::of_server(b"ABC").as_bytes(), &expected);
        assert_eq!(Digest::of_server(b"abc"), Digest::of_door(b"abc"));
        assert_ne!(Digest::of_door(b"Abc"), Digest::of_door(b"abc"));
    }
}
