//! Warnings about single doors.

use super::circumstances::Circumstances;
use super::commands::DoorScripts;
use super::{services, signed};
use crate::config::{DoorConfig, Knocks};
use crate::diagnostics::Diagnostics;
use crate::directives::Directive;
use crate::lex::{Piece, Span};
use crate::names::FileName;
use crate::warnings::{Guess, Unknown, Warning, Why};
use knock_engine::{Knock, Port, Prefix, Protocol, Sequence, TcpFlags, TcpHeader, Transport};

/// The first packet of a TCP connection, as every program that connects sends it.
pub(super) const BARE_SYN: Transport =
    Transport::Tcp(TcpHeader { sequence_number: None, flags: Some(TcpFlags::SYN) });

/// The fewest knocks that a scan of all ports does not make by chance again and again.
const ENOUGH_KNOCKS: usize = 3;

pub(super) fn check(
    scripts: &DoorScripts<'_>,
    text: &[u8],
    with: &Circumstances,
    diagnostics: &mut Diagnostics,
) {
    let door = scripts.door;
    check_target(door, text, with, diagnostics);
    check_sources(door, text, with, diagnostics);
    check_flags(door, text, diagnostics);
    check_timeouts(door, text, diagnostics);
    check_absent(scripts, diagnostics);
    signed::check(door, diagnostics);
    let new = [
        (Directive::Allow, door.allow.first().map(|given| given.at)),
        (Directive::Deny, door.deny.first().map(|given| given.at)),
        (Directive::SequenceFile, place(door, door.sequence_file())),
        (Directive::SequenceKey, place(door, door.key_file())),
        (Directive::SequenceKnocks, door.sequence_knocks.as_ref().map(|given| given.at)),
        (Directive::SequencePorts, door.sequence_ports.as_ref().map(|given| given.at)),
        (Directive::SequencePeriod, door.sequence_period.as_ref().map(|given| given.at)),
        (Directive::Signed, door.signed.as_ref().map(|given| given.at)),
        (Directive::Admit, door.admit.as_ref().map(|given| given.at)),
        (Directive::Open, door.open.as_ref().map(|given| given.at)),
        (Directive::OpenFor, door.open_for.as_ref().map(|given| given.at)),
        (Directive::OpenMax, door.open_max.as_ref().map(|given| given.at)),
        (Directive::OnReknock, door.on_reknock.as_ref().map(|given| given.at)),
        (Directive::SeqCooldown, door.seq_cooldown.as_ref().map(|given| given.at)),
        (Directive::OpeningsPerMinute, door.openings_per_minute.as_ref().map(|given| given.at)),
        (
            Directive::ClientOpeningsPerMinute,
            door.client_openings_per_minute.as_ref().map(|given| given.at),
        ),
    ];
    for (directive, at) in new {
        if at.is_some() {
            let unknown = Unknown::Directive { directive };
            diagnostics.warn_at(Warning::UnknownToKnockd08 { unknown }, at);
        }
    }
    if let Some(given) = &door.knocks
        && let Knocks::Fixed(sequence) = &given.value
    {
        // One packet may wake a machine, which opens nothing.
        if scripts.may_touch_a_firewall() || door.open.is_some() {
            check_length(sequence, given.value_in(text), diagnostics);
        }
        check_knocks(sequence, given.value_in(text), diagnostics);
    }
}

/// Returns the place of the knock with this index.
pub(super) fn nth_knock(sequence: Piece<'_>, index: usize) -> Piece<'_> {
    sequence.split(b',').nth(index).map_or(sequence, Piece::trim)
}

/// Gives advice about a sequence in a file of its own, or of one-time sequences.
pub(super) fn check_in_file(sequence: &Sequence, at: Piece<'_>, diagnostics: &mut Diagnostics) {
    check_length(sequence, at, diagnostics);
    check_knocks(sequence, at, diagnostics);
}

fn check_length(sequence: &Sequence, at: Piece<'_>, diagnostics: &mut Diagnostics) {
    let count = sequence.knocks().len();
    if count < ENOUGH_KNOCKS {
        diagnostics.warn(Warning::FewKnocks { count }, at);
    }
}

/// Gives advice about a sequence by itself, whatever it opens.
fn check_knocks(sequence: &Sequence, at: Piece<'_>, diagnostics: &mut Diagnostics) {
    let knocks = sequence.knocks();
    let mut seen = Vec::new();
    for (index, knock) in knocks.iter().enumerate() {
        if seen.contains(knock) {
            let Port(port) = knock.port;
            diagnostics.warn(Warning::RepeatedKnock { port }, nth_knock(at, index));
            continue;
        }
        seen.push(*knock);
        if let Some(service) = services::at(*knock) {
            let (Port(port), protocol) = (knock.port, knock.protocol);
            let warning = Warning::ServicePort { port, protocol, service };
            diagnostics.warn(warning, nth_knock(at, index));
        }
    }
    if let Some(guess) = guess(knocks) {
        diagnostics.warn(Warning::GuessableSequence { guess }, at);
    }
}

/// The sequences of the files and of the manual page that come with knockd 0.8.
const PUBLISHED: [&[(u16, Protocol)]; 4] = [
    &[(7000, Protocol::Tcp), (8000, Protocol::Tcp), (9000, Protocol::Tcp)],
    &[(9000, Protocol::Tcp), (8000, Protocol::Tcp), (7000, Protocol::Tcp)],
    &[(2222, Protocol::Udp), (3333, Protocol::Tcp), (4444, Protocol::Udp)],
    &[
        (12_345, Protocol::Tcp),
        (54_321, Protocol::Tcp),
        (24_680, Protocol::Tcp),
        (13_579, Protocol::Tcp),
    ],
];

/// Returns why a sequence is easy to guess.
fn guess(knocks: &[Knock]) -> Option<Guess> {
    let is = |published: &[(u16, Protocol)]| {
        let published =
            published.iter().map(|&(port, protocol)| Knock { port: Port(port), protocol });
        published.eq(knocks.iter().copied())
    };
    if PUBLISHED.into_iter().any(is) {
        return Some(Guess::Published);
    }
    if knocks.len() < ENOUGH_KNOCKS {
        return None;
    }
    let ports = || knocks.iter().map(|knock| i32::from(knock.port.0));
    let mut steps = ports().zip(ports().skip(1)).map(|(one, next)| next.saturating_sub(one));
    let step = steps.next()?;
    (step != 0 && steps.all(|other| other == step)).then_some(Guess::EqualSteps { step })
}

fn check_timeouts(door: &DoorConfig, text: &[u8], diagnostics: &mut Diagnostics) {
    if let Some(given) = &door.seq_timeout {
        let knocks = door.knock_count().unwrap_or(1);
        let gaps = knocks.saturating_sub(1);
        let seconds = given.value.get();
        if usize::try_from(seconds).is_ok_and(|seconds| seconds < gaps) {
            diagnostics.warn(Warning::ShortSeqTimeout { seconds, gaps }, given.value_in(text));
        }
    }
    if let Some(given) = &door.cmd_timeout
        && stops(door)
        && given.value.get() == 0
    {
        diagnostics.warn(Warning::ZeroCmdTimeout, given.value_in(text));
    }
}

/// Warns about directives that a door lacks.
fn check_absent(scripts: &DoorScripts<'_>, diagnostics: &mut Diagnostics) {
    let (door, gaps) = (scripts.door, scripts.gaps);
    let is_single = door.sequence().is_some_and(|sequence| sequence.knocks().len() == 1);
    let has_sequence = door.knocks.is_some() || door.signed.is_none();
    if gaps.lacks(Directive::SeqTimeout) && has_sequence && !is_single {
        diagnostics.warn_at(Warning::NoSeqTimeout, Some(door.name_at));
    }
    if gaps.lacks(Directive::TcpFlags) && door.knocks.is_some() && has_tcp(door) {
        diagnostics.warn_at(Warning::NoTcpFlags, Some(door.name_at));
    }
    if let Some(given) = &door.cmd_timeout
        && !gaps.has_unread_lines
        && !stops(door)
    {
        diagnostics.warn_at(Warning::UnusedCmdTimeout, Some(given.at));
    }
}

fn stops(door: &DoorConfig) -> bool {
    let stops = [&door.stop, &door.stop_6];
    stops.into_iter().flatten().any(|stop| !stop.value.as_bytes().is_empty())
}

/// Returns the place of the line that names a file with the sequences of the door, if there is one.
fn place(door: &DoorConfig, file: Option<&FileName>) -> Option<Span> {
    door.knocks.as_ref().filter(|_| file.is_some()).map(|given| given.at)
}

/// Returns whether a knock of the door is TCP. Sequences in files are not read yet, and nearly all knocks
/// are TCP.
fn has_tcp(door: &DoorConfig) -> bool {
    if door.key_file().is_some() {
        return door.sequence_ports().protocol == Protocol::Tcp;
    }
    door.sequence().is_none_or(|sequence| {
        sequence.knocks().iter().any(|knock| knock.protocol == Protocol::Tcp)
    })
}

fn check_flags(door: &DoorConfig, text: &[u8], diagnostics: &mut Diagnostics) {
    let Some(given) = door.flags.last() else { return };
    if has_tcp(door) && !given.value.is_satisfied_by(BARE_SYN) {
        diagnostics.warn(Warning::FlagsNoClientSends, given.value_in(text));
    }
}

fn check_target(
    door: &DoorConfig,
    text: &[u8],
    with: &Circumstances,
    diagnostics: &mut Diagnostics,
) {
    let Some(given) = &door.target else { return };
    let address = given.value.address;
    let why = if address.is_unspecified() {
        Why::TargetUnspecified
    } else if with.ipv4_only && address.is_ipv6() {
        Why::TargetIpv6
    } else {
        return;
    };
    diagnostics.warn(Warning::NeverOpens { why }, given.value_in(text));
}

/// Warns about a door at which `Allow` and `Deny` leave no client.
fn check_sources(
    door: &DoorConfig,
    text: &[u8],
    with: &Circumstances,
    diagnostics: &mut Diagnostics,
) {
    let sources = door.sources();
    let all =
        ["0.0.0.0", "::"].into_iter().filter_map(|first| Prefix::new(first.parse().ok()?, 0).ok());
    let all: Vec<Prefix> = all.collect();
    let allowed = if sources.allow().is_empty() { &all } else { sources.allow() };
    let mut heard =
        allowed.iter().filter(|one| !with.ipv4_only || one.first().is_ipv4()).peekable();
    let (why, lines) = if heard.peek().is_none() {
        (Why::Ipv6Clients, &door.allow)
    } else if heard.all(|one| sources.deny().iter().any(|denied| denied.covers(*one))) {
        (Why::AllDenied, &door.deny)
    } else {
        return;
    };
    if let Some(given) = lines.last() {
        diagnostics.warn(Warning::NeverOpens { why }, given.value_in(text));
    }
}
