//! Doors that a port scan opens.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::doors::BARE_SYN;
use crate::config::DoorConfig;
use crate::diagnostics::Diagnostics;
use crate::warnings::Warning;
use knock_engine::{Knock, Port, Protocol, Transport};

/// Warns about doors that are opened by a scan of every port, from the lowest to the highest.
///
/// If another door listens to a port between the knocks, the scan voids its own attempt, so there is
/// no warning. Takes O(n log n) time for n knocks in total.
pub(super) fn check(doors: &[DoorConfig], text: &[u8], diagnostics: &mut Diagnostics) {
    let mut heard = Heard::default();
    for door in doors {
        heard.add(door);
    }
    for door in doors {
        let (Some(protocol), Some(given)) = (ascending(door), &door.knocks) else { continue };
        if !heard.is_disturbed(door) {
            diagnostics.warn(Warning::AscendingSequence { protocol }, given.value_in(text));
        }
    }
}

/// Returns the protocol of the scan that sends the knocks of a door in order.
fn ascending(door: &DoorConfig) -> Option<Protocol> {
    let knocks = door.sequence()?.knocks();
    let protocol = knocks.first()?.protocol;
    let is_one = knocks.len() > 1
        && knocks.iter().all(|knock| knock.protocol == protocol)
        && knocks.is_sorted_by(|one, next| one.port < next.port)
        && door.flags().is_satisfied_by(probe(protocol));
    is_one.then_some(protocol)
}

fn probe(protocol: Protocol) -> Transport {
    match protocol {
        Protocol::Tcp => BARE_SYN,
        Protocol::Udp => Transport::Udp,
    }
}

/// The ports at which some door hears a scan.
#[derive(Default)]
struct Heard {
    anywhere: BTreeSet<(Protocol, Port)>,
    at: BTreeMap<Option<IpAddr>, BTreeSet<(Protocol, Port)>>,
}

impl Heard {
    fn add(&mut self, door: &DoorConfig) {
        let target = door.target().map(|target| target.address);
        for knock in door.sequence().map_or(&[][..], |sequence| sequence.knocks()) {
            if door.flags().is_satisfied_by(probe(knock.protocol)) {
                self.anywhere.insert((knock.protocol, knock.port));
                self.at.entry(target).or_default().insert((knock.protocol, knock.port));
            }
        }
    }

    /// Returns whether a scan may meet a port of another door between the knocks of this one. The text
    /// does not say whether a target is a local address.
    fn is_disturbed(&self, door: &DoorConfig) -> bool {
        let knocks = door.sequence().map_or(&[][..], |sequence| sequence.knocks());
        let (Some(&first), Some(&last)) = (knocks.first(), knocks.last()) else { return false };
        let ends = (first.protocol, first.port)..=(last.protocol, last.port);
        // The first port that is not the door's own ends the search.
        let meets = |heard: &BTreeSet<(Protocol, Port)>| {
            let mut between = heard.range(ends.clone());
            between
                .any(|&(protocol, port)| knocks.binary_search(&Knock { port, protocol }).is_err())
        };
        match door.target() {
            None => meets(&self.anywhere),
            Some(target) => {
                let at = [None, Some(target.address)];
                at.iter().filter_map(|at| self.at.get(at)).any(meets)
            }
        }
    }
}
