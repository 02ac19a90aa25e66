//! Turns the lines of a scenario into packets, each with its times.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use knock_config::Wording;
use knock_config::diagnostics::Faults;
use knock_config::lex::Piece;
use knock_engine::{Port, TcpFlags};
use knock_signed::PACKET_BYTES;

use super::read::{self, Script};
use super::sealer::Sealer;
use super::signed::{Signers, no_keys};
use super::statement::{Knocks, Signed, Statement, What, When};
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
    pub(super) content: Content,
    /// More than one if it is sent again.
    pub(super) times: Vec<Duration>,
}

/// The content of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// That of a knock; `None` for UDP.
    Knock(Option<TcpFlags>),
    Signed(Box<[u8; PACKET_BYTES]>),
}

/// Returns the packets of a text, or none and its errors.
pub(super) fn packets(text: &[u8], signers: Signers<'_>) -> (Option<Packets>, Faults) {
    let mut faults = Faults::default();
    let script = read::script(text, signers, &mut faults);
    if faults.errors() > 0 {
        return (None, faults);
    }
    let Script { start, statements } = script;
    let start = start.unwrap_or(START);
    let mut expansion = Expansion { sealer: Sealer::new(start), packets: Vec::new(), sent: 0 };
    match expansion.all(&statements, Duration::ZERO) {
        Ok(_) => (Some(Packets { start, packets: expansion.packets }), faults),
        Err(excess) => {
            let Excess { place, wording } = *excess;
            faults.error(place, wording);
            (None, faults)
        }
    }
}

struct Expansion {
    sealer: Sealer,
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
    /// Expands a block. Returns when its last packet is sent.
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
                What::Signed(signed) => self.signed(signed, at, statement.place)?,
                What::Repeat { rounds, every, body } => {
                    let mut end = at;
                    for round in 0..*rounds {
                        end = self.all(body, at.saturating_add(every.saturating_mul(round)))?;
                    }
                    end
                }
            };
            if last > LATEST {
                let wording = Wording::new(
                    "this is later than 100 days after the start",
                    "a packet comes too late",
                );
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
        self.count(clients.len().saturating_mul(hits.len()), more, place)?;
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
                    content: Content::Knock(hit.tcp_flags()),
                    times,
                });
                due = due.saturating_add(*every);
            }
            begin = begin.saturating_add(*apart);
        }
        Ok(last)
    }

    /// Counts packets, each of which is sent so many times more.
    fn count<'a>(
        &mut self,
        packets: usize,
        more: u32,
        place: Piece<'a>,
    ) -> Result<(), Box<Excess<'a>>> {
        let times = usize::try_from(more).unwrap_or(usize::MAX).saturating_add(1);
        self.sent = self.sent.saturating_add(packets.saturating_mul(times));
        if self.sent <= MAX_PACKETS {
            return Ok(());
        }
        let message = format!("a scenario can have {MAX_PACKETS} packets at most");
        let wording = Wording::new(message, "this line exceeds the limit")
            .help("use fewer clients or rounds, or several scenarios");
        Err(Box::new(Excess { place, wording }))
    }

    fn signed<'a>(
        &mut self,
        line: &Signed<'_>,
        at: Duration,
        place: Piece<'a>,
    ) -> Result<Duration, Box<Excess<'a>>> {
        let Some(signer) = line.signer else {
            return Err(Box::new(Excess { place, wording: no_keys() }));
        };
        let (more, pause) = line.again.times;
        self.count(line.clients.len(), more, place)?;
        let port = line.port.unwrap_or(signer.port);
        let destination = SocketAddr::new(line.destination, port.0);
        let (mut due, mut last) = (at, at);
        for source in line.clients.iter() {
            let Some(sealed) = self.sealer.seal(line, signer, due) else {
                let wording = Wording::new(
                    "the clock of the client would be before 1970, or after 2500",
                    "no packet has such a time",
                );
                return Err(Box::new(Excess {
                    place,
                    wording: wording.help("use a smaller `skew`"),
                }));
            };
            let content = || Content::Signed(Box::new(sealed));
            let by = line.again.by.unwrap_or(source);
            let mut times: Vec<Duration> =
                (0..=more).map(|time| due.saturating_add(pause.saturating_mul(time))).collect();
            last = times.last().copied().map_or(last, |end| last.max(end));
            let copies = if by == source { Vec::new() } else { times.split_off(1) };
            for (source, times) in [(source, times), (by, copies)] {
                let content = content();
                self.packets.push(Packet {
                    source,
                    source_port: None,
                    destination,
                    content,
                    times,
                });
            }
            due = due.saturating_add(line.apart);
        }
        Ok(last)
    }
}
