//! One knock, ready to be sent.

use std::io;
use std::net::SocketAddr;

use fastrand::Rng;
use knock_engine::{Protocol, TcpFlags};
use socket2::{Domain, Socket, Type};

use super::absorber::{self, Absorber};
use super::{SendError, Silence};
use crate::plan::Plan;
use knock_capture::frame;
use knock_capture::hit::Hit;

/// A knock with its sockets.
pub(super) enum Shot {
    /// The kernel's own SYN.
    Syn { socket: Socket, absorber: Absorber, destination: SocketAddr },
    /// A segment with other flags.
    Segment { socket: Socket, absorber: Absorber, destination: SocketAddr, bytes: Vec<u8> },
    /// A datagram.
    Datagram { socket: Socket, destination: SocketAddr },
}

impl Shot {
    /// Opens the sockets of a knock.
    pub(super) fn prepare(plan: &Plan, hit: Hit, numbers: &mut Rng) -> Result<Self, SendError> {
        let shot = match (hit.knock.protocol, hit.flags) {
            (Protocol::Tcp, None) => Self::syn(plan, hit),
            (Protocol::Tcp, Some(flags)) => {
                let socket = raw(plan).map_err(|cause| match cause.raw_os_error() {
                    Some(libc::EPERM | libc::EACCES) => SendError::NotPermitted { hit },
                    _ => SendError::NotReady { hit, cause },
                })?;
                Self::segment(plan, hit, socket, flags, numbers)
            }
            (Protocol::Udp, _) => Self::datagram(plan, hit),
        };
        shot.map_err(|cause| SendError::NotReady { hit, cause })
    }

    fn syn(plan: &Plan, hit: Hit) -> io::Result<Self> {
        let absorber = Absorber::new(plan.source, plan.interface.as_ref())?;
        let socket = absorber::deaf(absorber.source()?, plan.interface.as_ref())?;
        Ok(Self::Syn { socket, absorber, destination: plan.at(hit.knock.port) })
    }

    fn segment(
        plan: &Plan,
        hit: Hit,
        socket: Socket,
        flags: TcpFlags,
        numbers: &mut Rng,
    ) -> io::Result<Self> {
        let absorber = Absorber::new(plan.source, plan.interface.as_ref())?;
        let bytes = frame::segment(absorber.source()?, plan.at(hit.knock.port), flags, numbers);
        let bytes = bytes.map_err(|_| io::Error::other("source and host differ in family"))?;
        // A raw IPv6 socket takes a port other than 0 for a protocol.
        Ok(Self::Segment { socket, absorber, destination: plan.destination, bytes })
    }

    fn datagram(plan: &Plan, hit: Hit) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(plan.source), Type::DGRAM, None)?;
        absorber::bind(&socket, plan.source, plan.interface.as_ref())?;
        Ok(Self::Datagram { socket, destination: plan.at(hit.knock.port) })
    }

    /// Sends the knock. Returns the guard that absorbs the answers.
    pub(super) fn fire(self) -> io::Result<Silence> {
        match self {
            Self::Syn { socket, absorber, destination } => {
                match socket.connect(&destination.into()) {
                    // This machine refused it, so it has arrived.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
                    done => done?,
                }
                // The SYN has left, or waits for the neighbour's address. Closing the socket stops it from
                // repeating the SYN after a second and from answering.
                drop(socket);
                Ok(Silence::Segments(absorber))
            }
            Self::Segment { socket, absorber, destination, bytes } => {
                socket.send_to(&bytes, &destination.into())?;
                Ok(Silence::Segments(absorber))
            }
            Self::Datagram { socket, destination } => {
                socket.send_to(&frame::DATAGRAM, &destination.into())?;
                Ok(Silence::Datagrams(socket))
            }
        }
    }
}

/// Opens a raw socket of TCP, bound to the source.
fn raw(plan: &Plan) -> io::Result<Socket> {
    let domain = Domain::for_address(plan.source);
    let socket = Socket::new(domain, Type::RAW, Some(socket2::Protocol::TCP))?;
    absorber::bind(&socket, plan.source, plan.interface.as_ref())?;
    Ok(socket)
}
