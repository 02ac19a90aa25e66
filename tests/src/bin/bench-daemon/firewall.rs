//! A server whose firewall closes a port, and what opens it.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::wire::{SEQUENCE, Wire};

/// The port that a knock opens.
pub(crate) const PORT: u16 = 22;

/// How often a client tries to connect.
const INTERVAL: Duration = Duration::from_micros(20);

/// How long a client tries.
const PATIENCE: Duration = Duration::from_secs(20);

/// What lets a client in who has knocked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Opener {
    /// knockd itself: `Open`, for so many seconds.
    Open { seconds: u32 },
    /// knockd 0.8, with a command that calls iptables.
    Iptables,
    /// knockd 0.8, with a command that calls nft.
    Nft,
}

impl Opener {
    /// Sets up the firewall of a server, and the configuration of its daemon.
    ///
    /// The firewall refuses everything else. The knocks are among that, as on most servers.
    pub(crate) fn set_up(self, wire: &Wire) {
        let knocks = SEQUENCE.map(|port| port.to_string()).join(",");
        let door = format!("[door]\n\tsequence = {knocks}\n\tseq_timeout = 15\n\ttcpflags = syn\n");
        let (firewall, config) = match self {
            Self::Open { seconds } => {
                // In the folder of the machine, it would be noted that this machine has been guarded.
                let folder = wire.path("state");
                fs::create_dir(&folder).expect("there is room for a folder");
                let options =
                    format!("[options]\n\tFirewall = nft\n\tStateDir = {}\n", folder.display());
                let open = format!("\tOpen = tcp/{PORT}\n\tOpen_For = {seconds}s\n");
                (nft(ACCEPT), [options, door, open].concat())
            }
            Self::Iptables => {
                let command = format!("iptables -I INPUT -s %IP% -p tcp --dport {PORT} -j ACCEPT");
                (
                    "iptables -P INPUT DROP\n".to_owned(),
                    format!("{door}\tstart_command = {command}\n"),
                )
            }
            Self::Nft => {
                let rule = format!("ip saddr @admitted tcp dport {PORT} accept");
                let command = "nft add element inet filter admitted { %IP% }";
                (nft(&rule), format!("{door}\tstart_command = {command}\n"))
            }
        };
        wire.set_up_server(&firewall);
        wire.configure(&config);
    }

    /// Removes what the commands have added, so that the firewall of the last trial is that of the first.
    pub(crate) fn forget(self, wire: &Wire) {
        match self {
            // The client of the next trial is another one.
            Self::Open { .. } => {}
            Self::Iptables => wire.set_up_server("iptables -w -F INPUT"),
            Self::Nft => wire.set_up_server("nft flush set inet filter admitted"),
        }
    }
}

/// A rule that leaves the port open. A table of knockd's own closes it.
pub(crate) const ACCEPT: &str = "tcp dport 22 accept";

/// Returns a script for a firewall that drops everything but what one rule accepts.
pub(crate) fn nft(rule: &str) -> String {
    format!(
        "nft -f - <<'END'\ntable inet filter {{\n\
         set admitted {{ type ipv4_addr; }}\n\
         chain input {{ type filter hook input priority 0; policy drop; {rule}; }}\n}}\nEND\n"
    )
}

/// When a client got in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Through {
    /// From the last knock to the first SYN that got through.
    pub(crate) after: Duration,
    /// The longest time between two SYNs until then: `after` is too long by this at most.
    pub(crate) interval_max: Duration,
}

/// Sees which packets the firewall of a server lets through.
///
/// The kernel gives a copy of each TCP packet to a raw socket, but only after the firewall's hook `input`.
/// A packet that is sent on a veth pair is there before the call that sends it returns, unless the kernel
/// postpones the work; then it is seen after one of the next SYNs.
pub(crate) struct Watch<'a> {
    wire: &'a Wire,
    socket: Socket,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(wire: &'a Wire) -> Self {
        let socket = wire.open_at_server(|| {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::TCP)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        });
        Self { wire, socket }
    }

    /// Knocks, pausing before the last knock, and tries to connect from the last knock on.
    ///
    /// A SYN follows the last knock at once, and then one every `INTERVAL`, without sleeping; after each the
    /// program looks whether one of them got through. `None` if none did in time.
    pub(crate) fn knock(&mut self, client: Ipv4Addr, pause: impl FnOnce()) -> Option<Through> {
        let [first, second, last] = SEQUENCE;
        self.wire.syn(client, PORT);
        self.wire.syn(client, first);
        self.wire.syn(client, second);
        pause();
        assert!(!self.has_seen(client), "{client} gets through without a knock");
        let begin = Instant::now();
        self.wire.syn(client, last);
        let (mut sent, mut interval_max) = (begin, Duration::ZERO);
        loop {
            let now = Instant::now();
            interval_max = interval_max.max(now - sent);
            sent = now;
            self.wire.syn(client, PORT);
            if self.has_seen(client) {
                return Some(Through { after: begin.elapsed(), interval_max });
            }
            if begin.elapsed() > PATIENCE {
                return None;
            }
            while sent.elapsed() < INTERVAL {
                std::hint::spin_loop();
            }
        }
    }

    /// Returns whether a packet of a client to the port got through since the last call.
    fn has_seen(&mut self, client: Ipv4Addr) -> bool {
        let mut has_seen = false;
        self.seen(|one| has_seen |= one == client);
        has_seen
    }

    /// Looks at whose packets to the port got through since the last call.
    pub(crate) fn seen(&mut self, mut see: impl FnMut(Ipv4Addr)) {
        let mut packet = [0; 128];
        loop {
            match self.socket.read(&mut packet) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                length => {
                    let length = length.expect("a raw socket can be read");
                    client_of(&packet[..length]).into_iter().for_each(&mut see);
                }
            }
        }
    }
}

/// Returns whom an IPv4 packet with a TCP segment to the port is from.
fn client_of(packet: &[u8]) -> Option<Ipv4Addr> {
    let header = usize::from(packet[0] & 0x0f) * 4;
    let source: [u8; 4] = *packet[12..].first_chunk()?;
    (packet[header + 2..header + 4] == PORT.to_be_bytes()).then(|| source.into())
}
