//! Sends the knocks of a plan.
//!
//! Everything that can fail is tried before the first packet leaves: by then, each knock has its
//! sockets, bound to the source.

mod absorber;
mod shot;

use std::fmt;
use std::io;
use std::thread;

use fastrand::Rng;
use knock_config::text::Cause;
use socket2::Socket;

use crate::plan::Plan;
use absorber::Absorber;
pub(crate) use absorber::bind;
use knock_capture::hit::Hit;
use shot::Shot;

/// Why not all knocks were sent.
#[derive(Debug)]
pub enum SendError {
    /// A raw socket is not allowed; nothing was sent.
    NotPermitted {
        /// The first knock that needs one.
        hit: Hit,
    },
    /// A knock could not be prepared; nothing was sent.
    NotReady {
        /// The knock.
        hit: Hit,
        /// What the system says.
        cause: io::Error,
    },
    /// A knock could not be sent; those before it were.
    NotSent {
        /// How many were sent before.
        sent: usize,
        /// How many there are.
        of: usize,
        /// The knock.
        hit: Hit,
        /// What the system says.
        cause: io::Error,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted { hit } => write!(
                out,
                "knock `{hit}` needs a raw socket, which only root and programs with CAP_NET_RAW may open"
            ),
            Self::NotReady { hit, cause } => {
                write!(out, "cannot prepare knock `{hit}`: {}", Cause(cause))
            }
            Self::NotSent { sent, of, hit, cause } => {
                let number = sent.saturating_add(1);
                write!(out, "cannot send knock {number} of {of}, `{hit}`: {}", Cause(cause))
            }
        }
    }
}

impl std::error::Error for SendError {}

/// Absorbs the answers to a knock for as long as it lives.
#[derive(Debug)]
#[expect(dead_code, reason = "the sockets are only held")]
pub(crate) enum Silence {
    /// Segments of TCP.
    Segments(Absorber),
    /// Datagrams of UDP.
    Datagrams(Socket),
}

/// Sends the knocks of a plan, and prints each before it leaves.
///
/// Returns guards to hold until all sending is over.
///
/// # Errors
/// [`SendError`] of the first knock that cannot be sent; later ones are not tried.
pub(crate) fn send(
    plan: &Plan,
    mut print: impl FnMut(usize, Hit),
) -> Result<Vec<Silence>, SendError> {
    let mut numbers = Rng::new();
    let mut shots = Vec::with_capacity(plan.hits.len());
    for hit in &plan.hits {
        shots.push(Shot::prepare(plan, *hit, &mut numbers)?);
    }
    let of = shots.len();
    let mut silences = Vec::with_capacity(of);
    for (sent, (shot, hit)) in shots.into_iter().zip(&plan.hits).enumerate() {
        if sent > 0 {
            thread::sleep(plan.delay);
        }
        print(sent.saturating_add(1), *hit);
        let fired = shot.fire();
        silences.push(fired.map_err(|cause| SendError::NotSent { sent, of, hit: *hit, cause })?);
    }
    Ok(silences)
}
