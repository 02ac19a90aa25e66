//! Which derived sequences were used: on disk before their door opens, so that they stay used after a restart.

mod file;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use knock_config::OnStateError;
use knock_engine::{DoorId, Doors, MarkId, PeriodOfDoor, address};
use knock_signed::SequenceId;

use self::file::UsedFile;
use super::Runner;
use super::output::Kind;
use crate::places::Places;
use crate::wire::Order;

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

/// A use of a sequence, by a client or, where there is none, by any: then those of earlier periods are used, too.
pub(super) type Use = (PeriodOfDoor, Option<IpAddr>);

/// All that was used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct AllUsed(BTreeMap<SequenceId, UsedSequences>);

/// What was used of the sequences of a door.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct UsedSequences {
    /// Neither the sequence of this period nor of one before it counts.
    forgotten: Option<u32>,
    uses: BTreeSet<(u32, IpAddr)>,
}

impl AllUsed {
    fn add(&mut self, (one, client): Use) {
        let PeriodOfDoor { sequence, period } = one;
        let of_door = self.0.entry(sequence).or_default();
        match client {
            Some(client) => drop(of_door.uses.insert((period, client))),
            None => of_door.forget_up_to(period),
        }
        of_door.tidy();
    }

    fn iter(&self) -> impl Iterator<Item = Use> {
        self.0.iter().flat_map(|(&sequence, of_door)| {
            let forgotten = of_door.forgotten.map(|period| (period, None));
            let uses = of_door.uses.iter().map(|&(period, client)| (period, Some(client)));
            let of_door = forgotten.into_iter().chain(uses);
            of_door.map(move |(period, client)| (PeriodOfDoor { sequence, period }, client))
        })
    }

    fn len(&self) -> usize {
        self.0.values().map(|of_door| of_door.uses.len()).sum()
    }

    /// If there are many names, keeps only those that doors have.
    fn keep(&mut self, doors: &Doors) {
        if self.0.len() > NAMES_MAX {
            let known: BTreeSet<SequenceId> = doors.derived().collect();
            self.0.retain(|sequence, _| known.contains(sequence));
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
    /// Reads what was used before. Returns warnings, too.
    pub(super) fn read(places: Places, limit: u32, doors: &Doors) -> (Self, Vec<String>) {
        let mut all = AllUsed::default();
        let (file, found, warnings) = UsedFile::read(places.with_name(NAME));
        for one in found {
            all.add(one);
        }
        all.keep(doors);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        (Self { all, file, limit }, warnings)
    }

    /// Returns all that was used, for an engine that begins.
    pub(super) fn uses(&self) -> Vec<Use> {
        self.all.iter().collect()
    }

    /// Keeps the file at other places from now on.
    pub(super) fn move_to(&mut self, places: Places) {
        self.file.move_to(places.with_name(NAME));
    }

    /// Has a use on disk when it returns. Whether that succeeds or not, it counts as used from now on.
    ///
    /// # Errors
    /// Why it is not on disk.
    fn add(&mut self, one: PeriodOfDoor, client: IpAddr) -> Result<(), String> {
        if self.all.len() >= self.limit {
            return Err("too many sequences were used".to_owned());
        }
        let new = (one, Some(client));
        self.all.add(new);
        self.file.add(new, &self.all.iter().collect::<Vec<_>>())
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
            self.used.add(used, client)
        } else {
            Err("no door has this sequence".to_owned())
        };
        let opens = outcome.is_ok() || self.settings.on_state_error == OnStateError::Open;
        self.sniffer.queue(&Order::Marked { mark, is_marked: opens });
        let Err(why) = outcome else { return };
        let mut text = Vec::new();
        address::write(client, &mut text);
        text.extend([b": ", self.doors.door(door).name.as_bytes()].concat());
        let rest = if opens {
            format!(
                ": opens, though it cannot be remembered that its sequence is used: {why}; after a restart \
                 of knockd it would count again"
            )
        } else {
            format!(
                ": not opened: cannot remember that its sequence is used: {why}; 'OnStateError = open' would \
                 open it all the same"
            )
        };
        text.extend(rest.into_bytes());
        self.output.text(Kind::Notice, text);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;

    const SSH: SequenceId = SequenceId::from_bits(7);

    fn at(period: u32) -> PeriodOfDoor {
        PeriodOfDoor { sequence: SSH, period }
    }

    fn client(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn read(folder: &Path) -> (Used, Vec<String>) {
        Used::read(Places::new(Some(folder), None), 100_000, &Doors::new(vec![]).unwrap())
    }

    fn text(folder: &Path) -> String {
        fs::read_to_string(folder.join("used")).unwrap()
    }

    #[test]
    fn what_was_used_is_used_after_a_restart() {
        let folder = TempDir::new().unwrap();
        let (mut used, warnings) = read(folder.path());
        assert_eq!((used.uses(), warnings), (vec![], vec![]));
        assert!(!folder.path().join("used").exists());
        used.add(at(5), client(1)).unwrap();
        used.add(at(5), "2001:db8::1".parse().unwrap()).unwrap();
        used.add(at(9), client(1)).unwrap();
        let before = used.uses();
        assert_eq!(before.len(), 3);
        // As if the process was killed.
        std::mem::forget(used);
        let (mut used, warnings) = read(folder.path());
        assert_eq!((used.uses(), warnings), (before, vec![]));
        used.add(at(10), client(2)).unwrap();
        let all = used.uses();
        assert_eq!(all[0], (at(5), None), "{all:?}");
        assert_eq!(all.len(), 3);
        drop(used);
        assert_eq!(read(folder.path()).0.uses(), all);
    }

    #[test]
    fn the_file_stays_small() {
        let folder = TempDir::new().unwrap();
        let (mut used, _) = read(folder.path());
        for period in 0..2_500 {
            used.add(at(period), client(1)).unwrap();
        }
        assert!(text(folder.path()).lines().count() < 1_100);
        let all = used.uses();
        drop(used);
        assert_eq!(read(folder.path()).0.uses(), all);
    }

    #[test]
    fn what_a_power_cut_has_torn_is_left_out_and_said() {
        let folder = TempDir::new().unwrap();
        let (mut used, _) = read(folder.path());
        used.add(at(5), client(1)).unwrap();
        used.add(at(5), client(12)).unwrap();
        drop(used);
        let whole = text(folder.path());
        fs::write(folder.path().join("used"), whole.trim_end().strip_suffix('2').unwrap()).unwrap();
        let (used, warnings) = read(folder.path());
        assert_eq!(used.uses(), [(at(5), Some(client(1)))]);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("line 3 "), "{warnings:?}");
    }

    #[test]
    fn a_file_that_others_can_write_is_not_believed() {
        let folder = TempDir::new().unwrap();
        let (mut used, _) = read(folder.path());
        used.add(at(5), client(1)).unwrap();
        drop(used);
        let path = folder.path().join("used");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let (used, warnings) = read(folder.path());
        assert_eq!(used.uses(), []);
        assert!(warnings[0].contains("another user may have written it"), "{warnings:?}");
    }

    #[test]
    fn a_file_that_somebody_removes_is_written_again() {
        let folder = TempDir::new().unwrap();
        let (mut used, _) = read(folder.path());
        used.add(at(5), client(1)).unwrap();
        fs::remove_file(folder.path().join("used")).unwrap();
        used.add(at(5), client(2)).unwrap();
        let all = used.uses();
        drop(used);
        assert_eq!(read(folder.path()).0.uses(), all);
    }

    #[test]
    fn a_second_daemon_has_a_file_of_its_own_and_a_third_reads_both() {
        let folder = TempDir::new().unwrap();
        let ((mut one, _), (mut other, _)) = (read(folder.path()), read(folder.path()));
        one.add(at(5), client(1)).unwrap();
        other.add(at(5), client(2)).unwrap();
        assert!(folder.path().join("used.2").exists());
        let (third, _) = read(folder.path());
        assert_eq!(third.uses(), [(at(5), Some(client(1))), (at(5), Some(client(2)))]);
    }

    #[test]
    fn a_use_that_cannot_be_written_is_a_use_all_the_same() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let (mut used, _) = read(&file);
        let why = used.add(at(5), client(1)).unwrap_err();
        assert!(why.starts_with("cannot write "), "{why}");
        assert_eq!(used.uses(), [(at(5), Some(client(1)))]);
        fs::remove_file(&file).unwrap();
        used.add(at(5), client(2)).unwrap();
        let all = used.uses();
        drop(used);
        assert_eq!(read(&file).0.uses(), all);
    }

    #[test]
    fn there_are_no_more_uses_than_the_limit() {
        let folder = TempDir::new().unwrap();
        let (mut used, _) = read(folder.path());
        used.limit = 2;
        for number in [1, 2] {
            used.add(at(5), client(number)).unwrap();
        }
        assert_eq!(used.add(at(5), client(3)).unwrap_err(), "too many sequences were used");
    }
}
