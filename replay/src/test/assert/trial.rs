//! Packets, and what assertions say of them.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;

use knock_compat::{Engine, Rules};
use knock_config::Severity;
use knock_config::diagnostics::{Finding, Source};
use knock_engine::{DoorId, Doors, Limits};

use super::claim::{Assertion, Assertions, Claim};
use super::evidence::Evidence;
use super::failure::Findings;
use crate::explain::{Explanation, Observer, Places, Turn, Verdict, Whom, Words};
use crate::session::drive::{self, Played, PlayingDone, Watch};
use crate::session::incoming::{Incoming, What};
use crate::session::names::{CaptureNames, PacketId};
use crate::session::reader::Reader;
use crate::session::unwanted::SomeClients;

/// A replay that assertions are checked against.
pub(crate) struct Trial<'a> {
    files: &'a [Assertions],
    rules: Rules,
    /// The doors as they were in the beginning: their names and commands stay.
    doors: Doors,
    places: &'a Places,
    captures: CaptureNames,
    limits: Limits,
    evidence: Evidence,
    /// What may have to be explained; by the rules of knock only.
    observer: Option<Observer>,
    /// The packet that counted last, of each client at each door that is followed.
    counted: HashMap<(IpAddr, DoorId), PacketId>,
}

/// What became of assertions.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// The files with failed assertions, and those assertions.
    pub(crate) failed: Vec<Source>,
    /// How many assertions there are.
    pub(crate) total: usize,
    /// No packet was admitted, and no assertion says so.
    pub(crate) proves_nothing: bool,
}

impl Judgement {
    /// Returns how many assertions fail.
    pub(crate) fn failures(&self) -> usize {
        self.failed.iter().fold(0, |sum, source| sum.saturating_add(source.errors()))
    }

    /// Returns whether there is nothing to be said against the captures.
    pub(crate) fn holds(&self) -> bool {
        self.failed.is_empty() && !self.proves_nothing
    }
}

impl<'a> Trial<'a> {
    pub(crate) fn new(
        files: &'a [Assertions],
        rules: Rules,
        (doors, places): (Doors, &'a Places),
        reader: &Reader,
        limits: Limits,
    ) -> Self {
        let all = || files.iter().flat_map(|file| &file.list);
        let clients = SomeClients::of(whom_to_explain(all()));
        let observer = (rules == Rules::Knock && !clients.is_nobody())
            .then(|| Observer::new(Whom::All).only(clients));
        Self {
            files,
            rules,
            limits,
            places,
            captures: reader.names(),
            evidence: Evidence::new(all(), rules, &doors),
            doors,
            observer,
            counted: HashMap::new(),
        }
    }

    /// Replays the captures and records every effect; the first error ends all.
    pub(crate) fn run(
        &mut self,
        reader: &mut Reader,
        tell: impl FnMut(&Played<'_>) -> io::Result<()>,
    ) -> (PlayingDone, io::Result<()>) {
        let rules = self.rules;
        let engine = rules.engine(self.doors.clone(), reader.listening(), &self.limits);
        let mut watcher = Watcher { trial: self, turn: None, tell };
        drive::watch(rules, engine, reader, &mut watcher)
    }

    /// Returns what became of the assertions. `again` is the command line that explains the same captures.
    pub(crate) fn judge(&self, playing: &PlayingDone, again: &str) -> Judgement {
        let Self { files, evidence, .. } = self;
        let PlayingDone { counts, listening } = playing;
        let words =
            Words { doors: &self.doors, listening, places: self.places, captures: &self.captures };
        let findings = Findings {
            words,
            rules: self.rules,
            counts: *counts,
            evidence,
            observer: self.observer.as_ref(),
            counted: &self.counted,
            nearest: OnceCell::new(),
            again,
        };
        let mut places = 0..;
        let mut failed = Vec::new();
        let mut total = 0_usize;
        for file in *files {
            let judged = file.list.iter().zip(&mut places).filter_map(|(assertion, place)| {
                let wording = findings.failure(&assertion.claim, evidence.facts(place)?)?;
                let (severity, span) = (Severity::Error, Some(assertion.span));
                Some(Finding { severity, code: None, span, wording })
            });
            let judged: Vec<Finding> = judged.collect();
            total = total.saturating_add(file.len());
            if !judged.is_empty() {
                let (name, text) = (file.name.clone(), file.text.clone());
                let (more_errors, more_warnings) = (0, 0);
                failed.push(Source { name, text, findings: judged, more_errors, more_warnings });
            }
        }
        let is_expected = files
            .iter()
            .flat_map(|file| &file.list)
            .any(|one| matches!(one.claim, Claim::NothingAdmitted));
        Judgement { failed, total, proves_nothing: counts.admitted == 0 && !is_expected }
    }
}

/// Looks on for the assertions, and for somebody else.
struct Watcher<'w, 'a, F> {
    trial: &'w mut Trial<'a>,
    /// What the observer knows of the event that is handled.
    turn: Option<Turn>,
    tell: F,
}

impl<F: FnMut(&Played<'_>) -> io::Result<()>> Watch for Watcher<'_, '_, F> {
    /// Assertions say how many packets came of those whom they are about.
    fn looked_at(&self) -> SomeClients {
        let all = self.trial.files.iter().flat_map(|file| &file.list);
        SomeClients::of(all.filter_map(|one| one.claim.which()).map(|which| which.whom))
    }

    fn comes(&mut self, incoming: &Incoming, engine: &Engine) {
        let Trial { evidence, observer, .. } = &mut *self.trial;
        if let What::Packet { id, event, .. } = &incoming.what
            && let Some(packet) = event.packet()
        {
            evidence.packet(*id, packet);
        }
        if let Some(observer) = observer {
            let turn = self.turn.insert(Turn::of(incoming));
            observer.comes(incoming, turn, engine.doors(), engine.listening());
        }
    }

    fn happens(&mut self, played: &Played<'_>) -> io::Result<()> {
        let Self { trial, turn, tell } = self;
        let Trial { evidence, observer, counted, .. } = &mut **trial;
        evidence.effect(played);
        if let (Some(observer), Some(turn)) = (observer, turn) {
            observer.effect(&played.timed, turn, played.doors, &mut |_, one| note(one, counted));
        }
        tell(played)
    }

    fn handled(&mut self, packet: Option<PacketId>, engine: &Engine) -> io::Result<()> {
        let Trial { evidence, observer, counted, .. } = &mut *self.trial;
        if evidence.admitted.is_none() && engine.counts().admitted > 0 {
            evidence.admitted = packet;
        }
        if let (Some(observer), Some(turn)) = (observer, &mut self.turn) {
            observer.end(turn, engine.doors(), &mut |_, one| note(one, counted));
        }
        Ok(())
    }
}

/// Takes note of a packet that counted.
fn note(one: &Explanation, counted: &mut HashMap<(IpAddr, DoorId), PacketId>) {
    if let (Verdict::Stage { .. }, Some(seen)) = (&one.verdict, one.packet) {
        counted.insert((one.client, one.door), seen.id);
    }
}

/// Returns those for whom it may have to be explained why a door did not open.
fn whom_to_explain<'a>(all: impl Iterator<Item = &'a Assertion>) -> impl Iterator<Item = Whom> {
    all.filter_map(|Assertion { claim, .. }| match claim {
        Claim::Opens { which, .. } | Claim::OpensTimes { which, .. } => Some(which.whom),
        Claim::StaysShut { .. }
        | Claim::Closes { .. }
        | Claim::Admits { .. }
        | Claim::Runs { .. }
        | Claim::NothingAdmitted => None,
    })
}
