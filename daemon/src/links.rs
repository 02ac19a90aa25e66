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
    pub(crate) links: Vec<Link>,
    /// The addresses of all of them.
    pub(crate) addresses: BTreeSet<IpAddr>,
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
        Ok(Self { links: links.into_values().collect(), addresses })
    }

    /// Returns the interface with this name.
    pub(crate) fn named(&self, name: &[u8]) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// Returns the interface with this number.
    pub(crate) fn numbered(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    /// Returns the names of all interfaces, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.links.iter().map(|link| String::from_utf8_lossy(&link.name).into_owned());
        names.collect::<BTreeSet<String>>().into_iter().collect()
    }
}

/// Notices that interfaces or addresses may have changed.
pub(crate) struct Watch {
    socket: OwnedFd,
}

impl Watch {
    /// The groups of `linux/rtnetlink.h` that get changes of interfaces and addresses: `RTMGRP_LINK`,
    /// `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR`.
    const GROUPS: u32 = 0x1 | 0x10 | 0x100;

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

    /// Reads all notifications, and returns whether there were any. What is there is then read again.
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
    fn an_alias_means_the_interface_before_the_colon() {
        assert_eq!((device(b"eth0:1"), device(b"eth0")), (&b"eth0"[..], &b"eth0"[..]));
    }
}
