//! The addresses of this machine, and when they change.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, SockaddrStorage, bind,
    recv, socket,
};

/// The name that means all interfaces.
pub(crate) const ANY: &[u8] = b"any";

/// Returns the addresses of these interfaces, in order.
///
/// # Errors
/// The error of the system call.
pub(crate) fn local(interfaces: &[Vec<u8>]) -> io::Result<Vec<IpAddr>> {
    let every = interfaces.iter().any(|name| name == ANY);
    let mut addresses = BTreeSet::new();
    for one in getifaddrs()? {
        if every || interfaces.iter().any(|name| *name == one.interface_name.as_bytes()) {
            addresses.extend(one.address.as_ref().and_then(address));
        }
    }
    Ok(addresses.into_iter().collect())
}

fn address(storage: &SockaddrStorage) -> Option<IpAddr> {
    if let Some(address) = storage.as_sockaddr_in() {
        return Some(IpAddr::V4(address.ip()));
    }
    storage.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip()))
}

/// Returns the names of all interfaces, in order.
pub(crate) fn interfaces() -> Vec<String> {
    let names = getifaddrs().into_iter().flatten().map(|one| one.interface_name);
    names.collect::<BTreeSet<String>>().into_iter().collect()
}

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

/// Notices that addresses may have changed.
pub(crate) struct Watch {
    socket: OwnedFd,
}

impl Watch {
    /// The groups of `linux/rtnetlink.h` that get changes of addresses: `RTMGRP_IPV4_IFADDR` and
    /// `RTMGRP_IPV6_IFADDR`.
    const GROUPS: u32 = 0x10 | 0x100;

    /// How many messages are read at once.
    const MESSAGES_MAX: u32 = 1024;

    /// Begins to watch.
    ///
    /// # Errors
    /// The error of the system call.
    pub(crate) fn new() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, Self::GROUPS))?;
        Ok(Self { socket })
    }

    /// Reads all notifications, and returns whether there were any. The addresses are then read afresh.
    pub(crate) fn take(&self) -> bool {
        let mut message = [0; 8192];
        let mut has_changed = false;
        for _ in 0..Self::MESSAGES_MAX {
            match recv(self.socket.as_raw_fd(), &mut message, MsgFlags::empty()) {
                Ok(0) | Err(nix::Error::EAGAIN) => break,
                // Some were lost in an overflow.
                Ok(_) | Err(_) => has_changed = true,
            }
        }
        has_changed
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

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

    #[test]
    fn the_loopback_interface_has_its_address_and_any_has_it_too() {
        let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(local(&[b"lo".to_vec()]).unwrap().contains(&localhost));
        assert!(local(&[ANY.to_vec()]).unwrap().contains(&localhost));
        assert_eq!(local(&[b"no-such-thing".to_vec()]).unwrap(), Vec::<IpAddr>::new());
        assert!(interfaces().contains(&"lo".to_owned()));
    }
}
