//! Warnings about the commands of a door.

use super::circumstances::{Circumstances, Program};
use super::firewall::{self, Change, Family};
use super::shell::{self, Simple};
use crate::config::DoorConfig;
use crate::diagnostics::Diagnostics;
use crate::lex::Piece;
use crate::text::Excerpt;
use crate::warnings::{NoIp, Warning};

pub(super) fn check(
    door: &DoorConfig,
    text: &[u8],
    with: &Circumstances,
    diagnostics: &mut Diagnostics,
) {
    for command in commands(door, text) {
        check_text(command, diagnostics);
    }
    check_pairs(door, text, diagnostics);
    check_families(door, text, with, diagnostics);
}

/// Returns the programs that commands name by their whole paths.
pub(super) fn programs(door: &DoorConfig, text: &[u8]) -> Vec<Program> {
    let named = commands(door, text).filter_map(shell::program);
    let absolute = named.filter(|program| program.bytes().starts_with(b"/"));
    absolute.map(|at| Program { path: at.bytes().to_vec(), span: at.span() }).collect()
}

/// Returns the commands that run something.
fn commands<'a>(door: &DoorConfig, text: &'a [u8]) -> impl Iterator<Item = Piece<'a>> {
    [&door.start, &door.start_6, &door.stop, &door.stop_6]
        .into_iter()
        .flatten()
        .map(move |given| given.value_in(text))
        .filter(|value| !value.is_empty())
}

fn check_text(command: Piece<'_>, diagnostics: &mut Diagnostics) {
    if let Some(program) = shell::program(command)
        && !program.bytes().starts_with(b"/")
    {
        let program_text = Excerpt::new(program.bytes());
        diagnostics.warn(Warning::CommandNotAbsolute { program: program_text }, program);
    }
    if let Some(token) = almost_token(command) {
        let token_text = Excerpt::new(token.bytes());
        let no_ip = NoIp::Misspelled { token: token_text };
        diagnostics.warn(Warning::NoIpToken { no_ip }, token);
        return;
    }
    let Some(simple) = Simple::new(command) else { return };
    if let Some(option) = firewall::port_without_protocol(&simple) {
        let option_text = Excerpt::new(option.bytes());
        diagnostics.warn(Warning::DportWithoutProtocol { option: option_text }, option);
    }
    if firewall::opens(&simple) && !has_token(command.bytes()) {
        diagnostics.warn(Warning::NoIpToken { no_ip: NoIp::OpensForAll }, simple.whole());
    }
}

fn has_token(command: &[u8]) -> bool {
    command.windows(4).any(|window| window == b"%IP%")
}

/// Returns a token in the wrong case, which stays as it is.
fn almost_token(command: Piece<'_>) -> Option<Piece<'_>> {
    let is_one = |window: &[u8]| window.eq_ignore_ascii_case(b"%IP%") && window != b"%IP%";
    let at = command.bytes().windows(4).position(is_one)?;
    Some(command.part(at, 4))
}

/// Warns about stop commands that do not undo what their start commands did.
fn check_pairs(door: &DoorConfig, text: &[u8], diagnostics: &mut Diagnostics) {
    // The parser warns about a stop command that is also used for IPv6.
    for (start, stop) in [(&door.start, &door.stop), (&door.start_6, &door.stop_6)] {
        let (Some(start), Some(stop)) = (start, stop) else { continue };
        let (started, stopped) = (start.value_in(text), stop.value_in(text));
        let (Some(started), Some(stopped)) = (Simple::new(started), Simple::new(stopped)) else {
            continue;
        };
        let (Some(started), Some(stopped)) = (Change::new(&started), Change::new(&stopped)) else {
            continue;
        };
        if let Some((mismatch, at)) = started.is_not_undone_by(&stopped) {
            let start_line = start.at.line;
            diagnostics.warn(Warning::StopDoesNotUndo { mismatch, start_line }, at);
        }
    }
}

/// Warns about addresses of one family passed to a program of the other.
fn check_families(
    door: &DoorConfig,
    text: &[u8],
    with: &Circumstances,
    diagnostics: &mut Diagnostics,
) {
    let target = door.target().map(|target| target.address);
    if !with.ipv4_only && target.is_none_or(|address| address.is_ipv6()) {
        check_for_ipv6_clients(door, text, diagnostics);
    }
    if target.is_none_or(|address| address.is_ipv4()) {
        for given in [&door.start, &door.stop].into_iter().flatten() {
            if let Some(at) = wrong_for(given.value_in(text), Family::Ipv6) {
                let warning = Warning::WrongAddressFamily { falls_back: false, ipv6: false };
                diagnostics.warn(warning, at);
            }
        }
    }
}

fn check_for_ipv6_clients(door: &DoorConfig, text: &[u8], diagnostics: &mut Diagnostics) {
    let start = door.start_6.as_ref().or(door.start.as_ref());
    // A door that runs nothing when it opens runs nothing when it closes.
    if start.is_none_or(|given| given.value.as_bytes().is_empty()) {
        return;
    }
    let mut is_told = false;
    for (own, other) in [(&door.start_6, &door.start), (&door.stop_6, &door.stop)] {
        let falls_back = own.is_none();
        let Some(given) = own.as_ref().or(other.as_ref()) else { continue };
        let Some(at) = wrong_for(given.value_in(text), Family::Ipv4) else { continue };
        // One warning that there is no command for IPv6 is enough.
        if !(falls_back && std::mem::replace(&mut is_told, true)) {
            diagnostics.warn(Warning::WrongAddressFamily { falls_back, ipv6: true }, at);
        }
    }
}

/// Returns the program of a command if it takes only addresses of `family` and gets that of the client.
fn wrong_for(command: Piece<'_>, family: Family) -> Option<Piece<'_>> {
    let simple = Simple::new(command).filter(|_| has_token(command.bytes()))?;
    (firewall::family(&simple) == Some(family)).then(|| simple.program_at())
}
