//! Packets that a thread reads and decodes, ahead of those that are handled now.

use std::mem;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use knock_compat::Sight;

use super::reader::{Events, Reader};

/// A thread that reads, and what it has read.
pub(crate) struct ReadAhead<'scope> {
    read: Receiver<Events>,
    /// Lists that are used up, to be filled again: new ones would have to be fetched from memory.
    used: Sender<Events>,
    thread: ScopedJoinHandle<'scope, Reader>,
}

impl<'scope> ReadAhead<'scope> {
    /// How many events are handed over together. The processor's cache has room for them.
    const PIECE: usize = 1024;
    /// How many pieces may wait to be handled.
    const PIECES: usize = 4;

    /// Begins to read, as rules see frames.
    pub(crate) fn begin(scope: &'scope Scope<'scope, '_>, reader: Reader, sight: Sight) -> Self {
        let (pieces, read) = sync_channel(Self::PIECES);
        let (used, to_fill) = channel();
        let thread = scope.spawn(move || read_all(reader, sight, &pieces, &to_fill));
        Self { read, used, thread }
    }

    /// Replaces events, which were handled, by the next ones; by none if there are no more.
    pub(crate) fn next(&self, events: &mut Events) {
        // If the thread has ended, it needs no list.
        let _ = self.used.send(mem::take(events));
        *events = self.read.recv().unwrap_or_default();
    }

    /// Ends reading, wherever it is, and returns the reader.
    pub(crate) fn end(self) -> Reader {
        let Self { read, thread, .. } = self;
        // The thread may wait for room.
        drop(read);
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Reads until there is no more, or the receiver is gone.
fn read_all(
    mut reader: Reader,
    sight: Sight,
    pieces: &SyncSender<Events>,
    to_fill: &Receiver<Events>,
) -> Reader {
    loop {
        let mut events = to_fill.try_recv().unwrap_or_default();
        events.clear();
        reader.read(sight, ReadAhead::PIECE, &mut events);
        if events.is_empty() || pieces.send(events).is_err() {
            return reader;
        }
    }
}

#[cfg(test)]
mod tests;
