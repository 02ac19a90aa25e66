//! Several captures as one, in order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;

use knock_engine::{LinkType, Timestamp};

use super::{Capture, CaptureError, Head, Passed};

/// Several captures as one, in order of time; packets of one time come in the order of the
/// captures.
///
/// Packets of one capture stay in their order, even where its time runs backwards. A capture that
/// ends in an error takes part up to there; the others go on.
pub struct Merge {
    captures: Vec<Capture>,
    /// The time of the next packet of each capture that has one.
    next: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// The next packet of each capture that is in `next`.
    heads: Vec<Option<Head>>,
    /// The captures whose next packet is not known yet.
    unknown: Vec<usize>,
    /// Whether any capture is of a kind that names the addresses of its interfaces.
    may_name_addresses: bool,
    errors: Vec<CaptureError>,
}

impl Merge {
    /// Takes captures; their order decides between packets of one time.
    #[must_use]
    pub fn new(captures: Vec<Capture>) -> Self {
        let unknown = (0..captures.len()).rev().collect();
        let heads = vec![None; captures.len()];
        let may_name_addresses = captures.iter().any(Capture::may_name_addresses);
        let (next, errors) = (BinaryHeap::new(), Vec::new());
        Self { captures, next, heads, unknown, may_name_addresses, errors }
    }

    /// Returns what the next packet is, or `None` after the last one. May wait for a live capture.
    #[expect(clippy::inline_always, reason = "a call for each packet costs a fifth of the time")]
    #[inline(always)]
    pub fn peek(&mut self) -> Option<Head> {
        while let Some(index) = self.unknown.pop() {
            let (capture, known) = (self.captures.get_mut(index)?, self.heads.get_mut(index)?);
            match capture.peek() {
                Ok(head) => {
                    *known = head;
                    self.next.extend(head.map(|head| Reverse((head.at, index))));
                }
                Err(error) => self.errors.push(error),
            }
        }
        let Reverse((_, index)) = self.next.peek()?;
        *self.heads.get(*index)?
    }

    /// Returns what the next packet is that may be wanted, as [`Capture::pass_over`] does. With several
    /// captures, none are passed over: which packet comes next depends on all of their times.
    #[inline]
    pub fn peek_wanted(&mut self, is_unwanted: &impl Fn(LinkType, &[u8]) -> bool) -> Option<Head> {
        if let ([capture], [0]) = (self.captures.as_mut_slice(), self.unknown.as_slice())
            && let Err(error) = capture.pass_over(is_unwanted)
        {
            self.errors.push(error);
        }
        self.peek()
    }

    /// Returns what was passed over since the last call.
    pub fn take_passed(&mut self) -> Passed {
        match self.captures.as_mut_slice() {
            [capture] => capture.take_passed(),
            _ => Passed::default(),
        }
    }

    /// Returns the bytes of the packet that [`Merge::peek`] returned; none before the first call.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        let first = self.next.peek().and_then(|Reverse((_, index))| self.captures.get(*index));
        first.map(Capture::frame).unwrap_or_default()
    }

    /// Returns the index, from 0, of the capture that has the packet which [`Merge::peek`] returned.
    #[inline]
    #[must_use]
    pub fn index(&self) -> usize {
        self.next.peek().map_or(0, |Reverse((_, index))| *index)
    }

    /// Returns the names of the captures, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.captures.iter().map(Capture::name)
    }

    /// Moves past the packet that [`Merge::peek`] returned, if there is one.
    pub fn advance(&mut self) {
        if !self.unknown.is_empty() {
            return;
        }
        if let Some(Reverse((_, index))) = self.next.pop() {
            if let Some(capture) = self.captures.get_mut(index) {
                capture.advance();
            }
            self.unknown.push(index);
        }
    }

    /// Returns the addresses that interfaces of the captures have named since the last call.
    pub fn take_local_addresses(&mut self) -> Vec<IpAddr> {
        if !self.may_name_addresses {
            return Vec::new();
        }
        self.captures.iter_mut().flat_map(Capture::take_local_addresses).collect()
    }

    /// Returns how many bytes of all captures were read, counted as on the disk.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.captures.iter().map(Capture::bytes_read).fold(0, u64::saturating_add)
    }

    /// Returns the length of all captures together in bytes, or `None` if one of them is a stream.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.captures.iter().map(Capture::size).try_fold(0, |sum: u64, size| sum.checked_add(size?))
    }

    /// Returns whether a capture is live.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.captures.iter().any(Capture::is_live)
    }

    /// Returns the errors of captures that could not be read to their end, in order of discovery;
    /// complete once [`Merge::peek`] has returned `None`.
    #[must_use]
    pub fn into_errors(self) -> Vec<CaptureError> {
        self.errors
    }
}
