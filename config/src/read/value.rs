//! Values of directives.

use std::net::IpAddr;

use crate::diagnostics::{Diagnostics, ValueFault};
use crate::directives::{Directive, Least, Value};
use crate::lex::{self, Piece};
use crate::text::Excerpt;
use crate::warnings::Warning;
use knock_engine::Seconds;
use knock_engine::address;
use knock_engine::{FlagRule, PerMinute, Sequence, Target};
use knock_engine::{Knock, Port, Protocol, TcpFlags};

/// Returns the value of a directive that needs one.
pub(super) fn required<'a>(
    directive: Directive,
    value: Piece<'a>,
    diagnostics: &mut Diagnostics,
) -> Option<Piece<'a>> {
    if value.is_empty() {
        diagnostics.value(ValueFault::Empty { directive }, value);
        return None;
    }
    Some(value)
}

/// Returns the value of a directive that needs one and cannot contain a `#`.
pub(super) fn without_comment<'a>(
    directive: Directive,
    value: Piece<'a>,
    diagnostics: &mut Diagnostics,
) -> Option<Piece<'a>> {
    let Some((value, comment)) = value.split_before(b'#') else {
        return required(directive, value, diagnostics);
    };
    diagnostics.value(ValueFault::CommentAfterValue { directive }, comment);
    let value = value.trim();
    (!value.is_empty()).then_some(value)
}

/// Reads knocks separated by commas: `PORT[:tcp|udp],...`.
pub(super) fn sequence(value: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<Sequence> {
    let value = without_comment(Directive::Sequence, value, diagnostics)?;
    let count = value.split(b',').count();
    let knocks: Vec<Option<Knock>> = value
        .split(b',')
        .take(Sequence::MAX_KNOCKS)
        .map(|part| knock(part.trim(), diagnostics))
        .collect();
    if let Some(beyond) = value.split(b',').nth(Sequence::MAX_KNOCKS) {
        diagnostics.value(ValueFault::TooManyKnocks { count }, beyond.trim().to_line_end());
        return None;
    }
    Sequence::new(knocks.into_iter().collect::<Option<_>>()?).ok()
}

fn knock(part: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<Knock> {
    let Some((port_part, behind)) = part.split_once(b':') else {
        return Some(Knock { port: port(part, diagnostics)?, protocol: Protocol::Tcp });
    };
    if let Some(right) = turned_round(port_part.trim(), behind.trim()) {
        diagnostics.value(ValueFault::ProtocolFirst { right }, part);
        return None;
    }
    let number = port(port_part.trim(), diagnostics);
    let (protocol_part, third) = match behind.split_once(b':') {
        Some((protocol_part, third)) => (protocol_part, Some(third)),
        None => (behind, None),
    };
    let protocol = protocol(protocol_part.trim(), diagnostics);
    if let Some(third) = third {
        diagnostics.value(ValueFault::ThirdField, third.trim());
        return None;
    }
    Some(Knock { port: number?, protocol: protocol? })
}

/// Returns how a knock is written whose protocol is before its port.
fn turned_round(protocol: Piece<'_>, port: Piece<'_>) -> Option<String> {
    let protocol = ["tcp", "udp"]
        .into_iter()
        .find(|known| protocol.bytes().eq_ignore_ascii_case(known.as_bytes()))?;
    let port = decimal(port.bytes()).and_then(|number| u16::try_from(number).ok())?;
    Some(format!("{port}:{protocol}"))
}

/// Reads a port of a directive that knockd 0.8 has, too.
pub(super) fn port(part: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<Port> {
    read_port(part, port_read_by_08, diagnostics)
}

/// Reads a port of a directive that knockd 0.8 does not have.
pub(super) fn new_port(part: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<Port> {
    read_port(part, |_| None, diagnostics)
}

fn read_port(
    part: Piece<'_>,
    read_by_08: fn(&[u8]) -> Option<Port>,
    diagnostics: &mut Diagnostics,
) -> Option<Port> {
    if part.is_empty() {
        diagnostics.value(ValueFault::MissingPort, part);
        return None;
    }
    let number = decimal(part.bytes()).and_then(|number| u16::try_from(number).ok());
    let Some(number) = number.filter(|number| *number > 0) else {
        let read_by_08 = read_by_08(part.bytes());
        let text = Excerpt::new(part.bytes());
        diagnostics.value(ValueFault::BadPort { text, read_by_08 }, part);
        return None;
    };
    Some(Port(number))
}

pub(super) fn protocol(part: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<Protocol> {
    let bytes = part.bytes();
    if bytes.eq_ignore_ascii_case(b"tcp") {
        return Some(Protocol::Tcp);
    }
    if bytes.eq_ignore_ascii_case(b"udp") {
        return Some(Protocol::Udp);
    }
    let fault = if bytes.is_empty() {
        ValueFault::MissingProtocol
    } else {
        let nearest = diagnostics.nearest(bytes, ["tcp", "udp"]);
        ValueFault::UnknownProtocol { text: Excerpt::new(bytes), nearest }
    };
    diagnostics.value(fault, part);
    None
}

/// Reads a number of seconds.
pub(super) fn seconds(
    directive: Directive,
    value: Piece<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Seconds> {
    let value = without_comment(directive, value, diagnostics)?;
    let Some(seconds) = decimal(value.bytes()).and_then(Seconds::new) else {
        let text = Excerpt::new(value.bytes());
        let read_by_08 = directive.is_in_08().then(|| atoi(value.bytes()));
        diagnostics.value(ValueFault::BadSeconds { directive, text, read_by_08 }, value);
        return None;
    };
    if seconds.get() == 0 && matches!(directive.value(), Value::Seconds(Least::One { .. })) {
        diagnostics.value(ValueFault::ZeroSeconds { directive }, value);
        return None;
    }
    Some(seconds)
}

/// Reads a number of openings in a minute.
pub(super) fn per_minute(
    directive: Directive,
    value: Piece<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<PerMinute> {
    let value = without_comment(directive, value, diagnostics)?;
    let number = decimal(value.bytes()).and_then(|number| u16::try_from(number).ok());
    let openings = number.and_then(PerMinute::new);
    if openings.is_none() {
        let text = Excerpt::new(value.bytes());
        diagnostics.value(ValueFault::BadPerMinute { text }, value);
    }
    openings
}

/// Reads a number of seconds, or of another unit with its letter; at least 1 second.
pub(super) fn duration(
    directive: Directive,
    value: Piece<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Seconds> {
    let value = without_comment(directive, value, diagnostics)?;
    let units: [(&[u8], u32); 4] = [(b"s", 1), (b"m", 60), (b"h", 3600), (b"d", 86_400)];
    let bytes = value.bytes();
    let with_unit =
        units.iter().find_map(|(unit, seconds)| Some((bytes.strip_suffix(*unit)?, seconds)));
    let (number, unit) = with_unit.unwrap_or((bytes, &1));
    let seconds =
        decimal(number).and_then(|number| number.checked_mul(*unit)).and_then(Seconds::new);
    let Some(seconds) = seconds.filter(|seconds| seconds.get() > 0) else {
        let text = Excerpt::new(bytes);
        diagnostics.value(ValueFault::BadDuration { directive, text }, value);
        return None;
    };
    Some(seconds)
}

const FLAGS: [(&str, TcpFlags); 6] = [
    ("fin", TcpFlags::FIN),
    ("syn", TcpFlags::SYN),
    ("rst", TcpFlags::RST),
    ("psh", TcpFlags::PSH),
    ("ack", TcpFlags::ACK),
    ("urg", TcpFlags::URG),
];

/// Adds the flags of a line, separated by commas, each with an optional `!` before it, to `rule`.
pub(super) fn flags(
    mut rule: FlagRule,
    value: Piece<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<FlagRule> {
    let value = without_comment(Directive::TcpFlags, value, diagnostics)?;
    let errors = diagnostics.errors();
    for part in value.split(b',').map(Piece::trim) {
        let refused = part.strip_prefix(b'!').map(Piece::trim);
        let Some(flag) = flag(refused.unwrap_or(part), diagnostics) else { continue };
        rule = if refused.is_some() { rule.refuse(flag) } else { rule.want(flag) };
    }
    if diagnostics.errors() > errors {
        return None;
    }
    let without: Vec<u8> =
        value.bytes().iter().copied().filter(|byte| !lex::is_blank(*byte)).collect();
    if without != value.bytes() {
        diagnostics.warn(Warning::BlankInFlags { without: Excerpt::new(&without) }, value);
    }
    Some(rule)
}

fn flag(part: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<TcpFlags> {
    let name = part.bytes();
    let known = FLAGS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
    if let Some((_, flag)) = known {
        return Some(*flag);
    }
    let fault = if name.is_empty() {
        ValueFault::MissingFlag
    } else if name.starts_with(b"!") {
        ValueFault::DoubleNot
    } else {
        let nearest = diagnostics.nearest(name, FLAGS.map(|(known, _)| known));
        ValueFault::UnknownFlag { text: Excerpt::new(name), nearest }
    };
    diagnostics.value(fault, part);
    None
}

/// Reads an IP address.
pub(super) fn target(value: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<Target> {
    let value = without_comment(Directive::Target, value, diagnostics)?;
    let address =
        std::str::from_utf8(value.bytes()).ok().and_then(|text| text.parse::<IpAddr>().ok());
    let Some(address) = address else {
        let text = Excerpt::new(value.bytes());
        diagnostics.value(ValueFault::TargetNotAnAddress { text }, value);
        return None;
    };
    let mut canonical = Vec::new();
    address::write(address, &mut canonical);
    let is_as_printed = canonical == value.bytes();
    if !is_as_printed {
        let canonical = String::from_utf8_lossy(&canonical).into_owned();
        diagnostics.warn(Warning::TargetNotCanonical { canonical }, value);
    }
    Some(Target { address, is_as_printed })
}

/// Reads digits and nothing else; `None` also if the number is too large.
pub(super) fn decimal(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0_u32, |number, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Reads a number as knockd 0.8 does: anything after it is ignored, an empty text is 0, and a number
/// that is too large wraps around (case `f-number-too-large`).
fn atoi(bytes: &[u8]) -> i32 {
    let negative = bytes.starts_with(b"-");
    let digits = bytes.strip_prefix(if negative { b"-" } else { b"+" }).unwrap_or(bytes);
    let number = digits.iter().map_while(|byte| char::from(*byte).to_digit(10)).fold(
        0_i64,
        |number, digit| {
            let digit = i64::from(digit);
            let digit = if negative { digit.wrapping_neg() } else { digit };
            number.saturating_mul(10).saturating_add(digit)
        },
    );
    u32::try_from(number & 0xffff_ffff).unwrap_or_default().cast_signed()
}

/// Reads a port as knockd 0.8 does; `None` if it refuses it.
fn port_read_by_08(bytes: &[u8]) -> Option<Port> {
    let number = atoi(bytes);
    if number > i32::from(u16::MAX) {
        return None;
    }
    u16::try_from(number & 0xffff).ok().map(Port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_by_knockd_08() {
        for (text, port) in [
            ("ssh", Some(0)),
            ("", Some(0)),
            ("0x10", Some(0)),
            ("+7", Some(7)),
            ("7000x", Some(7000)),
            ("-1", Some(65535)),
            ("-65535", Some(1)),
            ("4294967297", Some(1)),
            ("65535x", Some(65535)),
            ("65536", None),
            ("99999999999999999999", Some(65535)),
        ] {
            assert_eq!(port_read_by_08(text.as_bytes()), port.map(Port), "{text}");
        }
    }

    #[test]
    fn a_decimal_number_is_digits_only() {
        assert_eq!(decimal(b"0007000"), Some(7000));
        assert_eq!(decimal(b"4294967295"), Some(u32::MAX));
        for text in ["", "+1", "-1", "1 ", "0x1", "4294967296", "\u{661}"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
    }
}
