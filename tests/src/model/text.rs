//! The texts of the transcript.

use std::net::IpAddr;

use super::Protocol;

/// Returns an address as C's `inet_ntop` prints it.
///
/// Rust prints the same, except for addresses whose first six groups are zero and whose seventh is not:
/// `inet_ntop` prints the last 32 bits of those with dots.
#[must_use]
pub fn address(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let groups = v6.segments();
            if groups[..6] == [0; 6] && groups[6] != 0 {
                let [.., a, b, c, d] = v6.octets();
                format!("::{a}.{b}.{c}.{d}")
            } else {
                v6.to_string()
            }
        }
    }
}

/// Returns ports as a configuration has them.
#[must_use]
pub fn ports(ranges: &[(Protocol, u16, u16)]) -> String {
    let range = |&(protocol, first, last): &(Protocol, u16, u16)| {
        let protocol = match protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        if first == last {
            format!("{protocol}/{first}")
        } else {
            format!("{protocol}/{first}-{last}")
        }
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(",")
}

/// Returns a command with every `%IP%` replaced; the search goes on after the replaced token.
#[must_use]
pub fn command(template: &[u8], client: IpAddr) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < template.len() {
        if template[at..].starts_with(b"%IP%") {
            out.extend(address(client).bytes());
            at += 4;
        } else {
            out.push(template[at]);
            at += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        address(text.parse().unwrap())
    }

    #[test]
    fn addresses_are_printed_as_inet_ntop_prints_them() {
        assert_eq!(printed("192.0.2.1"), "192.0.2.1");
        assert_eq!(printed("2001:DB8:0:0:1:0:0:1"), "2001:db8::1:0:0:1");
        assert_eq!(printed("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1");
        assert_eq!(printed("2001:0:0:1:0:0:0:0"), "2001:0:0:1::");
        assert_eq!(printed("::"), "::");
        assert_eq!(printed("::1"), "::1");
        assert_eq!(printed("::102"), "::102");
        assert_eq!(printed("::1:2"), "::0.1.0.2");
        assert_eq!(printed("::1.2.3.4"), "::1.2.3.4");
        assert_eq!(printed("::ffff:1.2.3.4"), "::ffff:1.2.3.4");
        assert_eq!(printed("::ffff:0:0"), "::ffff:0.0.0.0");
        assert_eq!(printed("64:ff9b::1.2.3.4"), "64:ff9b::102:304");
    }

    #[test]
    fn the_search_goes_on_after_a_replaced_token() {
        let client = "192.0.2.1".parse().unwrap();
        assert_eq!(command(b"a %IP% b %IP%", client), b"a 192.0.2.1 b 192.0.2.1");
        assert_eq!(
            command(b"%IP%IP% %ip% %IP %%IP%%", client),
            b"192.0.2.1IP% %ip% %IP %192.0.2.1%"
        );
        assert_eq!(command(b"", client), b"");
    }
}
