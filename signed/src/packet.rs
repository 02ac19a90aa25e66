//! What a signed packet says.

use core::net::{IpAddr, Ipv6Addr};
use core::num::{NonZeroU8, NonZeroU32};
use core::time::Duration;

use crate::bytes::{Fields, join};
use crate::digest::Digest;
use crate::refusal::{Field, Refusal};
use crate::time::Moment;

/// How many bytes a signed packet has after its UDP header.
pub const PACKET_BYTES: usize = 112;

/// The UDP port to which signed packets are sent by default.
pub const DEFAULT_PORT: u16 = 62_201;

/// How many of its bytes are encrypted.
pub(crate) const TEXT_BYTES: usize = 64;

/// The version of what is here.
const VERSION: u8 = 1;

/// What a signed packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What to do.
    pub verb: Verb,
    /// How many bits of the address to admit count; `None` for all, so a single address.
    pub prefix: Option<NonZeroU8>,
    /// For how many seconds; `None` leaves it to the door.
    pub seconds: Option<NonZeroU32>,
    /// The time by the client's clock.
    pub moment: Moment,
    /// The address to admit; `None` for that from which the packet comes.
    pub admit: Option<IpAddr>,
    /// The name of the server.
    pub server: Digest,
    /// The name of the door.
    pub door: Digest,
}

/// What a packet asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Open the door.
    Open,
    /// Close it before its time.
    Close,
}

impl Verb {
    const fn number(self) -> u8 {
        match self {
            Self::Open => 1,
            Self::Close => 2,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Open),
            2 => Some(Self::Close),
            _ => None,
        }
    }
}

impl Packet {
    /// Checks the client's clock: its moment and the time at which the packet came, in nanoseconds since 1970,
    /// differ by at most `skew`.
    ///
    /// # Errors
    /// [`Refusal::ClockOff`].
    pub fn check_clock(&self, at: i64, skew: Duration) -> Result<(), Refusal> {
        let ahead = self.moment.ahead_of(at);
        if u128::from(ahead.unsigned_abs()) > skew.as_nanos() {
            return Err(Refusal::ClockOff { ahead });
        }
        Ok(())
    }

    /// Returns the text that is encrypted.
    pub(crate) fn text(&self) -> [u8; TEXT_BYTES] {
        let address = match self.admit {
            None => Ipv6Addr::UNSPECIFIED,
            Some(IpAddr::V4(address)) => address.to_ipv6_mapped(),
            Some(IpAddr::V6(address)) => address,
        };
        join(&[
            &[VERSION, self.verb.number(), 0, self.prefix.map_or(0, NonZeroU8::get)],
            &self.seconds.map_or(0, NonZeroU32::get).to_be_bytes(),
            &self.moment.0.to_be_bytes(),
            &address.octets(),
            self.server.as_bytes(),
            self.door.as_bytes(),
        ])
    }

    /// Reads the text that was encrypted.
    pub(crate) fn read(text: &[u8; TEXT_BYTES]) -> Result<Self, Refusal> {
        let mut fields = Fields(text);
        let version = fields.byte();
        if version != VERSION {
            return Err(Refusal::Version { version });
        }
        let verb = Verb::from_number(fields.byte()).ok_or(Refusal::Field(Field::Verb))?;
        if fields.byte() != 0 {
            return Err(Refusal::Field(Field::Flags));
        }
        let prefix = NonZeroU8::new(fields.byte());
        let seconds = NonZeroU32::new(u32::from_be_bytes(fields.next()));
        let moment = Moment(u64::from_be_bytes(fields.next()));
        let address = Ipv6Addr::from_octets(fields.next());
        let admit = (!address.is_unspecified()).then(|| address.to_canonical());
        let bits = if admit.is_some_and(|address| address.is_ipv4()) { 32 } else { 128 };
        if prefix.is_some_and(|prefix| prefix.get() > bits) {
            return Err(Refusal::Field(Field::Prefix));
        }
        let [server, door] = [fields.next(), fields.next()].map(Digest::from_bytes);
        Ok(Self { verb, prefix, seconds, moment, admit, server, door })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet() -> Packet {
        Packet {
            verb: Verb::Open,
            prefix: None,
            seconds: None,
            moment: Moment(1_000),
            admit: None,
            server: Digest::of_server(b"home.example.com"),
            door: Digest::of_door(b"SSH"),
        }
    }

    fn with(place: usize, byte: u8) -> Result<Packet, Refusal> {
        let mut text = packet().text();
        text[place] = byte;
        Packet::read(&text)
    }

    #[test]
    fn fields_that_this_version_does_not_know_are_refused() {
        assert_eq!(with(0, 1), Ok(packet()));
        assert_eq!(with(0, 2), Err(Refusal::Version { version: 2 }));
        for verb in [0, 3, 255] {
            assert_eq!(with(1, verb), Err(Refusal::Field(Field::Verb)));
        }
        assert_eq!(with(2, 128), Err(Refusal::Field(Field::Flags)));
        assert_eq!(with(3, 129), Err(Refusal::Field(Field::Prefix)));
        assert_eq!(with(3, 128).map(|packet| packet.prefix), Ok(NonZeroU8::new(128)));
    }

    #[test]
    fn a_prefix_of_ipv4_has_at_most_32_bits() {
        let admit = Some("192.0.2.7".parse().unwrap());
        let of = |prefix| Packet { admit, prefix: NonZeroU8::new(prefix), ..packet() };
        assert_eq!(Packet::read(&of(32).text()), Ok(of(32)));
        assert_eq!(Packet::read(&of(33).text()), Err(Refusal::Field(Field::Prefix)));
    }

    #[test]
    fn a_clock_may_be_off_by_the_skew() {
        let skew = Duration::from_nanos(300);
        for at in [700, 1_000, 1_300] {
            assert_eq!(packet().check_clock(at, skew), Ok(()));
        }
        assert_eq!(packet().check_clock(699, skew), Err(Refusal::ClockOff { ahead: 301 }));
        assert_eq!(packet().check_clock(1_301, skew), Err(Refusal::ClockOff { ahead: -301 }));
        assert_eq!(packet().check_clock(i64::MIN, Duration::MAX), Ok(()));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            close: bool,
            prefix in 0..33_u8,
            seconds: u32,
            moment: u64,
            admit in prop::option::of(any::<IpAddr>()),
        ) {
            // An IPv4 address in its IPv6 form is read as what it is.
            let admit = admit.map(|address| address.to_canonical());
            let admit = admit.filter(|address| *address != IpAddr::V6(Ipv6Addr::UNSPECIFIED));
            let packet = Packet {
                verb: if close { Verb::Close } else { Verb::Open },
                prefix: NonZeroU8::new(prefix),
                seconds: NonZeroU32::new(seconds),
                moment: Moment(moment),
                admit,
                ..packet()
            };
            prop_assert_eq!(Packet::read(&packet.text()), Ok(packet));
        }

        #[test]
        fn any_text_is_read_or_refused(text: [u8; 32], rest: [u8; 32]) {
            let text = join::<TEXT_BYTES>(&[&text, &rest]);
            if let Ok(packet) = Packet::read(&text) {
                prop_assert_eq!(Packet::read(&packet.text()), Ok(packet));
            }
        }
    }
}
