//! Signed packets: the keys, and what a packet has a right to.

use core::net::IpAddr;

use knock_signed::{KeyId, Moment, PACKET_BYTES};

use super::Doors;
use super::entry::Entry;
use crate::address;
use crate::door_id::DoorId;
use crate::listening::Listening;
use crate::packet::{Knock, Packet};
use crate::signing::{Came, NamedDoor, NotSigned, SignedRequest, Signing};
use crate::time::Timestamp;

impl Doors {
    /// Returns the same doors with the keys of signed packets.
    #[must_use]
    pub fn with_signing(self, signing: Signing) -> Self {
        Self { signing: Some(signing), ..self }
    }

    /// Returns the same doors for a driver that knows which moments keys have used before: see
    /// [`Signing::with_moments`].
    #[must_use]
    pub fn with_used_moments(
        self,
        floor: Moment,
        used: impl IntoIterator<Item = (KeyId, Moment)>,
    ) -> Self {
        let signing = self.signing.map(|signing| signing.with_moments(floor, used));
        Self { signing, ..self }
    }

    /// Returns the keys of signed packets.
    #[must_use]
    pub const fn signing(&self) -> Option<&Signing> {
        self.signing.as_ref()
    }

    /// Returns where signed packets go, if there are keys.
    #[must_use]
    pub fn signed_knock(&self) -> Option<Knock> {
        self.signing.as_ref().map(Signing::knock)
    }

    /// Returns whether a packet goes to where signed packets go.
    #[must_use]
    pub fn hears_signed(&self, listening: &Listening, packet: &Packet) -> bool {
        let knock = packet.knock();
        self.signed_knock() == Some(knock)
            && listening.belongs(packet.destination, None)
            && address::is_of_a_host(packet.source)
    }

    /// Returns what a signed packet has a right to; `None` if there are no keys.
    pub(crate) fn judge(
        &mut self,
        source: IpAddr,
        payload: &[u8; PACKET_BYTES],
        time_of_day: Timestamp,
    ) -> Option<Result<SignedRequest, NotSigned>> {
        let Self { signing, in_order, entries, .. } = self;
        let named = |&id: &DoorId| {
            let Entry { door, digest, .. } = entries.get(id.index())?;
            Some(NamedDoor { id, door, digest })
        };
        let doors = in_order.iter().filter_map(named);
        Some(signing.as_mut()?.judge(Came { source, payload, time_of_day }, doors))
    }

    /// The key of a packet has used its moment.
    pub(crate) fn use_moment(&mut self, request: SignedRequest) {
        if let Some(signing) = &mut self.signing {
            signing.use_moment(request.key, request.moment);
        }
    }
}
