//! Takes answers to knocks, and lets nobody answer them.

use std::io;
use std::net::SocketAddr;

use knock_config::InterfaceName;
use nix::sys::socket::SetSockOpt as _;
use socket2::{Domain, Socket, Type};

/// A source port whose packets are thrown away.
///
/// Without it, the kernel would answer a SYN+ACK, which an open port answers a knock with: with an
/// RST, which to a door without `tcpflags` is a knock at the wrong port, or the first one of another door.
#[derive(Debug)]
pub(crate) struct Absorber {
    /// A TCP socket that listens, and is deaf.
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

/// Returns a TCP socket that is bound to the source, and to which nothing comes.
pub(super) fn deaf(source: SocketAddr, interface: Option<&InterfaceName>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(source), Type::STREAM.nonblocking(), None)?;
    if source.is_ipv4() {
        HopsLeftMin.set(&socket, &HOPS_MAX)?;
    } else {
        HopsLeftMin6.set(&socket, &HOPS_MAX)?;
    }
    // The absorber and the socket that sends the SYN have one port.
    socket.set_reuse_port(true)?;
    bind(&socket, source, interface)?;
    Ok(socket)
}

/// Binds a socket to the source, and to an interface if one is named.
pub(super) fn bind(
    socket: &Socket,
    source: SocketAddr,
    interface: Option<&InterfaceName>,
) -> io::Result<()> {
    if let Some(name) = interface {
        socket.bind_device(Some(name.as_bytes()))?;
    }
    socket.bind(&source.into())
}

/// What no packet has left of its hops that was sent by a usual system, which gives it 64 or 128, or
/// that has passed a router. The kernel throws away packets with less, and answers none of them.
///
/// A filter that lets nothing through would do the same, but it is not for everybody: since Linux 6.18
/// at the latest, one on a TCP socket needs `CAP_NET_ADMIN`.
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
