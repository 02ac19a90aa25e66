//! Addresses of one family passed to a program of the other.

use super::scripts::{DoorScripts, Line};
use crate::diagnostics::Diagnostics;
use crate::lex::Piece;
use crate::lint::circumstances::Circumstances;
use crate::lint::firewall;
use crate::warnings::{OneFamily, Warning};

pub(super) fn check(door: &DoorScripts<'_>, with: &Circumstances, diagnostics: &mut Diagnostics) {
    let target = door.door.target().map(|target| target.address);
    if !with.ipv4_only && target.is_none_or(|address| address.is_ipv6()) {
        check_for_ipv6_clients(door, diagnostics);
    }
    if target.is_none_or(|address| address.is_ipv4()) {
        for line in [&door.start, &door.stop].into_iter().flatten() {
            if let Some((rule, at)) = wrong_for(line, false) {
                diagnostics.warn(Warning::WrongAddressFamily { falls_back: false, rule }, at);
            }
        }
    }
}

fn check_for_ipv6_clients(door: &DoorScripts<'_>, diagnostics: &mut Diagnostics) {
    let start = door.start_6.as_ref().or(door.start.as_ref());
    // A door that runs nothing when it opens runs nothing when it closes.
    if start.is_none_or(|line| line.value.is_empty()) {
        return;
    }
    let mut is_told = door.gaps.has_unread_lines || door.closes_what_ipv6_never_opened;
    for (own, other) in [(&door.start_6, &door.start), (&door.stop_6, &door.stop)] {
        let falls_back = own.is_none();
        let Some(line) = own.as_ref().or(other.as_ref()) else { continue };
        let Some((rule, at)) = wrong_for(line, true) else { continue };
        // One warning that there is no command for IPv6 is enough.
        if !(falls_back && std::mem::replace(&mut is_told, true)) {
            diagnostics.warn(Warning::WrongAddressFamily { falls_back, rule }, at);
        }
    }
}

/// Returns what in a command refuses the addresses of its clients, and where.
pub(super) fn wrong_for<'a>(line: &Line<'a>, are_ipv6: bool) -> Option<(OneFamily, Piece<'a>)> {
    let with_address = line.script.commands.iter().filter(|command| command.has_token());
    let mut rules = with_address.filter_map(firewall::family);
    rules.find(|(rule, _)| rule.is_of_ipv4() == are_ipv6)
}
