//! The same doors in the language of libpcap (`man pcap-filter`), which judges the programs.

use knock_tests::generators::frames::LinkKind;
use knock_tests::model::{Door, Protocol, Sequences, Setting};
use pcap::{BpfProgram, Capture, Linktype};

use super::with_all_sequences;

/// A test that no frame passes: none is that long.
const NOTHING: &str = "len = 4294967295";

/// Returns libpcap's program for these doors, for ordinary frames.
pub(crate) fn judge(setting: &Setting, link: LinkKind) -> BpfProgram {
    let expression = expression(setting, link);
    let dead = Capture::dead(Linktype(i32::from(link.dlt()))).unwrap();
    dead.compile(&expression, true).unwrap_or_else(|error| panic!("{error}: {expression}"))
}

fn expression(setting: &Setting, link: LinkKind) -> String {
    let doors = with_all_sequences(&setting.doors);
    let mut tests = Vec::new();
    // A load past the end of a frame drops it, whatever follows: so tests of flags come last.
    for with_flags in [false, true] {
        for (ip, is_v6) in [("ip", false), ("ip6", true)] {
            // libpcap refuses tests that are always false.
            let other = if is_v6 { LinkKind::Ipv4 } else { LinkKind::Ipv6 };
            if (is_v6 && setting.ipv4_only) || link == other {
                continue;
            }
            let has_flags = |door: &&Door| (door.wanted | door.refused != 0) == with_flags;
            let doors = doors.iter().filter(has_flags);
            tests.extend(doors.filter_map(|door| of_door(door, ip, is_v6, setting)));
            if !with_flags {
                let doors = doors_of_udp(setting);
                tests.extend(doors.iter().filter_map(|door| of_door(door, ip, is_v6, setting)));
            }
        }
    }
    if tests.is_empty() { NOTHING.into() } else { tests.join(" or ") }
}

/// Returns the doors with their UDP knocks only, which need no flags.
fn doors_of_udp(setting: &Setting) -> Vec<Door> {
    let mut doors = with_all_sequences(&setting.doors);
    for door in &mut doors {
        if let Sequences::Fixed(knocks) = &mut door.sequences {
            knocks.retain(|knock| knock.protocol == Protocol::Udp);
        }
        (door.wanted, door.refused) = (0, 0);
    }
    doors
}

fn of_door(door: &Door, ip: &str, is_v6: bool, setting: &Setting) -> Option<String> {
    let Sequences::Fixed(knocks) = &door.sequences else { panic!("every line is a door") };
    let (mask, value) = (door.wanted | door.refused, door.wanted);
    let flags = match (mask, is_v6) {
        (0, _) => String::new(),
        (_, false) => format!(" and tcp[13] & {mask} = {value}"),
        (_, true) => format!(" and ip6[53] & {mask} = {value}"),
    };
    let knocks: Vec<String> = knocks
        .iter()
        .map(|knock| match knock.protocol {
            Protocol::Tcp => format!("({ip} and tcp dst port {}{flags})", knock.port),
            Protocol::Udp => format!("({ip} and udp dst port {})", knock.port),
        })
        .collect();
    let local = setting.local.as_deref();
    let destinations = match (door.target, local) {
        (Some(target), _) => vec![target],
        (None, Some(local)) => local.to_vec(),
        (None, None) => return (!knocks.is_empty()).then(|| format!("({})", knocks.join(" or "))),
    };
    let destinations: Vec<String> = destinations
        .iter()
        .filter(|address| address.is_ipv6() == is_v6)
        .map(|address| format!("{ip} dst host {address}"))
        .collect();
    let is_any = !knocks.is_empty() && !destinations.is_empty();
    is_any.then(|| format!("(({}) and ({}))", destinations.join(" or "), knocks.join(" or ")))
}
