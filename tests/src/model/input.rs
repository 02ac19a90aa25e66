//! The input of the model: doors, local addresses and packets.

use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

/// The bit of FIN in the flags byte of a TCP header.
pub const FIN: u8 = 0x01;
/// The bit of SYN.
pub const SYN: u8 = 0x02;
/// The bit of RST.
pub const RST: u8 = 0x04;
/// The bit of PSH.
pub const PSH: u8 = 0x08;
/// The bit of ACK.
pub const ACK: u8 = 0x10;
/// The bit of URG.
pub const URG: u8 = 0x20;
/// The bit of ECE, which no door asks for.
pub const ECE: u8 = 0x40;
/// The bit of CWR, which no door asks for.
pub const CWR: u8 = 0x80;

/// The protocols that carry knocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A port and a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Knock {
    /// The destination port, 1 to 65,535.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
}

impl Knock {
    /// Makes a TCP knock.
    #[must_use]
    pub const fn tcp(port: u16) -> Self {
        Self { port, protocol: Protocol::Tcp }
    }

    /// Makes a UDP knock.
    #[must_use]
    pub const fn udp(port: u16) -> Self {
        Self { port, protocol: Protocol::Udp }
    }
}

/// Where a door's sequence comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sequences {
    /// Always the same 1 to 32 knocks.
    Fixed(Vec<Knock>),
    /// Each opens the door once, the first one first. None left: the door is disabled.
    OneTime(Vec<Vec<Knock>>),
    /// Another one in each period of time.
    Derived(Derived),
}

/// How sequences are derived from the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The key that the server and its clients have in common.
    pub key: [u8; 32],
    /// How many knocks a sequence has.
    pub knocks: usize,
    /// The first and the last port, all of which count.
    pub ports: (u16, u16),
    /// The protocol of all knocks.
    pub protocol: Protocol,
    /// How many seconds a period has.
    pub period_s: u32,
}

impl Derived {
    /// Returns the number of the period that a time of day is in.
    #[must_use]
    pub fn period(&self, at_ns: i64) -> u64 {
        u64::try_from(at_ns / 1_000_000_000 / i64::from(self.period_s)).unwrap_or(0)
    }

    /// Returns the periods whose sequences count at a time of day.
    #[must_use]
    pub fn valid(&self, at_ns: i64) -> Vec<u64> {
        let now = self.period(at_ns);
        (now.saturating_sub(1)..=now + 1).collect()
    }

    /// Returns whether a knock is at one of the ports.
    #[must_use]
    pub fn names(&self, knock: Knock) -> bool {
        knock.protocol == self.protocol && (self.ports.0..=self.ports.1).contains(&knock.port)
    }

    /// Returns the sequence of a door in a period.
    #[must_use]
    pub fn sequence(&self, door: &[u8], period: u64) -> Vec<Knock> {
        let key = hmac(&self.key, b"knock/1 sequence");
        let mut message = [door, &period.to_be_bytes()].concat();
        let mut ports: Vec<u16> = Vec::new();
        let plain = message.len();
        for block in 1_u32.. {
            for pair in hmac(&key, &message).chunks(2) {
                let port = u16::from_be_bytes([pair[0], pair[1]]);
                if (self.ports.0..=self.ports.1).contains(&port) && !ports.contains(&port) {
                    ports.push(port);
                }
            }
            if ports.len() >= self.knocks {
                break;
            }
            message.truncate(plain);
            message.extend(block.to_be_bytes());
        }
        ports.truncate(self.knocks);
        ports.into_iter().map(|port| Knock { port, protocol: self.protocol }).collect()
    }
}

/// HMAC-SHA256 as RFC 2104 defines it.
fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let padded = |pad: u8| {
        let mut block = [pad; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::digest([&padded(0x36)[..], message].concat());
    Sha256::digest([&padded(0x5c)[..], &inner[..]].concat()).into()
}

impl Sequences {
    /// Returns the knocks that open the door now; `None` if all one-time sequences are used, or if they are
    /// derived from the time.
    #[must_use]
    pub fn current(&self) -> Option<&[Knock]> {
        match self {
            Self::Fixed(knocks) => Some(knocks),
            Self::OneTime(lines) => lines.first().map(Vec::as_slice),
            Self::Derived(_) => None,
        }
    }
}

/// A door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// The name, any bytes.
    pub name: Vec<u8>,
    /// The knocks that open it.
    pub sequences: Sequences,
    /// Seconds from the first knock to the moment at which it is too late for the last.
    pub seq_timeout_s: u32,
    /// Flag bits that a TCP packet must have.
    pub wanted: u8,
    /// Flag bits that a TCP packet must not have.
    pub refused: u8,
    /// The destination that counts; `None`: the local addresses.
    pub target: Option<IpAddr>,
    /// `Allow`: the first address and the bits of each prefix.
    pub allow: Vec<(IpAddr, u8)>,
    /// `Deny`.
    pub deny: Vec<(IpAddr, u8)>,
    /// `Start_Command`; `None` if the directive is absent.
    pub start: Option<Vec<u8>>,
    /// `Start_Command_6`.
    pub start_6: Option<Vec<u8>>,
    /// `Stop_Command`.
    pub stop: Option<Vec<u8>>,
    /// `Stop_Command_6`.
    pub stop_6: Option<Vec<u8>>,
    /// Seconds from the end of the start command to the stop command.
    pub cmd_timeout_s: u32,
    /// What a client may reach, if the door says so itself.
    pub admission: Option<Admission>,
    /// What an opening does while the door is open for the client.
    pub on_reknock: OnReknock,
    /// Seconds for which further openings of the same client are ignored; `None`: none are.
    pub seq_cooldown_s: Option<u32>,
    /// The most openings in 60 seconds; `None`: any number.
    pub openings_per_minute: Option<u16>,
    /// The most openings of each client in 60 seconds.
    pub client_openings_per_minute: Option<u16>,
}

/// What a door lets its clients reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The protocol, the first port and the last port of each range.
    pub ports: Vec<(Protocol, u16, u16)>,
    /// Seconds after an opening.
    pub lasts_s: u32,
    /// Seconds after the first opening; not less.
    pub max_s: Option<u32>,
}

/// What an opening does while the door is open for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReknock {
    /// The start command runs again; the stop commands of all openings come at the latest deadline.
    Extend,
    /// The start command runs again; each opening has a stop command at its own deadline.
    Separate,
    /// Nothing.
    Ignore,
}

impl Door {
    /// Returns whether the door hears a client, by its address bit for bit.
    #[must_use]
    pub fn hears(&self, client: IpAddr) -> bool {
        let has = |list: &[(IpAddr, u8)]| {
            list.iter().any(|&(first, length)| {
                let (first, client) = (bits(first), bits(client));
                first.len() == client.len() && first[..length.into()] == client[..length.into()]
            })
        };
        !has(&self.deny) && (self.allow.is_empty() || has(&self.allow))
    }

    /// Makes a door with the defaults of a configuration that gives only a name and a sequence.
    #[must_use]
    pub fn new(name: &str, sequences: Sequences) -> Self {
        Self {
            name: name.into(),
            sequences,
            seq_timeout_s: 25,
            wanted: 0,
            refused: 0,
            target: None,
            allow: Vec::new(),
            deny: Vec::new(),
            start: None,
            start_6: None,
            stop: None,
            stop_6: None,
            cmd_timeout_s: 10,
            admission: None,
            on_reknock: OnReknock::Extend,
            seq_cooldown_s: None,
            openings_per_minute: None,
            client_openings_per_minute: None,
        }
    }
}

/// Returns the bits of an address, the most significant first: 32 or 128.
fn bits(address: IpAddr) -> Vec<bool> {
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    octets.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1 == 1)).collect()
}

/// The configuration for a replay by the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The doors in the order of the file.
    pub doors: Vec<Door>,
    /// The local addresses; `None`: every destination counts as local.
    pub local: Option<Vec<IpAddr>>,
    /// Whether IPv6 packets are ignored.
    pub ipv4_only: bool,
}

/// The protocol of a packet, with the fields that only that protocol has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A TCP segment; a field is `None` if the capture ends before it.
    Tcp {
        /// The sequence number.
        seq: Option<u32>,
        /// The flags byte.
        flags: Option<u8>,
    },
    /// A UDP datagram.
    Udp,
}

/// A packet with the moment at which it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The stamp, nanoseconds since the epoch.
    pub at_ns: i64,
    /// The source address: the client.
    pub src: IpAddr,
    /// The destination address.
    pub dst: IpAddr,
    /// The source port.
    pub sport: u16,
    /// The destination port.
    pub dport: u16,
    /// The protocol and its fields.
    pub transport: Transport,
}

impl Packet {
    /// Returns the port and protocol that the packet knocks at.
    #[must_use]
    pub const fn knock(&self) -> Knock {
        match self.transport {
            Transport::Tcp { .. } => Knock::tcp(self.dport),
            Transport::Udp => Knock::udp(self.dport),
        }
    }
}

/// Returns whether a host can have this address: not unspecified, multicast or limited broadcast.
#[must_use]
pub fn is_of_a_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let first = address.octets()[0];
            !address.is_unspecified() && !(224..=239).contains(&first) && !address.is_broadcast()
        }
        IpAddr::V6(address) => !address.is_unspecified() && address.octets()[0] != 0xff,
    }
}
