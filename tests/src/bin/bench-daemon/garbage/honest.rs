//! Honest clients, who knock with a sequence or with a signed packet.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use knock_signed::{DEFAULT_PORT, Key, PacketKey};
use knock_tests::signed::{request, sealed};

use super::EVERY;
use crate::firewall::{ACCEPT, Opener, PORT, Watch, nft};
use crate::wire::{SEQUENCE, Wire, datagram};

/// The key of a user, and the same as it is in her file.
const KEY: [u8; 32] = *b"secret secret secret secret secr";
const KEY_TEXT: &str = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=";

const SERVER: &str = "server.example.com";
const DOOR: &str = "signed";

/// How long the last client tries to get in.
const PATIENCE: Duration = Duration::from_secs(10);

/// Honest clients of the server on a wire.
pub(super) struct Honest<'a> {
    wire: &'a Wire,
    watch: Watch<'a>,
    key: PacketKey,
    /// How they knock, in turn.
    ways: &'static [Way],
}

/// How a client knocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Sequence,
    Signed,
}

/// How long it took from honest knocks to the first SYN that got through.
#[derive(Debug, Default)]
pub(super) struct Knocks {
    /// How many knocks were made, with either.
    pub(super) made: usize,
    /// How many of them were sequences.
    pub(super) made_sequences: usize,
    /// How many packets they took.
    pub(super) packets: u64,
    /// From the last packet of a sequence.
    pub(super) sequences: Vec<Duration>,
    /// From the signed packet.
    pub(super) signed: Vec<Duration>,
}

impl<'a> Honest<'a> {
    /// Configures the server for both ways to knock.
    pub(super) fn set_up(wire: &'a Wire) -> Self {
        let folders = ["keys", "state"].map(|name| wire.path(name));
        for folder in &folders {
            fs::create_dir(folder).expect("there is room for a folder");
        }
        let [keys, state] = folders;
        let file = keys.join("alice.key");
        fs::write(&file, format!("key = {KEY_TEXT}\n")).expect("there is room for a file");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("the file is ours");
        let knocks = SEQUENCE.map(|port| port.to_string()).join(",");
        let (keys, state) = (keys.display(), state.display());
        wire.set_up_server(&nft(ACCEPT));
        wire.configure(&format!(
            "[options]\n\tServer_Name = {SERVER}\n\tKey_Dir = {keys}\n\tStateDir = {state}\n\tFirewall = nft\n\
             [sequence]\n\tsequence = {knocks}\n\tseq_timeout = 15\n\ttcpflags = syn\n\
             \tOpen = tcp/{PORT}\n\tOpen_For = 1h\n\
             [{DOOR}]\n\tSigned = alice\n\tOpen = tcp/{PORT}\n\tOpen_For = 1h\n"
        ));
        Self::new(wire, &[Way::Sequence, Way::Signed])
    }

    /// Configures the server for knockd 0.8, which knows sequences only, with a command that calls nft.
    pub(super) fn set_up_for_08(wire: &'a Wire) -> Self {
        Opener::Nft.set_up(wire);
        Self::new(wire, &[Way::Sequence])
    }

    fn new(wire: &'a Wire, ways: &'static [Way]) -> Self {
        let key = Key::take(&mut KEY.to_owned()).for_packets();
        Self { wire, watch: Watch::new(wire), key, ways }
    }

    /// Knocks so many times in each way, in turn, and does something else meanwhile. Who has knocked tries to
    /// connect after each time of that.
    pub(super) fn knocks(&mut self, trials: usize, mut meanwhile: impl FnMut()) -> Knocks {
        let mut knocks = Knocks::default();
        let mut waiting = BTreeMap::new();
        let begin = Instant::now();
        let mut last = begin;
        let all = trials * self.ways.len();
        // As many sequences in the same time, whatever else there is.
        let every = EVERY * (2 / self.ways.len() as u32);
        while knocks.made < all || (!waiting.is_empty() && last.elapsed() < PATIENCE) {
            if knocks.made < all && begin.elapsed() >= every * knocks.made as u32 {
                let client = Ipv4Addr::from(0xc612_0000 + knocks.made as u32);
                let way = self.ways[knocks.made % self.ways.len()];
                last = match way {
                    Way::Sequence => self.sequence(client),
                    Way::Signed => self.signed(client),
                };
                waiting.insert(client, (way, last));
                knocks.made_sequences += usize::from(way == Way::Sequence);
                knocks.packets += if way == Way::Sequence { SEQUENCE.len() as u64 } else { 1 };
                knocks.made += 1;
            }
            meanwhile();
            for client in waiting.keys() {
                self.wire.syn(*client, PORT);
                knocks.packets += 1;
            }
            self.watch.seen(|client| match waiting.remove(&client) {
                Some((Way::Sequence, since)) => knocks.sequences.push(since.elapsed()),
                Some((Way::Signed, since)) => knocks.signed.push(since.elapsed()),
                None => {}
            });
        }
        knocks
    }

    fn sequence(&self, client: Ipv4Addr) -> Instant {
        let [first, second, last] = SEQUENCE;
        self.wire.syn(client, first);
        self.wire.syn(client, second);
        let at = Instant::now();
        self.wire.syn(client, last);
        at
    }

    fn signed(&self, client: Ipv4Addr) -> Instant {
        let packet = sealed(&self.key, &request(SERVER, DOOR));
        let frame = datagram(client, DEFAULT_PORT, &packet);
        let at = Instant::now();
        self.wire.send(&frame);
        at
    }
}
