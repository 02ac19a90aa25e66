//! Doors that close what others have opened.

use std::collections::{BTreeMap, BTreeSet};

use super::families::wrong_for;
use super::scripts::{DoorScripts, Line};
use crate::diagnostics::Diagnostics;
use crate::lint::firewall::{Change, Identity, Program, not_undone};
use crate::text::Excerpt;
use crate::warnings::{Undoer, Warning};
use knock_engine::Knock;

/// Warns about doors that do not undo what the doors they belong to do, and about what no door undoes.
pub(in crate::lint) fn check(doors: &mut [DoorScripts<'_>], diagnostics: &mut Diagnostics) {
    let closers = Closers::new(doors);
    let mut quiet = BTreeSet::new();
    for (place, door) in doors.iter().enumerate() {
        let Some(start) = door.opening() else { continue };
        let exact = closers.exact(start);
        let closer = exact.or_else(|| closers.likely(place, door));
        if let Some((closer, line)) = closer.and_then(|at| Some((at, doors.get(at)?.closing()?))) {
            if door.start_6.is_none() && wrong_for(start, true).is_some() {
                quiet.insert(closer);
            }
            if exact.is_none() {
                warn_of_mismatch(door, start, line, diagnostics);
            }
        } else if !closers.may_close(start) {
            diagnostics.warn(Warning::NeverCloses, start.value);
        }
    }
    for place in quiet {
        if let Some(door) = doors.get_mut(place) {
            door.closes_what_ipv6_never_opened = true;
        }
    }
}

fn warn_of_mismatch(
    door: &DoorScripts<'_>,
    start: &Line<'_>,
    stop: &Line<'_>,
    diagnostics: &mut Diagnostics,
) {
    let start_line = start.value.line().number;
    for (mismatch, at) in not_undone(&start.changes, &stop.changes, stop.is_known) {
        let undoer = Undoer::Door { opener: Excerpt::new(door.door.name.as_bytes()) };
        diagnostics.warn(Warning::StopDoesNotUndo { mismatch, start_line, undoer }, at);
    }
}

impl<'a> DoorScripts<'a> {
    /// Returns the start command if it adds something that the door itself does not remove.
    fn opening(&self) -> Option<&Line<'a>> {
        let stops = self.stop.as_ref().is_some_and(|stop| !stop.value.is_empty());
        let opens = |line: &&Line<'a>| line.changes.iter().any(Change::may_open);
        self.start.as_ref().filter(opens).filter(|_| !stops)
    }

    /// Returns the start command if it only removes.
    fn closing(&self) -> Option<&Line<'a>> {
        let removes = |line: &&Line<'a>| {
            !line.changes.is_empty() && line.changes.iter().all(|change| !change.adds)
        };
        self.start.as_ref().filter(removes)
    }
}

/// The doors whose start commands only remove something, by what tells which door they belong to.
///
/// They are looked up, so that the work does not grow with the square of the number of doors.
struct Closers {
    /// By everything that they remove.
    removed: BTreeMap<Vec<Identity>, usize>,
    by_name: BTreeMap<String, usize>,
    by_sequence: BTreeMap<Vec<Knock>, usize>,
    /// The only one, if only one door adds something.
    only: Option<usize>,
    /// The programs with which some command removes something.
    programs: Vec<Program>,
    /// Whether some command does what is not known.
    is_something_unknown: bool,
}

impl Closers {
    fn new(doors: &[DoorScripts<'_>]) -> Self {
        let mut closers = Self {
            removed: BTreeMap::new(),
            by_name: BTreeMap::new(),
            by_sequence: BTreeMap::new(),
            only: None,
            programs: Vec::new(),
            is_something_unknown: false,
        };
        let mut count = 0_usize;
        for (place, door) in doors.iter().enumerate() {
            for line in door.all() {
                closers.is_something_unknown |= !line.is_known;
                for removal in line.changes.iter().filter(|change| !change.adds) {
                    if !closers.programs.contains(&removal.program) {
                        closers.programs.push(removal.program);
                    }
                }
            }
            let Some(line) = door.closing() else { continue };
            count = count.saturating_add(1);
            closers.only = Some(place);
            closers.removed.entry(identities(line)).or_insert(place);
            closers.by_name.entry(base_name(door)).or_insert(place);
            if let Some(sequence) = door.door.sequence() {
                closers.by_sequence.entry(sequence.knocks().to_vec()).or_insert(place);
            }
        }
        let openers = doors.iter().filter(|door| door.opening().is_some()).count();
        closers.only = closers.only.filter(|_| count == 1 && openers == 1);
        closers
    }

    /// Returns the door that removes what a start command adds, and nothing else.
    fn exact(&self, start: &Line<'_>) -> Option<usize> {
        self.removed.get(&identities(start)).copied()
    }

    /// Returns the door that is probably meant to close this one.
    fn likely(&self, place: usize, door: &DoorScripts<'_>) -> Option<usize> {
        let reversed: Option<Vec<Knock>> =
            door.door.sequence().map(|sequence| sequence.knocks().iter().rev().copied().collect());
        let by_sequence = reversed.and_then(|knocks| self.by_sequence.get(&knocks));
        let closer = by_sequence.or_else(|| self.by_name.get(&base_name(door))).copied();
        closer.or(self.only).filter(|closer| *closer != place)
    }

    /// Returns whether anything may remove what a start command adds.
    fn may_close(&self, start: &Line<'_>) -> bool {
        let lasts = |change: &&Change<'_>| change.may_open() && !change.may_expire;
        let mut lasting = start.changes.iter().filter(lasts).peekable();
        self.is_something_unknown
            || lasting.peek().is_none()
            || lasting.any(|change| self.programs.contains(&change.program))
    }
}

fn identities(line: &Line<'_>) -> Vec<Identity> {
    let mut identities: Vec<Identity> = line.changes.iter().map(Change::identity).collect();
    identities.sort_unstable();
    identities
}

/// Returns what the names of a door that opens and of the door that closes it have in common.
fn base_name(door: &DoorScripts<'_>) -> String {
    const WORDS: [&str; 14] = [
        "disable", "enable", "remove", "unlock", "delete", "close", "start", "block", "allow",
        "open", "lock", "stop", "deny", "add",
    ];
    let mut name = String::from_utf8_lossy(door.door.name.as_bytes()).to_lowercase();
    for word in WORDS {
        name = name.replacen(word, "", 1);
    }
    name.retain(char::is_alphanumeric);
    name
}
