//! Sockets for whole frames.

use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, bind, socket};

use super::namespace::Namespace;

/// Opens a socket that sends frames on an interface of a namespace, and receives none.
///
/// # Panics
/// If there is no such interface, or without the right to do so.
#[must_use]
pub fn frame_socket(namespace: &Namespace, interface: &'static str) -> OwnedFd {
    namespace.open(move || {
        // Without a protocol, nothing is received.
        let socket =
            socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None).unwrap();
        let link = getifaddrs().unwrap().find_map(|link| {
            let address = link.address.filter(|address| address.as_link_addr().is_some());
            address.filter(|_| link.interface_name == interface)
        });
        bind(socket.as_raw_fd(), &link.unwrap()).unwrap();
        socket
    })
}
