//! Several captures as one, in order of time.

use std::net::IpAddr;
use std::ops::Range;

use knock_engine::Timestamp;

use super::ahead::{Ahead, Threads};
use super::turns::Turns;
use super::{Capture, CaptureError, Next, Passed, Unwanted};

/// Several captures as one, in order of time; packets of one time come in the order of the
/// captures.
///
/// Packets of one capture stay in their order, even where its time runs backwards. A capture that
/// ends in an error takes part up to there; the others go on.
pub struct Merge {
    parts: Vec<Part>,
    /// When what is next in a capture has its turn, for each capture that goes on.
    turns: Turns,
    /// The captures of which it is not known yet what is next.
    unknown: Range<usize>,
    names: Vec<String>,
    size: Option<u64>,
    is_live: bool,
    /// Whether any capture is of a kind that names the addresses of its interfaces.
    may_name_addresses: bool,
    is_unwanted: Option<Unwanted>,
    threads: Option<Threads>,
    errors: Vec<CaptureError>,
}

/// From what size on threads save time, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Large {
    /// Of all captures that are read by threads: smaller ones are read before a thread has begun.
    pub(crate) read: u64,
    /// Of a capture that is mapped by a thread. For each part of it, that interrupts the other threads.
    pub(crate) mapped: u64,
}

impl Large {
    const DEFAULT: Self = Self { read: 1 << 20, mapped: 256 << 20 };
}

/// One of the captures, with its own cache lines as [`Capture`].
#[repr(align(128))]
struct Part {
    feed: Feed,
    /// What is next, if it is known.
    next: Option<Next>,
}

/// Where packets of a capture come from.
enum Feed {
    /// From the capture.
    Here(Box<Capture>),
    /// From what threads have read of it.
    Ahead(Ahead),
}

impl Merge {
    /// Takes captures; their order decides between packets of one time.
    #[must_use]
    pub fn new(captures: Vec<Capture>) -> Self {
        let sizes = captures.iter().map(Capture::size);
        Self {
            turns: Turns::default(),
            unknown: 0..captures.len(),
            names: captures.iter().map(|capture| capture.name().to_owned()).collect(),
            size: sizes.into_iter().try_fold(0, |sum: u64, size| sum.checked_add(size?)),
            is_live: captures.iter().any(Capture::is_live),
            may_name_addresses: captures.iter().any(Capture::may_name_addresses),
            is_unwanted: None,
            threads: None,
            errors: Vec::new(),
            parts: captures.into_iter().map(Part::new).collect(),
        }
    }

    /// From now on passes over packets that are unwanted, as [`Capture::pass_over`] does, and has several captures
    /// or a compressed one read by threads, unless one is live. A single plain one is mapped ahead by a thread. Must
    /// come before the first packet.
    pub fn begin(&mut self, is_unwanted: Option<Unwanted>) {
        self.begin_with(is_unwanted, Large::DEFAULT);
    }

    /// Does the same, with other limits.
    pub(crate) fn begin_with(&mut self, is_unwanted: Option<Unwanted>, large: Large) {
        let size = self.size.filter(|_| !self.is_live);
        let mapped = match self.parts.as_mut_slice() {
            [Part { feed: Feed::Here(only), .. }] if only.is_in_memory() => Some(only),
            _ => None,
        };
        match mapped {
            Some(only) if size >= Some(large.mapped) => only.map_ahead(),
            None if size >= Some(large.read) => self.begin_threads(is_unwanted.as_ref()),
            _ => {}
        }
        self.is_unwanted = is_unwanted;
    }

    /// Has threads read the captures, if there is a thread to be had.
    fn begin_threads(&mut self, is_unwanted: Option<&Unwanted>) {
        let captures = self.parts.drain(..).filter_map(|part| match part.feed {
            Feed::Here(capture) => Some(*capture),
            Feed::Ahead(_) => None,
        });
        match Threads::read(captures.collect(), is_unwanted) {
            Ok((threads, feeds)) => {
                self.parts = feeds.into_iter().map(|ahead| Part::of(Feed::Ahead(ahead))).collect();
                self.threads = Some(threads);
            }
            Err(captures) => self.parts = captures.into_iter().map(Part::new).collect(),
        }
    }

    /// Returns what is next, or `None` after the last packet. May wait for a live capture.
    #[expect(clippy::inline_always, reason = "a call for each packet costs a fifth of the time")]
    #[inline(always)]
    pub fn peek(&mut self) -> Option<Next> {
        for index in self.unknown.by_ref() {
            let part = self.parts.get_mut(index)?;
            let next = match &mut part.feed {
                Feed::Here(capture) => capture.next(self.is_unwanted.as_ref()),
                Feed::Ahead(ahead) => self.threads.as_mut().map_or(Ok(None), |all| ahead.next(all)),
            };
            match next {
                Ok(next) => {
                    part.next = next;
                    let at = match next {
                        Some(Next::Packet(head)) => Some(head.at),
                        // Not before the latest packet of them and before them has its turn.
                        Some(Next::Passed) => part.feed.passed().latest,
                        None => None,
                    };
                    if let Some(at) = at {
                        self.turns.add((at, index));
                    }
                }
                Err(error) => self.errors.push(error),
            }
        }
        let (_, index) = self.turns.first()?;
        self.parts.get(index)?.next
    }

    /// Returns the time of what [`Merge::peek`] returned; of what was passed over, the latest.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        self.turns.first().map(|(at, _)| at)
    }

    /// Returns what was passed over, if [`Merge::peek`] returned that.
    pub fn take_passed(&mut self) -> Passed {
        let Some((_, index)) = self.turns.first() else { return Passed::default() };
        self.parts.get_mut(index).map(|part| part.feed.take_passed()).unwrap_or_default()
    }

    /// Returns the bytes of the packet that [`Merge::peek`] returned; none before the first call.
    #[inline]
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        let part = self.turns.first().and_then(|(_, index)| self.parts.get(index));
        part.map_or(&[], |part| match &part.feed {
            Feed::Here(capture) => capture.frame(),
            Feed::Ahead(ahead) => ahead.frame(),
        })
    }

    /// Returns the index, from 0, of the capture that has the packet which [`Merge::peek`] returned.
    #[inline]
    #[must_use]
    pub fn index(&self) -> usize {
        self.turns.first().map_or(0, |(_, index)| index)
    }

    /// Returns the names of the captures, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Moves past what [`Merge::peek`] returned, if there is anything.
    #[inline]
    pub fn advance(&mut self) {
        if !self.unknown.is_empty() {
            return;
        }
        let Some(index) = self.turns.end_first() else { return };
        if let Some(part) = self.parts.get_mut(index) {
            part.advance();
        }
        self.unknown = index..index.saturating_add(1);
    }

    /// Returns whether a capture is of a kind that names the addresses of its interfaces.
    #[inline]
    #[must_use]
    pub const fn may_name_addresses(&self) -> bool {
        self.may_name_addresses
    }

    /// Returns the addresses that interfaces of the captures have named since the last call.
    pub fn take_local_addresses(&mut self) -> Vec<IpAddr> {
        let addresses = self.parts.iter_mut().map(|part| match &mut part.feed {
            Feed::Here(capture) => capture.take_local_addresses(),
            Feed::Ahead(ahead) => ahead.take_local_addresses(),
        });
        addresses.flatten().collect()
    }

    /// Returns how many bytes of all captures were read, counted as on the disk.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        let bytes = self.parts.iter().map(|part| match &part.feed {
            Feed::Here(capture) => capture.bytes_read(),
            Feed::Ahead(ahead) => ahead.bytes_read(),
        });
        bytes.fold(0, u64::saturating_add)
    }

    /// Returns the length of all captures together in bytes, or `None` if one of them is a stream.
    #[must_use]
    pub const fn size(&self) -> Option<u64> {
        self.size
    }

    /// Returns whether a capture is live.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.is_live
    }

    /// Returns the errors of captures that could not be read to their end, in order of discovery;
    /// complete once [`Merge::peek`] has returned `None`.
    #[must_use]
    pub fn into_errors(self) -> Vec<CaptureError> {
        self.errors
    }
}

impl Part {
    fn new(capture: Capture) -> Self {
        Self::of(Feed::Here(Box::new(capture)))
    }

    const fn of(feed: Feed) -> Self {
        Self { feed, next: None }
    }

    #[inline]
    fn advance(&mut self) {
        match (self.next.take(), &mut self.feed) {
            (Some(Next::Packet(_)), Feed::Here(capture)) => capture.advance(),
            (Some(Next::Packet(_)), Feed::Ahead(ahead)) => ahead.advance(),
            (Some(Next::Passed), feed) => drop(feed.take_passed()),
            (None, _) => {}
        }
    }
}

impl Feed {
    const fn passed(&self) -> &Passed {
        match self {
            Self::Here(capture) => capture.passed(),
            Self::Ahead(ahead) => ahead.passed(),
        }
    }

    fn take_passed(&mut self) -> Passed {
        match self {
            Self::Here(capture) => capture.take_passed(),
            Self::Ahead(ahead) => ahead.take_passed(),
        }
    }
}
