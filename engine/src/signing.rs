//! Signed knocks: who may open which door with one packet.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use knock_signed::{
    Digest, KeyId, Keyring, Moment, Moments, PACKET_BYTES, PacketKey, Refusal, Unopened, Verb,
};

use crate::door::{Door, DoorName};
use crate::door_id::DoorId;
use crate::packet::{Knock, Port, Protocol};
use crate::signed_door::{Admits, User, Users};
use crate::time::{Seconds, Timestamp};

/// A key of a user. A user may have several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserKey {
    /// The user.
    pub user: User,
    /// The key.
    pub key: PacketKey,
    /// The doors that it opens, of those that its user may open; empty for all.
    pub doors: Vec<DoorName>,
    /// The time from which on it opens nothing.
    pub until: Option<Timestamp>,
}

/// The place of a key among those of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyNumber(pub u16);

/// The keys of a server, and what they have done.
#[derive(Clone, Debug)]
pub struct Signing {
    port: Port,
    server: Digest,
    skew: Duration,
    keys: Vec<UserKey>,
    keyring: Keyring,
    moments: BTreeMap<KeyId, Moments>,
    /// Moments up to it are refused of a key that nothing is known of.
    floor: Moment,
}

/// What a packet has a right to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedRequest {
    /// The door.
    pub door: DoorId,
    /// For whom it opens or closes.
    pub client: IpAddr,
    /// The key.
    pub key: KeyNumber,
    /// The moment, which the key must not use again.
    pub moment: Moment,
    /// What is to be done.
    pub action: SignedAction,
}

/// What a signed packet asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedAction {
    /// The door is to open, for so long at most.
    Open(Option<Seconds>),
    /// The door is to close before its time is over.
    Close,
}

/// Why a signed packet opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NotSigned {
    /// Why.
    pub why: Refusal,
    /// The key that it was made with, if that is known.
    pub key: Option<KeyNumber>,
}

/// A packet as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Came<'a> {
    pub(crate) source: IpAddr,
    pub(crate) payload: &'a [u8; PACKET_BYTES],
    pub(crate) time_of_day: Timestamp,
}

/// A door, and its name as signed packets have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamedDoor<'a> {
    pub(crate) id: DoorId,
    pub(crate) door: &'a Door,
    pub(crate) digest: &'a Digest,
}

impl Signing {
    /// The most keys.
    pub const KEYS_MAX: usize = 4_096;
    /// How far a client's clock may be off if nothing else is said.
    pub const SKEW_DEFAULT: Seconds = Seconds::new(60).unwrap();
    /// How far it may be off at most: the key of a packet is found by the minute in which it was made.
    pub const SKEW_MAX: Seconds = Seconds::new(60).unwrap();

    /// Takes the keys of a server with a name; `None` if there are more than [`Signing::KEYS_MAX`].
    #[must_use]
    pub fn new(port: Port, server: &[u8], skew: Seconds, keys: Vec<UserKey>) -> Option<Self> {
        let skew = Duration::from_secs(skew.min(Self::SKEW_MAX).get().into());
        let keyring = Keyring::new(keys.iter().map(|one| one.key.clone()).collect());
        let (server, moments) = (Digest::of_server(server), BTreeMap::new());
        let signing = Self { port, server, skew, keys, keyring, moments, floor: Moment(0) };
        (signing.keys.len() <= Self::KEYS_MAX).then_some(signing)
    }

    /// Returns the same with what was used before, by key. Moments up to `floor` are refused of all others: those of
    /// packets that may have been accepted before anything was remembered.
    #[must_use]
    pub fn with_moments(
        mut self,
        floor: Moment,
        used: impl IntoIterator<Item = (KeyId, Moment)>,
    ) -> Self {
        self.floor = floor;
        for (key, moment) in used {
            self.moments_of(key).insert(moment);
        }
        self
    }

    /// Returns the port to which packets are sent.
    #[must_use]
    pub const fn port(&self) -> Port {
        self.port
    }

    /// Returns the name of the server, as packets have it.
    #[must_use]
    pub const fn server(&self) -> Digest {
        self.server
    }

    /// Returns what a packet is as a knock that goes to this port.
    #[must_use]
    #[inline]
    pub const fn knock(&self) -> Knock {
        Knock { port: self.port, protocol: Protocol::Udp }
    }

    /// Returns the keys.
    #[must_use]
    pub fn keys(&self) -> &[UserKey] {
        &self.keys
    }

    /// Returns a key.
    #[must_use]
    pub fn key(&self, number: KeyNumber) -> Option<&UserKey> {
        self.keys.get(usize::from(number.0))
    }

    /// Takes over what the keys of an earlier configuration have used.
    pub(crate) fn inherit(&mut self, earlier: Self) {
        self.floor = earlier.floor;
        self.moments = earlier.moments;
        if self.moments.len() > Self::KEYS_MAX {
            let known = &self.keys;
            self.moments.retain(|id, _| known.iter().any(|one| one.key.id() == *id));
        }
    }

    /// Returns what a packet has a right to. The checks are in the order of their cost: of a packet with an unknown hint,
    /// nothing is decrypted.
    pub(crate) fn judge<'a>(
        &mut self,
        came: Came<'_>,
        doors: impl Iterator<Item = NamedDoor<'a>>,
    ) -> Result<SignedRequest, NotSigned> {
        let at = came.time_of_day.as_nanos();
        let opened = self.keyring.open(came.payload, at);
        let (place, packet) = opened.map_err(|Unopened { key, refusal }| NotSigned {
            why: refusal,
            key: key.and_then(number_of),
        })?;
        let unknown = NotSigned { why: Refusal::HintUnknown, key: None };
        let key = number_of(place).ok_or(unknown)?;
        let refuse = |why| NotSigned { why, key: Some(key) };
        let used_key = self.keys.get(place).ok_or(unknown)?;
        if used_key.until.is_some_and(|until| until <= came.time_of_day) {
            return Err(refuse(Refusal::KeyExpired));
        }
        packet.check_clock(at, self.skew).map_err(refuse)?;
        if packet.server != self.server {
            return Err(refuse(Refusal::OtherServer));
        }
        let moments = self.moments.get(&used_key.key.id()).copied();
        moments.unwrap_or(Moments::new(self.floor)).check(packet.moment).map_err(refuse)?;
        let (door, rule) = find(&packet.door, doors, used_key).map_err(refuse)?;
        let client = rule.client(came.source, packet.admit).map_err(refuse)?;
        let bits = if client.is_ipv4() { 32 } else { 128 };
        if packet.prefix.is_some_and(|prefix| prefix.get() < bits) {
            return Err(refuse(Refusal::PrefixForbidden));
        }
        let (id, door) = door;
        if !door.sources.hear(client) || !door.sources.hear(came.source) {
            return Err(refuse(Refusal::AddressForbidden));
        }
        let action = match packet.verb {
            Verb::Open => {
                SignedAction::Open(packet.seconds.and_then(|seconds| Seconds::new(seconds.get())))
            }
            Verb::Close => SignedAction::Close,
        };
        Ok(SignedRequest { door: id, client, key, moment: packet.moment, action })
    }

    /// A key has used a moment.
    pub(crate) fn use_moment(&mut self, key: KeyNumber, moment: Moment) {
        let Some(id) = self.key(key).map(|one| one.key.id()) else { return };
        self.moments_of(id).insert(moment);
    }

    fn moments_of(&mut self, key: KeyId) -> &mut Moments {
        let floor = self.floor;
        self.moments.entry(key).or_insert_with(|| Moments::new(floor))
    }
}

/// Finds the door that a packet names, and how it hears signed packets. Of doors with the same name, the first that the
/// user may open counts.
fn find<'a>(
    name: &Digest,
    doors: impl Iterator<Item = NamedDoor<'a>>,
    key: &UserKey,
) -> Result<((DoorId, &'a Door), Admits), Refusal> {
    let mut why = Refusal::DoorUnknown;
    for NamedDoor { id, door, digest } in doors {
        if digest != name {
            continue;
        }
        why = Refusal::DoorForbidden;
        let Some(signed) = &door.signed else { continue };
        let is_user = match &signed.users {
            Users::Any => true,
            Users::Named(users) => users.contains(&key.user),
        };
        if is_user && (key.doors.is_empty() || key.doors.contains(&door.name)) {
            return Ok(((id, door), signed.admits));
        }
    }
    Err(why)
}

fn number_of(place: usize) -> Option<KeyNumber> {
    u16::try_from(place).ok().map(KeyNumber)
}

#[cfg(test)]
mod tests {
    use knock_signed::Key;

    use super::*;

    const KEPT: u8 = 1;

    fn signing(keys: &[u8]) -> Signing {
        let user = |&byte: &u8| UserKey {
            user: User::new(&[byte]),
            key: Key::take(&mut [byte; 32]).for_packets(),
            doors: Vec::new(),
            until: None,
        };
        let keys = keys.iter().map(user).collect();
        Signing::new(Port(62_201), b"home", Signing::SKEW_DEFAULT, keys).unwrap()
    }

    #[test]
    fn a_reload_forgets_only_what_there_is_no_room_for_and_of_keys_that_are_gone() {
        let kept = signing(&[KEPT]).keys()[0].key.id();
        let id = |number: usize| KeyId(u64::try_from(number).unwrap().to_be_bytes());
        for (others, left) in [(Signing::KEYS_MAX - 1, Signing::KEYS_MAX), (Signing::KEYS_MAX, 1)] {
            let used = (0..others).map(id).chain([kept]).map(|id| (id, Moment(7)));
            let earlier = signing(&[KEPT]).with_moments(Moment(5), used);
            let mut later = signing(&[2, KEPT]);
            later.inherit(earlier);
            assert_eq!((later.moments.len(), later.floor), (left, Moment(5)));
            assert_eq!(later.moments[&kept].check(Moment(7)), Err(Refusal::MomentUsed));
        }
    }
}
