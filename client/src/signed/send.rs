//! Sends signed packets.

use std::io;
use std::net::SocketAddr;

use knock_config::text::Cause;
use knock_engine::{Port, Protocol};
use knock_signed::{PACKET_BYTES, PacketKey};
use socket2::{Domain, Socket, Type};

use super::nonce::Nonces;
use super::plan::{SignedPlan, SignedShot};
use super::time::now;
use crate::exit::Exit;
use crate::report::{Reporter, Sought};
use crate::route::Address;
use crate::send::bind;
use crate::then;
use knock_capture::hit::Hit;

/// Sends the packets, and waits for the port that they should open. Another round has other moments.
pub(crate) fn send(plan: &SignedPlan, key: &PacketKey, reporter: &mut Reporter<'_>) -> Exit {
    let mut rounds: u32 = 0;
    loop {
        // Held while it waits, so that the kernel refuses no reply.
        let _sockets = match round(plan, key, reporter) {
            Ok(sockets) => sockets,
            Err(exit) if rounds == 0 => return exit,
            Err(_) => return Exit::Failed,
        };
        rounds = rounds.saturating_add(1);
        let Some((waiting, then)) = plan.waiting().zip(plan.then) else { return Exit::Done };
        let cause = match then::wait(&waiting, then) {
            Ok(after) => {
                reporter.open(then.port, after);
                return Exit::Done;
            }
            Err(cause) => cause,
        };
        if rounds > then.retry {
            return reporter.shut(then, &cause, Sought::Packet);
        }
        reporter.again(then, &cause);
    }
}

/// Sends each packet once. One that cannot be sent is an error only if none can.
fn round(
    plan: &SignedPlan,
    key: &PacketKey,
    reporter: &mut Reporter<'_>,
) -> Result<Vec<Socket>, Exit> {
    let mut ready = Vec::with_capacity(plan.shots.len());
    let mut nonces = Nonces::System;
    for (shot, packet) in plan.packets(now()) {
        let sealed = nonces.next().map(|nonce| key.seal(&packet, &nonce));
        let sealed = sealed.map_err(|cause| {
            let error = format!("cannot make a packet: {}", Cause(&cause));
            reporter.error(&error, None, Exit::Refused)
        })?;
        let socket = prepare(plan, shot).map_err(|cause| {
            let error = format!("cannot prepare {}: {}", name(shot), Cause(&cause));
            reporter.error(&error, None, Exit::Refused)
        })?;
        ready.push((shot, socket, sealed));
    }
    let mut sockets = Vec::with_capacity(ready.len());
    let mut failures = Vec::new();
    for (number, (shot, socket, sealed)) in (1..).zip(ready) {
        reporter.packet(number, shot);
        match fire(&socket, shot.destination, &sealed) {
            Ok(()) => sockets.push(socket),
            Err(cause) => failures.push(format!("cannot send {}: {}", name(shot), Cause(&cause))),
        }
    }
    let Some((last, others)) = failures.split_last() else { return Ok(sockets) };
    for failure in others {
        reporter.note(failure);
    }
    if sockets.is_empty() {
        return Err(reporter.error(last, None, Exit::Failed));
    }
    reporter.note(last);
    Ok(sockets)
}

fn prepare(plan: &SignedPlan, shot: &SignedShot) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(shot.source), Type::DGRAM, None)?;
    bind(&socket, shot.source, plan.interface.as_ref())?;
    Ok(socket)
}

fn fire(socket: &Socket, destination: SocketAddr, sealed: &[u8; PACKET_BYTES]) -> io::Result<()> {
    socket.send_to(sealed, &destination.into()).map(drop)
}

fn name(shot: &SignedShot) -> String {
    let port = Hit::plain(Port(shot.destination.port()), Protocol::Udp);
    format!("the packet to {}, `{port}`", Address(shot.destination))
}
