//! Explanations for programs: one object a line, as `docs/knock-explain.schema.json` says.

use std::io;

use knock_engine::Reason;
use knock_engine::address;
use knock_engine::{DoorId, Knock};
use serde::Serialize;

use super::admission::Ended;
use super::explainer::Explainer;
use super::explanation::{Explanation, Late, Seen, SignedFault, Verdict, Why};
use super::hints::Hint;
use super::miss::{Miss, Nearest};
use super::observer::Totals;
use super::places::ConfigLine;
use super::run::Explanations;
use super::terms::unreadable;
use super::words::Words;
use crate::output::Output;
use crate::output::json::{Json, Place};
use crate::output::time::{nanos, seconds, utc};
use crate::session::names::PacketId;

/// The version of the format. A program that knows one may meet further fields, verdicts and reasons
/// in it, never another meaning of those it knows.
pub(super) const VERSION: u8 = 1;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Object<'a> {
    Explanation(Box<Happened<'a>>),
    Nearest(Near<'a>),
    Summary(Summary),
}

#[derive(Serialize)]
struct Happened<'a> {
    time: String,
    client: String,
    door: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<AttemptObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<PacketObject<'a>>,
    verdict: &'static str,
    /// How many knocks are made, or were.
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<u8>,
    of: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late: Option<LateObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed: Option<SignedObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeats: Option<Place<'a>>,
    /// The packet before it, if that went to a port of no door.
    #[serde(skip_serializing_if = "Option::is_none")]
    behind: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_door: Option<String>,
    /// How long an admission lasted.
    #[serde(skip_serializing_if = "Option::is_none")]
    lasted_seconds: Option<f64>,
    /// The packet that decided when the admission ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<Place<'a>>,
    text: String,
    lines: Vec<ConfigLine>,
}

#[derive(Serialize)]
struct AttemptObject {
    number: u64,
    began: String,
    /// Since the attempt began.
    after_seconds: f64,
}

#[derive(Serialize)]
struct PacketObject<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    knock: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<u16>,
}

/// A signed packet, or one that may be meant so.
#[derive(Serialize)]
struct SignedObject {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_ahead_seconds: Option<f64>,
}

#[derive(Serialize)]
struct LateObject {
    by_seconds: f64,
    after_seconds: f64,
    seq_timeout_needed: u64,
}

#[derive(Serialize)]
struct Near<'a> {
    client: String,
    door: String,
    openings: u64,
    attempts: u64,
    stage: u8,
    of: u8,
    misses: Vec<MissObject<'a>>,
    text: String,
    lines: Vec<ConfigLine>,
    hints: Vec<HintObject>,
}

/// What may help.
#[derive(Serialize)]
struct HintObject {
    hint: &'static str,
    text: String,
}

#[derive(Serialize)]
struct MissObject<'a> {
    reason: &'static str,
    times: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_packet: Option<PacketObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq_timeout_needed: Option<u64>,
}

#[derive(Serialize)]
struct Summary {
    packets: u64,
    explained: u64,
    left_out: u64,
    to_ports_of_no_door: u64,
    of_other_clients: u64,
    unreadable: Vec<Unreadable>,
    unreadable_first: Vec<Example>,
}

#[derive(Serialize)]
struct Unreadable {
    reason: String,
    packets: u64,
}

#[derive(Serialize)]
struct Example {
    capture: String,
    number: u64,
    text: String,
}

impl<'a> Words<'a> {
    fn happened(&self, one: &Explanation) -> Happened<'a> {
        let fields = Fields::of(&one.verdict);
        Happened {
            time: utc(one.at),
            client: address::text(one.client),
            door: self.door(one.door),
            attempt: one.attempt.map(|attempt| AttemptObject {
                number: attempt.number,
                began: utc(attempt.began),
                after_seconds: seconds(nanos(attempt.began, one.at)),
            }),
            packet: one.packet.map(|seen| self.packet(seen)),
            verdict: one.verdict.name(),
            stage: fields.stage,
            of: one.of,
            expected: fields.expected,
            late: fields.late.map(|late| LateObject {
                by_seconds: seconds(late.by_nanos),
                after_seconds: seconds(late.after_nanos),
                seq_timeout_needed: late.needed_seconds,
            }),
            signed: self.signed(&one.verdict),
            repeats: fields.repeats.map(|id| self.place(id)),
            behind: fields.behind.map(|id| self.place(id)),
            other_door: fields.other_door.map(|door| self.door(door)),
            lasted_seconds: fields.lasted.map(seconds),
            ended_by: fields.ended_by.map(|id| self.place(id)),
            text: self.sentence(one),
            lines: self.lines(one),
        }
    }

    fn signed(&self, verdict: &Verdict) -> Option<SignedObject> {
        let (key, refusal, ahead) = match *verdict {
            Verdict::Signed { key } => (Some(key), None, None),
            Verdict::Ignored(Why::NotSigned(SignedFault { refusal, key, ahead, .. })) => {
                (key, Some(refusal.name()), ahead)
            }
            Verdict::Stage { .. }
            | Verdict::Opened
            | Verdict::Refused
            | Verdict::Skipped(_)
            | Verdict::VoidedOften { .. }
            | Verdict::Admitted { .. }
            | Verdict::Closing
            | Verdict::AdmissionEnded(_)
            | Verdict::Command(_)
            | Verdict::SequenceTimedOut { .. }
            | Verdict::CommandTimedOut
            | Verdict::Evicted { .. }
            | Verdict::SequenceChanged { .. }
            | Verdict::DoorChanged { .. }
            | Verdict::OneTimeUsed { .. }
            | Verdict::Disabled
            | Verdict::Void { .. }
            | Verdict::Ignored(_) => return None,
        };
        let clock_ahead_seconds = ahead.map(|ahead| {
            let size = seconds(ahead.unsigned_abs());
            if ahead < 0 { -size } else { size }
        });
        Some(SignedObject { user: self.user(key), refusal, clock_ahead_seconds })
    }

    fn place(&self, id: PacketId) -> Place<'a> {
        Place::new(id, self.captures)
    }

    fn packet(&self, seen: Seen) -> PacketObject<'a> {
        PacketObject {
            place: self.place(seen.id),
            knock: seen.knock.map(|knock| knock.to_string()),
            flags: seen.flags.map(|flags| flags.to_string()),
            destination: seen.destination.map(address::text),
            vlan: seen.vlan,
        }
    }

    fn near(&self, one: &Nearest, hints: &[Hint]) -> Near<'a> {
        let miss = |miss: &Miss| MissObject {
            reason: miss.cause.name(),
            times: miss.times,
            expected: miss.expected.map(|expected| expected.to_string()),
            first_packet: miss.packet.map(|seen| self.packet(seen)),
            seq_timeout_needed: (miss.needed_seconds > 0).then_some(miss.needed_seconds),
        };
        let hint = |hint: &Hint| HintObject { hint: hint.name(), text: hint.text(one.client) };
        Near {
            client: address::text(one.client),
            door: self.door(one.door),
            openings: one.openings,
            attempts: one.attempts,
            stage: one.stage.get(),
            of: one.of,
            misses: one.misses.iter().map(miss).collect(),
            text: self.nearest(one),
            lines: self.nearest_lines(one),
            hints: hints.iter().map(hint).collect(),
        }
    }
}

/// What some verdicts have besides.
#[derive(Default)]
struct Fields {
    stage: Option<u8>,
    expected: Option<String>,
    late: Option<Late>,
    repeats: Option<PacketId>,
    behind: Option<PacketId>,
    other_door: Option<DoorId>,
    lasted: Option<u64>,
    ended_by: Option<PacketId>,
}

impl Fields {
    fn of(verdict: &Verdict) -> Self {
        let text = |knock: Option<Knock>| knock.map(|knock| knock.to_string());
        let none = Self::default();
        match *verdict {
            Verdict::Stage { stage, late, again: repeats } => {
                Self { stage: Some(stage.get()), late, repeats, ..none }
            }
            Verdict::SequenceTimedOut { stage, expected }
            | Verdict::Ignored(Why::OtherPort { stage, expected }) => {
                Self { stage: Some(stage.get()), expected: text(expected), ..none }
            }
            Verdict::Evicted { stage }
            | Verdict::SequenceChanged { stage }
            | Verdict::DoorChanged { stage } => Self { stage: Some(stage.get()), ..none },
            Verdict::Void { stage, expected, repeats, because_of: other_door } => {
                let expected = text(expected);
                Self { stage: Some(stage.get()), expected, repeats, other_door, ..none }
            }
            Verdict::Ignored(Why::OtherProtocol { expected }) => {
                Self { expected: text(Some(expected)), ..none }
            }
            Verdict::Ignored(Why::Retransmission { of } | Why::SecondTry { of }) => {
                Self { repeats: of, ..none }
            }
            Verdict::Ignored(Why::Late(late)) => Self { late: Some(late), ..none },
            Verdict::Ignored(Why::NoAttempt { place: _, first, counted_at, behind }) => {
                let behind = behind.map(|(id, _)| id);
                Self { expected: text(first), other_door: counted_at, behind, ..none }
            }
            Verdict::AdmissionEnded(Ended { lasted_nanos: lasted, by }) => {
                Self { lasted, ended_by: by.packet(), ..none }
            }
            Verdict::Ignored(Why::OtherAttempt { door }) => Self { other_door: Some(door), ..none },
            Verdict::Ignored(Why::NotSigned(fault)) => Self { repeats: fault.repeats, ..none },
            Verdict::Opened
            | Verdict::Signed { .. }
            | Verdict::Admitted { .. }
            | Verdict::Closing
            | Verdict::Refused
            | Verdict::Skipped(_)
            | Verdict::Command(_)
            | Verdict::CommandTimedOut
            | Verdict::OneTimeUsed { .. }
            | Verdict::Disabled
            | Verdict::VoidedOften { .. }
            | Verdict::Ignored(
                Why::OtherFlags { .. }
                | Why::OtherDestination
                | Why::OtherSource { .. }
                | Why::NotNow
                | Why::Unreadable(_),
            ) => none,
        }
    }
}

impl Output<Explanations> for Json<'_> {
    fn one(&mut self, (one, words): (&Explanation, &Words<'_>)) -> io::Result<()> {
        self.write(&Object::Explanation(Box::new(words.happened(one))))
    }

    fn end(&mut self, (explainer, words): (&Explainer, &Words<'_>)) -> io::Result<()> {
        let hints = explainer.hints();
        for one in explainer.nearest() {
            self.write(&Object::Nearest(words.near(&one, hints.at(&one))))?;
        }
        self.write(&Object::Summary(Summary::of(explainer.totals(), words)))
    }
}

impl Summary {
    /// Returns how many packets there were.
    fn of(totals: &Totals, words: &Words<'_>) -> Self {
        let counts = Reason::ALL.iter().zip(totals.unreadable).filter(|(_, packets)| *packets > 0);
        let unreadable_counts =
            counts.map(|(reason, packets)| Unreadable { reason: reason.to_string(), packets });
        let examples = totals.unreadable_first.iter().map(|&(id, why)| Example {
            capture: words.captures.of(id).to_owned(),
            number: id.number,
            text: unreadable(why),
        });
        Self {
            packets: totals.packets(),
            explained: totals.explained,
            left_out: totals.left_out,
            to_ports_of_no_door: totals.strays,
            of_other_clients: totals.of_others,
            unreadable: unreadable_counts.collect(),
            unreadable_first: examples.collect(),
        }
    }
}
