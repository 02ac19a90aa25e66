//! The values of keywords.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use knock_config::lex::Piece;
use knock_config::{Excerpt, InterfaceName, Wording};
use knock_engine::DoorName;

use super::keyword::Keyword;
use super::place::{Base, PathFault};
use super::settings::{Knocks, Settings};
use super::words::Word;
use crate::plan::MAX_HITS;
use crate::request::{Awaited, Family};
use knock_capture::duration::{self, DurationError, Unit};
use knock_capture::hit::{Hit, HitError};
use knock_config::diagnostics::Faults;

/// The longest host name, in bytes: that of the domain name system.
const MAX_HOST_BYTES: usize = 253;

/// Reads the words after any keyword but `Host` as settings with this one value. There is at least
/// one word.
pub(super) fn settings(
    keyword: Keyword,
    words: &[Word<'_>],
    base: &Base,
    faults: &mut Faults,
) -> Option<Settings> {
    if keyword == Keyword::Knocks {
        let knocks = Some(Knocks::Here(knocks(words, faults)?));
        return Some(Settings { knocks, ..Settings::default() });
    }
    let word = only(keyword, words, faults)?;
    let mut one = Settings::default();
    match keyword {
        // Not settings of one word; the caller reads them.
        Keyword::Host | Keyword::Knocks => {}
        Keyword::HostName => one.host_name = Some(host_name(word, faults)?),
        Keyword::Delay => one.delay = Some(time(word, Unit::Milliseconds, faults)?),
        Keyword::Wait => one.wait = Some(wait(word, faults)?),
        Keyword::Then => one.then = Some(then(word, faults)?),
        Keyword::Retry => one.retry = Some(retry(word, faults)?),
        Keyword::Source => one.source = Some(source(word, faults)?),
        Keyword::Interface => one.interface = Some(interface(word, faults)?),
        Keyword::AddressFamily => one.family = Some(family(word, faults)?),
        Keyword::Key => one.key = Some(path(word, base, faults)?),
        Keyword::Config => one.config = Some(path(word, base, faults)?),
        Keyword::Door => one.knocks = Some(Knocks::Door(door(word, faults)?)),
        Keyword::OneTimeSequences => {
            one.knocks = Some(Knocks::OneTime(path(word, base, faults)?));
        }
    }
    Some(one)
}

/// Returns the only word.
fn only<'a, 'b>(
    keyword: Keyword,
    words: &'b [Word<'a>],
    faults: &mut Faults,
) -> Option<&'b Word<'a>> {
    if let Some(second) = words.get(1) {
        let message = format!("`{}` takes one value", keyword.name());
        let wording = Wording::new(message, "one word too many")
            .help("put a value with spaces in double quotes");
        faults.error(second.at, wording);
        return None;
    }
    words.first()
}

/// Reads knocks, separated by blanks or commas.
fn knocks(words: &[Word<'_>], faults: &mut Faults) -> Option<Vec<Hit>> {
    let errors = faults.errors();
    let mut hits = Vec::new();
    for (text, at) in words.iter().flat_map(parts) {
        if hits.len() >= MAX_HITS {
            let message = format!("there are more than {MAX_HITS} knocks");
            faults.error(at, Wording::new(message, "one knock too many"));
            return None;
        }
        match String::from_utf8_lossy(&text).parse::<Hit>() {
            Ok(hit) => hits.push(hit),
            Err(error) => faults.error(at, knock_wording(&error, faults)),
        }
    }
    (faults.errors() == errors).then_some(hits)
}

/// Cuts a word into knocks. A comma also separates the flags of one knock: where flags are possible,
/// what follows it belongs to the knock before it unless it begins with a digit.
fn parts<'a>(word: &Word<'a>) -> Vec<(Vec<u8>, Piece<'a>)> {
    let is_plain = word.at.bytes() == word.text;
    let mut parts: Vec<(Vec<u8>, Piece<'a>)> = Vec::new();
    let mut start = 0_usize;
    for text in word.text.split(|byte| *byte == b',') {
        let end = start.saturating_add(text.len());
        let continues = !text.first().is_some_and(u8::is_ascii_digit);
        match parts.last_mut().filter(|(last, _)| continues && has_flags(last)) {
            Some((last, at)) => {
                last.push(b',');
                last.extend(text);
                if is_plain {
                    *at = word.at.split_at(end).0.split_at(end.saturating_sub(last.len())).1;
                }
            }
            None if is_plain => {
                let at = word.at.split_at(end).0.split_at(start).1;
                parts.push((text.to_vec(), at));
            }
            None => parts.push((text.to_vec(), word.at)),
        }
        start = end.saturating_add(1);
    }
    parts
}

/// Returns whether there are three fields in a knock.
fn has_flags(text: &[u8]) -> bool {
    text.split(|byte| *byte == b':').nth(2).is_some()
}

fn knock_wording(error: &HitError, faults: &Faults) -> Wording {
    let label = match error {
        HitError::Port(text) if text.is_empty() => "expected a port",
        HitError::Port(_) => "not a knock",
        HitError::Protocol(_) | HitError::Flag(_) | HitError::FourthField => "in this knock",
        HitError::FlagsOfUdp => "this knock has flags",
    };
    // Finding it is slow, and no error after the first ones is kept.
    let help = (faults.errors() < Faults::MAX).then(|| error.help()).flatten();
    let example = || "knocks are such as `7000`, `8000:udp` or `9000:tcp:fin,psh`".to_owned();
    let help = Some(help.unwrap_or_else(example));
    Wording { help, ..Wording::new(error.to_string(), label) }
}

/// Reads a name or an address, with `%h` for the name that the user gave and `%%` for a `%`.
fn host_name(word: &Word<'_>, faults: &mut Faults) -> Option<String> {
    let text = std::str::from_utf8(&word.text).unwrap_or_default();
    let is_one = !text.is_empty()
        && text.len() <= MAX_HOST_BYTES
        && !text.contains(|character: char| character.is_whitespace() || character.is_control());
    if !is_one {
        let message = format!("`{}` is not a host name", Excerpt::new(&word.text));
        let wording = Wording::new(message, "expected a name or an address");
        faults.error(word.at, wording.help("write `HostName home.example.com`"));
        return None;
    }
    if expanded(text, "").is_none() {
        let message = "unknown `%` in a host name";
        let help = "only `%h`, the name on the command line, and `%%` are known; write an address \
                    with an interface as `fe80::1%%eth0`";
        faults.error(word.at, Wording::new(message, "in this name").help(help));
        return None;
    }
    Some(text.to_owned())
}

/// Returns a host name with its `%h` replaced; `None` if there is a `%` of another kind.
pub(super) fn expanded(host_name: &str, host: &str) -> Option<String> {
    let mut out = String::new();
    let mut characters = host_name.chars();
    while let Some(character) = characters.next() {
        match (character, character == '%') {
            (_, false) => out.push(character),
            (_, true) => match characters.next()? {
                'h' => out.push_str(host),
                '%' => out.push('%'),
                _ => return None,
            },
        }
    }
    Some(out)
}

fn time(word: &Word<'_>, plain: Unit, faults: &mut Faults) -> Option<Duration> {
    duration::parse(&String::from_utf8_lossy(&word.text), plain)
        .map_err(|error| {
            let help = match plain {
                Unit::Milliseconds => "a number without a unit is milliseconds",
                Unit::Seconds => "a number without a unit is seconds",
            };
            faults.error(word.at, bad(word, &error.to_string()).help(help));
        })
        .ok()
}

fn wait(word: &Word<'_>, faults: &mut Faults) -> Option<Duration> {
    let wait = time(word, Unit::Seconds, faults)?;
    if wait.is_zero() {
        faults.error(word.at, bad(word, &DurationError::Zero.to_string()));
        return None;
    }
    Some(wait)
}

fn then(word: &Word<'_>, faults: &mut Faults) -> Option<Awaited> {
    Awaited::parse(&String::from_utf8_lossy(&word.text))
        .map_err(|error| faults.error(word.at, bad(word, &error)))
        .ok()
}

fn retry(word: &Word<'_>, faults: &mut Faults) -> Option<u32> {
    let text = std::str::from_utf8(&word.text).unwrap_or_default();
    let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    if number.is_none() {
        faults.error(word.at, bad(word, "not a number from 0 to 4294967295"));
    }
    number
}

fn source(word: &Word<'_>, faults: &mut Faults) -> Option<IpAddr> {
    let address = std::str::from_utf8(&word.text).ok().and_then(|text| text.parse().ok());
    if address.is_none() {
        let wording = bad(word, "not an address, such as 192.0.2.10 or 2001:db8::10");
        faults.error(
            word.at,
            wording.help("use an address of this machine: the knocks come from it"),
        );
    }
    address
}

fn interface(word: &Word<'_>, faults: &mut Faults) -> Option<InterfaceName> {
    let name = InterfaceName::new(&word.text);
    if name.is_none() {
        faults.error(word.at, bad(word, "not a name that an interface can have"));
    }
    name
}

/// Reads a family; the inner `None` is any.
#[expect(clippy::option_option, reason = "any family and no family are two things")]
fn family(word: &Word<'_>, faults: &mut Faults) -> Option<Option<Family>> {
    let known = [("any", None), ("inet", Some(Family::V4)), ("inet6", Some(Family::V6))];
    let given = known.iter().find(|(name, _)| word.text.eq_ignore_ascii_case(name.as_bytes()));
    if let Some((_, family)) = given {
        return Some(*family);
    }
    let nearest = faults.nearest(&word.text, known.map(|(name, _)| name));
    let help = match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "`inet` is IPv4, `inet6` is IPv6".to_owned(),
    };
    faults.error(word.at, bad(word, "not any, inet or inet6").help(help));
    None
}

fn door(word: &Word<'_>, faults: &mut Faults) -> Option<DoorName> {
    if word.text.is_empty() {
        let wording = Wording::new("a door without a name", "expected the name of a door");
        faults.error(word.at, wording);
        return None;
    }
    Some(DoorName::new(&word.text))
}

fn path(word: &Word<'_>, base: &Base, faults: &mut Faults) -> Option<PathBuf> {
    base.path(&word.text).map_err(|fault| faults.error(word.at, path_wording(fault))).ok()
}

fn path_wording(fault: PathFault) -> Wording {
    match fault {
        PathFault::Empty => Wording::new("a file without a name", "expected the path of a file"),
        PathFault::NoHome => Wording::new("this user has no home", "this path begins there")
            .help("write the whole path, or set `HOME`"),
        PathFault::OtherHome => {
            Wording::new("the home of another user", "only `~/` is known, your own home")
                .help("write the whole path")
        }
    }
}

fn bad(word: &Word<'_>, what: &str) -> Wording {
    let text = Excerpt::new(&word.text);
    Wording::new(format!("`{text}` is {what}"), "this value")
}

#[cfg(test)]
mod tests {
    use knock_config::lex::Text;

    use super::super::words;
    use super::*;

    fn hits(value: &str) -> Result<Vec<String>, Vec<(u32, usize)>> {
        let line = Text::new(value.as_bytes()).lines().next().unwrap().trimmed();
        let mut faults = Faults::default();
        let hits = knocks(&words::words(line).unwrap(), &mut faults);
        let source = faults.into_source(String::new(), vec![]);
        let places = source.findings.iter().map(|one| one.span.unwrap());
        let places = places.map(|span| (span.column, span.end.abs_diff(span.start))).collect();
        hits.map(|hits| hits.iter().map(Hit::to_string).collect()).ok_or(places)
    }

    #[test]
    fn knocks_are_parted_by_blanks_and_commas_and_flags_by_commas() {
        let expected = ["7000:tcp", "8000:udp", "9000:tcp:fin,psh", "1:tcp"];
        for value in [
            "7000 8000:udp 9000:tcp:fin,psh 1",
            "7000,8000:udp,9000:tcp:fin,psh,1",
            "7000 \"8000:udp,9000:tcp:fin,psh\" 1",
        ] {
            assert_eq!(hits(value).unwrap(), expected, "{value}");
        }
        assert_eq!(hits("1:tcp:fin,2:udp").unwrap(), ["1:tcp:fin", "2:udp"]);
    }

    #[test]
    fn every_invalid_knock_is_marked() {
        assert_eq!(hits("7000,,8000"), Err(vec![(6, 0)]));
        assert_eq!(hits("0 1,65536 ssh"), Err(vec![(1, 1), (5, 5), (11, 3)]));
        assert_eq!(hits("1,2:tcp:fin,x,3"), Err(vec![(3, 11)]));
        assert_eq!(hits("\"1,x\" 2"), Err(vec![(1, 5)]));
        assert_eq!(hits("1:tcp,udp"), Err(vec![(7, 3)]));
    }

    #[test]
    fn a_wait_is_some_time_and_a_delay_may_be_none() {
        let given = |keyword, value: &str| {
            let line = Text::new(value.as_bytes()).lines().next().unwrap().trimmed();
            let words = words::words(line).unwrap();
            settings(keyword, &words, &Base::default(), &mut Faults::default())
        };
        assert_eq!(given(Keyword::Wait, "0"), None);
        assert_eq!(given(Keyword::Wait, "1").unwrap().wait, Some(Duration::from_secs(1)));
        assert_eq!(given(Keyword::Delay, "0").unwrap().delay, Some(Duration::ZERO));
    }

    #[test]
    fn there_is_a_limit_on_the_number_of_knocks() {
        let value = "1,".repeat(MAX_HITS - 1) + "1";
        assert_eq!(hits(&value).unwrap().len(), MAX_HITS);
        assert_eq!(hits(&(value + " 77")), Err(vec![(513, 2)]));
    }

    #[test]
    fn a_host_name_can_contain_the_requested_name() {
        assert_eq!(expanded("%h.example.com", "home").as_deref(), Some("home.example.com"));
        assert_eq!(expanded("fe80::1%%eth0", "home").as_deref(), Some("fe80::1%eth0"));
        assert_eq!(expanded("%%h", "home").as_deref(), Some("%h"));
        assert_eq!(expanded("a%", "home"), None);
        assert_eq!(expanded("%p", "home"), None);
    }
}
