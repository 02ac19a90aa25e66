//! The ports that a door opens.

use super::value::{new_port, protocol, without_comment};
use crate::diagnostics::{Diagnostics, ValueFault};
use crate::directives::Directive;
use crate::lex::Piece;
use crate::text::Excerpt;
use knock_engine::{OpenPorts, OpenPortsError, PortRange, Protocol};

/// Reads ports and ranges separated by commas. Each has its protocol before it, or that of the one
/// before: `tcp/22,80-89,udp/53`.
pub(super) fn open_ports(value: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<OpenPorts> {
    let value = without_comment(Directive::Open, value, diagnostics)?;
    let count = value.split(b',').count();
    if let Some(beyond) = value.split(b',').nth(OpenPorts::MAX_RANGES) {
        diagnostics.value(ValueFault::TooManyPorts { count }, beyond.trim().to_line_end());
        return None;
    }
    let mut ranges = Vec::new();
    let mut last_protocol = None;
    for part in value.split(b',').map(Piece::trim) {
        let range = range(part, &mut last_protocol, diagnostics);
        ranges.push(range);
    }
    let ranges = ranges.into_iter().collect::<Option<Vec<_>>>()?;
    match OpenPorts::new(ranges) {
        Ok(ports) => Some(ports),
        Err(OpenPortsError::Overlap(one, other)) => {
            diagnostics.value(ValueFault::OverlappingPorts { one, other }, value);
            None
        }
        // A value has at least one part, and no more than allowed.
        Err(OpenPortsError::Empty | OpenPortsError::TooMany) => None,
    }
}

/// Reads ports as `Open` has them; `None` if there is an error.
#[must_use]
pub fn parse(value: Piece<'_>) -> Option<OpenPorts> {
    open_ports(value, &mut Diagnostics::default())
}

fn range(
    item: Piece<'_>,
    last_protocol: &mut Option<Protocol>,
    diagnostics: &mut Diagnostics,
) -> Option<PortRange> {
    let ports = if let Some((name, ports)) = item.split_once(b'/') {
        *last_protocol = None;
        if let Some(right) = turned_round(name.trim(), ports.trim()) {
            diagnostics.value(ValueFault::PortFirst { right }, item);
            return None;
        }
        *last_protocol = protocol(name.trim(), diagnostics);
        ports.trim()
    } else {
        if let Some(right) = of_a_sequence(item) {
            diagnostics.value(ValueFault::PortFirst { right }, item);
            return None;
        }
        if last_protocol.is_none() && !item.is_empty() {
            let text = Excerpt::new(item.bytes());
            diagnostics.value(ValueFault::PortWithoutProtocol { text }, item);
            return None;
        }
        item
    };
    let protocol = *last_protocol;
    let Some((first, last)) = ports.split_once(b'-') else {
        let port = new_port(ports, diagnostics)?;
        return PortRange::new(protocol?, port, port);
    };
    let (first, last) = (new_port(first.trim(), diagnostics), new_port(last.trim(), diagnostics));
    let (first, last) = (first?, last?);
    let range = PortRange::new(protocol?, first, last);
    if range.is_none() {
        diagnostics.value(ValueFault::RangeBackwards { first, last }, ports);
    }
    range
}

/// Returns how a port is written whose protocol is after a slash.
fn turned_round(port: Piece<'_>, protocol: Piece<'_>) -> Option<String> {
    let is_number = |text: Piece<'_>| {
        !text.is_empty() && text.bytes().iter().all(|byte| byte.is_ascii_digit() || *byte == b'-')
    };
    let name = String::from_utf8_lossy(protocol.bytes()).to_lowercase();
    (is_number(port) && ["tcp", "udp"].contains(&&*name))
        .then(|| format!("{name}/{}", String::from_utf8_lossy(port.bytes())))
}

/// Returns how a port is written that has its protocol after a colon, as in a sequence.
fn of_a_sequence(item: Piece<'_>) -> Option<String> {
    let (port, protocol) = item.split_once(b':')?;
    turned_round(port.trim(), protocol.trim())
}
