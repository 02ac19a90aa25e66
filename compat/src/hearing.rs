//! Which packets are heard, and at which doors.

use std::net::IpAddr;

use knock_engine::{Door, FlagRule, Packet, TcpFlags, TcpHeader, Transport};

use crate::Site;
use crate::difference::{Difference, FixedUpTo};
use crate::filter::{Family, Filter, is_filtered};

/// What decides whether a rule set hears a packet.
#[derive(Clone, Copy)]
pub(crate) struct Hearing<'a> {
    pub(crate) fixed: FixedUpTo,
    pub(crate) filter: &'a Filter,
    pub(crate) site: &'a Site,
}

impl Hearing<'_> {
    /// Returns whether the capture filter of any door lets a packet through.
    #[inline]
    pub(crate) fn admits(self, packet: &Packet) -> bool {
        let Self { fixed, filter, site } = self;
        if !fixed.has(Difference::TargetFamily) {
            return filter.passes(packet, site);
        }
        if !fixed.has(Difference::NoAddress) && !is_filtered(&site.listening) {
            return true;
        }
        let family = Family::of(packet.destination);
        site.doors.in_order().any(|(id, door)| {
            let has_flags = match packet.transport {
                Transport::Udp => true,
                Transport::Tcp(_) => {
                    door.flags == FlagRule::default()
                        || door.flags.is_satisfied_by(packet.transport)
                }
            };
            let first = filter.sequence(id, door, family);
            let is_named = match first {
                Some(sequence) => sequence.knocks().contains(&packet.knock()),
                None => door.names(packet.knock()),
            };
            self.hears(door, packet.source)
                && is_named
                && self.is_for(door, packet.destination)
                && has_flags
        })
    }

    /// Returns whether the capture filter lets a destination through for a door.
    pub(crate) fn is_for(self, door: &Door, destination: IpAddr) -> bool {
        let listening = &self.site.listening;
        if self.fixed.has(Difference::Ipv4Only) {
            return listening.belongs(destination, door.target);
        }
        match door.target {
            Some(target) => target.address == destination,
            None => listening.belongs(destination, None),
        }
    }

    /// Returns whether a door listens on a destination.
    pub(crate) fn listens(self, door: &Door, destination: IpAddr) -> bool {
        let is_spelled_well = door.target.is_none_or(|target| target.is_as_printed);
        (is_spelled_well || self.fixed.has(Difference::TargetText))
            && self.is_for(door, destination)
    }

    /// Returns whether a door hears a client.
    pub(crate) fn hears(self, door: &Door, client: IpAddr) -> bool {
        !self.fixed.has(Difference::Limits) || door.sources.hear(client)
    }

    /// Returns whether a packet has the flags that a door asks for.
    pub(crate) fn has_flags(self, door: &Door, packet: &Packet) -> bool {
        let transport = match packet.transport {
            // Flags that were not captured count as not set; the real program reads whatever is in
            // memory there.
            Transport::Tcp(TcpHeader { flags: None, sequence_number })
                if !self.fixed.has(Difference::CutFlags) =>
            {
                Transport::Tcp(TcpHeader { flags: Some(TcpFlags::default()), sequence_number })
            }
            as_captured @ (Transport::Tcp(_) | Transport::Udp) => as_captured,
        };
        door.flags.is_satisfied_by(transport)
    }
}
