//! The text of a file of assertions to what it says, or to all its faults.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use knock_compat::Rules;
use knock_config::diagnostics::{self, Faults, Source, Style};
use knock_config::lex::{Line, Piece, Text};
use knock_config::text::shown;
use knock_config::{Excerpt, Severity, Wording};
use knock_config::{Refusal, Unreadable, Waits, read_configuration};
use knock_engine::{DoorId, Doors, OpenPorts, address};
use knock_guard::Modes;

use super::claim::{Assertion, Assertions, Claim, Count, Meant, Settings, Which};
use crate::explain::{NotWhom, Whom};
use knock_capture::lines::{Fault, Quotable, Words, count, fault, helped, unknown};
use knock_capture::{self as capture, scenario};

/// The most assertions that a file can have.
pub const MAX_ASSERTIONS: usize = 10_000;

/// The longest line, in bytes without the blanks around it: the longest command of a configuration, with
/// addresses filled in, has room.
const LINE_MAX: usize = 65_536;

/// The words that a line can begin with.
const FIRST_WORDS: [&str; 11] = [
    "admits",
    "must",
    "opens",
    "closes",
    "runs",
    "does",
    "nothing",
    "config",
    "local",
    "rules",
    "only-ip-v4",
];

/// Why a file of assertions is of no use.
#[derive(Clone, Debug)]
pub(crate) enum Unusable {
    /// It cannot be read.
    Unreadable(Wording),
    /// Its text is faulty.
    Faulty(Box<Source>),
}

impl Unusable {
    pub(crate) fn report(&self, style: Style) -> String {
        match self {
            Self::Unreadable(wording) => diagnostics::render_alone(Severity::Error, wording, style),
            Self::Faulty(source) => diagnostics::render(std::slice::from_ref(source), style),
        }
    }
}

/// Reads the file at `path`. Without doors, any name can be that of a door.
pub(crate) fn load(path: &Path, doors: Option<&Doors>) -> Result<Assertions, Unusable> {
    let name = shown(path);
    let text = read_configuration(path, Modes::Any, Waits::Forever, refusal).map_err(|cause| {
        let help = if let Unreadable::Refused(refusal) = cause {
            refusal.help
        } else if matches!(cause, Unreadable::Denied) {
            "run as a user who may read it"
        } else {
            "name a file with lines such as `must open openSSH from 10.0.0.5`"
        };
        Unusable::Unreadable(cause.wording(&name, help))
    })?;
    read(&name, &text, doors).map_err(Unusable::Faulty)
}

/// Returns what a file is that was easily named by mistake.
fn refusal(text: &[u8]) -> Option<Refusal> {
    let help = "name captures and scenarios without an option, and assertions after `--assert`";
    if capture::begins_like_one(text) {
        return Some(Refusal { cause: "it is a packet capture, not a file of assertions", help });
    }
    let is_scenario = scenario::is_one(text);
    is_scenario.then_some(Refusal { cause: "it is a scenario, not a file of assertions", help })
}

/// Reads a text. `name` is that of the file, fit to be printed. Without doors, any name can be that of a
/// door, and none is meant.
///
/// # Errors
/// The text with everything that is wrong with it.
pub fn read(name: &str, text: &[u8], doors: Option<&Doors>) -> Result<Assertions, Box<Source>> {
    let mut faults = Faults::default();
    let (mut list, mut settings) = (Vec::new(), Settings::default());
    let mut last_line = None;
    for line in Text::new(text).lines() {
        last_line = Some(line);
        let read = Reader { doors, settings: &mut settings, faults: &faults }.line(line);
        match read {
            Ok(Some(assertion)) if list.len() < MAX_ASSERTIONS => list.push(assertion),
            Ok(Some(_)) => {
                let message = format!("there are more than {MAX_ASSERTIONS} assertions");
                let wording = Wording::new(message, "one too many");
                faults.error(line.trimmed(), wording.help("part them into several files"));
                break;
            }
            Ok(None) => {}
            Err(fault) => {
                let (at, wording) = *fault;
                faults.error(at, wording);
            }
        }
    }
    if let Some(line) = last_line
        && list.is_empty()
        && faults.errors() == 0
    {
        let wording = Wording::new("there is no assertion in this file", "expected an assertion");
        let help = "write lines such as `must open openSSH from 10.0.0.5`";
        faults.error(line.trimmed().empty_at_start(), wording.help(help));
    }
    if faults.errors() > 0 {
        return Err(Box::new(faults.into_source(name.to_owned(), text.to_vec())));
    }
    Ok(Assertions { name: name.to_owned(), text: text.to_vec(), settings, list })
}

struct Reader<'s> {
    doors: Option<&'s Doors>,
    settings: &'s mut Settings,
    faults: &'s Faults,
}

impl Reader<'_> {
    /// Reads a line; `None` if there is no assertion in it.
    fn line<'a>(&mut self, line: Line<'a>) -> Result<Option<Assertion>, Fault<'a>> {
        let beyond = line.trimmed().beyond(LINE_MAX);
        if !beyond.is_empty() {
            let message = format!("this line is longer than {LINE_MAX} bytes");
            return Err(fault(beyond, Wording::new(message, "beyond this nothing is read")));
        }
        let mut words = Words::new(line);
        let Some(first) = words.next() else { return Ok(None) };
        let claim = match first.bytes() {
            b"must" => self.must(first, &mut words)?,
            b"opens" => self.opens(first, &mut words)?,
            b"closes" => self.closes(first, &mut words)?,
            b"admits" => admits(first, &mut words)?,
            b"runs" => {
                let command = command(first, &mut words)?;
                let count = times(&mut words)?.unwrap_or(Count::AtLeast(1));
                Claim::Runs { command, count }
            }
            b"does" => {
                let not = keyword(first, &mut words, &["not"])?;
                let run = keyword(not, &mut words, &["run"])?;
                Claim::Runs { command: command(run, &mut words)?, count: Count::Exactly(0) }
            }
            b"nothing" => {
                let is = keyword(first, &mut words, &["is"])?;
                keyword(is, &mut words, &["admitted"])?;
                Claim::NothingAdmitted
            }
            b"config" | b"local" | b"rules" | b"only-ip-v4" => {
                self.setting(first, words)?;
                return Ok(None);
            }
            _ => return Err(self.no_assertion(first)),
        };
        let span = words.taken().span();
        words.nothing_more()?;
        Ok(Some(Assertion { span, claim }))
    }

    fn no_assertion<'a>(&self, first: Piece<'a>) -> Fault<'a> {
        let shown = Excerpt::new(first.bytes());
        let label = "expected `must open`, `must not open`, `opens`, `closes`, `admits`, `runs` or `does not run`";
        let wording = Wording::new(format!("`{shown}` begins no assertion"), label);
        fault(first, helped(wording, self.faults.nearest(first.bytes(), FIRST_WORDS)))
    }

    /// Reads `must [not] open DOOR [from WHO] [within T]`.
    fn must<'a>(&self, first: Piece<'a>, words: &mut Words<'a>) -> Result<Claim, Fault<'a>> {
        let word = keyword(first, words, &["open", "not"])?;
        let is_refused = word.bytes() == b"not";
        let open = if is_refused { keyword(word, words, &["open"])? } else { word };
        let doors = self.door(open, words)?;
        let (mut whom, mut within) = (Whom::All, None);
        while let Some(word) = words.next() {
            match word.bytes() {
                b"from" if whom != Whom::All => return Err(twice(word)),
                b"from" => whom = client(word, words)?,
                b"within" if is_refused => {
                    let wording =
                        Wording::new("`must not open` takes no `within`", "not allowed here")
                            .help("use `within` only with `must open`");
                    return Err(fault(word, wording));
                }
                b"within" if within.is_some() => return Err(twice(word)),
                b"within" => within = Some(words.length(word)?),
                _ => return Err(unknown(word, &["from", "within"])),
            }
        }
        let which = Which { doors, whom };
        Ok(if is_refused { Claim::StaysShut { which } } else { Claim::Opens { which, within } })
    }

    /// Reads `opens DOOR COUNT [from WHO]` after its first word.
    fn opens<'a>(&self, first: Piece<'a>, words: &mut Words<'a>) -> Result<Claim, Fault<'a>> {
        let doors = self.door(first, words)?;
        let Some(count) = times(words)? else {
            let wording = Wording::new("the line ends too early", "expected how often")
                .help("write a number, such as `3`, `at least 3` or `at most 3`");
            return Err(fault(words.taken().empty_at_end(), wording));
        };
        let whom = match words.next() {
            None => Whom::All,
            Some(word) if word.bytes() == b"from" => client(word, words)?,
            Some(word) => return Err(unknown(word, &["from", "times"])),
        };
        Ok(Claim::OpensTimes { which: Which { doors, whom }, count })
    }

    /// Reads `closes DOOR [for WHO] [after T]` after its first word.
    fn closes<'a>(&self, first: Piece<'a>, words: &mut Words<'a>) -> Result<Claim, Fault<'a>> {
        let doors = self.door(first, words)?;
        let (mut whom, mut after) = (Whom::All, None);
        while let Some(word) = words.next() {
            match word.bytes() {
                b"for" if whom != Whom::All => return Err(twice(word)),
                b"for" => whom = client(word, words)?,
                b"after" if after.is_some() => return Err(twice(word)),
                b"after" => after = Some(words.length(word)?),
                _ => return Err(unknown(word, &["for", "after"])),
            }
        }
        Ok(Claim::Closes { which: Which { doors, whom }, after })
    }

    /// Reads the name of a door after `behind`.
    fn door<'a>(&self, behind: Piece<'a>, words: &mut Words<'a>) -> Result<Meant, Fault<'a>> {
        let what = "the name of a door, or `any`";
        let Quotable { at, bytes, is_quoted } = words.quotable(behind, what)?;
        if !is_quoted && *bytes == *b"any" {
            return Ok(Meant::Any);
        }
        let name = shown(Path::new(OsStr::from_bytes(&bytes)));
        let Some(doors) = self.doors else { return Ok(Meant::Named(name, Vec::new())) };
        let is_meant = |door: &&[u8]| **door == *bytes;
        let named = || doors.in_order().map(|(id, door)| (id, door.name.as_bytes()));
        let ids: Vec<DoorId> =
            named().filter(|(_, name)| is_meant(name)).map(|(id, _)| id).collect();
        if ids.is_empty() {
            let known: Vec<&[u8]> = named().map(|(_, name)| name).collect();
            return Err(fault(at, self.no_door(&bytes, &known)));
        }
        Ok(Meant::Named(name, ids))
    }

    fn no_door(&self, name: &[u8], known: &[&[u8]]) -> Wording {
        const LISTED: usize = 8;
        let wording = Wording::new(
            format!("the configuration has no door `{}`", Excerpt::new(name)),
            "not the name of a door",
        );
        let text = known.iter().filter_map(|name| std::str::from_utf8(name).ok());
        if let Some(near) = self.faults.nearest(name, text) {
            return wording.help(format!("did you mean `{}`?", Excerpt::new(near.as_bytes())));
        }
        let listed = known.iter().take(LISTED).map(|name| format!("`{}`", Excerpt::new(name)));
        let mut listed: Vec<String> = listed.collect();
        let more = known.len().saturating_sub(LISTED);
        if more > 0 {
            listed.push(format!("{more} more"));
        }
        if listed.is_empty() {
            return wording.help("it has no doors at all");
        }
        wording.help(format!("its doors are {}", listed.join(", ")))
    }

    /// Reads a line that says with what a test is run.
    fn setting<'a>(&mut self, first: Piece<'a>, mut words: Words<'a>) -> Result<(), Fault<'a>> {
        let once = |is_there: bool| if is_there { Err(twice(first)) } else { Ok(()) };
        match first.bytes() {
            b"config" => {
                once(self.settings.config.is_some())?;
                let path = words.quotable(first, "the path of a knockd.conf")?;
                self.settings.config = Some(PathBuf::from(OsStr::from_bytes(&path.bytes)));
            }
            b"local" => {
                let mut word = words.expect(first, "an address, such as `192.0.2.1`")?;
                loop {
                    self.settings.local.push(local(word)?);
                    let Some(next) = words.next() else { break };
                    word = next;
                }
            }
            b"rules" => {
                once(self.settings.rules.is_some())?;
                let known = ["knock", "knockd-0.8"];
                let word = keyword(first, &mut words, &known)?;
                let is_ours = word.bytes() == b"knock";
                self.settings.rules = Some(if is_ours { Rules::Knock } else { Rules::Knockd08 });
            }
            _ => {
                once(self.settings.only_ip_v4)?;
                self.settings.only_ip_v4 = true;
            }
        }
        words.nothing_more()?;
        self.settings.place.get_or_insert(first.span());
        Ok(())
    }
}

fn twice(word: Piece<'_>) -> Fault<'_> {
    fault(word, Wording::new("this is said twice", "a second time").help("remove one"))
}

/// Reads `admits WHO [to PORTS] [for T]` after its first word.
fn admits<'a>(first: Piece<'a>, words: &mut Words<'a>) -> Result<Claim, Fault<'a>> {
    let whom = client(first, words)?;
    let (mut open_ports, mut lasts) = (None, None);
    while let Some(word) = words.next() {
        match word.bytes() {
            b"to" if open_ports.is_some() => return Err(twice(word)),
            b"to" => open_ports = Some(ports(word, words)?),
            b"for" if lasts.is_some() => return Err(twice(word)),
            b"for" => lasts = Some(words.length(word)?),
            _ => return Err(unknown(word, &["to", "for"])),
        }
    }
    Ok(Claim::Admits { whom, ports: open_ports, lasts })
}

/// Reads ports as `Open` has them.
fn ports<'a>(behind: Piece<'a>, words: &mut Words<'a>) -> Result<OpenPorts, Fault<'a>> {
    let word = words.expect(behind, "ports, such as `tcp/22`")?;
    knock_config::open_ports(word).ok_or_else(|| {
        let message = format!("`{}` is not a list of ports", Excerpt::new(word.bytes()));
        let wording = Wording::new(message, "expected ports");
        fault(word, wording.help("write them as in `Open`, without blanks, such as `tcp/22,443`"))
    })
}

/// Reads one of these words.
fn keyword<'a>(
    behind: Piece<'a>,
    words: &mut Words<'a>,
    known: &[&'static str],
) -> Result<Piece<'a>, Fault<'a>> {
    let list = known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(" or ");
    let word = words.expect(behind, &list)?;
    let is_known = known.iter().any(|known| known.as_bytes() == word.bytes());
    if is_known { Ok(word) } else { Err(unknown(word, known)) }
}

/// Reads `[at least|at most] N [times]`, if there is a number or `at`.
fn times<'a>(words: &mut Words<'a>) -> Result<Option<Count>, Fault<'a>> {
    let Some(word) = words.next_if(|word| !matches!(word, b"from" | b"for")) else {
        return Ok(None);
    };
    let how = match word.bytes() {
        b"at" => Some(keyword(word, words, &["least", "most"])?),
        _ => None,
    };
    let number = match how {
        Some(how) => words.expect(how, "how often")?,
        None => word,
    };
    let number = u64::from(count(number, 0).map_err(|wording| fault(number, wording))?);
    words.next_if(|word| matches!(word, b"times" | b"time"));
    Ok(Some(match how.map(Piece::bytes) {
        None => Count::Exactly(number),
        Some(b"least") => Count::AtLeast(number),
        Some(_) => Count::AtMost(number),
    }))
}

/// Reads the text of a command, which is in quotes.
fn command<'a>(behind: Piece<'a>, words: &mut Words<'a>) -> Result<Vec<u8>, Fault<'a>> {
    let command = words.quotable(behind, "a command in quotes")?;
    if command.is_quoted && command.bytes.windows(4).any(|bytes| bytes == b"%IP%") {
        let wording = Wording::new("`%IP%` is in no command that runs", "expected an address")
            .help("write the address of the client instead of `%IP%`");
        return Err(fault(command.at, wording));
    }
    if command.is_quoted {
        return Ok(command.bytes.into_owned());
    }
    let wording = Wording::new("a command must be in quotes", "expected quotes")
        .help("write `\"...\"`, with `\\\"` for a `\"` in it, or `'...'`");
    Err(fault(command.at.to_line_end(), wording))
}

/// Reads who is meant.
fn client<'a>(behind: Piece<'a>, words: &mut Words<'a>) -> Result<Whom, Fault<'a>> {
    let word = words.expect(behind, "a client, such as `10.0.0.5` or `10.0.0.0/24`")?;
    let text = String::from_utf8_lossy(word.bytes());
    let whom = text.parse();
    if let Err(NotWhom::Both(network)) = whom {
        let shown = Excerpt::new(word.bytes());
        let message = format!("`{shown}` is a client and a network");
        let (address, whole) = (address::text(network.addr()), network.trunc());
        let wording = Wording::new(message, "expected one of them")
            .help(format!("write `{address}` for the client, `{whole}` for the network"));
        return Err(fault(word, wording));
    }
    whom.ok().filter(|whom| *whom != Whom::All).ok_or_else(|| {
        let shown = Excerpt::new(word.bytes());
        let message = format!("`{shown}` is neither an address nor a network");
        let wording = Wording::new(message, "expected who knocks");
        if matches!(word.bytes(), b"any" | b"all" | b"anybody" | b"anyone" | b"everybody") {
            return fault(word, wording.help("leave out `from` and this: everybody is meant then"));
        }
        fault(word, wording.help("write `10.0.0.5`, `10.0.0.0/24`, `2001:db8::5` or the like"))
    })
}

fn local(word: Piece<'_>) -> Result<std::net::IpAddr, Fault<'_>> {
    String::from_utf8_lossy(word.bytes()).parse().map_err(|_| {
        let shown = Excerpt::new(word.bytes());
        let wording = Wording::new(format!("`{shown}` is not an address"), "expected an address")
            .help("write one such as `192.0.2.1` or `2001:db8::1`");
        fault(word, wording)
    })
}

/// Returns the seconds of a length of time, in words.
pub(super) fn in_seconds(length: Duration) -> String {
    let text = format!("{}.{:09}", length.as_secs(), length.subsec_nanos());
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}
