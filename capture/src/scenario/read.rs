//! Reads the lines of a scenario, or reports all its errors.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::Hit;
use knock_config::Wording;
use knock_config::diagnostics::Faults;
use knock_config::lex::{Line, Piece, Text};

use super::signed::{self, Signers};
use super::statement::{Knocks, Statement, What, When};
use super::time;
use super::value::{
    NO_SCENARIO, address, clients, destination, hit, port, protocol, same_family, source,
    with_flags,
};
use crate::lines::{Fault, Words, fault, unknown};

/// After how many lines that begin like no line of a scenario, and none that does, a text is something else.
const OTHER_TEXT: usize = 3;

/// How deep `repeat` can be nested.
const DEPTH_MAX: usize = 8;

/// The default time from one knock to the next, the same as the client's.
const EVERY: Duration = Duration::from_millis(100);

/// Where packets go by default.
const HOST_4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const HOST_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// The content of a text.
#[derive(Debug, Default)]
pub(super) struct Script<'a> {
    /// When it starts, since 1970.
    pub(super) start: Option<Duration>,
    pub(super) statements: Vec<Statement<'a>>,
}

/// Reads a text. If there are errors, the returned value means nothing.
pub(super) fn script<'a>(text: &'a [u8], signers: Signers<'a>, faults: &mut Faults) -> Script<'a> {
    let mut reader = Reader {
        signers,
        start: None,
        hosts: [HOST_4, HOST_6],
        statements: Vec::new(),
        blocks: Vec::new(),
        too_deep: 0,
    };
    let mut last = None;
    let mut is_other = true;
    for line in Text::new(text).lines() {
        last = Some(line);
        if let Err(fault) = reader.line(line) {
            let (at, wording) = *fault;
            is_other &= wording.help.as_deref() == Some(NO_SCENARIO);
            faults.error(at, wording);
            // Something else than a scenario has an error on every line.
            if is_other && reader.is_empty() && faults.errors() >= OTHER_TEXT {
                return Script::default();
            }
            if let Some(block) = reader.blocks.last_mut() {
                block.has_fault = true;
            }
        }
    }
    for block in &reader.blocks {
        let wording = Wording::new("this `repeat` does not end", "begins here")
            .help("write `end` on a line after the lines to repeat");
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
    signers: Signers<'a>,
    start: Option<Duration>,
    /// Where knocks go, by family.
    hosts: [IpAddr; 2],
    statements: Vec<Statement<'a>>,
    /// The blocks that are open, the innermost last.
    blocks: Vec<Block<'a>>,
    /// How many more are open, beyond the limit of depth.
    too_deep: u32,
}

/// A `repeat` whose `end` has not come yet.
struct Block<'a> {
    place: Piece<'a>,
    when: When,
    rounds: u32,
    every: Duration,
    body: Vec<Statement<'a>>,
    /// Whether a line of it has an error: then it may only look empty.
    has_fault: bool,
}

impl<'a> Reader<'a> {
    fn is_empty(&self) -> bool {
        self.statements.is_empty() && self.blocks.is_empty()
    }

    fn line(&mut self, line: Line<'a>) -> Result<(), Fault<'a>> {
        if let Some(beyond) = line.overlong() {
            let message = format!("this line is longer than {} bytes", Line::MAX_BYTES);
            return Err(fault(beyond, Wording::new(message, "nothing is read beyond this")));
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
            b"signed" => {
                let (signed, repeated) = signed::read(second, words, self.hosts, self.signers)?;
                self.push_repeated(first, when, What::Signed(signed), repeated);
                Ok(())
            }
            _ => {
                let (knocks, repeated) = packet(second, words)?;
                self.push_repeated(first, when, What::Knocks(knocks), repeated);
                Ok(())
            }
        }
    }

    /// Adds a line that may end with `repeat N every T`.
    fn push_repeated(
        &mut self,
        place: Piece<'a>,
        when: When,
        what: What<'a>,
        repeated: Option<(u32, Duration)>,
    ) {
        let what = match repeated {
            None => what,
            Some((rounds, every)) => {
                let body = vec![Statement { place, when: When::After(Duration::ZERO), what }];
                What::Repeat { rounds, every, body }
            }
        };
        self.push(Statement { place, when, what });
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
                .help("put this line before all packets");
            return Err(fault(first, wording));
        }
        if self.start.replace(moment).is_some() {
            let wording =
                Wording::new("the start is given twice", "the second time").help("remove one");
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
            let message = format!("`repeat` is nested more than {DEPTH_MAX} deep");
            return Err(fault(word, Wording::new(message, "one too deep")));
        }
        // Even a faulty `repeat` needs its `end`.
        let (rounds, every) = times.as_ref().copied().unwrap_or((1, Duration::ZERO));
        self.blocks.push(Block {
            place: word,
            when,
            rounds,
            every,
            body: Vec::new(),
            has_fault: false,
        });
        times.map(drop)
    }

    fn end(&mut self, first: Piece<'a>, words: Words<'a>) -> Result<(), Fault<'a>> {
        words.nothing_more()?;
        if self.too_deep > 0 {
            self.too_deep = self.too_deep.saturating_sub(1);
            return Ok(());
        }
        let Some(Block { place, when, rounds, every, body, has_fault }) = self.blocks.pop() else {
            let wording = Wording::new("`end` without `repeat`", "no `repeat` is open")
                .help("write `repeat 3 every 60s` before the lines to repeat");
            return Err(fault(first, wording));
        };
        if body.is_empty() && has_fault {
            return Ok(());
        }
        if body.is_empty() {
            let wording = Wording::new("there is nothing to repeat", "it contains no packet");
            return Err(fault(place, wording));
        }
        self.push(Statement { place, when, what: What::Repeat { rounds, every, body } });
        Ok(())
    }

    /// Reads `knock SOURCES PORT...` after its first word.
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
            let wording = Wording::new("no port to knock at", "expected ports after this")
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
    let (destination, port_after) = destination(at)?;
    same_family(clients, destination, at)?;
    let word = words.expect(at, "`tcp` or `udp`")?;
    let protocol = protocol(word)?;
    let port = match port_after {
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
