//! Which derived sequences and signed packets were used: on disk before their door opens, so that they stay used after a
//! restart.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use knock_config::OnStateError;
use knock_config::used::Use;
use knock_engine::{DoorId, Doors, KeyNumber, MarkId, PeriodOfDoor, Signing, address};
use knock_signed::{KeyId, Moment, Moments, SequenceId};

use self::file::UsedFile;
use super::Runner;
use super::output::Kind;
use super::totals::Total;
use crate::places::Places;
use crate::wire::{Order, UsedMoments};

/// The name of the file in the state folder.
const NAME: &str = "used";

/// How many periods before the last one uses are remembered by client. Of earlier ones, no sequence counts.
const PERIODS: u32 = 4;

/// How many names of sequences are kept that no door has.
const NAMES_MAX: usize = 1024;

/// What was used, and the file that says so.
#[derive(Debug)]
pub(super) struct Used {
    all: AllUsed,
    file: UsedFile,
    /// The most uses: the engine asks for no more.
    limit: usize,
}

/// All that was used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct AllUsed {
    sequences: BTreeMap<SequenceId, UsedSequences>,
    keys: BTreeMap<KeyId, Moments>,
    floor: Option<Moment>,
}

/// What was used of the sequences of a door.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct UsedSequences {
    /// Neither the sequence of this period nor of one before it counts.
    forgotten: Option<u32>,
    uses: BTreeSet<(u32, IpAddr)>,
}

impl AllUsed {
    fn add(&mut self, one: Use) {
        match one {
            Use::Period(PeriodOfDoor { sequence, period }, client) => {
                let of_door = self.sequences.entry(sequence).or_default();
                match client {
                    Some(client) => drop(of_door.uses.insert((period, client))),
                    None => of_door.forget_up_to(period),
                }
                of_door.tidy();
            }
            Use::Moment(key, moment) => {
                // The floor counts where moments are used; those of the file are remembered below it, too.
                let of_key = self.keys.entry(key).or_insert_with(|| Moments::new(Moment(0)));
                of_key.insert(moment);
            }
            Use::Floor(floor) => self.floor = self.floor.max(Some(floor)),
        }
    }

    fn iter(&self) -> impl Iterator<Item = Use> {
        let floor = self.floor.into_iter().map(Use::Floor);
        let moments = self.moments().map(|(key, moment)| Use::Moment(key, moment));
        floor.chain(self.periods().map(|(one, client)| Use::Period(one, client))).chain(moments)
    }

    fn periods(&self) -> impl Iterator<Item = (PeriodOfDoor, Option<IpAddr>)> {
        self.sequences.iter().flat_map(|(&sequence, of_door)| {
            let forgotten = of_door.forgotten.map(|period| (period, None));
            let uses = of_door.uses.iter().map(|&(period, client)| (period, Some(client)));
            let of_door = forgotten.into_iter().chain(uses);
            of_door.map(move |(period, client)| (PeriodOfDoor { sequence, period }, client))
        })
    }

    fn moments(&self) -> impl Iterator<Item = (KeyId, Moment)> {
        self.keys.iter().flat_map(|(&key, moments)| {
            moments.iter().collect::<Vec<_>>().into_iter().map(move |moment| (key, moment))
        })
    }

    fn len(&self) -> usize {
        self.sequences.values().map(|of_door| of_door.uses.len()).sum()
    }

    /// If there are many names, keeps only those that doors have; if there are many keys, only known ones.
    fn keep(&mut self, doors: &Doors) {
        if self.sequences.len() > NAMES_MAX {
            let known: BTreeSet<SequenceId> = doors.derived().collect();
            self.sequences.retain(|sequence, _| known.contains(sequence));
        }
        if self.keys.len() > Signing::KEYS_MAX {
            let keys = doors.signing().map_or(&[][..], Signing::keys);
            let known: BTreeSet<KeyId> = keys.iter().map(|one| one.key.id()).collect();
            self.keys.retain(|key, _| known.contains(key));
        }
    }
}

impl UsedSequences {
    fn forget_up_to(&mut self, period: u32) {
        self.forgotten = self.forgotten.max(Some(period));
    }

    /// Forgets who used what no longer counts.
    fn tidy(&mut self) {
        let last = self.uses.last().map_or(0, |&(period, _)| period);
        let first = last.saturating_sub(PERIODS);
        while let Some(&(period, client)) = self.uses.first().filter(|(period, _)| *period < first)
        {
            self.uses.remove(&(period, client));
            self.forget_up_to(period);
        }
    }
}

impl Used {
    /// Reads what was used before `start`. Returns warnings, too.
    ///
    /// Where nothing is known of earlier packets, none from before the start counts. A floor of the future is one of a
    /// clock that was wrong.
    pub(super) fn read(
        places: Places,
        limit: u32,
        doors: &Doors,
        start: Moment,
    ) -> (Self, Vec<String>) {
        let mut all = AllUsed::default();
        let (file, found, warnings) = UsedFile::read(places.with_name(NAME));
        for one in found {
            all.add(one);
        }
        all.keep(doors);
        let floor = all.floor.filter(|_| warnings.is_empty());
        all.floor = Some(floor.unwrap_or(start).min(start));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        (Self { all, file, limit }, warnings)
    }

    /// Returns all sequences that were used, for an engine that begins.
    pub(super) fn periods(&self) -> Vec<(PeriodOfDoor, Option<IpAddr>)> {
        self.all.periods().collect()
    }

    /// Returns the signed packets that were used, for an engine that begins.
    pub(super) fn moments(&self) -> UsedMoments {
        UsedMoments { floor: self.floor(), used: self.all.moments().collect() }
    }

    fn floor(&self) -> Moment {
        self.all.floor.unwrap_or(Moment(0))
    }

    /// Keeps the file at other places from now on.
    pub(super) fn move_to(&mut self, places: Places) {
        self.file.move_to(places.with_name(NAME));
    }

    /// Has a use of a sequence on disk when it returns. Whether that succeeds or not, it counts as used from now on.
    ///
    /// # Errors
    /// Why it is not on disk.
    fn add_period(&mut self, one: PeriodOfDoor, client: IpAddr) -> Result<(), String> {
        if self.all.len() >= self.limit {
            return Err("too many sequences were used".to_owned());
        }
        self.add(Use::Period(one, Some(client)))
    }

    /// Has the use of a signed packet on disk when it returns, and as [`Used::add_period`].
    ///
    /// # Errors
    /// Why it is not on disk, or why the packet must not be used.
    fn add_moment(&mut self, key: KeyId, moment: Moment, doors: &Doors) -> Result<(), NotUsed> {
        let known = self.all.keys.get(&key).copied();
        let is_new =
            moment > self.floor() && known.is_none_or(|moments| moments.check(moment).is_ok());
        if !is_new {
            return Err(NotUsed::Never("a packet with its moment was used before".to_owned()));
        }
        let outcome = self.add(Use::Moment(key, moment)).map_err(NotUsed::NotWritten);
        self.all.keep(doors);
        outcome
    }

    fn add(&mut self, one: Use) -> Result<(), String> {
        self.all.add(one);
        self.file.add(one, &self.all.iter().collect::<Vec<_>>())
    }
}

/// What is used, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A derived sequence, to open a door.
    Sequence,
    /// A signed packet, to open a door.
    Packet,
    /// A signed packet, to close a door.
    ClosingPacket,
}

/// Why a packet or a sequence opens nothing.
#[derive(Debug, PartialEq, Eq)]
enum NotUsed {
    /// It cannot be written down that it is used; the administrator may want the door open all the same.
    NotWritten(String),
    /// It has no right to open a door.
    Never(String),
}

impl NotUsed {
    /// Returns what becomes of the door, and why.
    fn outcome(&self, what: What, may_open: bool) -> String {
        let name = match what {
            What::Sequence => "sequence",
            What::Packet | What::ClosingPacket => "packet",
        };
        let again = "after a restart of knockd it would count again";
        match (self, what) {
            (Self::NotWritten(why), What::ClosingPacket) => {
                format!(
                    "closes, though it cannot be remembered that its packet is used: {why}; {again}"
                )
            }
            (Self::NotWritten(why), What::Sequence | What::Packet) if may_open => {
                format!(
                    "opens, though it cannot be remembered that its {name} is used: {why}; {again}"
                )
            }
            (Self::NotWritten(why), What::Sequence | What::Packet) => format!(
                "not opened: cannot remember that its {name} is used: {why}; 'OnStateError = open' would \
                 open it all the same"
            ),
            (Self::Never(why), What::ClosingPacket) => format!("closes all the same: {why}"),
            (Self::Never(why), What::Sequence | What::Packet) => format!("not opened: {why}"),
        }
    }
}

impl Runner {
    /// Writes down that a client has used a derived sequence, and tells the engine whether it may open the door.
    pub(super) fn mark_period(
        &mut self,
        mark: MarkId,
        client: IpAddr,
        door: DoorId,
        used: PeriodOfDoor,
    ) {
        // The sniffer is not believed.
        let is_known = self.doors.derived().any(|sequence| sequence == used.sequence);
        let outcome = if is_known {
            self.used.add_period(used, client).map_err(NotUsed::NotWritten)
        } else {
            Err(NotUsed::Never("no door has this sequence".to_owned()))
        };
        self.answer_mark((mark, What::Sequence), (client, door), outcome);
    }

    /// Writes down that a signed packet was used, and tells the engine whether it may open the door.
    pub(super) fn mark_moment(
        &mut self,
        mark: (MarkId, What),
        (client, door): (IpAddr, DoorId),
        (key, moment): (KeyNumber, Moment),
    ) {
        // The sniffer is not believed: it can only name keys of this configuration, and a moment once.
        let signing = self.doors.signing();
        let key = signing.and_then(|signing| signing.key(key)).map(|one| one.key.id());
        let hears = self.doors.door(door).signed.is_some();
        let outcome = match key.filter(|_| hears) {
            Some(key) => self.used.add_moment(key, moment, &self.doors),
            None => Err(NotUsed::Never("no door has this key".to_owned())),
        };
        if self.answer_mark(mark, (client, door), outcome) {
            self.totals.add(Total::AcceptedSigned);
        }
    }

    /// Tells the engine whether something may open its door. Returns whether it counts: a closing does in any case.
    fn answer_mark(
        &mut self,
        (mark, what): (MarkId, What),
        (client, door): (IpAddr, DoorId),
        outcome: Result<(), NotUsed>,
    ) -> bool {
        let may_open = self.settings.on_state_error == OnStateError::Open;
        let is_marked = match &outcome {
            Ok(()) => true,
            Err(NotUsed::NotWritten(_)) => may_open,
            Err(NotUsed::Never(_)) => false,
        };
        self.sniffer.queue(&Order::Marked { mark, is_marked });
        let Err(why) = outcome else { return true };
        let mut text = Vec::new();
        address::write(client, &mut text);
        text.extend([b": ", self.doors.door(door).name.as_bytes(), b": "].concat());
        text.extend(why.outcome(what, may_open).into_bytes());
        self.output.text(Kind::Notice, text);
        is_marked || matches!(what, What::ClosingPacket)
    }
}

#[cfg(test)]
mod tests;
