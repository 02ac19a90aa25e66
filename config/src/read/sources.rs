//! The prefixes of `Allow` and `Deny`.

use std::net::IpAddr;

use super::value::{decimal, without_comment};
use crate::diagnostics::{Diagnostics, ValueFault};
use crate::directives::Directive;
use crate::lex::Piece;
use crate::text::Excerpt;
use knock_engine::{Prefix, PrefixError, Sources};

/// Reads addresses and prefixes separated by commas. With those of the lines above, `before`, there are at
/// most [`Sources::MAX_PREFIXES`].
pub(super) fn prefixes(
    directive: Directive,
    value: Piece<'_>,
    before: usize,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<Prefix>> {
    let value = without_comment(directive, value, diagnostics)?;
    let room = Sources::MAX_PREFIXES.saturating_sub(before);
    if let Some(beyond) = value.split(b',').nth(room) {
        let fault = ValueFault::TooManyPrefixes { directive };
        diagnostics.value(fault, beyond.trim().to_line_end());
        return None;
    }
    let read = |part: Piece<'_>| prefix(part.trim(), diagnostics);
    let all: Vec<Option<Prefix>> = value.split(b',').map(read).collect();
    all.into_iter().collect()
}

fn prefix(part: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<Prefix> {
    match parse(part) {
        Ok(prefix) => Some(prefix),
        Err(fault) => {
            diagnostics.value(fault, part);
            None
        }
    }
}

fn parse(part: Piece<'_>) -> Result<Prefix, ValueFault> {
    if part.is_empty() {
        return Err(ValueFault::MissingPrefix);
    }
    let text = || Excerpt::new(part.bytes());
    let (address, length) = match part.split_once(b'/') {
        Some((address, length)) => (address.trim(), Some(length.trim())),
        None => (part, None),
    };
    let bad = || ValueFault::BadPrefix { text: text() };
    let address = std::str::from_utf8(address.bytes()).ok().and_then(|text| text.parse().ok());
    let address: IpAddr = address.ok_or_else(bad)?;
    let length = match length {
        None => None,
        Some(length) => Some(decimal(length.bytes()).ok_or_else(bad)?),
    };
    if let IpAddr::V6(inside) = address
        && let Some(v4) = inside.to_ipv4_mapped()
    {
        return Err(ValueFault::MappedPrefix { text: text(), right: of_v4(v4.into(), length) });
    }
    let Some(length) = length else { return Ok(Prefix::host(address)) };
    let found = Prefix::new(address, u8::try_from(length).unwrap_or(u8::MAX));
    found.map_err(|error| match error {
        PrefixError::TooLong { max } => ValueFault::PrefixTooLong { text: text(), max },
        PrefixError::HostBits { network } => {
            ValueFault::HostBits { text: text(), network, host: Prefix::host(address) }
        }
    })
}

/// Returns the prefix of IPv4 addresses for one of their IPv6 form; `None` if it has others, too.
fn of_v4(address: IpAddr, length: Option<u32>) -> Option<Prefix> {
    let Some(length) = length else { return Some(Prefix::host(address)) };
    match Prefix::new(address, u8::try_from(length.checked_sub(96)?).ok()?) {
        Ok(prefix) | Err(PrefixError::HostBits { network: prefix }) => Some(prefix),
        Err(PrefixError::TooLong { .. }) => None,
    }
}
