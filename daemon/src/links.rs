//! The network interfaces of this machine, and when they change.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use knock_engine::filter::Framing;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, SockaddrStorage, bind,
    recv, socket,
};

use crate::default_route::default_route;
use crate::packet_socket;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: Vec<u8>,
    pub(crate) framing: Framing,
    pub(crate) is_up: bool,
    /// Its addresses, but for those of IPv6 that every interface gives itself.
    pub(crate) addresses: BTreeSet<IpAddr>,
}

/// All interfaces and all addresses at some moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// In order of their numbers.
    pub(crate) all: Vec<Link>,
    /// The addresses of all of them.
    pub(crate) addresses: BTreeSet<IpAddr>,
    /// The interface of the default route.
    pub(crate) default_route: Option<Vec<u8>>,
}

impl Links {
    /// Asks the kernel.
    ///
    /// # Errors
    /// The error of the system call.
    pub(crate) fn look() -> io::Result<Self> {
        let mut links: BTreeMap<u32, Link> = BTreeMap::new();
        let mut addresses = Vec::new();
        for one in getifaddrs()? {
            let name = one.interface_name.as_bytes().to_vec();
            if let Some(address) = one.address.as_ref().and_then(address) {
                addresses.push((name, address));
            } else if let Some((index, framing)) = hardware(&one) {
                let (is_up, addresses) =
                    (one.flags.contains(InterfaceFlags::IFF_UP), BTreeSet::new());
                links.insert(index, Link { index, name, framing, is_up, addresses });
            }
        }
        for (name, address) in &addresses {
            // An address may have a label, such as eth0:1.
            let device = device(name);
            let mut owners = links.values_mut().filter(|link| link.name == device);
            if let Some(owner) = owners.next().filter(|_| !is_automatic(*address)) {
                owner.addresses.insert(*address);
            }
        }
        let addresses = addresses.into_iter().map(|(_, address)| address).collect();
        let default_route = default_route().map(String::into_bytes);
        Ok(Self { all: links.into_values().collect(), addresses, default_route })
    }

    /// Returns the interface with this name.
    pub(crate) fn named(&self, name: &[u8]) -> Option<&Link> {
        self.all.iter().find(|link| link.name == name)
    }

    /// Returns the interface with this number.
    pub(crate) fn numbered(&self, index: u32) -> Option<&Link> {
        self.all.iter().find(|link| link.index == index)
    }

    /// Returns the names of all interfaces, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.all.iter().map(|link| String::from_utf8_lossy(&link.name).into_owned());
        names.collect::<BTreeSet<String>>().into_iter().collect()
    }
}

/// Notices that interfaces, addresses or the default route may have changed.
pub(crate) struct Watch {
    socket: OwnedFd,
}

impl Watch {
    /// The groups of `linux/rtnetlink.h` that get changes of interfaces and addresses: `RTMGRP_LINK`,
    /// `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR`.
    const GROUPS: u32 = 0x1 | 0x10 | 0x100;

    /// Those that get changes of routes: `RTMGRP_IPV4_ROUTE` and `RTMGRP_IPV6_ROUTE`.
    const ROUTES: u32 = 0x40 | 0x400;

    /// How many messages are read at once.
    const MESSAGES_MAX: u32 = 1024;

    /// Begins to watch. Routes are watched only if asked for: a router may have many changes of them.
    ///
    /// # Errors
    /// The error of the system call.
    pub(crate) fn new(of_routes: bool) -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )?;
        let groups = if of_routes { Self::GROUPS | Self::ROUTES } else { Self::GROUPS };
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(Self { socket })
    }

    /// Reads all notifications, and returns whether there were any but those of routes that are no default
    /// route. What is there is then read again.
    pub(crate) fn take(&self) -> bool {
        let mut message = [0; 8192];
        let mut has_changed = false;
        for _ in 0..Self::MESSAGES_MAX {
            match recv(self.socket.as_raw_fd(), &mut message, MsgFlags::empty()) {
                Ok(0) | Err(nix::Error::EAGAIN) => break,
                Ok(length) => {
                    let message = message.get(..length).unwrap_or_default();
                    has_changed |= !is_of_other_routes(message);
                }
                // Some were lost in an overflow.
                Err(_) => has_changed = true,
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

/// Returns whether a notification is only of routes to a part of the network. It is a header as in
/// `linux/netlink.h`, with its length, its type and more, then the family and the length of the destination.
fn is_of_other_routes(notification: &[u8]) -> bool {
    let mut rest = notification;
    while let [a, b, c, d, type_1, type_2, _, _, _, _, _, _, _, _, _, _, after @ ..] = rest {
        let is_route = [libc::RTM_NEWROUTE, libc::RTM_DELROUTE]
            .contains(&u16::from_ne_bytes([*type_1, *type_2]));
        let [_family, prefix, ..] = after else { return false };
        if !is_route || *prefix == 0 {
            return false;
        }
        // The next one begins at a multiple of four.
        let length = usize::try_from(u32::from_ne_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX);
        let next = length.max(16).checked_next_multiple_of(4).unwrap_or(usize::MAX);
        rest = rest.get(next..).unwrap_or_default();
    }
    rest.is_empty()
}

/// Returns the interface that a name means: `eth0:1` is an alias for some addresses of `eth0`, whose
/// packets arrive on `eth0`.
pub(crate) fn device(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == b':').next().unwrap_or(name)
}

/// Returns the number and the framing of an interface. Tunnels have no hardware address.
fn hardware(one: &InterfaceAddress) -> Option<(u32, Framing)> {
    match &one.address {
        Some(storage) => {
            let hardware = storage.as_link_addr()?;
            Some((hardware.ifindex().try_into().ok()?, packet_socket::framing(hardware.hatype())))
        }
        None => Some((if_nametoindex(one.interface_name.as_str()).ok()?, Framing::Cooked)),
    }
}

fn address(storage: &SockaddrStorage) -> Option<IpAddr> {
    if let Some(address) = storage.as_sockaddr_in() {
        return Some(IpAddr::V4(address.ip()));
    }
    storage.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip()))
}

/// Returns whether an address is one of IPv6 that an interface gives itself, for its own link only.
fn is_automatic(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_loopback_interface_is_there_with_its_address() {
        let links = Links::look().unwrap();
        let lo = links.named(b"lo").unwrap();
        assert_eq!(links.numbered(lo.index), Some(lo));
        assert_eq!((lo.framing, lo.is_up), (Framing::Ethernet, true));
        let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(lo.addresses.contains(&localhost) && links.addresses.contains(&localhost));
        assert!(links.names().contains(&"lo".to_owned()));
        assert_eq!((links.named(b"no-such-thing"), links.numbered(0)), (None, None));
    }

    #[test]
    fn only_routes_to_parts_of_the_network_are_of_no_interest() {
        let message = |kind: u16, prefix: u8| {
            let [length, kind] = [u32::to_ne_bytes(30).to_vec(), kind.to_ne_bytes().to_vec()];
            let mut message = [length, kind, vec![0; 10], vec![2, prefix], vec![0; 12]].concat();
            message.resize(32, 0);
            message
        };
        let other = message(libc::RTM_NEWROUTE, 24);
        let of_interest =
            [message(libc::RTM_DELROUTE, 0), message(libc::RTM_NEWLINK, 24), vec![0; 7]];
        assert!(is_of_other_routes(&[other.clone(), other.clone()].concat()));
        for one in of_interest {
            assert!(!is_of_other_routes(&one), "{one:?}");
            assert!(!is_of_other_routes(&[other.clone(), one].concat()));
        }
    }

    #[test]
    fn an_alias_means_the_interface_before_the_colon() {
        assert_eq!((device(b"eth0:1"), device(b"eth0")), (&b"eth0"[..], &b"eth0"[..]));
    }
}
