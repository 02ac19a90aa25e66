//! Signed packets as a capture.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use fastrand::Rng;
use knock_signed::PacketKey;

use super::nonce::Nonces;
use super::plan::SignedPlan;
use super::time::{moment, now};
use crate::args::Args;
use crate::write::{BEGIN, Capture};
use knock_capture::frame;

/// Writes the packets of a plan, each at its moment.
///
/// # Errors
/// Why they cannot be written.
pub(crate) fn write(
    plan: &SignedPlan,
    key: &PacketKey,
    args: &Args,
    output: impl Write,
) -> io::Result<()> {
    let mut numbers = args.seed.map_or_else(Rng::new, Rng::with_seed);
    let at = args.at.unwrap_or_else(|| args.seed.map_or_else(now, |_| moment(BEGIN)));
    let mut nonces = match (args.nonce, args.seed) {
        (Some(nonce), _) => Nonces::From(nonce),
        (None, Some(_)) => Nonces::Seed(Box::new(numbers.fork())),
        (None, None) => Nonces::System,
    };
    let mut capture = Capture::new(output)?;
    for (shot, packet) in plan.packets(at) {
        let sealed = key.seal(&packet, &nonces.next()?);
        let source = SocketAddr::new(shot.source.ip(), frame::source_port(&mut numbers).0);
        let frame = frame::datagram_frame(source, shot.destination, &sealed, &mut numbers);
        capture.add(Duration::from_nanos(packet.moment.0), frame)?;
    }
    capture.finish()
}
