//! Secret bytes, and the HMACs that are made with them.

use alloc::sync::Arc;

use ctutils::CtEq as _;
use hmac::digest::common::Key;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

/// How many bytes a secret has.
pub(crate) const BYTES: usize = 32;

/// Bytes that are compared in a time that says nothing about them.
///
/// All copies of one share its bytes, which stay where they are and are erased with the last copy. What calculates with
/// them leaves them on the stack: whoever is to forget a key erases that, too.
#[derive(Clone)]
pub(crate) struct Secret(Arc<Zeroizing<[u8; BYTES]>>);

impl Secret {
    /// Copies the bytes.
    pub(crate) fn copy(bytes: &[u8; BYTES]) -> Self {
        let mut own = Arc::new(Zeroizing::new([0; BYTES]));
        // Nothing else has it yet.
        if let Some(own) = Arc::get_mut(&mut own) {
            own.copy_from_slice(bytes);
        }
        Self(own)
    }

    /// Takes the bytes, and erases them where they were.
    pub(crate) fn take(bytes: &mut [u8; BYTES]) -> Self {
        let secret = Self::copy(bytes);
        bytes.zeroize();
        secret
    }

    /// Returns the HMAC-SHA256 of a message in parts.
    pub(crate) fn mac(&self, message: &[&[u8]]) -> [u8; BYTES] {
        // A key of any other length would do as well, but only this one needs no error.
        let mut block = Key::<Hmac<Sha256>>::default();
        for (to, from) in block.iter_mut().zip(self.as_bytes()) {
            *to = *from;
        }
        let mut mac = Hmac::<Sha256>::new(&block);
        block.as_mut_slice().zeroize();
        for part in message {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    pub(crate) fn as_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).to_bool()
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac_with(key: &[u8], message: &[&[u8]]) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..key.len()].copy_from_slice(key);
        Secret::take(&mut bytes).mac(message)
    }

    fn assert_mac(key: &[u8], message: &[&[u8]], expected: [u64; 4]) {
        let expected = expected.map(u64::to_be_bytes).concat();
        assert_eq!(mac_with(key, message)[..], expected, "{message:?}");
    }

    #[test]
    fn copies_share_the_bytes() {
        let secret = Secret::take(&mut [7; BYTES]);
        assert!(core::ptr::eq(secret.as_bytes(), secret.clone().as_bytes()));
        assert!(secret == Secret::copy(&[7; BYTES]) && secret != Secret::copy(&[8; BYTES]));
    }

    /// RFC 4231, test cases 1, 2, 3 and 4, whose keys have at most 32 bytes and are filled with zeros as HMAC
    /// does.
    #[test]
    fn the_code_is_that_of_rfc_4231() {
        assert_mac(
            &[0x0b; 20],
            &[b"Hi ", b"There"],
            [
                0xb034_4c61_d8db_3853,
                0x5ca8_afce_af0b_f12b,
                0x881d_c200_c983_3da7,
                0x26e9_376c_2e32_cff7,
            ],
        );
        assert_mac(
            b"Jefe",
            &[b"what do ya want ", b"for nothing?"],
            [
                0x5bdc_c146_bf60_754e,
                0x6a04_2426_0895_75c7,
                0x5a00_3f08_9d27_3983,
                0x9dec_58b9_64ec_3843,
            ],
        );
        assert_mac(
            &[0xaa; 20],
            &[&[0xdd; 50]],
            [
                0x773e_a91e_3680_0e46,
                0x854d_b8eb_d091_81a7,
                0x2959_098b_3ef8_c122,
                0xd963_5514_ced5_65fe,
            ],
        );
        let counting: [u8; 25] = core::array::from_fn(|at| u8::try_from(at + 1).unwrap());
        assert_mac(
            &counting,
            &[&[0xcd; 50]],
            [
                0x8255_8a38_9a44_3c0e,
                0xa4cc_8198_99f2_083a,
                0x85f0_faa3_e578_f807,
                0x7a2e_3ff4_6729_665b,
            ],
        );
    }
}
