//! The commands of a door, taken apart.

use crate::config::{DoorConfig, Given};
use crate::lex::Piece;
use crate::lint::firewall::{self, Change};
use crate::lint::shell::Script;
use crate::read::Gaps;
use knock_engine::Command;

/// The commands of a door; `None` where a directive is absent.
pub(in crate::lint) struct DoorScripts<'a> {
    pub(in crate::lint) door: &'a DoorConfig,
    pub(super) start: Option<Line<'a>>,
    pub(super) start_6: Option<Line<'a>>,
    pub(super) stop: Option<Line<'a>>,
    pub(super) stop_6: Option<Line<'a>>,
    pub(in crate::lint) gaps: &'a Gaps,
    /// Whether it closes what another door opens with a command that has no use for IPv6 clients, which
    /// is reported there.
    pub(super) closes_what_ipv6_never_opened: bool,
}

/// The value of a directive.
pub(in crate::lint) struct Line<'a> {
    /// Empty if it runs nothing.
    pub(in crate::lint) value: Piece<'a>,
    pub(in crate::lint) script: Script<'a>,
    pub(super) changes: Vec<Change<'a>>,
    /// Whether `changes` is all that it does to a firewall.
    pub(super) is_known: bool,
}

impl<'a> DoorScripts<'a> {
    pub(in crate::lint) fn new(door: &'a DoorConfig, text: &'a [u8], gaps: &'a Gaps) -> Self {
        let line = |given: &Option<Given<Command>>| {
            given.as_ref().map(|given| Line::new(given.value_in(text)))
        };
        Self {
            door,
            start: line(&door.start),
            start_6: line(&door.start_6),
            stop: line(&door.stop),
            stop_6: line(&door.stop_6),
            gaps,
            closes_what_ipv6_never_opened: false,
        }
    }

    /// Returns the commands that run something.
    pub(in crate::lint) fn all(&self) -> impl Iterator<Item = &Line<'a>> {
        let all = [&self.start, &self.start_6, &self.stop, &self.stop_6];
        all.into_iter().flatten().filter(|line| !line.value.is_empty())
    }

    /// Returns whether a command of the door may change a firewall.
    pub(in crate::lint) fn may_touch_a_firewall(&self) -> bool {
        self.gaps.has_unread_lines
            || self.all().any(|line| {
                let is_unknown = !line.script.is_whole;
                is_unknown || line.script.commands.iter().any(firewall::may_touch_a_firewall)
            })
    }
}

impl<'a> Line<'a> {
    /// The most changes that are compared with others.
    const MAX_CHANGES: usize = 16;

    fn new(value: Piece<'a>) -> Self {
        let script = if value.is_empty() { Script::nothing() } else { Script::new(value) };
        let changes: Vec<Change<'a>> = Change::all(&script);
        if changes.len() > Self::MAX_CHANGES {
            return Self { value, script, changes: Vec::new(), is_known: false };
        }
        let others = script.commands.iter().filter(|command| Change::new(command).is_none());
        let is_known = script.is_whole && others.into_iter().all(firewall::leaves_rules_alone);
        Self { value, script, changes, is_known }
    }
}
