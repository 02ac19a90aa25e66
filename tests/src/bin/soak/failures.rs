//! All that is known of an honest knock that did not open its door though nothing was down.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use crate::daemon::Daemon;
use crate::plan::Plan;
use crate::recorder::{Packet, Recorder};
use crate::visits::Door;
use crate::world::World;

/// What is done to the daemon within this time may matter.
const NEAR: Duration = Duration::from_secs(15);

/// How many packets of an end are listed.
const PACKETS_MAX: usize = 40;

/// A visit that is under way, and what can be said of it at its end.
pub(crate) struct Trial<'a> {
    pub(crate) world: &'a World,
    pub(crate) daemon: &'a Daemon,
    pub(crate) recorder: &'a Recorder,
    pub(crate) plan: Plan,
    door: Door,
    client: IpAddr,
    begin: Instant,
    began_at: SystemTime,
    /// How many packets the cable had dropped.
    dropped: u64,
}

/// Where the knocks were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// All of them have reached the server, in order.
    Daemon,
    /// The cable has dropped one, and counted that, or has brought them in another order.
    Cable,
    /// One has not reached the server, and nothing says why.
    Unknown,
}

/// A failed knock.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) blame: Blame,
    /// All that is known of it.
    pub(crate) text: String,
}

impl<'a> Trial<'a> {
    /// Begins to observe a visit.
    pub(crate) fn begin(
        world: &'a World,
        daemon: &'a Daemon,
        recorder: &'a Recorder,
        plan: Plan,
        (door, client): (Door, IpAddr),
    ) -> Self {
        let (begin, began_at) = (Instant::now(), SystemTime::now());
        let dropped = world.dropped();
        Self { world, daemon, recorder, plan, door, client, begin, began_at, dropped }
    }

    /// Returns what is known of it, after it has failed.
    pub(crate) fn explain(&self) -> Failure {
        let sent = self.recorder.client.of(self.client, self.began_at);
        let arrived = self.recorder.server.of(self.client, self.began_at);
        let dropped = self.world.dropped() - self.dropped;
        let blame = self.blame(&sent, &arrived, dropped);
        let text = self.text(blame, &sent, &arrived, dropped);
        Failure { blame, text }
    }

    fn blame(&self, sent: &[Packet], arrived: &[Packet], dropped: u64) -> Blame {
        let wanted = self.door.knock_ports();
        let (sent, arrived) = (self.knocks(sent), self.knocks(arrived));
        if arrived == wanted {
            return Blame::Daemon;
        }
        let mut sorted = arrived.clone();
        sorted.sort_by_key(|port| wanted.iter().position(|one| one == port));
        let is_reordered = sorted == wanted;
        if sent == wanted && (is_reordered || dropped > 0) { Blame::Cable } else { Blame::Unknown }
    }

    /// Returns the ports of the door at which these packets knock, in order.
    fn knocks(&self, packets: &[Packet]) -> Vec<u16> {
        let of_client = packets.iter().filter(|packet| packet.from == self.client);
        let ports = of_client.filter_map(Packet::knocks_at);
        ports.filter(|port| self.door.knock_ports().contains(port)).collect()
    }

    fn text(&self, blame: Blame, sent: &[Packet], arrived: &[Packet], dropped: u64) -> String {
        let Self { door, client, daemon, .. } = self;
        let mut text = String::new();
        let lost = match blame {
            Blame::Daemon => "its knocks have reached the server in order",
            Blame::Cable => "the cable has lost one of its knocks or changed their order",
            Blame::Unknown => "not all of its knocks have reached the server, and nothing says why",
        };
        let at = self.plan.seconds(self.begin);
        let mut line = |line: String| writeln!(text, "{line}").unwrap();
        line(format!("{} for {client} at {at:.2} s did not open: {lost}", door.name()));
        line(format!("  the cable has dropped {dropped} packets meanwhile"));
        for (end, packets) in [("the client's", sent), ("the server's", arrived)] {
            line(format!("  seen at {end} interface: {} packets", packets.len()));
            for Packet { at, from, content, .. } in packets.iter().take(PACKETS_MAX) {
                let after = at.duration_since(self.began_at).unwrap_or_default().as_secs_f64();
                let from = if from == client { "from" } else { "to" };
                line(format!("    {after:9.4} s  {from} the client: {content}"));
            }
        }
        line("  done to the daemon".to_owned());
        for deed in daemon.history.around(self.begin, Instant::now(), NEAR) {
            let [from, until] = [Some(deed.from), deed.until].map(|at| {
                let now = Instant::now();
                self.plan.seconds(at.unwrap_or(now)) - self.plan.seconds(self.begin)
            });
            line(format!("    {from:9.4} s to {until:9.4} s  {}", deed.what));
        }
        line("  what the daemon says of it".to_owned());
        let counts = daemon.ask("metrics").stdout;
        let counts = counts.lines().filter(|line| {
            !line.starts_with('#')
                && ["lost", "evicted", "refused", "forgotten"].iter().any(|one| line.contains(one))
        });
        for said in daemon.ask(&format!("explain {client}")).stdout.lines().chain(counts) {
            line(format!("    {said}"));
        }
        text
    }
}
