//! Sockets for whole frames.

use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, bind, socket};

use super::namespace::Namespace;

/// Opens a socket that sends frames on an interface of a namespace, and receives none.
///
/// # Panics
/// If there is no such interface, or without the right to do so.
#[must_use]
pub fn frame_socket(namespace: &Namespace, interface: &'static str) -> OwnedFd {
    // Without a protocol, nothing is received.
    open(namespace, interface, None)
}

/// Opens a socket that gets a copy of every frame that leaves or arrives at an interface of a namespace.
///
/// # Panics
/// If there is no such interface, or without the right to do so.
#[must_use]
pub fn recording_socket(namespace: &Namespace, interface: &'static str) -> OwnedFd {
    open(namespace, interface, Some(SockProtocol::EthAll))
}

fn open(namespace: &Namespace, interface: &'static str, protocol: Option<SockProtocol>) -> OwnedFd {
    namespace.open(move || {
        let (family, flags) = (AddressFamily::Packet, SockFlag::SOCK_CLOEXEC);
        let socket = socket(family, SockType::Raw, flags, protocol).unwrap();
        let link = getifaddrs().unwrap().find_map(|link| {
            let address = link.address.filter(|address| address.as_link_addr().is_some());
            address.filter(|_| link.interface_name == interface)
        });
        bind(socket.as_raw_fd(), &link.unwrap()).unwrap();
        socket
    })
}
