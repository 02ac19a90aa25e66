//! Captures that are read by threads, ahead of the packet that is used now.
//!
//! Each capture is read in pieces, one after the other. Which thread reads a piece, and when, changes nothing
//! of what is in it.

use std::any::Any;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::{Capture, CaptureError, Head, Next, Passed, Unwanted};

/// The threads, and what they have read.
pub(super) struct Threads {
    to_read: Sender<Job>,
    done: Receiver<Result<Job, Box<dyn Any + Send>>>,
    /// By capture, a piece that has come and is not used yet.
    ready: Vec<Option<Job>>,
}

/// A capture that is to be read on, and where to put what is read.
struct Job {
    index: usize,
    capture: Capture,
    piece: Piece,
}

/// How a piece is read.
#[derive(Clone)]
struct Manner {
    is_unwanted: Option<Unwanted>,
    /// About how many bytes a piece takes.
    room: usize,
}

impl Threads {
    /// About how many bytes the pieces of all captures take together; each has two.
    const ROOM: usize = 64 << 20;
    /// The least and the most that a piece takes.
    const PIECE: (usize, usize) = (4 << 10, 256 << 10);

    /// Has threads read these captures. Returns them and where each capture is taken from.
    ///
    /// # Errors
    /// The captures, where the system starts no thread.
    pub(super) fn read(
        captures: Vec<Capture>,
        is_unwanted: Option<&Unwanted>,
    ) -> Result<(Self, Vec<Ahead>), Vec<Capture>> {
        let (least, most) = Self::PIECE;
        let room = Self::ROOM.checked_div(captures.len().saturating_mul(2)).unwrap_or(most);
        let manner = Manner { is_unwanted: is_unwanted.cloned(), room: room.clamp(least, most) };
        let (to_read, jobs) = channel::<Job>();
        let (results, done) = channel();
        let jobs = Arc::new(Mutex::new(jobs));
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = (0..processors.min(captures.len())).map_while(|_| {
            let (jobs, results, manner) = (Arc::clone(&jobs), results.clone(), manner.clone());
            thread::Builder::new().spawn(move || work(&jobs, &results, &manner)).ok()
        });
        // Fewer than wanted read all captures as well.
        if threads.count() == 0 {
            return Err(captures);
        }
        let (mut ready, mut feeds) = (Vec::new(), Vec::new());
        for (index, capture) in captures.into_iter().enumerate() {
            feeds.push(Ahead::new(index, &capture));
            ready.push(None);
            // There is a thread, which waits for it.
            let _ = to_read.send(Job { index, capture, piece: Piece::default() });
        }
        Ok((Self { to_read, done, ready }, feeds))
    }

    /// Takes the next piece of a capture, and has the one after it read. `used` is the one before.
    fn next(&mut self, index: usize, mut used: Piece) -> Piece {
        loop {
            if let Some(Job { capture, piece, .. }) =
                self.ready.get_mut(index).and_then(Option::take)
            {
                if !piece.is_last {
                    used.clear();
                    // As above.
                    let _ = self.to_read.send(Job { index, capture, piece: used });
                }
                return piece;
            }
            match self.done.recv() {
                Ok(Ok(job)) => {
                    if let Some(place) = self.ready.get_mut(job.index) {
                        *place = Some(job);
                    }
                }
                Ok(Err(panic)) => resume_unwind(panic),
                // All threads have ended, which they do only after this has gone.
                Err(_) => return Piece { is_last: true, ..Piece::default() },
            }
        }
    }
}

/// Reads pieces until there will be no more to read.
fn work(
    jobs: &Mutex<Receiver<Job>>,
    done: &Sender<Result<Job, Box<dyn Any + Send>>>,
    manner: &Manner,
) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut job) = job else { return };
        let read = catch_unwind(AssertUnwindSafe(|| {
            job.piece.fill(&mut job.capture, manner);
            job
        }));
        if done.send(read).is_err() {
            return;
        }
    }
}

/// A part of a capture.
#[derive(Default)]
struct Piece {
    steps: VecDeque<Step>,
    /// The bytes of the packets, one after another.
    frames: Vec<u8>,
    /// How many bytes of the capture were read up to its end.
    bytes_read: u64,
    /// Whether the capture ends with it.
    is_last: bool,
}

/// Something that was read.
enum Step {
    /// A packet of so many bytes.
    Packet(Head, usize),
    Passed(Passed),
    Addresses(Vec<IpAddr>),
    Error(Box<CaptureError>),
}

impl Piece {
    /// A piece ends after so many bytes of the file, even if it has few packets.
    const STRETCH: u64 = 64 << 20;

    fn clear(&mut self) {
        self.steps.clear();
        self.frames.clear();
    }

    fn fill(&mut self, capture: &mut Capture, Manner { is_unwanted, room }: &Manner) {
        let end = capture.bytes_read().saturating_add(Self::STRETCH);
        while !self.is_last && self.size() < *room && capture.bytes_read() < end {
            let next = capture.next(is_unwanted.as_ref());
            let addresses = capture.take_local_addresses();
            if !addresses.is_empty() {
                self.steps.push_back(Step::Addresses(addresses));
            }
            match next {
                Ok(Some(Next::Packet(head))) => {
                    let frame = capture.frame();
                    self.frames.extend_from_slice(frame);
                    self.steps.push_back(Step::Packet(head, frame.len()));
                    capture.advance();
                }
                Ok(Some(Next::Passed)) => {
                    self.steps.push_back(Step::Passed(capture.take_passed()));
                }
                Ok(None) => self.is_last = true,
                Err(error) => self.steps.push_back(Step::Error(Box::new(error))),
            }
        }
        self.bytes_read = capture.bytes_read();
    }

    fn size(&self) -> usize {
        self.steps.len().saturating_mul(size_of::<Step>()).saturating_add(self.frames.len())
    }
}

/// A capture that threads read.
pub(super) struct Ahead {
    index: usize,
    piece: Piece,
    /// Where the bytes of the next packet begin.
    start: usize,
    passed: Passed,
    addresses: Vec<IpAddr>,
}

impl Ahead {
    fn new(index: usize, capture: &Capture) -> Self {
        let piece = Piece { bytes_read: capture.bytes_read(), ..Piece::default() };
        let (start, passed, addresses) = (0, Passed::default(), Vec::new());
        Self { index, piece, start, passed, addresses }
    }

    /// As [`Capture::next`].
    pub(super) fn next(&mut self, threads: &mut Threads) -> Result<Option<Next>, CaptureError> {
        loop {
            if self.passed.packets > 0 {
                return Ok(Some(Next::Passed));
            }
            if let Some(&Step::Packet(head, _)) = self.piece.steps.front() {
                return Ok(Some(Next::Packet(head)));
            }
            match self.piece.steps.pop_front() {
                Some(Step::Passed(passed)) => self.passed.add(passed),
                Some(Step::Addresses(addresses)) => self.addresses.extend(addresses),
                Some(Step::Error(error)) => return Err(*error),
                // It would have been returned above.
                Some(Step::Packet(..)) => {}
                None if self.piece.is_last => return Ok(None),
                None => {
                    self.piece = threads.next(self.index, std::mem::take(&mut self.piece));
                    self.start = 0;
                }
            }
        }
    }

    pub(super) fn frame(&self) -> &[u8] {
        let Some(&Step::Packet(_, length)) = self.piece.steps.front() else { return &[] };
        let bytes = self.piece.frames.get(self.start..).unwrap_or_default();
        bytes.get(..length).unwrap_or_default()
    }

    pub(super) fn advance(&mut self) {
        if let Some(&Step::Packet(_, length)) = self.piece.steps.front() {
            self.start = self.start.saturating_add(length);
            self.piece.steps.pop_front();
        }
    }

    pub(super) const fn passed(&self) -> &Passed {
        &self.passed
    }

    pub(super) fn take_passed(&mut self) -> Passed {
        std::mem::take(&mut self.passed)
    }

    pub(super) fn take_local_addresses(&mut self) -> Vec<IpAddr> {
        std::mem::take(&mut self.addresses)
    }

    pub(super) const fn bytes_read(&self) -> u64 {
        self.piece.bytes_read
    }
}
