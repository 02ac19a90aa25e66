//! What happens, on its way from the engine to the thread that prints it.

use std::io;
use std::mem;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use knock_config::text::ThreadFault;
use knock_engine::Timestamp;

use super::threads;

/// What is to be printed next.
#[derive(Debug)]
pub(crate) struct Batch<T> {
    /// In the order of the transcript.
    pub(crate) effects: Vec<T>,
    /// When the first packet came: where relative times count from.
    pub(crate) start: Timestamp,
    /// Whether someone waits for these lines.
    pub(crate) flush: bool,
}

/// Where effects go.
pub(crate) struct Outgoing<T> {
    /// When the first packet came.
    start: Option<Timestamp>,
    /// What the printer has not got yet.
    effects: Vec<T>,
    printer: SyncSender<Batch<T>>,
    /// Empty lists that the printer had.
    used: Receiver<Vec<T>>,
    /// Whether each line is to be printed at once.
    live: bool,
}

/// Where the printer gets them.
pub(crate) struct ToPrint<T> {
    batches: Receiver<Batch<T>>,
    /// Lists that are printed go back to be used again: new ones would have to be fetched from memory.
    used: Sender<Vec<T>>,
}

/// Nobody prints any more.
#[derive(Debug)]
pub(crate) struct PrinterGone;

impl From<PrinterGone> for io::Error {
    /// The printer itself knows why it ended.
    fn from(PrinterGone: PrinterGone) -> Self {
        io::ErrorKind::BrokenPipe.into()
    }
}

/// How many batches may wait for the printer, which bounds what a slow reader makes us keep.
const BATCHES: usize = 16;

/// Returns both ends. If `live`, each batch is waited for.
pub(crate) fn outgoing<T>(live: bool) -> (Outgoing<T>, ToPrint<T>) {
    let (printer, batches) = sync_channel(BATCHES);
    let (give_back, used) = channel();
    let outgoing = Outgoing { start: None, effects: Vec::new(), printer, used, live };
    (outgoing, ToPrint { batches, used: give_back })
}

/// Plays while another thread prints, and returns what both return.
///
/// # Errors
/// Why there is no such thread. Nothing was played.
pub(crate) fn printing<T: Send, P: Send, R>(
    live: bool,
    print: impl FnOnce(ToPrint<T>) -> P + Send,
    play: impl FnOnce(Outgoing<T>) -> R,
) -> Result<(R, P), ThreadFault> {
    let (outgoing, to_print) = outgoing(live);
    thread::scope(|scope| {
        let printing = threads::start(scope, move || print(to_print))?;
        let played = play(outgoing);
        Ok((played, printing.join().unwrap_or_else(|panic| resume_unwind(panic))))
    })
}

impl<T> Outgoing<T> {
    /// How many effects are printed at once.
    pub(crate) const BATCH: usize = 4096;

    /// Takes the time of a packet, which may be the first.
    pub(crate) fn begin(&mut self, at: Timestamp) {
        self.start.get_or_insert(at);
    }

    /// Takes an effect.
    ///
    /// # Errors
    /// [`PrinterGone`].
    pub(crate) fn take(&mut self, effect: T) -> Result<(), PrinterGone> {
        self.effects.push(effect);
        if self.effects.len() >= Self::BATCH { self.print(self.live) } else { Ok(()) }
    }

    /// Hands over what is left. The printer ends then.
    ///
    /// # Errors
    /// [`PrinterGone`].
    pub(crate) fn end(mut self) -> Result<(), PrinterGone> {
        self.print(true)
    }

    /// Takes the effects of a packet, or of time, as complete: if packets are live, they are printed now.
    ///
    /// # Errors
    /// [`PrinterGone`].
    pub(crate) fn complete(&mut self) -> Result<(), PrinterGone> {
        if self.live { self.print(true) } else { Ok(()) }
    }

    /// Hands over what is to be printed, if there is anything. What is live is waited for: a reader
    /// that has left must be noticed now, not at the next packet.
    ///
    /// # Errors
    /// [`PrinterGone`].
    pub(crate) fn print(&mut self, flush: bool) -> Result<(), PrinterGone> {
        if self.effects.is_empty() {
            return Ok(());
        }
        let start = self.start.unwrap_or(Timestamp::EPOCH);
        let effects = mem::take(&mut self.effects);
        self.printer.send(Batch { effects, start, flush }).map_err(|_| PrinterGone)?;
        self.effects = if self.live {
            self.used.recv().map_err(|_| PrinterGone)?
        } else {
            self.used.try_recv().unwrap_or_default()
        };
        Ok(())
    }
}

impl<T> ToPrint<T> {
    /// Hands over what comes until nothing more will, or the first error of `print`, which empties the list.
    ///
    /// # Errors
    /// That of `print`.
    pub(crate) fn each<E>(
        self,
        mut print: impl FnMut(&mut Batch<T>) -> Result<(), E>,
    ) -> Result<(), E> {
        for mut batch in self.batches {
            print(&mut batch)?;
            batch.effects.clear();
            // If the receiver is gone, the list is not needed any more.
            let _ = self.used.send(batch.effects);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
