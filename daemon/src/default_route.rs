//! The interface of the default route.

use std::fs;

/// Returns the interface of the default route, of IPv4 if there is one, else of IPv6.
pub(crate) fn default_route() -> Option<String> {
    let table = |path| fs::read_to_string(path).unwrap_or_default();
    default_of_ipv4(&table("/proc/net/route"))
        .or_else(|| default_of_ipv6(&table("/proc/net/ipv6_route")))
}

/// Reads a table of routes of IPv4: a header, then on each line the interface, the destination, the
/// gateway, flags, two counters, the metric and the mask, all but the first in hexadecimal or decimal.
fn default_of_ipv4(table: &str) -> Option<String> {
    let routes = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [interface, destination, _, flags, _, _, metric, mask, ..] = fields[..] else {
            return None;
        };
        let is_default = is_zero(destination) && is_zero(mask) && is_usable(flags);
        is_default.then_some((metric.parse::<u32>().ok()?, interface))
    });
    first(routes)
}

/// Reads a table of routes of IPv6: on each line the destination, its length, the source, its length,
/// the next hop, the metric, two counters, flags and the interface, all numbers in hexadecimal.
fn default_of_ipv6(table: &str) -> Option<String> {
    let routes = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [destination, length, _, _, _, metric, _, _, flags, interface] = fields[..] else {
            return None;
        };
        let is_default = is_zero(destination) && is_zero(length) && is_usable(flags);
        // Where there is no route, the table has one that rejects, on the loopback interface.
        let leads_out = interface != "lo";
        (is_default && leads_out).then_some((u32::from_str_radix(metric, 16).ok()?, interface))
    });
    first(routes)
}

/// Returns the interface with the lowest metric, of equal ones the first.
fn first<'a>(routes: impl Iterator<Item = (u32, &'a str)>) -> Option<String> {
    routes.min_by_key(|&(metric, _)| metric).map(|(_, interface)| interface.to_owned())
}

fn is_zero(hexadecimal: &str) -> bool {
    hexadecimal.bytes().all(|digit| digit == b'0')
}

/// Returns whether a route is up and does not reject.
fn is_usable(flags: &str) -> bool {
    const UP: u32 = 0x1;
    const REJECT: u32 = 0x200;
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & (UP | REJECT) == UP)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IPV4: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth1\t0000A8C0\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth2\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0
";

    const IPV6: &str = "\
20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth1
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";

    #[test]
    fn the_default_route_is_the_usable_one_with_the_lowest_metric() {
        assert_eq!(default_of_ipv4(IPV4).as_deref(), Some("eth0"));
        assert_eq!(default_of_ipv6(IPV6).as_deref(), Some("eth0"));
    }

    #[test]
    fn without_a_default_route_there_is_none() {
        let [header, _, _, other, rejecting] = IPV4.lines().collect::<Vec<_>>()[..] else {
            panic!("five lines")
        };
        assert_eq!(default_of_ipv4(&[header, other, rejecting].join("\n")), None);
        let rejecting = IPV6.lines().nth(2).unwrap();
        assert_eq!(default_of_ipv6(rejecting), None);
        assert_eq!(default_of_ipv4(""), None);
        assert_eq!(default_of_ipv6("nonsense\n\n"), None);
    }
}
