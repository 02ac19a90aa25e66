//! Packets, and what assertions say of them.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use knock_compat::Rules;
use knock_config::Severity;
use knock_config::diagnostics::{Finding, Source};
use knock_engine::{Counts, DoorId, Doors, Limits, Packet, Timestamp};

use super::claim::{Assertion, Assertions, Claim};
use super::evidence::Evidence;
use super::failure::Findings;
use crate::explain::{Explainer, Explanation, Places, Verdict, Whom, Words};
use crate::session::play::{self, Played, Watch};
use crate::session::player::PlayingDone;
use crate::session::reader::{CaptureNames, Next, PacketId, Reader};

/// A replay that assertions are held to.
pub(crate) struct Trial<'a> {
    files: &'a [Assertions],
    rules: Rules,
    /// The doors as they were in the beginning: their names and commands stay.
    doors: Doors,
    places: &'a Places,
    captures: CaptureNames,
    limits: Limits,
    evidence: Evidence,
    explainer: Option<Explainer>,
    /// The packet that counted last, of each client at each door that is followed.
    counted: HashMap<(IpAddr, DoorId), PacketId>,
}

/// What became of assertions.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// The files with those that do not hold; without those of which all hold.
    pub(crate) failed: Vec<Source>,
    /// How many assertions there are.
    pub(crate) total: usize,
    /// No packet was admitted, and no assertion says so.
    pub(crate) proves_nothing: bool,
}

impl Judgement {
    /// Returns how many assertions do not hold.
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
        let explainer = whom_to_explain(all()).filter(|_| rules == Rules::Knock).map(|networks| {
            let listening = reader.listening();
            Explainer::new(doors.clone(), listening, &limits, Whom::All).only(networks)
        });
        Self {
            files,
            rules,
            limits,
            places,
            captures: reader.names(),
            evidence: Evidence::new(all(), rules, &doors),
            doors,
            explainer,
            counted: HashMap::new(),
        }
    }

    /// Replays what there is to read, and tells of every effect; the first error ends all.
    pub(crate) fn run(
        &mut self,
        reader: &mut Reader,
        tell: impl FnMut(&Played<'_>) -> io::Result<()>,
    ) -> (PlayingDone, io::Result<()>) {
        let (limits, rules, doors) = (self.limits, self.rules, self.doors.clone());
        let done = play::watch(&limits, rules, doors, reader, &mut Watcher { trial: self, tell });
        if let Some(explainer) = &mut self.explainer {
            explainer.finish(&mut |_| {});
        }
        done
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
            explainer: self.explainer.as_ref(),
            counted: &self.counted,
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
    tell: F,
}

impl<F: FnMut(&Played<'_>) -> io::Result<()>> Watch for Watcher<'_, '_, F> {
    fn comes(&mut self, at: Timestamp, next: &Next<'_>) {
        let Trial { explainer, counted, .. } = &mut *self.trial;
        let Some(explainer) = explainer else { return };
        let mut note = |one: &Explanation| note(one, counted);
        match next {
            Next::Addresses(listening) => explainer.addresses(at, listening.clone(), &mut note),
            Next::Frame(link, frame, id) => {
                // The reader counts what cannot be read.
                let _ = explainer.frame(at, *link, frame, *id, &mut note);
            }
        }
    }

    fn decoded(&mut self, id: PacketId, packet: &Packet) {
        self.trial.evidence.packet(id, packet);
    }

    fn happens(&mut self, played: &Played<'_>) -> io::Result<()> {
        self.trial.evidence.effect(played);
        (self.tell)(played)
    }

    fn handled(&mut self, id: PacketId, counts: Counts) {
        if counts.admitted > 0 {
            self.trial.evidence.admitted.get_or_insert(id);
        }
    }
}

/// Takes note of a packet that counted.
fn note(one: &Explanation, counted: &mut HashMap<(IpAddr, DoorId), PacketId>) {
    if let (Verdict::Stage { .. }, Some(seen)) = (&one.verdict, one.packet) {
        counted.insert((one.client, one.door), seen.id);
    }
}

/// Returns the networks of those for whom it may have to be explained why a door did not open; none if
/// there is nobody.
fn whom_to_explain<'a>(all: impl Iterator<Item = &'a Assertion>) -> Option<Vec<IpNet>> {
    let mut networks = Vec::new();
    for Assertion { claim, .. } in all {
        let (Claim::Opens { which, .. } | Claim::OpensTimes { which, .. }) = claim else {
            continue;
        };
        match which.whom {
            Whom::All => {
                networks.extend([IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())]);
            }
            Whom::Network(network) => networks.push(network),
        }
    }
    (!networks.is_empty()).then_some(networks)
}
