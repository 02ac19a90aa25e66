//! How sequences are derived from a key.

use super::value::{decimal, duration, new_port, protocol, without_comment};
use crate::config::SequencePorts;
use crate::diagnostics::{Diagnostics, ValueFault};
use crate::directives::Directive;
use crate::lex::Piece;
use crate::text::Excerpt;
use knock_engine::{DerivedSequence, Protocol, Seconds};
use knock_signed::PortSpan;

/// Reads how many knocks a sequence has.
pub(super) fn knocks(value: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<u8> {
    let value = without_comment(Directive::SequenceKnocks, value, diagnostics)?;
    let number = decimal(value.bytes()).and_then(|number| u8::try_from(number).ok());
    let range = DerivedSequence::KNOCKS_MIN..=DerivedSequence::KNOCKS_MAX;
    let number = number.filter(|number| range.contains(number));
    if number.is_none() {
        let text = Excerpt::new(value.bytes());
        diagnostics.value(ValueFault::BadKnockCount { text }, value);
    }
    number
}

/// Reads a range of ports: `FIRST-LAST[:tcp|udp]`.
pub(super) fn ports(value: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<SequencePorts> {
    let value = without_comment(Directive::SequencePorts, value, diagnostics)?;
    let (ports, protocol) = match value.split_once(b':') {
        None => (value, Some(Protocol::Tcp)),
        Some((ports, name)) => (ports.trim(), protocol(name.trim(), diagnostics)),
    };
    let Some((first, last)) = ports.split_once(b'-') else {
        let text = Excerpt::new(ports.bytes());
        diagnostics.value(ValueFault::NotAPortSpan { text }, ports);
        return None;
    };
    let (first, last) = (new_port(first.trim(), diagnostics), new_port(last.trim(), diagnostics));
    let (first, last, protocol) = (first?, last?, protocol?);
    if first > last {
        diagnostics.value(ValueFault::RangeBackwards { first, last }, ports);
        return None;
    }
    let span = PortSpan::new(first.0, last.0);
    if span.is_none() {
        let count = last.0.abs_diff(first.0).saturating_add(1);
        diagnostics.value(ValueFault::FewPorts { count }, ports);
    }
    Some(SequencePorts { span: span?, protocol })
}

/// Reads the length of a period.
pub(super) fn period(value: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<Seconds> {
    let seconds = duration(Directive::SequencePeriod, value, diagnostics)?;
    let range = DerivedSequence::PERIOD_MIN..=DerivedSequence::PERIOD_MAX;
    if !range.contains(&seconds) {
        diagnostics.value(ValueFault::BadPeriod { seconds }, value);
        return None;
    }
    Some(seconds)
}
