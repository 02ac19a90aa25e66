//! Clients that doors let in, once the machine knows admissions.

use std::collections::BTreeMap;
use std::net::IpAddr;

use knock_engine::{Admission, Deadline, DeadlineReason, DoorId, Effect, Seconds, Timestamp};

use crate::Site;

#[derive(Clone, Copy, Debug)]
struct Admitted {
    /// When the client was let in first, without a gap since.
    since: Timestamp,
    /// When the admission ends; the second part breaks ties.
    due: (Timestamp, u64),
}

/// All admissions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admissions {
    all: BTreeMap<(IpAddr, DoorId), Admitted>,
}

impl Admissions {
    /// Returns how many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns whether a client is let in at a door.
    pub(crate) fn has(&self, client: IpAddr, door: DoorId) -> bool {
        self.all.contains_key(&(client, door))
    }

    /// Returns the doors of all admissions.
    pub(crate) fn doors(&self) -> impl Iterator<Item = DoorId> {
        self.all.keys().map(|&(_, door)| door)
    }

    /// Returns how long an opening lets a client in; `None` if it would not let it in for longer.
    pub(crate) fn lasts(
        &self,
        at: Timestamp,
        key: (IpAddr, DoorId),
        admission: &Admission,
    ) -> Option<Seconds> {
        let Some(admitted) = self.all.get(&key) else { return Some(admission.lasts) };
        let end = admission.max.map(|max| admitted.since.saturating_add(max));
        let left = end.and_then(|end| u32::try_from(end.since(at).as_secs()).ok());
        let lasts = left.and_then(Seconds::new).unwrap_or(Seconds::MAX).min(admission.lasts);
        (at.saturating_add(lasts) > admitted.due.0).then_some(lasts)
    }

    /// Lets a client in, or renews that.
    pub(crate) fn admit(
        &mut self,
        at: Timestamp,
        (client, door): (IpAddr, DoorId),
        lasts: Seconds,
        serial: u64,
        site: &mut Site,
    ) {
        let since = self.all.get(&(client, door)).map_or(at, |admitted| admitted.since);
        // What else is due at that moment comes first.
        let due = (at.saturating_add(lasts), serial | 1 << 63);
        self.all.insert((client, door), Admitted { since, due });
        site.emit(at, Effect::Admit { client, door, lasts });
    }

    /// Ends an admission without a word.
    pub(crate) fn lose(&mut self, client: IpAddr, door: DoorId) {
        self.all.remove(&(client, door));
    }

    fn first(&self) -> Option<((Timestamp, u64), (IpAddr, DoorId))> {
        // knockd 0.8 never has any.
        if self.all.is_empty() {
            return None;
        }
        self.all.iter().map(|(&key, admitted)| (admitted.due, key)).min()
    }

    /// Returns when the next one ends; the second part breaks ties.
    pub(crate) fn next(&self) -> Option<(Timestamp, u64)> {
        self.first().map(|(due, _)| due)
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let ((at, _), (client, door)) = self.first()?;
        Some(Deadline { at, client, door, why: DeadlineReason::AdmissionEnd })
    }

    /// Ends the one that ends next.
    pub(crate) fn fire(&mut self, site: &mut Site) {
        let Some(((at, _), (client, door))) = self.first() else { return };
        self.lose(client, door);
        site.emit(at, Effect::AdmissionEnded { client, door });
    }
}
