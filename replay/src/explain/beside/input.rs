//! What is read, as knock and knockd 0.8 see it.

use knock_compat::{Sight, Undecodable, is_decoded_alike};
use knock_engine::{Event, Listening, Packet, Timestamp};

use crate::explain::company::Given;
use crate::session::incoming::{Incoming, WithPackets};
use crate::session::reader::{Decoder, Next};

/// What comes next.
#[derive(Debug)]
pub(in super::super) struct Input {
    as_knock: Incoming,
    as_knockd_08: AsKnockd08,
}

/// The packet that knockd 0.8 sees in a frame.
#[derive(Debug)]
enum AsKnockd08 {
    /// What knock sees, as nearly always: so this takes little room.
    Same,
    /// None.
    Nothing,
    /// One of its own.
    Other(Box<Packet>),
}

impl Input {
    /// Returns what the engine by the rules of knockd 0.8 gets.
    pub(super) fn as_knockd_08(&self) -> (Timestamp, Event) {
        self.as_knock.seen_by_others(self.seen_by_knockd_08())
    }

    /// Returns the packet that knockd 0.8 sees, if it sees one.
    pub(super) fn seen_by_knockd_08(&self) -> Option<&Packet> {
        match &self.as_knockd_08 {
            AsKnockd08::Same => self.as_knock.decoded(),
            AsKnockd08::Nothing => None,
            AsKnockd08::Other(packet) => Some(packet),
        }
    }
}

impl Given for Input {
    fn as_knock(&self) -> &Incoming {
        &self.as_knock
    }

    fn time(at: Timestamp) -> Self {
        Self { as_knock: Incoming::time(at), as_knockd_08: AsKnockd08::Same }
    }
}

/// Decodes frames as knock does and as knockd 0.8 does.
#[derive(Clone, Copy)]
pub(in super::super) struct TwoSights {
    pub(in super::super) knock: WithPackets,
    pub(in super::super) knockd_08: Sight,
}

impl Decoder for TwoSights {
    type Input = Input;

    #[expect(
        clippy::inline_always,
        reason = "to copy what is decoded costs as much as to decode it"
    )]
    #[inline(always)]
    fn decode(
        &self,
        at: Timestamp,
        listening: &Listening,
        next: Next<'_>,
        inputs: &mut Vec<Self::Input>,
    ) -> Result<(), Undecodable> {
        let as_knockd_08 = match &next {
            Next::Frame(head, frame, _) if !is_decoded_alike(listening, head.link, frame) => {
                let seen = self.knockd_08.decode(listening, head.link, frame).ok();
                seen.map_or(AsKnockd08::Nothing, |packet| AsKnockd08::Other(Box::new(packet)))
            }
            Next::Frame(..) | Next::Addresses(_) | Next::Time => AsKnockd08::Same,
        };
        let (as_knock, found) = self.knock.incoming(at, listening, next);
        inputs.push(Input { as_knock, as_knockd_08 });
        found
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use fastrand::Rng;
    use knock_capture::Head;
    use knock_capture::frame::datagram_frame;
    use knock_compat::Rules;
    use knock_engine::{Doors, Limits, LinkType};

    use super::*;
    use crate::session::names::PacketId;

    #[test]
    fn both_see_in_a_frame_what_they_see_alone() {
        let sight = |rules: Rules| {
            let doors = Doors::new(Vec::new()).unwrap();
            Sight::of(&rules.engine(doors, Listening::everywhere(), &Limits::default()))
        };
        let (knock, knockd_08) = (sight(Rules::Knock), sight(Rules::Knockd08));
        let [from, to] = ["10.0.0.5:9", "192.0.2.1:7000"].map(str::parse::<SocketAddr>);
        let (from, to) = (from.unwrap(), to.unwrap());
        let listening = Listening::at([to.ip()]);
        let plain = datagram_frame(from, to, b"knock", &mut Rng::with_seed(0)).unwrap();
        let tagged = [&plain[..12], &[0x81, 0, 0, 7], &plain[12..]].concat();
        let [mut short_header, mut no_port, mut no_host] = [&plain; 3].map(Vec::clone);
        short_header[14] = 0x44;
        no_port[14 + 9] = 1;
        no_host[14 + 12] = 224;
        for (frame, is_same) in [
            (plain, true),
            (tagged, false),
            (short_header, false),
            (no_port, true),
            (no_host, false),
        ] {
            let (at, link) = (Timestamp::EPOCH, LinkType::Ethernet);
            let id = PacketId { capture: 0, number: 1 };
            let head = Head { at, link, number: 1, original_length: 60 };
            let next = Next::Frame(head, &frame, id);
            let mut inputs = Vec::new();
            let both = TwoSights { knock: WithPackets(knock), knockd_08 };
            let _ = both.decode(at, &listening, next, &mut inputs);
            let [input] = &inputs[..] else { panic!("{inputs:?}") };
            let alone = |sight: Sight| sight.decode(&listening, link, &frame).ok();
            assert_eq!(input.as_knock().decoded().copied(), alone(knock));
            assert_eq!(input.as_knockd_08().1.packet().copied(), alone(knockd_08));
            assert_eq!(alone(knock) == alone(knockd_08), is_same);
        }
    }
}
