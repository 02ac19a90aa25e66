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

/// Writes all octets at once: in a flood, every packet prints an address.
fn write_v4(address: Ipv4Addr, out: &mut Vec<u8>) {
    const LENGTH_MAX: usize = "255.255.255.255".len();
    let mut text = [b'.'; LENGTH_MAX];
    let mut end = 0_usize;
    for octet in address.octets() {
        let (digits, length) = decimal(octet);
        if let Some(place) = text.get_mut(end..).and_then(|rest| rest.first_chunk_mut()) {
            *place = digits;
        }
        end = end.saturating_add(length).saturating_add(1);
    }
    out.extend_from_slice(text.get(..end.saturating_sub(1)).unwrap_or_default());
}

/// Appends a number below 256 in decimal.
pub(crate) fn write_decimal(number: u8, out: &mut Vec<u8>) {
    let (digits, length) = decimal(number);
    out.extend_from_slice(digits.get(..length).unwrap_or_default());
}

/// Returns the digits of a number, padded with dots, and how many digits there are.
const fn decimal(number: u8) -> ([u8; 3], usize) {
    let [hundreds, tens, ones] = [number / 100 % 10, number / 10 % 10, number % 10];
    match number {
        100.. => ([b'0' | hundreds, b'0' | tens, b'0' | ones], 3),
        10.. => ([b'0' | tens, b'0' | ones, b'.'], 2),
        _ => ([b'0' | ones, b'.', b'.'], 1),
    }
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
}
