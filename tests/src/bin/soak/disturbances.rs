//! What is done to the daemon.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::daemon::Daemon;
use crate::logs::Logs;
use crate::visits::{Door, visit, wait_until_reached};
use crate::world::{World, server_for};

/// How long a link is down.
const DOWN: Duration = Duration::from_secs(1);

/// How long a new address is there before it is used: its kernel message is on its way to the daemon.
const NEW: Duration = Duration::from_secs(1);

/// Addresses of the client's end that no honest client has.
const STRANGERS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10)),
];

/// What is done again and again.
const CALM: [(&str, Disturbance); 8] = [
    ("reload", Disturber::reload),
    ("address changed", Disturber::change_address),
    ("log rotated with SIGUSR1", Disturber::rotate),
    ("reload of another configuration", Disturber::reload_changed),
    ("link down and up", Disturber::flap),
    ("knockctl", Disturber::ask),
    ("log rotated with SIGHUP", Disturber::rotate_and_reload),
    ("reload of a broken configuration", Disturber::reload_broken),
];

/// What ends processes.
const KILLS: [(&str, Disturbance); 4] = [
    ("sniffer killed", |this| this.daemon.kill_sniffer()),
    ("runner killed", |this| this.daemon.kill(false)),
    ("both killed", |this| this.daemon.kill(true)),
    ("restart", |this| this.daemon.restart()),
];

type Disturbance = fn(&mut Disturber);

/// Does them, one after the other.
pub(crate) struct Disturber {
    world: Arc<World>,
    daemon: Arc<Daemon>,
    pub(crate) logs: Logs,
    /// How often each was done.
    pub(crate) done: BTreeMap<&'static str, u32>,
    /// How many knocks were made at addresses that were new, and how many opened their door.
    pub(crate) new_addresses: (u32, u32),
    /// How many calm ones were done.
    calm: usize,
    kills: usize,
}

impl Disturber {
    pub(crate) fn new(world: &Arc<World>, daemon: &Arc<Daemon>) -> Self {
        let all = CALM.iter().chain(&KILLS);
        Self {
            world: Arc::clone(world),
            daemon: Arc::clone(daemon),
            logs: Logs::new(world),
            done: all.map(|(name, _)| (*name, 0)).collect(),
            new_addresses: (0, 0),
            calm: 0,
            kills: 0,
        }
    }

    /// Does the next one: every other one ends processes, if it may.
    pub(crate) fn disturb(&mut self, may_kill: bool) {
        let (name, disturbance) = if may_kill && self.kills <= self.calm {
            self.kills += 1;
            KILLS[(self.kills - 1) % KILLS.len()]
        } else {
            self.calm += 1;
            // After a long calm time, kills are not made up for.
            self.kills = self.kills.max(self.calm);
            CALM[(self.calm - 1) % CALM.len()]
        };
        let daemon = Arc::clone(&self.daemon);
        daemon.history.during(name, || disturbance(self));
        *self.done.entry(name).or_default() += 1;
    }

    fn reload(&mut self) {
        self.must_ask("reload");
    }

    fn reload_changed(&mut self) {
        // Other ports every time, so that the kernel's filter changes, too.
        let port = 8_200 + u16::try_from(self.calm % 100).unwrap();
        self.world.configure(port);
        self.daemon.signal("HUP");
    }

    fn reload_broken(&mut self) {
        let path = self.world.path("knockd.conf");
        let good = fs::read(&path).unwrap();
        fs::write(&path, "[ssh]\nSequence = soon\n").unwrap();
        let before = self.daemon.line_count();
        self.daemon.signal("HUP");
        assert!(self.daemon.wait_for("reload rejected: ", before), "a broken file is rejected");
        fs::write(&path, good).unwrap();
    }

    fn flap(&mut self) {
        let Self { daemon, world, .. } = self;
        daemon.outages.during("the link is down", false, || {
            let before = daemon.line_count();
            world.must("ip link set server down");
            thread::sleep(DOWN);
            world.must("ip link set server up");
            assert!(daemon.wait_for("server is up", before), "the daemon sees that the link is up");
            // A link that is up is not yet one over which packets pass: each end asks for the address of the other one
            // first, once a second, and with IPv6 the server answers only when it has taken up its address again. On a
            // busy machine that has taken two seconds; after three, a client gives up what it has to send.
            let reach = || STRANGERS.map(|from| wait_until_reached(from, server_for(from)));
            world.client().spawn(reach).join().unwrap();
        });
    }

    /// Gives the server another address, and knocks at that one.
    fn change_address(&mut self) {
        let number = u8::try_from(2 + self.calm % 7).unwrap();
        let address = Ipv4Addr::new(198, 51, 100, number);
        self.world.must(&format!("ip address add {address}/24 dev server"));
        thread::sleep(NEW);
        let client = STRANGERS[0];
        let knock = move || visit(Door::Ssh, client, address.into());
        let opened = self.world.client().spawn(knock).join().unwrap();
        self.new_addresses.0 += 1;
        self.new_addresses.1 += u32::from(opened);
        if opened {
            self.must_ask(&format!("close {client}"));
        }
        self.world.must(&format!("ip address delete {address}/24 dev server"));
    }

    fn rotate(&mut self) {
        self.logs.rotate(&self.daemon, "USR1");
    }

    fn rotate_and_reload(&mut self) {
        self.logs.rotate(&self.daemon, "HUP");
    }

    /// Asks, and leaves a connection that says nothing useful.
    fn ask(&mut self) {
        for command in ["status", "list", "attempts", "explain 192.0.2.10", "metrics"] {
            self.must_ask(command);
        }
        let socket = format!("/proc/{}/root/run/knockd/knockd.varlink", self.world.server().id());
        let mut abandoned = UnixStream::connect(socket).unwrap();
        std::io::Write::write_all(&mut abandoned, b"{\"method\":").unwrap();
    }

    fn must_ask(&self, command: &str) {
        let outcome = self.daemon.ask(command);
        assert_eq!(outcome.status, Some(0), "knockctl {command}: {}", outcome.stderr);
    }
}
