//! Compares decoding under the rule set of knockd 0.8 with that of `knock`.

use knock_compat::{Engine, Rules, Undecodable};
use knock_engine::{
    Doors, Limits, LinkType, Listening, Packet, TcpFlags, Transport, Undecodable as Common,
};

use super::{Decoded, check_every_beginning};

thread_local! {
    /// With a capture filter.
    static FILTERED: Engine = engine(Listening::everywhere());
    /// Without: there is no local address (case `a-no-address-target`).
    static UNFILTERED: Engine = engine(Listening::at([]));
}

fn engine(listening: Listening) -> Engine {
    let doors = Doors::new(Vec::new()).expect("none is not too many");
    Rules::Knockd08.engine(doors, listening, &Limits::default())
}

/// Checks what knockd 0.8 sees in a frame in which the rule set `knock` sees `fixed`.
pub(crate) fn check(link: LinkType, frame: &[u8], fixed: Decoded) {
    FILTERED.with(|engine| {
        let filtered = knock_compat::decode(engine, link, frame);
        check_every_beginning(frame, |part| knock_compat::decode(engine, link, part));
        compare(link, frame, filtered, fixed);
        check_unfiltered(
            UNFILTERED.with(|engine| knock_compat::decode(engine, link, frame)),
            filtered,
        );
    });
}

/// Where no bug of knockd 0.8 applies, it reads the same in a frame as `knock`.
fn compare(link: LinkType, frame: &[u8], filtered: Decoded, fixed: Decoded) {
    let Some(ip) = plain_ip(link, frame) else {
        assert!(filtered.is_err(), "{filtered:?}");
        return;
    };
    let is_short = ip[0] < 0x45;
    let is_extended = ip[0] >> 4 == 6 && ip.get(6).is_some_and(|next| !matches!(next, 6 | 17));
    if is_short {
        assert!(fixed.is_err(), "{fixed:?}");
    } else if is_extended {
        assert!(filtered.is_err(), "{filtered:?}");
    } else if matches!(fixed, Err(Undecodable::Common(Common::NoHost(_)))) {
        assert!(filtered.is_ok(), "{filtered:?}");
    } else {
        assert_eq!(filtered.ok(), fixed.ok());
    }
}

/// Returns the IP packet in a frame of a kind that knockd 0.8 can read, if its version is the one that the
/// link layer states.
fn plain_ip(link: LinkType, frame: &[u8]) -> Option<&[u8]> {
    let (version, ip) = match link {
        LinkType::Ethernet => (announced(frame.get(12..14)?)?, frame.get(14..)?),
        LinkType::LinuxSll => (announced(frame.get(14..16)?)?, frame.get(16..)?),
        LinkType::Raw => (frame.first()? >> 4, frame),
        _ => return None,
    };
    let is_known = version == 4 || version == 6 && link == LinkType::Ethernet;
    (is_known && ip.first()? >> 4 == version).then_some(ip)
}

fn announced(ether_type: &[u8]) -> Option<u8> {
    match ether_type {
        [0x08, 0x00] => Some(4),
        [0x86, 0xdd] => Some(6),
        _ => None,
    }
}

/// Without a filter, frames do not end: bytes past the end are zero.
fn check_unfiltered(unfiltered: Decoded, filtered: Decoded) {
    assert!(!matches!(unfiltered, Err(Undecodable::Common(Common::Cut { .. }))), "{unfiltered:?}");
    if let Ok(filtered) = filtered {
        let unfiltered = unfiltered.expect("no filter lets more through than one");
        match (filtered.transport, unfiltered.transport) {
            (Transport::Tcp(filtered), Transport::Tcp(unfiltered)) => {
                assert_eq!(filtered.flags.or(Some(TcpFlags::default())), unfiltered.flags);
            }
            (filtered, unfiltered) => assert_eq!(filtered, unfiltered),
        }
        let without_header = |packet: Packet| Packet { transport: Transport::Udp, ..packet };
        assert_eq!(without_header(filtered), without_header(unfiltered));
    }
}
