//! Tests that may be made for a door.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use knock_capture::hit::FLAG_NAMES;
use knock_config::Excerpt;
use knock_engine::address;
use knock_engine::{
    Command, Door, DoorSequence, Doors, Knock, Phase, Port, Protocol, Sequence, TcpFlags,
};

/// Who knocks: the first of these that the door hears, or a client from its `Allow`.
pub(super) const CLIENTS: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 7)),
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 7)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 7)),
];

/// The default destinations of knocks at a door without a target.
const HOSTS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// The longest time that a scenario can name, in seconds.
const LONGEST: u64 = 86_400;

/// A test that may be made.
#[derive(Debug)]
pub(super) struct Draft {
    /// The name of the test in the folder of its door.
    pub(super) name: &'static str,
    pub(super) scenario: Vec<u8>,
    /// What may hold, a line each; the first is what the test is for.
    pub(super) assertions: Vec<Vec<u8>>,
    /// The lines above them.
    pub(super) heading: Vec<Vec<u8>>,
    pub(super) shows: Shows,
}

/// Thinks of tests.
pub(super) struct Drafts<'a> {
    pub(super) local: &'a [IpAddr],
    /// Every port that a door names.
    ports: BTreeSet<u16>,
}

/// What a scenario shows to those who can read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    /// The knocks that open the door.
    Knocks,
    /// Nothing that opens it: packets are signed with keys of the configuration when the test runs.
    NoSecret,
}

/// The knocks of a door, as they are made.
pub(super) struct Knocks<'d> {
    pub(super) door: &'d Door,
    pub(super) client: IpAddr,
    pub(super) host: IpAddr,
    shows: Shows,
    flags: TcpFlags,
    /// From one to the next, if not a tenth of a second.
    every: &'static str,
}

impl<'a> Drafts<'a> {
    pub(super) fn new(doors: &Doors, local: &'a [IpAddr]) -> Self {
        let knocks = doors.in_order().filter_map(|(_, door)| door.sequence());
        let ports = knocks.flat_map(Sequence::knocks).map(|knock| knock.port.0).collect();
        Self { local, ports }
    }

    /// Returns the tests that may be made for the sequence of a door; none if only signed packets open it.
    ///
    /// # Errors
    /// Why no knocks open it.
    pub(super) fn of(&self, door: &Door) -> Result<Vec<Draft>, &'static str> {
        if door.sequence == DoorSequence::None {
            return Ok(Vec::new());
        }
        let Some(sequence) = door.sequence().map(Sequence::knocks) else {
            return Err("there is no one-time sequence left, and nothing opens it");
        };
        let Some(knocks) = Knocks::new(door, self.local, Shows::Knocks) else {
            return Err("no client was found that allow and deny let knock");
        };
        let right = [knocks.line("0", sequence)];
        let mut drafts = vec![self.opens("opens", "The knocks of the door.", &knocks, &right)];
        let Some((last, before)) = sequence.split_last() else { return Ok(drafts) };
        let wrong = [before, &[self.other(*last)]].concat();
        let title = "All knocks but the last one are those of the door.";
        let text = knocks.line("0", &wrong);
        drafts.push(self.stays_shut("wrong-last-knock", title, &knocks, &[text]));
        let reversed: Vec<Knock> = sequence.iter().rev().copied().collect();
        if reversed != sequence {
            let title = "The knocks of the door, the last one first.";
            let text = knocks.line("0", &reversed);
            drafts.push(self.stays_shut("reversed", title, &knocks, &[text]));
        }
        let timeout = u64::from(door.seq_timeout.get());
        if !before.is_empty() && timeout <= LONGEST {
            let title = "The last knock comes when seq_timeout is over.";
            let first = knocks.line("0", before);
            let late = knocks.line(&timeout.to_string(), &[*last]);
            drafts.push(self.stays_shut("too-slow", title, &knocks, &[first, late]));
        }
        Ok(drafts)
    }

    pub(super) fn opens(
        &self,
        name: &'static str,
        title: &str,
        knocks: &Knocks<'_>,
        lines: &[String],
    ) -> Draft {
        let Knocks { door, client, .. } = *knocks;
        let door_name = quoted(door.name.as_bytes());
        let line = |parts: &[&[u8]]| parts.concat();
        let client_text = address::text(client);
        let client_text = client_text.as_bytes();
        let mut assertions = vec![
            line(&[b"must open ", &door_name, b" from ", client_text]),
            line(&[b"opens ", &door_name, b" 1"]),
        ];
        let runs = |command: &Command| {
            let mut text = Vec::new();
            command.expand(client, &mut text);
            line(&[b"runs ", &in_quotes(&text)])
        };
        assertions.extend(door.commands.of(Phase::Start, client).map(runs));
        if let Some(command) = door.commands.of(Phase::Stop, client) {
            let seconds = door.cmd_timeout.get().to_string();
            assertions.push(line(&[
                b"closes ",
                &door_name,
                b" for ",
                client_text,
                b" after ",
                seconds.as_bytes(),
                b"s",
            ]));
            assertions.push(runs(command));
        }
        let heading = self.heading("It opens, and runs what it should.");
        Draft {
            name,
            scenario: scenario(knocks, title, lines),
            assertions,
            heading,
            shows: knocks.shows,
        }
    }

    pub(super) fn stays_shut(
        &self,
        name: &'static str,
        title: &str,
        knocks: &Knocks<'_>,
        lines: &[String],
    ) -> Draft {
        let Knocks { door, client, .. } = *knocks;
        let client = address::text(client);
        let door_name = quoted(door.name.as_bytes());
        let assertion = [b"must not open ", &door_name[..], b" from ", client.as_bytes()].concat();
        let heading = self.heading("It stays shut.");
        Draft {
            name,
            scenario: scenario(knocks, title, lines),
            assertions: vec![assertion],
            heading,
            shows: knocks.shows,
        }
    }

    /// Returns the lines above assertions.
    pub(super) fn heading(&self, title: &str) -> Vec<Vec<u8>> {
        let local = self.local.iter().map(|local| format!("local {}", address::text(*local)));
        std::iter::once(format!("# {title}")).chain(local).map(String::into_bytes).collect()
    }

    /// Returns a knock at a port that no door names.
    fn other(&self, knock: Knock) -> Knock {
        let behind = knock.port.0.saturating_add(1)..=u16::MAX;
        let port = behind.chain(1..=u16::MAX).find(|port| !self.ports.contains(port));
        Knock { port: Port(port.unwrap_or(knock.port.0)), ..knock }
    }
}

/// Returns a client that the door hears and that can send to a host.
fn client_for(door: &Door, host: IpAddr) -> Option<IpAddr> {
    let next = |first: IpAddr| match first {
        IpAddr::V4(first) => Some(Ipv4Addr::from_bits(first.to_bits().checked_add(1)?).into()),
        IpAddr::V6(first) => Some(Ipv6Addr::from_bits(first.to_bits().checked_add(1)?).into()),
    };
    let allowed = door.sources.allow().iter().map(|prefix| prefix.first());
    let allowed = allowed.flat_map(|first| [next(first), Some(first)]).flatten();
    let mut clients = CLIENTS.into_iter().chain(allowed);
    clients.find(|&client| {
        client.is_ipv4() == host.is_ipv4()
            && address::is_of_a_host(client)
            && door.sources.hear(client)
    })
}

impl<'d> Knocks<'d> {
    /// Returns the knocks of a client that the door hears; `None` if none is found.
    pub(super) fn new(door: &'d Door, local: &[IpAddr], shows: Shows) -> Option<Self> {
        let target = door.target.map(|target| target.address);
        let hosts = match &target {
            Some(target) => std::slice::from_ref(target),
            None if local.is_empty() => &HOSTS,
            None => local,
        };
        let with_client = |&host: &IpAddr| Some((client_for(door, host)?, host));
        let (client, host) = hosts.iter().find_map(with_client)?;
        let rule = door.flags;
        let flags = if rule.wanted() != TcpFlags::default() {
            rule.wanted()
        } else if rule.refused().contains(TcpFlags::SYN) {
            TcpFlags::default()
        } else {
            TcpFlags::SYN
        };
        let number = door.sequence().map_or(0, |sequence| sequence.knocks().len());
        let tenths =
            usize::try_from(door.seq_timeout.get()).unwrap_or(usize::MAX).saturating_mul(10);
        // 32 knocks are the most there can be, and one second the shortest timeout.
        let every = if number > tenths { " every 10ms" } else { "" };
        Some(Self { door, client, host, shows, flags, every })
    }

    /// Returns a line of a scenario.
    fn line(&self, time: &str, knocks: &[Knock]) -> String {
        let Self { door: _, client, host, shows: _, flags, every } = self;
        let [client, host] = [client, host].map(|address| address::text(*address));
        let hits: String = knocks.iter().map(|knock| hit(*knock, *flags)).collect();
        format!("{time} knock {client}{hits} to {host}{every}\n")
    }
}

/// Returns a knock as a scenario has it, with a blank in front.
fn hit(Knock { port, protocol }: Knock, flags: TcpFlags) -> String {
    let port = port.0;
    match protocol {
        Protocol::Udp => format!(" {port}:udp"),
        Protocol::Tcp if flags == TcpFlags::SYN => format!(" {port}"),
        Protocol::Tcp if flags == TcpFlags::default() => format!(" {port}:tcp:none"),
        Protocol::Tcp => {
            let all = [
                TcpFlags::FIN,
                TcpFlags::SYN,
                TcpFlags::RST,
                TcpFlags::PSH,
                TcpFlags::ACK,
                TcpFlags::URG,
            ];
            let names = all.into_iter().zip(FLAG_NAMES).filter(|(flag, _)| flags.contains(*flag));
            let names: Vec<&str> = names.map(|(_, name)| name).collect();
            format!(" {port}:tcp:{}", names.join(","))
        }
    }
}

fn scenario(knocks: &Knocks<'_>, title: &str, lines: &[String]) -> Vec<u8> {
    let name = Excerpt::new(knocks.door.name.as_bytes());
    let secret = match knocks.shows {
        Shows::Knocks => "Keep this file as secret as the configuration.",
        Shows::NoSecret => {
            "There is no key in this file: a test signs with the key in the folder of the configuration."
        }
    };
    format!("# Door `{name}`. {title}\n# {secret}\n{}", lines.concat()).into_bytes()
}

/// Returns the name of a door as assertions have it.
pub(super) fn quoted(name: &[u8]) -> Vec<u8> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    if name != b"any" && !name.is_empty() && name.iter().all(is_plain) {
        name.to_vec()
    } else {
        in_quotes(name)
    }
}

fn in_quotes(text: &[u8]) -> Vec<u8> {
    if text.contains(&b'"') && !text.contains(&b'\'') {
        return [b"'", text, b"'"].concat();
    }
    let escaped = text.iter().flat_map(|byte| match byte {
        b'"' | b'\\' => vec![b'\\', *byte],
        other => vec![*other],
    });
    [b'"'].into_iter().chain(escaped).chain([b'"']).collect()
}
