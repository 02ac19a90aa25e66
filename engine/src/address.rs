//! Addresses as text.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns whether a host can have this address: it is neither unspecified nor multicast nor the
/// limited broadcast address.
#[must_use]
#[inline]
pub const fn is_of_a_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast()
        }
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_multicast(),
    }
}

/// Appends `address` to `out` as `inet_ntop` prints it.
///
/// Rust prints the IPv4-compatible `::1.2.3.4` as `::102:304`; `inet_ntop` keeps the dots
/// (case `b-mapped-address-text`).
pub fn write(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => write_v4(address, out),
        IpAddr::V6(address) => match compatible(address) {
            Some(inner) => {
                out.extend_from_slice(b"::");
                write_v4(inner, out);
            }
            None => {
                // Writing to a vector cannot fail.
                let _ = write!(Bytes(out), "{address}");
            }
        },
    }
}

/// Returns `address` as [`write()`] appends it.
#[must_use]
pub fn text(address: IpAddr) -> String {
    let mut out = Vec::new();
    write(address, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Writes all octets at once, from a table: in a flood, every packet prints an address twice.
fn write_v4(address: Ipv4Addr, out: &mut Vec<u8>) {
    let [a, b, c, d] = address.octets().map(octet);
    let (first, last) = (a.followed_by(b), c.followed_by(d));
    let text = u128::from(first.text) | u128::from(last.text).wrapping_shl(first.bits);
    write_text(text.to_le_bytes(), first.bits.saturating_add(last.bits), out);
}

/// Appends a number below 256 in decimal.
pub(crate) fn write_decimal(number: u8, out: &mut Vec<u8>) {
    let Digits { text, bits } = octet(number);
    write_text(text.to_le_bytes(), bits, out);
}

/// Appends the first bits of a text but for a dot, the last byte of them.
///
/// All of the text is copied and what is too much cut off: a copy of always the same length is one instruction, and
/// one of any length is a call.
fn write_text<const N: usize>(text: [u8; N], bits: u32, out: &mut Vec<u8>) {
    let length = usize::try_from(bits / 8).unwrap_or(N).saturating_sub(1);
    let end = out.len().saturating_add(length);
    out.extend_from_slice(&text);
    out.truncate(end);
}

/// The digits of numbers with a dot after each number, the first byte in the lowest bits.
#[derive(Clone, Copy)]
struct Digits {
    text: u64,
    /// How many bits of it are used.
    bits: u32,
}

impl Digits {
    /// Returns these and then others. Both are of at most eight bytes together.
    const fn followed_by(self, other: Self) -> Self {
        Self {
            text: self.text | other.text.wrapping_shl(self.bits),
            bits: self.bits.saturating_add(other.bits),
        }
    }
}

fn octet(number: u8) -> Digits {
    TABLE.get(usize::from(number)).copied().unwrap_or_else(|| digits(number))
}

/// The digits of every octet.
static TABLE: [Digits; 256] = {
    let mut table = [digits(0); 256];
    let mut rest: &mut [Digits] = &mut table;
    let mut number = 0_u8;
    while let [first, others @ ..] = rest {
        *first = digits(number);
        number = number.wrapping_add(1);
        rest = others;
    }
    table
};

/// Returns the digits of a number, and a dot.
const fn digits(number: u8) -> Digits {
    let [hundreds, tens, ones] = [number / 100 % 10, number / 10 % 10, number % 10];
    let [hundreds, tens, ones] = [b'0' | hundreds, b'0' | tens, b'0' | ones];
    let (text, bits) = match number {
        100.. => ([hundreds, tens, ones, b'.', 0, 0, 0, 0], 32),
        10.. => ([tens, ones, b'.', 0, 0, 0, 0, 0], 24),
        _ => ([ones, b'.', 0, 0, 0, 0, 0, 0], 16),
    };
    Digits { text: u64::from_le_bytes(text), bits }
}

fn compatible(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] = address.octets() else { return None };
    (a != 0 || b != 0).then(|| Ipv4Addr::new(a, b, c, d))
}

/// A vector of bytes to format into.
pub(crate) struct Bytes<'a>(pub(crate) &'a mut Vec<u8>);

impl core::fmt::Write for Bytes<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn text(address: &str) -> String {
        super::text(address.parse().unwrap())
    }

    #[test]
    fn addresses_are_printed_as_inet_ntop_prints_them() {
        for address in [
            "0.0.0.0",
            "9.10.99.100",
            "255.255.255.255",
            "::",
            "::1",
            "2001:db8::1",
            "2001:0:0:1::",
            "2001:db8:0:1:1:1:1:1",
            "fe80::a00:27ff:fe01:1",
            "::ffff:192.0.2.1",
            "::192.0.2.1",
            "::0.1.0.0",
            "64:ff9b::102:304",
        ] {
            assert_eq!(text(address), address);
        }
        assert_eq!(text("::0.0.1.2"), "::102");
        assert_eq!(text("2001:DB8:0:0:1:0:0:1"), "2001:db8::1:0:0:1");
    }

    #[test]
    fn every_octet_is_printed_at_every_place() {
        for octet in 0..=255 {
            for (other, place) in [(0, 0), (10, 1), (99, 2), (255, 3)] {
                let mut octets = [other; 4];
                octets[place] = octet;
                let address = Ipv4Addr::from(octets);
                let mut out = b"from ".to_vec();
                write(address.into(), &mut out);
                assert_eq!(String::from_utf8(out).unwrap(), format!("from {address}"));
            }
            let mut out = b"stage ".to_vec();
            write_decimal(octet, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("stage {octet}"));
        }
    }
}
