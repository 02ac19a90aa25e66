//! From what lines say to packets, each with its times.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use knock_config::Wording;
use knock_config::diagnostics::Faults;
use knock_config::lex::Piece;
use knock_engine::{Port, TcpFlags};

use super::read::{self, Script};
use super::statement::{Knocks, Statement, What, When};
use super::time::LATEST;
use super::{MAX_PACKETS, START};

/// What a scenario means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packets {
    /// When it starts, since 1970.
    pub(super) start: Duration,
    pub(super) packets: Vec<Packet>,
}

/// A packet, and when it is sent, counted from the start.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) source: IpAddr,
    pub(super) source_port: Option<Port>,
    pub(super) destination: SocketAddr,
    /// `None` of UDP.
    pub(super) flags: Option<TcpFlags>,
    /// More than one if it is sent again.
    pub(super) times: Vec<Duration>,
}

/// Returns the packets that a text means, and what is wrong with it; none if anything is.
pub(super) fn packets(text: &[u8]) -> (Option<Packets>, Faults) {
    let mut faults = Faults::default();
    let script = read::script(text, &mut faults);
    if faults.errors() > 0 {
        return (None, faults);
    }
    let Script { start, statements } = script;
    let mut expansion = Expansion { packets: Vec::new(), sent: 0 };
    match expansion.all(&statements, Duration::ZERO) {
        Ok(_) => {
            (Some(Packets { start: start.unwrap_or(START), packets: expansion.packets }), faults)
        }
        Err(excess) => {
            let Excess { place, wording } = *excess;
            faults.error(place, wording);
            (None, faults)
        }
    }
}

struct Expansion {
    packets: Vec<Packet>,
    /// How many there are, counted each time they are sent.
    sent: usize,
}

/// More than a scenario can mean.
struct Excess<'a> {
    place: Piece<'a>,
    wording: Wording,
}

impl Expansion {
    /// Does what stands in a block. Returns when the last packet of it is sent.
    fn all<'a>(
        &mut self,
        statements: &[Statement<'a>],
        origin: Duration,
    ) -> Result<Duration, Box<Excess<'a>>> {
        let mut last = origin;
        for statement in statements {
            let at = match statement.when {
                When::At(time) => origin.saturating_add(time),
                When::After(time) => last.saturating_add(time),
            };
            last = match &statement.what {
                What::Knocks(knocks) => self.knocks(knocks, at, statement.place)?,
                What::Repeat { rounds, every, body } => {
                    let mut end = at;
                    for round in 0..*rounds {
                        end = self.all(body, at.saturating_add(every.saturating_mul(round)))?;
                    }
                    end
                }
            };
            if last > LATEST {
                let wording =
                    Wording::new("this is later than 100 days", "a packet comes too late");
                return Err(Box::new(Excess { place: statement.place, wording }));
            }
        }
        Ok(last)
    }

    fn knocks<'a>(
        &mut self,
        knocks: &Knocks,
        at: Duration,
        place: Piece<'a>,
    ) -> Result<Duration, Box<Excess<'a>>> {
        let Knocks { clients, source_port, destination, hits, every, apart, again } = knocks;
        let (more, pause) = *again;
        let times = usize::try_from(more).unwrap_or(usize::MAX).saturating_add(1);
        let number = clients.len().saturating_mul(hits.len()).saturating_mul(times);
        self.sent = self.sent.saturating_add(number);
        if self.sent > MAX_PACKETS {
            let message = format!("a scenario can mean {MAX_PACKETS} packets at most");
            let wording = Wording::new(message, "with this line there are more")
                .help("take fewer clients or rounds, or several scenarios");
            return Err(Box::new(Excess { place, wording }));
        }
        let (mut begin, mut last) = (at, at);
        for source in clients.iter() {
            let mut due = begin;
            for hit in hits {
                let times: Vec<Duration> =
                    (0..=more).map(|time| due.saturating_add(pause.saturating_mul(time))).collect();
                last = times.last().copied().map_or(last, |end| last.max(end));
                self.packets.push(Packet {
                    source,
                    source_port: *source_port,
                    destination: SocketAddr::new(*destination, hit.knock.port.0),
                    flags: hit.tcp_flags(),
                    times,
                });
                due = due.saturating_add(*every);
            }
            begin = begin.saturating_add(*apart);
        }
        Ok(last)
    }
}
