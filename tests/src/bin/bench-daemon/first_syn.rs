//! The time from the last knock to the first SYN that gets through.

use std::thread;

use crate::daemon::{Daemon, Program};
use crate::firewall::{Opener, Through, Watch};
use crate::flood::spoofed;
use crate::latency::{KEPT, millis, part};
use crate::table::{Millis, Table, quantile};
use crate::wire::Wire;

/// The largest allowed ratio of the median to that of knockd 0.8.
const RATIO_MAX: f64 = 0.02;

pub(crate) fn measure(ours: &Program, theirs: &Program, trials: usize, table: &mut Table) {
    crate::progress(&format!("open: {trials} knocks to each of three daemons in turn"));
    let wires = [Wire::new(), Wire::new(), Wire::new()];
    let [our_wire, iptables_wire, nft_wire] = &wires;
    let mut servers = [
        Server::start(ours, Opener::Open { seconds: 3600 }, our_wire),
        Server::start(theirs, Opener::Iptables, iptables_wire),
        Server::start(theirs, Opener::Nft, nft_wire),
    ];
    for trial in 0..trials {
        for server in &mut servers {
            server.knock(trial);
        }
    }
    let [ours, iptables, nft] = servers.map(Server::end);
    table.head("open: from the last knock to the first SYN that gets through");
    for (theirs, with) in [(&iptables, "iptables"), (&nft, "nft")] {
        let at = |share| (quantile(&ours.times, share), quantile(&theirs.times, share));
        let median = table.row(&format!("median; 0.8 with {with}"));
        let (our_median, their_median) = at(0.5);
        let ratio = median.ratio(our_median, their_median);
        median.bar(&format!("ratio <= {RATIO_MAX}"), ratio <= RATIO_MAX);
        let (ours, theirs) = at(0.9);
        table.row(&format!("90 of 100 are below; 0.8 with {with}")).ratio(ours, theirs);
    }
    let interval = |times: &Times| quantile(&times.intervals, 0.5);
    let row = table.row("of this at most, the time between two SYNs; 0.8 with iptables");
    row.ratio(interval(&ours), interval(&iptables));
}

/// A daemon that is measured.
struct Server<'a> {
    opener: Opener,
    wire: &'a Wire,
    daemon: Daemon<'a>,
    watch: Watch<'a>,
    times: Times,
}

/// What was measured.
#[derive(Debug, Default)]
struct Times {
    /// From the last knock to the first SYN that got through.
    times: Vec<Millis>,
    /// The longest time between two SYNs of a trial.
    intervals: Vec<Millis>,
}

impl<'a> Server<'a> {
    fn start(program: &Program, opener: Opener, wire: &'a Wire) -> Self {
        opener.set_up(wire);
        let daemon = Daemon::start(program, wire, &[]);
        Self { opener, wire, daemon, watch: Watch::new(wire), times: Times::default() }
    }

    /// Knocks from another address than in the trials before. When the last knock comes is random,
    /// relative to the kernel's timer for packets.
    fn knock(&mut self, trial: usize) {
        thread::sleep(part(KEPT, trial, 1));
        let client = spoofed(trial as u32);
        let through = self.watch.knock(client, || thread::sleep(KEPT / 2 + part(KEPT, trial, 2)));
        let Through { after, interval_max } = through.expect("the client gets in");
        self.times.times.push(millis(after));
        self.times.intervals.push(millis(interval_max));
        self.opener.forget(self.wire);
    }

    fn end(mut self) -> Times {
        drop(self.daemon);
        for times in [&mut self.times.times, &mut self.times.intervals] {
            times.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        self.times
    }
}
