//! Admissions, in the world's own record.

use std::collections::{BTreeMap, BTreeSet};

use super::broken::{Broken, Invariant, ensure};
use super::client::SECOND;
use super::lease::Lessee;
use super::record::DoorNumber;
use super::tally::Tally;
use crate::model::Door;

#[derive(Clone, Copy, Debug)]
struct Admitted {
    since_ns: i64,
    until_ns: i64,
}

/// Who is let in.
#[derive(Debug, Default)]
pub(super) struct Admissions {
    admitted: BTreeMap<Lessee, Admitted>,
    /// For whom a door opened in this step that has yet to let it in, and when.
    awaited: BTreeSet<(Lessee, i64)>,
}

impl Admissions {
    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.admitted.len()
    }

    /// Returns whether a client is let in.
    pub(super) fn has(&self, lessee: Lessee) -> bool {
        self.admitted.contains_key(&lessee)
    }

    /// Returns whether a door lets anybody in.
    pub(super) fn hold(&self, door: DoorNumber) -> bool {
        self.admitted.keys().any(|&(_, at)| at == door)
    }

    /// Returns somebody who is let in, and until when.
    pub(super) fn nth(&self, number: usize) -> Option<(Lessee, i64)> {
        self.admitted.iter().nth(number).map(|(&lessee, one)| (lessee, one.until_ns))
    }

    /// Returns when the next one ends.
    pub(super) fn due_ns(&self) -> Option<i64> {
        self.admitted.values().map(|one| one.until_ns).min()
    }

    /// Returns whether an opening would not let a client in for longer.
    pub(super) fn is_at_max(&self, at_ns: i64, lessee: Lessee, door: &Door) -> bool {
        let Some((admission, admitted)) = door.admission.as_ref().zip(self.admitted.get(&lessee))
        else {
            return false;
        };
        let end_ns = admission.max_s.map(|max_s| admitted.since_ns + i64::from(max_s) * SECOND);
        let left_ns = end_ns.map_or(i64::MAX, |end_ns| end_ns - at_ns);
        let lasts_ns = (i64::from(admission.lasts_s) * SECOND).min(left_ns / SECOND * SECOND);
        at_ns + lasts_ns <= admitted.until_ns
    }

    /// A door opened.
    pub(super) fn opened(&mut self, at_ns: i64, lessee: Lessee, door: &Door) -> Result<(), Broken> {
        ensure(!self.is_at_max(at_ns, lessee, door), Invariant::AdmissionsEnd, || {
            format!("{lessee:?} opened at {at_ns}, which changes nothing: {:?}", self.admitted)
        })?;
        if door.admission.is_some() {
            self.awaited.insert((lessee, at_ns));
        }
        Ok(())
    }

    /// A client is let in.
    pub(super) fn admit(
        &mut self,
        at_ns: i64,
        lessee: Lessee,
        lasts_s: u32,
        door: &Door,
        tally: &mut Tally,
    ) -> Result<(), Broken> {
        let is_awaited = self.awaited.remove(&(lessee, at_ns));
        let before = self.admitted.get(&lessee).copied();
        let since_ns = before.map_or(at_ns, |one| one.since_ns);
        let until_ns = at_ns + i64::from(lasts_s) * SECOND;
        let is_right = door.admission.as_ref().is_some_and(|admission| {
            let all_ns = until_ns - since_ns;
            let max_s = admission.max_s.unwrap_or(u32::MAX);
            lasts_s <= admission.lasts_s
                && all_ns <= i64::from(max_s) * SECOND
                // It is as long as it may be.
                && (lasts_s == admission.lasts_s || all_ns > (i64::from(max_s) - 1) * SECOND)
        });
        let is_longer = before.is_none_or(|one| one.until_ns < until_ns);
        ensure(is_awaited && is_right && is_longer, Invariant::AdmissionsEnd, || {
            format!("{lessee:?} is let in at {at_ns} for {lasts_s} s, before: {before:?}")
        })?;
        tally.admissions_renewed += u64::from(before.is_some());
        self.admitted.insert(lessee, Admitted { since_ns, until_ns });
        Ok(())
    }

    /// An admission ended.
    pub(super) fn ended(
        &mut self,
        at_ns: i64,
        lessee: Lessee,
        tally: &mut Tally,
    ) -> Result<(), Broken> {
        let admitted = self.admitted.remove(&lessee);
        tally.admissions_ended += 1;
        ensure(admitted.is_some_and(|one| one.until_ns == at_ns), Invariant::AdmissionsEnd, || {
            format!("the admission of {lessee:?} ended at {at_ns}: {admitted:?}")
        })
    }

    /// The driver could not let a client in, or has ended it.
    pub(super) fn lost(&mut self, lessee: Lessee) {
        self.admitted.remove(&lessee);
    }

    /// Checks that nothing that was due is still to come.
    pub(super) fn check(&mut self, now_ns: i64, is_time_told: bool) -> Result<(), Broken> {
        ensure(self.awaited.is_empty(), Invariant::AdmissionsEnd, || {
            format!("doors opened and let nobody in at {now_ns}: {:?}", self.awaited)
        })?;
        let overdue =
            self.due_ns().filter(|&due_ns| due_ns < now_ns || is_time_told && due_ns == now_ns);
        ensure(overdue.is_none(), Invariant::AdmissionsEnd, || {
            format!("the admission due at {overdue:?} goes on at {now_ns}")
        })
    }
}
