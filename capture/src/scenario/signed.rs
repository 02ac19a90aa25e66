//! Lines with signed packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use knock_config::lex::Piece;
use knock_config::{Excerpt, Wording, keys, nearest};
use knock_engine::{DoorName, Doors, Port, Signing, User, UserKey};
use knock_signed::{Digest, Verb};

use super::clients::Clients;
use super::statement::{Again, Signed, Signer, Skew};
use super::value::{address, clients, destination, same_family};
use crate::lines::{Fault, Quotable, Words, count, fault, helped, length, unknown};

/// Who sends packets by default.
const CLIENT_4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10));
const CLIENT_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10));

/// How many names are listed.
const LISTED: usize = 8;

/// The doors of configurations, whose users sign packets. None without a configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signers<'a>(&'a [&'a Doors]);

impl<'a> Signers<'a> {
    /// Takes the doors of configurations. A name in several of them means the first.
    #[must_use]
    pub const fn of(doors: &'a [&'a Doors]) -> Self {
        Self(doors)
    }

    /// Returns the key of a user with this number, counted from 1, in the order of the names of their files.
    fn signer(
        self,
        user: Piece<'a>,
        number: Option<(Piece<'a>, u32)>,
    ) -> Result<Signer<'a>, Fault<'a>> {
        let of_user = |one: &&UserKey| one.user.as_bytes() == user.bytes();
        let Some((signing, keys)) = self.0.iter().find_map(|doors| {
            let signing = doors.signing()?;
            let keys: Vec<&UserKey> = signing.keys().iter().filter(of_user).collect();
            (!keys.is_empty()).then_some((signing, keys))
        }) else {
            return Err(self.no_user(user));
        };
        let (at, number) = number.unwrap_or((user, 1));
        let index = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
        let Some(UserKey { key, .. }) = keys.get(index) else {
            let (name, all) = (Excerpt::new(user.bytes()), keys.len());
            let keys = if all == 1 { "1 key" } else { &format!("{all} keys") };
            let wording = Wording::new(format!("`{name}` has {keys}"), "there is no such key")
                .help("the first key is 1, in the order of the names of the files");
            return Err(fault(at, wording));
        };
        Ok(Signer { key, server: signing.server(), port: signing.port() })
    }

    fn no_user(self, user: Piece<'a>) -> Fault<'a> {
        let keys = self.0.iter().filter_map(|doors| doors.signing());
        let mut names: Vec<&User> = keys.flat_map(Signing::keys).map(|key| &key.user).collect();
        names.dedup();
        let shown = Excerpt::new(user.bytes());
        let wording = Wording::new(
            format!("`{shown}` has no key in the configuration"),
            "expected a user with a key",
        );
        if names.is_empty() {
            let help = "write `Signed = USER` in a door, and make a key with `knock enroll`";
            return fault(user, wording.help(help));
        }
        fault(
            user,
            among(
                wording,
                "users with keys",
                user.bytes(),
                names.iter().map(|user| user.as_bytes()),
            ),
        )
    }

    /// Checks that there is a door with this name.
    fn check_door(self, door: &Quotable<'a>) -> Result<(), Fault<'a>> {
        let names = || self.0.iter().flat_map(|doors| doors.in_order()).map(|(_, door)| &door.name);
        if self.0.is_empty() || names().any(|name| name.as_bytes() == &*door.bytes) {
            return Ok(());
        }
        let shown = Excerpt::new(&door.bytes);
        let wording = Wording::new(
            format!("there is no door `{shown}` in the configuration"),
            "expected the name of a door",
        );
        Err(fault(door.at, among(wording, "doors", &door.bytes, names().map(DoorName::as_bytes))))
    }
}

/// Adds the name that may have been meant, or those that there are.
fn among<'n>(
    wording: Wording,
    what: &str,
    word: &[u8],
    names: impl Iterator<Item = &'n [u8]>,
) -> Wording {
    let names: Vec<String> = names.map(|name| Excerpt::new(name).to_string()).collect();
    if names.is_empty() {
        return wording.help(format!("the configuration has no {what}"));
    }
    let near = nearest(word, names.iter().map(String::as_str));
    if near.is_some() {
        return helped(wording, near);
    }
    let list: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    wording.help(format!("the {what} are {}{more}", list.join(", ")))
}

/// Returns the error for a line whose packets cannot be signed.
pub(super) fn no_keys() -> Wording {
    Wording::new(
        "this packet is signed, and there is no configuration with the key",
        "needs the key of a user",
    )
    .help("name the configuration with `--config FILE`")
}

/// What a line says, before it is known to be whole.
#[derive(Default)]
struct Parts<'a> {
    from: Option<(Piece<'a>, Clients)>,
    to: Option<Destination<'a>>,
    key: Option<(Piece<'a>, u32)>,
    server: Option<Digest>,
    verb: Option<Verb>,
    seconds: Option<NonZeroU32>,
    admit: Option<IpAddr>,
    skew: Skew,
    apart: Duration,
    again: Again,
    /// Who sends a packet again, where that is.
    by: Option<(Piece<'a>, IpAddr)>,
    repeated: Option<(u32, Duration)>,
}

type Destination<'a> = (Piece<'a>, (IpAddr, Option<Port>));

/// The words that can follow the door.
const WORDS: [&str; 12] = [
    "skew", "from", "to", "admit", "close", "for", "server", "key", "again", "by", "repeat",
    "apart",
];

/// Reads `signed USER door DOOR...` after its first word, and how often it is sent. `hosts` are those of the lines
/// `to`, by family.
pub(super) fn read<'a>(
    word: Piece<'a>,
    mut words: Words<'a>,
    hosts: [IpAddr; 2],
    signers: Signers<'a>,
) -> Result<(Signed<'a>, Option<(u32, Duration)>), Fault<'a>> {
    let user = words.expect(word, "a user, such as `alice`")?;
    let at = words.expect(user, "`door` and the name of a door")?;
    if at.bytes() != b"door" {
        let wording =
            Wording::new("expected `door` and its name after the user", "expected `door`")
                .help("write `signed alice door SSH`");
        return Err(fault(at, wording));
    }
    let door = words.quotable(at, "the name of a door")?;
    let mut parts = Parts::default();
    while let Some(word) = words.next() {
        parts.word(word, &mut words)?;
    }
    let Parts { from, to, key, server, verb, seconds, admit, skew, apart, again, by, repeated } =
        parts;
    signers.check_door(&door)?;
    let signer = match signers.0 {
        [] => None,
        [..] => Some(signers.signer(user, key)?),
    };
    let [host_4, host_6] = hosts;
    let (destination, port) = match (to, from) {
        (Some((_, to)), _) => to,
        (None, Some((_, from))) if !from.is_ipv4() => (host_6, None),
        (None, _) => (host_4, None),
    };
    let default = Clients::from(if destination.is_ipv4() { CLIENT_4 } else { CLIENT_6 });
    let clients = from.map_or(default, |(_, from)| from);
    if let Some((at, _)) = to.or(from.map(|(at, _)| (at, (destination, None)))) {
        same_family(clients, destination, at)?;
    }
    let by = match by {
        Some((at, _)) if again.times.0 == 0 => {
            let wording = Wording::new("`by` without `again`", "who sends it again")
                .help("write `again 1 every 1s by 10.0.0.9`");
            return Err(fault(at, wording));
        }
        Some((at, by)) => {
            same_family(Clients::from(by), destination, at)?;
            Some(by)
        }
        None => None,
    };
    let again = Again { by, ..again };
    let door = Digest::of_door(&door.bytes);
    let verb = verb.unwrap_or(Verb::Open);
    let line = Signed {
        clients,
        destination,
        port,
        signer,
        server,
        door,
        verb,
        seconds,
        admit,
        skew,
        apart,
        again,
    };
    Ok((line, repeated))
}

impl<'a> Parts<'a> {
    /// Reads a word and what belongs to it.
    fn word(&mut self, word: Piece<'a>, words: &mut Words<'a>) -> Result<(), Fault<'a>> {
        match word.bytes() {
            b"skew" => self.skew = skew(words.expect(word, "a time, such as `+40s` or `-3h`")?)?,
            b"from" => {
                let who = words.expect(word, "who sends it, such as `10.0.0.5`")?;
                self.from = Some((who, clients(who)?));
            }
            b"to" => {
                let at = words.expect(word, "an address, such as `192.0.2.1`")?;
                self.to = Some((at, destination(at)?));
            }
            b"admit" => {
                let at = words.expect(word, "the address to admit, such as `10.0.0.5`")?;
                self.admit = Some(address(at)?);
            }
            b"close" => self.verb = Some(Verb::Close),
            b"for" => self.seconds = Some(seconds(words.expect(word, "a time, such as `10m`")?)?),
            b"server" => self.server = Some(server(words.expect(word, "the name of a server")?)?),
            b"key" => {
                let at = words.expect(word, "which key of the user, such as `2`")?;
                let number = count(at, 1).map_err(|wording| fault(at, wording))?;
                self.key = Some((at, number));
            }
            b"again" => self.again.times = words.times(word)?,
            b"by" => {
                let at = words.expect(word, "who sends it again, such as `10.0.0.9`")?;
                self.by = Some((at, address(at)?));
            }
            b"repeat" => self.repeated = Some(words.times(word)?),
            b"apart" => self.apart = words.length(word)?,
            _ => return Err(unknown(word, &WORDS)),
        }
        Ok(())
    }
}

/// Reads by how much a clock is wrong.
fn skew(word: Piece<'_>) -> Result<Skew, Fault<'_>> {
    let of = |rest| length(rest).map_err(|wording| fault(word, wording));
    if let Some(rest) = word.strip_prefix(b'+') {
        return of(rest).map(Skew::Ahead);
    }
    if let Some(rest) = word.strip_prefix(b'-') {
        return of(rest).map(Skew::Behind);
    }
    let shown = Excerpt::new(word.bytes());
    let wording = Wording::new(format!("`{shown}` has no sign"), "expected `+` or `-` and a time")
        .help("write `skew +40s` for a fast clock, `skew -40s` for a slow one");
    Err(fault(word, wording))
}

/// Reads for how long a door is to be open.
fn seconds(word: Piece<'_>) -> Result<NonZeroU32, Fault<'_>> {
    let length = length(word).map_err(|wording| fault(word, wording))?;
    let seconds = u32::try_from(length.as_secs()).ok().and_then(NonZeroU32::new);
    seconds.filter(|_| length.subsec_nanos() == 0).ok_or_else(|| {
        let shown = Excerpt::new(word.bytes());
        let message = format!("`{shown}` is not a number of whole seconds");
        fault(
            word,
            Wording::new(message, "expected 1s or more").help("write `for 90s` or `for 10m`"),
        )
    })
}

/// Reads the name of a server.
fn server(word: Piece<'_>) -> Result<Digest, Fault<'_>> {
    let name = keys::server_name(word.bytes()).ok_or_else(|| {
        let shown = Excerpt::new(word.bytes());
        let message = format!("`{shown}` is not the name of a server");
        fault(word, Wording::new(message, "expected a name such as `home.example.com`"))
    })?;
    Ok(Digest::of_server(name.as_bytes()))
}
