//! Packets on their way to the engine.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use knock_compat::{Sight, Undecodable};
use knock_engine::{Event, Listening, Timestamp};

use crate::session::names::{CaptureNames, PacketId};
use crate::session::progress::Progress;
use crate::session::summary::{AddressSource, Tally};
use knock_capture::{CaptureError, Fault, Head, Merge, Unwanted};

/// Reads captures and decodes their packets into events.
///
/// It has its own cache lines, which a processor fetches in pairs: what it notes of each packet would else take them
/// from the thread of the engine.
#[repr(align(128))]
pub(crate) struct Reader {
    captures: Merge,
    addresses: Addresses,
    /// Which destinations count, as far as is known.
    listening: Listening,
    tally: Tally,
    progress: Option<Progress>,
}

/// What happened, and when.
pub(crate) type Events = Vec<(Timestamp, Event)>;

/// What was read, when all of it was.
pub(crate) struct ReadingDone {
    /// The packets in numbers.
    pub(crate) tally: Tally,
    /// Where the local addresses came from.
    pub(crate) source: AddressSource,
    /// What kept captures from being read to their ends.
    pub(crate) errors: Vec<CaptureError>,
}

/// What comes next.
#[derive(Clone)]
pub(crate) enum Next<'a> {
    /// The local addresses, as far as they are known now.
    Addresses(Listening),
    /// A frame.
    Frame(Head, &'a [u8], PacketId),
    /// Only the time, which is the latest of frames that were passed over.
    Time,
}

/// What is made of frames while they are read: they are gone when the next one is.
pub(crate) trait Decoder {
    /// What is kept until it is handled.
    type Input;

    /// Appends what comes next to `inputs`, given the destinations that count.
    ///
    /// # Errors
    /// Why no port was found in a frame, which is counted. That is appended, too: its time passes.
    fn decode(
        &self,
        at: Timestamp,
        listening: &Listening,
        next: Next<'_>,
        inputs: &mut Vec<Self::Input>,
    ) -> Result<(), Undecodable>;
}

/// For those who need not know which packet an event is.
impl Decoder for Sight {
    type Input = (Timestamp, Event);

    #[expect(clippy::inline_always, reason = "as for the reader")]
    #[inline(always)]
    fn decode(
        &self,
        at: Timestamp,
        listening: &Listening,
        next: Next<'_>,
        inputs: &mut Events,
    ) -> Result<(), Undecodable> {
        match next {
            Next::Addresses(listening) => {
                inputs.push((at, Event::AddressesChanged(listening)));
                Ok(())
            }
            Next::Time => {
                inputs.push((at, Event::DeadlineReached));
                Ok(())
            }
            Next::Frame(head, frame, _) => match self.event(listening, head.link, frame) {
                Ok(event) => {
                    inputs.push((at, event));
                    Ok(())
                }
                Err(why) => {
                    inputs.push((at, Event::DeadlineReached));
                    Err(why)
                }
            },
        }
    }
}

impl Reader {
    /// Makes a reader of captures, with the local addresses, if any are given.
    pub(crate) fn at(local: &[IpAddr], ipv4_only: bool, captures: Merge) -> Self {
        let addresses = Addresses::of(local, ipv4_only);
        let listening = addresses.listening();
        Self { captures, addresses, listening, tally: Tally::default(), progress: None }
    }

    /// Begins to read. From now on passes over packets that are unwanted, where that saves time. They are counted.
    pub(crate) fn begin(&mut self, is_unwanted: Option<Unwanted>) {
        self.captures.begin(is_unwanted);
    }

    /// Returns the same with the progress that is shown.
    pub(crate) fn with_progress(self, progress: Option<Progress>) -> Self {
        Self { progress, ..self }
    }

    /// Returns whether packets arrive while they happen.
    pub(crate) fn is_live(&self) -> bool {
        self.captures.is_live()
    }

    /// Returns the names of the captures.
    pub(crate) fn names(&self) -> CaptureNames {
        CaptureNames::new(self.captures.names().map(str::to_owned).collect())
    }

    /// Returns which destinations count, as far as is known.
    pub(crate) fn listening(&self) -> Listening {
        self.listening.clone()
    }

    /// Appends what comes next, decoded: at most `limit`, none if there is no more. May wait for a live capture.
    pub(crate) fn read<D: Decoder>(
        &mut self,
        decoder: &D,
        limit: usize,
        inputs: &mut Vec<D::Input>,
    ) {
        for _ in 0..limit {
            let see = |at, listening: &Listening, next: Next<'_>| {
                decoder.decode(at, listening, next, inputs)
            };
            if !self.next_with(see) {
                break;
            }
        }
        self.tick(inputs.len());
    }

    /// Hands over what comes next with its time, if there is anything, and counts a frame in which
    /// `see` found no port. Returns whether there was anything. May wait for a live capture.
    #[expect(clippy::inline_always, reason = "a call for each packet costs a fifth of the time")]
    #[inline(always)]
    pub(crate) fn next<E: Into<Undecodable>>(
        &mut self,
        see: impl FnOnce(Timestamp, Next<'_>) -> Result<(), E>,
    ) -> bool {
        self.next_with(|at, _, next| see(at, next))
    }

    /// Does the same, and also hands over which destinations count.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn next_with<E: Into<Undecodable>>(
        &mut self,
        see: impl FnOnce(Timestamp, &Listening, Next<'_>) -> Result<(), E>,
    ) -> bool {
        let Some(next) = self.captures.peek() else { return false };
        // Most captures cannot, and to ask each time costs as much as to decode a header.
        let are_addresses_new = self.captures.may_name_addresses()
            && self.addresses.learn(self.captures.take_local_addresses());
        let at = self.captures.at().unwrap_or(Timestamp::EPOCH);
        let next = if are_addresses_new {
            self.listening = self.addresses.listening();
            Next::Addresses(self.listening.clone())
        } else {
            match next {
                knock_capture::Next::Packet(head) => {
                    self.tally.packet(at);
                    let id = PacketId { capture: self.captures.index(), number: head.number };
                    Next::Frame(head, self.captures.frame(), id)
                }
                knock_capture::Next::Passed => {
                    self.tally.passed(&self.captures.take_passed());
                    Next::Time
                }
            }
        };
        if let Err(why) = see(at, &self.listening, next) {
            self.tally.undecodable(why.into());
        }
        if !are_addresses_new {
            self.captures.advance();
        }
        true
    }

    /// Shows how far reading is, after so many more packets.
    pub(crate) fn tick(&mut self, packets: usize) {
        if let Some(progress) = &mut self.progress {
            progress.tick(packets, || self.captures.bytes_read());
        }
    }

    /// Ends reading, wherever it is.
    pub(crate) fn finish(self) -> ReadingDone {
        let errors = self.captures.into_errors();
        ReadingDone { tally: self.tally, source: self.addresses.source, errors }
    }
}

impl ReadingDone {
    /// After an interrupt, it is no fault of a capture that its last packet did not come whole.
    pub(crate) fn forgive_cuts(&mut self) {
        let is_end = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
        self.errors.retain(|error| {
            let is_cut = matches!(error.fault, Fault::PacketCut { .. } | Fault::BlockCut { .. })
                || matches!(&error.fault, Fault::Decompression { error, .. } if is_end(error));
            !is_cut
        });
    }
}

/// The local addresses, as far as they are known.
struct Addresses {
    source: AddressSource,
    known: BTreeSet<IpAddr>,
    ipv4_only: bool,
}

impl Addresses {
    /// The most addresses that captures can name; a machine has far fewer.
    const NAMED_MAX: usize = 4096;

    fn of(local: &[IpAddr], ipv4_only: bool) -> Self {
        let source = if local.is_empty() { AddressSource::Unknown } else { AddressSource::Given };
        Self { source, known: local.iter().copied().collect(), ipv4_only }
    }

    /// Takes addresses that a capture names, up to [`Addresses::NAMED_MAX`]. Returns whether they
    /// change what is known.
    fn learn(&mut self, named: Vec<IpAddr>) -> bool {
        if named.is_empty() || self.source == AddressSource::Given {
            return false;
        }
        self.source = AddressSource::Named;
        let before = self.known.len();
        let room = Self::NAMED_MAX.saturating_sub(before);
        self.known.extend(named.into_iter().take(room));
        self.known.len() > before
    }

    fn listening(&self) -> Listening {
        let listening = match self.source {
            AddressSource::Unknown => Listening::everywhere(),
            AddressSource::Given | AddressSource::Named => {
                Listening::at(self.known.iter().copied())
            }
        };
        listening.with_ipv4_only(self.ipv4_only)
    }
}
