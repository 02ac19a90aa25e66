//! Absorbs answers to knocks, so that the kernel does not reply to them.

use std::io;
use std::net::SocketAddr;

use knock_config::InterfaceName;
use nix::sys::socket::SetSockOpt as _;
use socket2::{Domain, Socket, Type};

/// A source port whose packets are thrown away.
///
/// Without it, the kernel would reply with an RST to the SYN+ACK of an open port. To a door without
/// `tcpflags`, that RST is a knock at the wrong port, or the first knock of another door.
#[derive(Debug)]
pub(crate) struct Absorber {
    /// A TCP socket that listens and drops everything.
    socket: Socket,
}

impl Absorber {
    /// Takes a free port of the source.
    pub(super) fn new(source: SocketAddr, interface: Option<&InterfaceName>) -> io::Result<Self> {
        let socket = deaf(source, interface)?;
        socket.listen(1)?;
        Ok(Self { socket })
    }

    /// Returns the source with that port.
    pub(super) fn source(&self) -> io::Result<SocketAddr> {
        let source = self.socket.local_addr()?.as_socket();
        source.ok_or_else(|| io::Error::other("the source has no port"))
    }
}

/// Returns a TCP socket that is bound to the source and receives nothing.
pub(super) fn deaf(source: SocketAddr, interface: Option<&InterfaceName>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(source), Type::STREAM.nonblocking(), None)?;
    if source.is_ipv4() {
        HopsLeftMin.set(&socket, &HOPS_MAX)?;
    } else {
        HopsLeftMin6.set(&socket, &HOPS_MAX)?;
    }
    // The absorber shares its port with the socket that sends the SYN.
    socket.set_reuse_port(true)?;
    bind(&socket, source, interface)?;
    Ok(socket)
}

/// Binds a socket to the source, and to an interface if one is named.
pub(crate) fn bind(
    socket: &Socket,
    source: SocketAddr,
    interface: Option<&InterfaceName>,
) -> io::Result<()> {
    if let Some(name) = interface {
        socket.bind_device(Some(name.as_bytes()))?;
    }
    socket.bind(&source.into())
}

/// A minimum hop count that packets do not have if they passed a router or came from a usual system,
/// which starts at 64 or 128. The kernel drops packets with less and answers none of them.
///
/// A socket filter would do the same, but not for unprivileged users: since Linux 6.18 at the latest,
/// one on a TCP socket needs `CAP_NET_ADMIN`.
const HOPS_MAX: i32 = 255;

/// `IP_MINTTL`.
#[derive(Clone, Copy, Debug)]
struct HopsLeftMin;

/// `IPV6_MINHOPCOUNT`.
#[derive(Clone, Copy, Debug)]
struct HopsLeftMin6;

nix::setsockopt_impl!(
    HopsLeftMin,
    libc::IPPROTO_IP,
    libc::IP_MINTTL,
    i32,
    nix::sys::socket::sockopt::SetStruct<i32>
);
nix::setsockopt_impl!(
    HopsLeftMin6,
    libc::IPPROTO_IPV6,
    libc::IPV6_MINHOPCOUNT,
    i32,
    nix::sys::socket::sockopt::SetStruct<i32>
);
