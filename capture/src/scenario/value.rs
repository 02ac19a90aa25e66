//! Words for knocks, addresses and clients.

use std::net::{IpAddr, SocketAddr};

use crate::Hit;
use crate::hit::HitError;
use knock_config::lex::Piece;
use knock_config::{Excerpt, Wording};
use knock_engine::{Port, Protocol};

use super::clients::{Clients, NoClients};
use crate::lines::{Fault, fault, helped, unknown};

/// The words that a line can begin with, besides times and addresses.
const FIRST_WORDS: [&str; 6] = ["knock", "signed", "repeat", "end", "to", "start"];

/// Reads the flags of a packet.
pub(super) fn with_flags(hit: Hit, word: Piece<'_>) -> Result<Hit, Fault<'_>> {
    let flags = String::from_utf8_lossy(word.bytes());
    let name = crate::hit::protocol_name(hit.knock.protocol);
    match format!("{}:{name}:{flags}", hit.knock.port.0).parse() {
        Ok(hit) => Ok(hit),
        Err(HitError::FlagsOfUdp) => {
            let wording = Wording::new("a UDP packet has no flags", "only tcp has");
            Err(fault(word, wording.help("remove them")))
        }
        Err(error) => {
            let wording =
                Wording::new(error.to_string(), "expected flags, such as `syn` or `fin,psh`");
            let known = crate::hit::FLAG_NAMES.iter().copied();
            let near =
                knock_config::nearest(word.bytes(), known.chain(["repeat", "again", "apart"]));
            Err(fault(word, helped(wording, near)))
        }
    }
}

pub(super) fn hit<'a>(word: Piece<'a>, others: &[&'static str]) -> Result<Hit, Fault<'a>> {
    let text = String::from_utf8_lossy(word.bytes());
    text.parse().map_err(|error: HitError| {
        let wording =
            Wording::new(error.to_string(), "expected a knock, such as `7000` or `53:udp`");
        let near = knock_config::nearest(word.bytes(), others.iter().copied());
        fault(word, helped(wording, near))
    })
}

pub(super) fn port(word: Piece<'_>) -> Result<Port, Fault<'_>> {
    let text = String::from_utf8_lossy(word.bytes());
    crate::hit::port(&text)
        .map_err(|error| fault(word, Wording::new(error.to_string(), "expected a port")))
}

pub(super) fn protocol(word: Piece<'_>) -> Result<Protocol, Fault<'_>> {
    match word.bytes() {
        b"tcp" => Ok(Protocol::Tcp),
        b"udp" => Ok(Protocol::Udp),
        _ => Err(unknown(word, &["tcp", "udp"])),
    }
}

/// What helps if a line begins with a word that is near no word of scenarios.
pub(super) const NO_SCENARIO: &str = "a line is such as `0.5 10.0.0.5 > 192.0.2.1:7000 tcp`; if this is to be a capture, save \
                           packets with `tcpdump -w`";

/// Reads where a packet comes from: clients, or one client with a port.
pub(super) fn source(word: Piece<'_>) -> Result<(Clients, Option<Port>), Fault<'_>> {
    let text = String::from_utf8_lossy(word.bytes());
    if let Ok(address) = text.parse::<SocketAddr>() {
        let client = Clients::from(address.ip());
        return Ok((client, Some(Port(address.port()))));
    }
    let is_first_word = |wording: Wording| match knock_config::nearest(word.bytes(), FIRST_WORDS) {
        None => fault(word, wording.help(NO_SCENARIO)),
        near => fault(word, helped(wording, near)),
    };
    match Clients::read(&text) {
        Ok(clients) => Ok((clients, None)),
        Err(NoClients::NoAddress) => {
            let shown = Excerpt::new(word.bytes());
            let message = format!("`{shown}` is not a time, an address or a known word");
            let label = "expected `TIME`, `SOURCE > DESTINATION`, `knock`, `signed` or `repeat`";
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

pub(super) fn clients(word: Piece<'_>) -> Result<Clients, Fault<'_>> {
    Clients::read(&String::from_utf8_lossy(word.bytes()))
        .map_err(|why| fault(word, no_clients(why)))
}

fn no_clients(why: NoClients) -> Wording {
    match why {
        NoClients::NoAddress => Wording::new("this is not an address", "expected who knocks")
            .help("write `10.0.0.5`, `10.0.0.1-10.0.0.9` or `10.0.0.0/24`"),
        NoClients::Backwards => Wording::new(
            "the range ends before it begins, or in another address family",
            "expected `FIRST-LAST`",
        ),
        NoClients::NoPrefix => Wording::new(
            "this is not a valid prefix length",
            "expected `/0` to `/32`, or with IPv6 to `/128`",
        ),
    }
}

/// Reads where a packet goes, with an optional port after the address.
pub(super) fn destination(word: Piece<'_>) -> Result<(IpAddr, Option<Port>), Fault<'_>> {
    let text = String::from_utf8_lossy(word.bytes());
    if let Ok(address) = text.parse::<SocketAddr>() {
        if address.port() == 0 {
            return Err(fault(
                word,
                Wording::new("port 0 is not a port to knock at", "expected 1 to 65535"),
            ));
        }
        return Ok((address.ip(), Some(Port(address.port()))));
    }
    address(word).map(|address| (address, None))
}

pub(super) fn address(word: Piece<'_>) -> Result<IpAddr, Fault<'_>> {
    String::from_utf8_lossy(word.bytes()).parse().map_err(|_| {
        let shown = Excerpt::new(word.bytes());
        let wording = Wording::new(format!("`{shown}` is not an address"), "expected an address")
            .help("write one such as `192.0.2.1`, `192.0.2.1:7000`, `2001:db8::1`, `[2001:db8::1]:7000`");
        fault(word, wording)
    })
}

pub(super) fn same_family(clients: Clients, host: IpAddr, at: Piece<'_>) -> Result<(), Fault<'_>> {
    if clients.is_ipv4() == host.is_ipv4() {
        return Ok(());
    }
    let message = "the source and the destination are not of the same address family";
    Err(fault(at, Wording::new(message, "this one is of the other family")))
}
