//! The text of a scenario to what its lines say, or to all its faults.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use knock_engine::config::lex::{Line, Piece, Text};
use knock_engine::config::{Excerpt, Wording};
use knock_engine::{Port, Protocol};
use knock_packets::Hit;
use knock_packets::hit::HitError;
use knock_setup::faults::Faults;

use super::clients::{Clients, NoClients};
use super::statement::{Knocks, Statement, What, When};
use super::time;

/// How deep `repeat` can stand in `repeat`.
const DEPTH_MAX: usize = 8;

/// From one knock to the next where nobody says otherwise, as the client makes them.
const EVERY: Duration = Duration::from_millis(100);

/// Where packets go that nobody says otherwise of.
const HOST_4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const HOST_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// The words that a line can begin with, besides times and addresses.
const FIRST_WORDS: [&str; 5] = ["knock", "repeat", "end", "to", "start"];

/// What a text says.
#[derive(Debug, Default)]
pub(super) struct Script<'a> {
    /// When it starts, since 1970.
    pub(super) start: Option<Duration>,
    pub(super) statements: Vec<Statement<'a>>,
}

/// A fault, and where it is.
type Fault<'a> = Box<(Piece<'a>, Wording)>;

fn fault(at: Piece<'_>, wording: Wording) -> Fault<'_> {
    Box::new((at, wording))
}

/// Reads a text. If there are faults, what is returned means nothing.
pub(super) fn script<'a>(text: &'a [u8], faults: &mut Faults) -> Script<'a> {
    let mut reader = Reader {
        start: None,
        hosts: [HOST_4, HOST_6],
        statements: Vec::new(),
        blocks: Vec::new(),
        too_deep: 0,
    };
    let mut last = None;
    for line in Text::new(text).lines() {
        last = Some(line);
        if let Err(fault) = reader.line(line) {
            let (at, wording) = *fault;
            faults.error(at, wording);
        }
    }
    for block in &reader.blocks {
        let wording = Wording::new("this `repeat` does not end", "begins here")
            .help("write `end` on a line behind what is to be repeated");
        faults.error(block.place, wording);
    }
    if reader.is_empty()
        && faults.errors() == 0
        && let Some(line) = last
    {
        let wording = Wording::new("there is no packet in this scenario", "expected a packet")
            .help("write lines such as `0 10.0.0.5 > 192.0.2.1 tcp 7000 syn`");
        faults.error(line.trimmed().empty_at_start(), wording);
    }
    Script { start: reader.start, statements: reader.statements }
}

struct Reader<'a> {
    start: Option<Duration>,
    /// Where knocks go, by family.
    hosts: [IpAddr; 2],
    statements: Vec<Statement<'a>>,
    /// The blocks that are open, the innermost last.
    blocks: Vec<Block<'a>>,
    /// How many more are open that are too deep to be one.
    too_deep: u32,
}

/// A `repeat` whose `end` has not come yet.
struct Block<'a> {
    place: Piece<'a>,
    when: When,
    rounds: u32,
    every: Duration,
    body: Vec<Statement<'a>>,
}

impl<'a> Reader<'a> {
    fn is_empty(&self) -> bool {
        self.statements.is_empty() && self.blocks.is_empty()
    }

    fn line(&mut self, line: Line<'a>) -> Result<(), Fault<'a>> {
        if let Some(beyond) = line.overlong() {
            let message = format!("this line is longer than {} bytes", Line::MAX_BYTES);
            return Err(fault(beyond, Wording::new(message, "beyond this nothing is read")));
        }
        let mut words = Words::new(line);
        let Some(first) = words.next() else { return Ok(()) };
        match first.bytes() {
            b"start" => return self.start(first, words),
            b"to" => return self.host(first, words),
            b"end" => return self.end(first, words),
            _ => {}
        }
        let (when, second) = if time::is_time(first) {
            let when = time::when(first).map_err(|wording| fault(first, wording))?;
            (when, words.expect(first, "what happens at this time")?)
        } else {
            (When::After(Duration::ZERO), first)
        };
        match second.bytes() {
            b"repeat" => self.repeat(when, second, words),
            b"knock" => {
                let knocks = self.knock(second, words)?;
                self.push(Statement { place: first, when, what: What::Knocks(knocks) });
                Ok(())
            }
            _ => {
                let (knocks, repeated) = packet(second, words)?;
                let place = first;
                let statement = match repeated {
                    None => Statement { place, when, what: What::Knocks(knocks) },
                    Some((rounds, every)) => {
                        let at = When::After(Duration::ZERO);
                        let body = vec![Statement { place, when: at, what: What::Knocks(knocks) }];
                        Statement { place, when, what: What::Repeat { rounds, every, body } }
                    }
                };
                self.push(statement);
                Ok(())
            }
        }
    }

    fn push(&mut self, statement: Statement<'a>) {
        let innermost = self.blocks.last_mut().map(|block| &mut block.body);
        innermost.unwrap_or(&mut self.statements).push(statement);
    }

    fn start(&mut self, first: Piece<'a>, mut words: Words<'a>) -> Result<(), Fault<'a>> {
        let word = words.expect(first, "a moment, such as `2026-03-01T12:00:00Z`")?;
        let moment = time::moment(word).map_err(|wording| fault(word, wording))?;
        words.nothing_more()?;
        if !self.is_empty() {
            let wording = Wording::new("the start comes after packets", "too late")
                .help("put this line in front of all packets");
            return Err(fault(first, wording));
        }
        if self.start.replace(moment).is_some() {
            let wording =
                Wording::new("the start is given twice", "a second time").help("remove one");
            return Err(fault(first, wording));
        }
        Ok(())
    }

    fn host(&mut self, first: Piece<'a>, mut words: Words<'a>) -> Result<(), Fault<'a>> {
        let word = words.expect(first, "an address, such as `192.0.2.1`")?;
        let host = address(word)?;
        words.nothing_more()?;
        let [host_4, host_6] = &mut self.hosts;
        *if host.is_ipv4() { host_4 } else { host_6 } = host;
        Ok(())
    }

    fn repeat(
        &mut self,
        when: When,
        word: Piece<'a>,
        mut words: Words<'a>,
    ) -> Result<(), Fault<'a>> {
        let times = words.times(word).and_then(|times| words.nothing_more().map(|()| times));
        if self.blocks.len() >= DEPTH_MAX {
            self.too_deep = self.too_deep.saturating_add(1);
            let message = format!("`repeat` stands in `repeat` more than {DEPTH_MAX} deep");
            return Err(fault(word, Wording::new(message, "one too deep")));
        }
        // Whatever is wrong with it, its `end` is not.
        let (rounds, every) = times.as_ref().copied().unwrap_or((1, Duration::ZERO));
        self.blocks.push(Block { place: word, when, rounds, every, body: Vec::new() });
        times.map(drop)
    }

    fn end(&mut self, first: Piece<'a>, words: Words<'a>) -> Result<(), Fault<'a>> {
        words.nothing_more()?;
        if self.too_deep > 0 {
            self.too_deep = self.too_deep.saturating_sub(1);
            return Ok(());
        }
        let Some(Block { place, when, rounds, every, body }) = self.blocks.pop() else {
            let wording = Wording::new("there is nothing to end here", "no `repeat` is open")
                .help("write `repeat 3 every 60s` in front of what is to be repeated");
            return Err(fault(first, wording));
        };
        if body.is_empty() {
            let wording = Wording::new("there is nothing to repeat", "no packet stands in it");
            return Err(fault(place, wording));
        }
        self.push(Statement { place, when, what: What::Repeat { rounds, every, body } });
        Ok(())
    }

    /// Reads `knock SOURCES PORT...` behind its first word.
    fn knock(&self, word: Piece<'a>, mut words: Words<'a>) -> Result<Knocks, Fault<'a>> {
        let who = words.expect(word, "who knocks, such as `10.0.0.5`")?;
        let clients = clients(who)?;
        let [host_4, host_6] = self.hosts;
        let mut knocks = Knocks {
            clients,
            source_port: None,
            destination: if clients.is_ipv4() { host_4 } else { host_6 },
            hits: Vec::new(),
            every: EVERY,
            apart: Duration::ZERO,
            again: (0, Duration::ZERO),
        };
        let mut last = who;
        while let Some(word) = words.next() {
            match word.bytes() {
                b"every" => knocks.every = words.length(word)?,
                b"apart" => knocks.apart = words.length(word)?,
                b"to" => {
                    let at = words.expect(word, "an address, such as `192.0.2.1`")?;
                    knocks.destination = address(at)?;
                    same_family(clients, knocks.destination, at)?;
                }
                _ => knocks.hits.push(hit(word, &["every", "apart", "to"])?),
            }
            last = word;
        }
        if knocks.hits.is_empty() {
            let wording = Wording::new("no port is knocked at", "expected ports behind this")
                .help("write them as the client takes them, such as `7000 8000:udp 9000:tcp:fin`");
            return Err(fault(last.empty_at_end(), wording));
        }
        Ok(knocks)
    }
}

/// Reads `SOURCES > DESTINATION PROTOCOL PORT`, from its first word on, and how often it is sent.
fn packet<'a>(
    first: Piece<'a>,
    mut words: Words<'a>,
) -> Result<(Knocks, Option<(u32, Duration)>), Fault<'a>> {
    let (clients, source_port) = source(first)?;
    let arrow = words.expect(first, "`>` and the destination")?;
    if arrow.bytes() != b">" {
        let wording = Wording::new("expected `>` between source and destination", "expected `>`")
            .help("write `10.0.0.5 > 192.0.2.1 tcp 7000 syn`, or `knock 10.0.0.5 7000 8000`");
        return Err(fault(arrow, wording));
    }
    let at = words.expect(arrow, "the destination, such as `192.0.2.1`")?;
    let (destination, port_behind) = destination(at)?;
    same_family(clients, destination, at)?;
    let word = words.expect(at, "`tcp` or `udp`")?;
    let protocol = protocol(word)?;
    let port = match port_behind {
        Some(port) => port,
        None => port(words.expect(word, "the port")?)?,
    };
    let mut hit = Hit::plain(port, protocol);
    let mut knocks = Knocks {
        clients,
        source_port,
        destination,
        hits: Vec::new(),
        every: Duration::ZERO,
        apart: Duration::ZERO,
        again: (0, Duration::ZERO),
    };
    let mut repeated = None;
    let mut has_flags = false;
    while let Some(word) = words.next() {
        match word.bytes() {
            b"repeat" => repeated = Some(words.times(word)?),
            b"again" => knocks.again = words.times(word)?,
            b"apart" => knocks.apart = words.length(word)?,
            _ if !has_flags => {
                hit = with_flags(hit, word)?;
                has_flags = true;
            }
            _ => return Err(unknown(word, &["repeat", "again", "apart"])),
        }
    }
    knocks.hits.push(hit);
    Ok((knocks, repeated))
}

/// Reads the flags of a packet.
fn with_flags(hit: Hit, word: Piece<'_>) -> Result<Hit, Fault<'_>> {
    let flags = String::from_utf8_lossy(word.bytes());
    let name = knock_packets::hit::protocol_name(hit.knock.protocol);
    match format!("{}:{name}:{flags}", hit.knock.port.0).parse() {
        Ok(hit) => Ok(hit),
        Err(HitError::FlagsOfUdp) => {
            let wording = Wording::new("a UDP packet has no flags", "only tcp has");
            Err(fault(word, wording.help("remove them")))
        }
        Err(error) => {
            let wording =
                Wording::new(error.to_string(), "expected flags, such as `syn` or `fin,psh`");
            let known = knock_packets::hit::FLAG_NAMES.iter().copied();
            let near = knock_engine::config::nearest(
                word.bytes(),
                known.chain(["repeat", "again", "apart"]),
            );
            Err(fault(word, helped(wording, near)))
        }
    }
}

fn hit<'a>(word: Piece<'a>, others: &[&'static str]) -> Result<Hit, Fault<'a>> {
    let text = String::from_utf8_lossy(word.bytes());
    text.parse().map_err(|error: HitError| {
        let wording =
            Wording::new(error.to_string(), "expected a knock, such as `7000` or `53:udp`");
        let near = knock_engine::config::nearest(word.bytes(), others.iter().copied());
        fault(word, helped(wording, near))
    })
}

fn helped(wording: Wording, near: Option<&str>) -> Wording {
    match near {
        Some(near) => wording.help(format!("perhaps `{near}` was meant")),
        None => wording,
    }
}

fn unknown<'a>(word: Piece<'a>, known: &[&'static str]) -> Fault<'a> {
    let shown = Excerpt::new(word.bytes());
    let list = known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
    let wording = Wording::new(format!("`{shown}` is not understood"), format!("expected {list}"));
    let near = knock_engine::config::nearest(word.bytes(), known.iter().copied());
    fault(word, helped(wording, near))
}

fn port(word: Piece<'_>) -> Result<Port, Fault<'_>> {
    let text = String::from_utf8_lossy(word.bytes());
    knock_packets::hit::port(&text)
        .map_err(|error| fault(word, Wording::new(error.to_string(), "expected a port")))
}

fn protocol(word: Piece<'_>) -> Result<Protocol, Fault<'_>> {
    match word.bytes() {
        b"tcp" => Ok(Protocol::Tcp),
        b"udp" => Ok(Protocol::Udp),
        _ => Err(unknown(word, &["tcp", "udp"])),
    }
}

/// Reads where a packet comes from: clients, and for one a port behind it.
fn source(word: Piece<'_>) -> Result<(Clients, Option<Port>), Fault<'_>> {
    let text = String::from_utf8_lossy(word.bytes());
    if let Ok(address) = text.parse::<SocketAddr>() {
        let client = Clients::from(address.ip());
        return Ok((client, Some(Port(address.port()))));
    }
    let is_first_word = |wording: Wording| {
        let near = knock_engine::config::nearest(word.bytes(), FIRST_WORDS);
        fault(word, helped(wording, near))
    };
    match Clients::read(&text) {
        Ok(clients) => Ok((clients, None)),
        Err(NoClients::NoAddress) => {
            let shown = Excerpt::new(word.bytes());
            let message = format!("`{shown}` is neither a time nor an address nor a known word");
            let label = "expected `TIME`, `SOURCE > DESTINATION`, `knock` or `repeat`";
            let wording = Wording::new(message, label);
            if is_time_of_day(&text) {
                let help = "this is what `tcpdump` prints: save packets with `tcpdump -w`";
                return Err(fault(word, wording.help(help)));
            }
            Err(is_first_word(wording))
        }
        Err(why) => Err(fault(word, no_clients(why))),
    }
}

/// Returns whether a word is a time such as `10:00:00.123456`.
fn is_time_of_day(word: &str) -> bool {
    let mut parts = word.split(':');
    let is_part = |part: &str| part.starts_with(|character: char| character.is_ascii_digit());
    parts.by_ref().take(3).filter(|part| is_part(part)).count() == 3 && parts.next().is_none()
}

fn clients(word: Piece<'_>) -> Result<Clients, Fault<'_>> {
    Clients::read(&String::from_utf8_lossy(word.bytes()))
        .map_err(|why| fault(word, no_clients(why)))
}

fn no_clients(why: NoClients) -> Wording {
    match why {
        NoClients::NoAddress => Wording::new("this is not an address", "expected who knocks")
            .help("write `10.0.0.5`, `10.0.0.1-10.0.0.9` or `10.0.0.0/24`"),
        NoClients::Backwards => Wording::new(
            "the range ends before it begins, or in the other family",
            "expected `FIRST-LAST`",
        ),
        NoClients::NoPrefix => Wording::new(
            "the length of this network's prefix is not one",
            "expected `/0` to `/32`, or with IPv6 to `/128`",
        ),
    }
}

/// Reads where a packet goes, with a port behind the address perhaps.
fn destination(word: Piece<'_>) -> Result<(IpAddr, Option<Port>), Fault<'_>> {
    let text = String::from_utf8_lossy(word.bytes());
    if let Ok(address) = text.parse::<SocketAddr>() {
        if address.port() == 0 {
            return Err(fault(
                word,
                Wording::new("port 0 cannot be knocked at", "expected 1 to 65535"),
            ));
        }
        return Ok((address.ip(), Some(Port(address.port()))));
    }
    address(word).map(|address| (address, None))
}

fn address(word: Piece<'_>) -> Result<IpAddr, Fault<'_>> {
    String::from_utf8_lossy(word.bytes()).parse().map_err(|_| {
        let shown = Excerpt::new(word.bytes());
        let wording = Wording::new(format!("`{shown}` is not an address"), "expected an address")
            .help("write one such as `192.0.2.1`, `192.0.2.1:7000`, `2001:db8::1`, `[2001:db8::1]:7000`");
        fault(word, wording)
    })
}

fn same_family(clients: Clients, host: IpAddr, at: Piece<'_>) -> Result<(), Fault<'_>> {
    if clients.is_ipv4() == host.is_ipv4() {
        return Ok(());
    }
    let message = "the source and the destination of a packet are of one family";
    Err(fault(at, Wording::new(message, "this one is of the other")))
}

/// The words of a line, up to a comment.
struct Words<'a> {
    rest: Piece<'a>,
}

impl<'a> Words<'a> {
    fn new(line: Line<'a>) -> Self {
        Self { rest: line.trimmed() }
    }

    fn next(&mut self) -> Option<Piece<'a>> {
        let (word, rest) = self.rest.first_word();
        if word.is_empty() || word.bytes().starts_with(b"#") {
            return None;
        }
        self.rest = rest;
        Some(word)
    }

    /// Returns the next word, which must be there, behind this one.
    fn expect(&mut self, behind: Piece<'a>, what: &str) -> Result<Piece<'a>, Fault<'a>> {
        self.next().ok_or_else(|| {
            let wording = Wording::new("the line ends too early", format!("expected {what}"));
            fault(behind.empty_at_end(), wording)
        })
    }

    fn nothing_more(mut self) -> Result<(), Fault<'a>> {
        match self.next() {
            None => Ok(()),
            Some(word) => {
                let wording = Wording::new("there is more than was expected", "remove this");
                Err(fault(word.to_line_end(), wording))
            }
        }
    }

    fn length(&mut self, behind: Piece<'a>) -> Result<Duration, Fault<'a>> {
        let word = self.expect(behind, "a time, such as `0.2s`")?;
        time::length(word).map_err(|wording| fault(word, wording))
    }

    /// Reads `N every T`.
    fn times(&mut self, behind: Piece<'a>) -> Result<(u32, Duration), Fault<'a>> {
        let word = self.expect(behind, "how often, such as `3 every 10s`")?;
        let count = time::count(word).map_err(|wording| fault(word, wording))?;
        let every = self.expect(word, "`every` and a time, such as `every 10s`")?;
        if every.bytes() != b"every" {
            return Err(unknown(every, &["every"]));
        }
        Ok((count, self.length(every)?))
    }
}
