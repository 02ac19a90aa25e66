//! Takes answers to knocks, and lets nobody answer them.

use std::io;
use std::net::SocketAddr;

use knock_engine::config::InterfaceName;
use socket2::{Domain, SockFilter, Socket, Type};

/// A source port whose packets are thrown away.
///
/// Without it, the kernel would answer a SYN+ACK, which an open port answers a knock with: with an
/// RST, which to a door without `tcpflags` is a knock at the wrong port, or the first one of another door.
#[derive(Debug)]
pub(super) struct Absorber {
    /// A TCP socket that listens, and whose filter lets nothing in.
    socket: Socket,
}

impl Absorber {
    /// Takes a free port of the source.
    pub(super) fn new(source: SocketAddr, interface: Option<&InterfaceName>) -> io::Result<Self> {
        let socket = bound(Type::STREAM, source, interface)?;
        socket.listen(1)?;
        Ok(Self { socket })
    }

    /// Returns the source with that port.
    pub(super) fn source(&self) -> io::Result<SocketAddr> {
        let source = self.socket.local_addr()?.as_socket();
        source.ok_or_else(|| io::Error::other("the source has no port"))
    }
}

/// Returns a socket that is bound to the source, and into which nothing comes.
pub(super) fn bound(
    kind: Type,
    source: SocketAddr,
    interface: Option<&InterfaceName>,
) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(source), kind.nonblocking(), None)?;
    socket.attach_filter(&[NOTHING])?;
    if let Some(name) = interface {
        socket.bind_device(Some(name.as_bytes()))?;
    }
    if kind == Type::STREAM {
        // The absorber and the socket that sends the SYN have one port.
        socket.set_reuse_port(true)?;
    }
    socket.bind(&source.into())?;
    Ok(socket)
}

/// A filter of the kernel that lets 0 bytes through: BPF `ret #0`.
pub(super) const NOTHING: SockFilter = SockFilter::new(0x06, 0, 0, 0);
