//! The checksum of a record: CRC-64 with the polynomial of ECMA-182, as in xz.
//!
//! It finds every change of up to 64 neighbouring bits, so every changed byte. It is no protection from
//! somebody who may write the file.

/// The polynomial, with its bits reversed.
const POLYNOMIAL: u64 = 0xc96c_5795_d787_0f42;

/// The CRC of each byte.
const TABLE: [u64; 256] = table();

#[expect(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    reason = "computed by the compiler, which would find a wrong index"
)]
const fn table() -> [u64; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// Returns the checksum of texts, one after the other.
pub(super) fn checksum(texts: &[&[u8]]) -> u64 {
    let mut crc = u64::MAX;
    for &byte in texts.iter().copied().flatten() {
        let [low, ..] = crc.to_le_bytes();
        let entry = TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default();
        crc = (crc >> 8) ^ entry;
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_checksum_of_xz() {
        assert_eq!(checksum(&[b"12345", b"6789"]), 0x995d_c9bb_df19_39fa);
        assert_eq!(checksum(&[]), 0);
    }
}
