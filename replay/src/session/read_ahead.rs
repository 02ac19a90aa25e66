//! Packets that a thread reads and decodes, ahead of those that are handled now.

use std::mem;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use super::reader::{Decoder, Reader};
use super::threads;

/// Who reads.
pub(crate) enum ReadAhead<'scope, T> {
    /// A thread.
    Thread(ReadingThread<'scope, T>),
    /// Whoever wants more, where there is no thread to be had.
    Here(Box<Read<'scope, T>>),
}

/// Appends what comes next.
type Read<'a, T> = dyn FnMut(&mut Vec<T>) + 'a;

/// A thread that reads, and what it has read.
pub(crate) struct ReadingThread<'scope, T> {
    read: Receiver<Vec<T>>,
    /// Lists that are used up, to be filled again: new ones would have to be fetched from memory.
    used: Sender<Vec<T>>,
    thread: ScopedJoinHandle<'scope, ()>,
}

/// How many inputs are handed over together. The processor's cache has room for them; with fewer, threads that share
/// two processors wake one another too often.
const PIECE: usize = 4096;
/// How many pieces may wait to be handled.
const PIECES: usize = 4;

impl<'scope, T: Send + 'scope> ReadAhead<'scope, T> {
    /// Begins to read.
    pub(crate) fn begin<D: Decoder<Input = T> + Send + 'scope>(
        scope: &'scope Scope<'scope, '_>,
        reader: &'scope mut Reader,
        decoder: D,
    ) -> Self {
        let (pieces, read) = sync_channel(PIECES);
        let (used, to_fill) = channel();
        // The reader follows when there is a thread: one that cannot be started takes what it was to work on with it.
        let (hand_over, handed) = channel();
        let work = move || {
            if let Ok((reader, decoder)) = handed.recv() {
                read_all(reader, &decoder, &pieces, &to_fill);
            }
        };
        match threads::start(scope, work) {
            Ok(thread) => {
                // It waits for this.
                let _ = hand_over.send((reader, decoder));
                Self::Thread(ReadingThread { read, used, thread })
            }
            Err(_) => Self::Here(Box::new(move |inputs| reader.read(&decoder, PIECE, inputs))),
        }
    }

    /// Replaces inputs, which were handled, by the next ones; by none if there are no more.
    pub(crate) fn next(&mut self, inputs: &mut Vec<T>) {
        match self {
            Self::Thread(ReadingThread { read, used, .. }) => {
                // If the thread has ended, it needs no list.
                let _ = used.send(mem::take(inputs));
                *inputs = read.recv().unwrap_or_default();
            }
            Self::Here(read) => {
                inputs.clear();
                read(inputs);
            }
        }
    }

    /// Ends reading, wherever it is.
    pub(crate) fn end(self) {
        let Self::Thread(ReadingThread { read, thread, .. }) = self else { return };
        // The thread may wait for room.
        drop(read);
        thread.join().unwrap_or_else(|panic| resume_unwind(panic));
    }
}

/// Reads until there is no more, or the receiver is gone.
fn read_all<D: Decoder>(
    reader: &mut Reader,
    decoder: &D,
    pieces: &SyncSender<Vec<D::Input>>,
    to_fill: &Receiver<Vec<D::Input>>,
) {
    loop {
        let mut inputs = to_fill.try_recv().unwrap_or_default();
        inputs.clear();
        reader.read(decoder, PIECE, &mut inputs);
        if inputs.is_empty() || pieces.send(inputs).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
