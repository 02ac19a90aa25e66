//! Warning about the commands of a door.

use super::firewall::{self, Change, Family};
use super::shell::{self, Simple};
use super::{Both, Circumstances, Program};
use crate::diagnostics::Diagnostics;
use crate::directives::Directive;
use crate::lex::Piece;
use crate::read::Door as Placed;
use crate::text::Excerpt;
use crate::warnings::{NoIp, Warning};

pub(super) fn check(both: &Both<'_>, with: &Circumstances, diagnostics: &mut Diagnostics) {
    for command in commands(both.placed) {
        check_text(command, diagnostics);
    }
    check_pairs(both.placed, diagnostics);
    check_families(both, with, diagnostics);
}

/// Returns the programs that commands name by their whole paths.
pub(super) fn programs(placed: &Placed<'_>) -> Vec<Program> {
    let named = commands(placed).filter_map(shell::program);
    let absolute = named.filter(|program| program.bytes().starts_with(b"/"));
    absolute.map(|at| Program { path: at.bytes().to_vec(), span: at.span() }).collect()
}

/// Returns the commands that run something.
fn commands<'a>(placed: &Placed<'a>) -> impl Iterator<Item = Piece<'a>> + use<'a> {
    [placed.start, placed.start_6, placed.stop, placed.stop_6]
        .into_iter()
        .flatten()
        .map(|given| given.value)
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

/// Warns of stop commands that do not undo what their start commands did.
fn check_pairs(placed: &Placed<'_>, diagnostics: &mut Diagnostics) {
    let pairs = [(placed.start, placed.stop), (placed.start_6, placed.stop_6.or(placed.stop))];
    for (number, (start, stop)) in pairs.into_iter().enumerate() {
        let (Some(start), Some(stop)) = (start, stop) else { continue };
        // Of a stop command that stands in for the one for IPv6, the parser warns.
        if number == 1 && placed.stop_6.is_none() {
            continue;
        }
        let (Some(started), Some(stopped)) = (Simple::new(start.value), Simple::new(stop.value))
        else {
            continue;
        };
        let (Some(started), Some(stopped)) = (Change::new(&started), Change::new(&stopped)) else {
            continue;
        };
        if let Some((mismatch, at)) = started.is_not_undone_by(&stopped) {
            let start_line = start.at.line().number;
            diagnostics.warn(Warning::StopDoesNotUndo { mismatch, start_line }, at);
        }
    }
}

/// Warns of addresses of one family that a program of the other gets.
fn check_families(both: &Both<'_>, with: &Circumstances, diagnostics: &mut Diagnostics) {
    let Both { door, placed } = both;
    let target = door.target.map(|target| target.address);
    if !with.ipv4_only && target.is_none_or(|address| address.is_ipv6()) {
        check_for_ipv6_clients(placed, diagnostics);
    }
    if target.is_none_or(|address| address.is_ipv4()) {
        for given in [placed.start, placed.stop].into_iter().flatten() {
            if let Some(at) = wrong_for(given.value, Family::Ipv6) {
                let warning = Warning::WrongAddressFamily { falls_back: false, ipv6: false };
                diagnostics.warn(warning, at);
            }
        }
    }
}

fn check_for_ipv6_clients(placed: &Placed<'_>, diagnostics: &mut Diagnostics) {
    let start = placed.start_6.or(placed.start);
    // A door that runs nothing when it opens runs nothing when it closes.
    let Some(start) = start.filter(|given| !given.value.is_empty()) else { return };
    let stop = placed.stop_6.or(placed.stop);
    let mut is_told = false;
    for given in [Some(start), stop].into_iter().flatten() {
        let Some(at) = wrong_for(given.value, Family::Ipv4) else { continue };
        let falls_back =
            matches!(given.directive, Directive::StartCommand | Directive::StopCommand);
        // To be told once that there is nothing for IPv6 is enough.
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
