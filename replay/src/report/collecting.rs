//! A thread that keeps what happened: words for it take longer than it takes to happen.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use knock_config::text::ThreadFault;
use knock_engine::Listening;

use super::collect::PageContent;
use crate::explain::{CaptureNames, Explanation, Words};
use crate::session::load::Configuration;
use crate::session::threads;

/// What is on its way to the thread, and the thread.
pub(super) struct Collecting<'scope> {
    batch: Batch,
    batches: SyncSender<Batch>,
    /// Empty lists that the thread had.
    used: Receiver<Vec<Happened>>,
    thread: ScopedJoinHandle<'scope, PageContent>,
}

/// What happened, and the number of its pair of client and door.
type Happened = (u32, Explanation);

/// Some of what happened, while these destinations counted.
struct Batch {
    listening: Listening,
    happened: Vec<Happened>,
}

impl<'scope> Collecting<'scope> {
    /// How much is handed over together. The processor's cache has room for it.
    const BATCH: usize = 1024;
    /// How many batches may wait.
    const WAITING: usize = 4;

    /// Begins to keep what happens at the doors of a configuration, while these destinations count.
    ///
    /// # Errors
    /// Why there is no thread.
    pub(super) fn begin(
        scope: &'scope Scope<'scope, '_>,
        kept: PageContent,
        config: &'scope Configuration,
        captures: &'scope CaptureNames,
        listening: Listening,
    ) -> Result<Self, ThreadFault> {
        let (batches, to_keep) = sync_channel(Self::WAITING);
        let (give_back, used) = channel();
        let thread =
            threads::start(scope, move || keep(kept, config, captures, &to_keep, &give_back))?;
        let batch = Batch { listening, happened: Vec::with_capacity(Self::BATCH) };
        Ok(Self { batch, batches, used, thread })
    }

    /// Takes what happened while these destinations count.
    pub(super) fn add(&mut self, pair: u32, one: &Explanation, listening: &Listening) {
        if self.batch.listening != *listening {
            self.hand_over();
            self.batch.listening.clone_from(listening);
        }
        self.batch.happened.push((pair, *one));
        if self.batch.happened.len() >= Self::BATCH {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        let next = self.used.try_recv().unwrap_or_default();
        let happened = std::mem::replace(&mut self.batch.happened, next);
        let listening = self.batch.listening.clone();
        // If the thread is gone, it has panicked, which its end says.
        let _ = self.batches.send(Batch { listening, happened });
    }

    /// Ends the thread, and returns what it has kept.
    pub(super) fn end(mut self) -> PageContent {
        self.hand_over();
        let Self { batches, thread, .. } = self;
        drop(batches);
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Keeps what comes until there is no more.
fn keep(
    mut kept: PageContent,
    config: &Configuration,
    captures: &CaptureNames,
    batches: &Receiver<Batch>,
    used: &Sender<Vec<Happened>>,
) -> PageContent {
    let Configuration { doors, places, .. } = config;
    for Batch { listening, mut happened } in batches {
        let words = Words { doors, listening: &listening, places, captures };
        for (pair, one) in &happened {
            kept.add(*pair, one, &words);
        }
        happened.clear();
        // At the end nobody needs it any more.
        let _ = used.send(happened);
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::path::Path;
    use std::thread;

    use knock_config::Setup;
    use knock_engine::{Doors, Timestamp};

    use super::super::collect::Limits;
    use super::*;
    use crate::explain::{Places, Verdict, Why};

    /// Lets more packets than fit into a batch go to a wrong address while one address counts, and one more
    /// while another does.
    #[test]
    fn all_is_kept_in_its_order_and_with_the_destinations_that_counted_then() {
        let conf = b"[d]\nsequence = 1,2,3\ncommand =\n";
        let door = knock_config::parse(conf).config.unwrap().doors.remove(0).door();
        let doors = Doors::new(vec![door]).unwrap();
        let (door, _) = doors.in_order().next().unwrap();
        let places = Places::new(Path::new("knockd.conf"), &Setup::load(Path::new("/dev/null")));
        let config = Configuration { name: String::new(), doors, places };
        let captures = CaptureNames::new(vec![String::new()]);
        let [first, second] = [1, 2].map(|last| Listening::at([IpAddr::from([192, 0, 2, last])]));
        let happened = |number: usize| Explanation {
            at: Timestamp::EPOCH,
            client: u32::try_from(number).unwrap().to_be_bytes().into(),
            door,
            attempt: None,
            packet: None,
            of: 3,
            sequence_line: None,
            verdict: Verdict::Ignored(Why::OtherDestination),
        };
        let many = 3 * Collecting::BATCH + 7;
        let kept = thread::scope(|scope| {
            let kept = PageContent::new(Limits::MEMORY);
            let mut collecting =
                Collecting::begin(scope, kept, &config, &captures, first.clone()).unwrap();
            let pair = |number| u32::try_from(number).unwrap();
            for number in 0..many {
                collecting.add(pair(number), &happened(number), &first);
            }
            collecting.add(pair(many), &happened(many), &second);
            collecting.end()
        });
        let clients: Vec<IpAddr> = kept.pairs.iter().map(|pair| pair.client).collect();
        assert_eq!(clients, (0..=many).map(|number| happened(number).client).collect::<Vec<_>>());
        let texts = [0, 1, 2].map(|place| kept.phrases.texts.get(place).map(String::as_str));
        let text = |address| format!("not heard: not our address (expected {address})");
        let [first, second] = ["192.0.2.1", "192.0.2.2"].map(text);
        assert_eq!(texts, [Some(&*first), Some(&*second), None]);
    }
}
