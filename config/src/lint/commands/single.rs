//! Warnings about single commands.

use super::scripts::{DoorScripts, Line};
use crate::diagnostics::Diagnostics;
use crate::lex::Piece;
use crate::lint::firewall::{self, Change};
use crate::lint::shell;
use crate::text::Excerpt;
use crate::warnings::{NoIp, Warning};

pub(super) fn check(door: &DoorScripts<'_>, diagnostics: &mut Diagnostics) {
    let starts = [&door.start, &door.start_6].into_iter().flatten().map(|line| (line, true));
    let stops = [&door.stop, &door.stop_6].into_iter().flatten().map(|line| (line, false));
    for (line, is_start) in starts.chain(stops).filter(|(line, _)| !line.value.is_empty()) {
        check_programs(line, diagnostics);
        check_addresses(line, is_start, diagnostics);
        check_rules(line, diagnostics);
        check_permanence(line, diagnostics);
    }
}

/// Returns the programs that a line names for certain.
pub(super) fn programs<'a>(line: &Line<'a>) -> Vec<Piece<'a>> {
    let commands = &line.script.commands;
    if commands.is_empty() {
        return shell::program(line.value).into_iter().collect();
    }
    let firsts = commands.iter().filter_map(|command| command.raw_words().first());
    firsts.filter_map(|first| shell::program(*first)).collect()
}

fn check_programs(line: &Line<'_>, diagnostics: &mut Diagnostics) {
    let relative = programs(line).into_iter().filter(|at| !at.bytes().starts_with(b"/"));
    for at in relative {
        let program = Excerpt::new(at.bytes());
        diagnostics.warn(Warning::CommandNotAbsolute { program }, at);
    }
}

/// Warns about commands that open for every address.
fn check_addresses(line: &Line<'_>, is_start: bool, diagnostics: &mut Diagnostics) {
    if let Some(token) = almost_token(line.value) {
        let token_text = Excerpt::new(token.bytes());
        let no_ip = NoIp::Misspelled { token: token_text };
        return diagnostics.warn(Warning::NoIpToken { no_ip }, token);
    }
    for change in &line.changes {
        // A stop command that removes a block undoes the start command that made it.
        if change.opens_for_all() && (change.adds || is_start) {
            let no_ip = if change.adds { NoIp::OpensForAll } else { NoIp::UnblocksAll };
            diagnostics.warn(Warning::NoIpToken { no_ip }, change.whole);
        }
    }
    for command in line.script.commands.iter().filter(|command| firewall::turns_off(command)) {
        diagnostics.warn(Warning::NoIpToken { no_ip: NoIp::TurnsOff }, command.whole());
    }
}

/// Returns a token in the wrong case, which stays as it is.
fn almost_token(command: Piece<'_>) -> Option<Piece<'_>> {
    let is_one = |window: &[u8]| window.eq_ignore_ascii_case(b"%IP%") && window != b"%IP%";
    let at = command.bytes().windows(4).position(is_one)?;
    Some(command.part(at, 4))
}

/// Warns about rules that a firewall program refuses, or takes for others.
fn check_rules(line: &Line<'_>, diagnostics: &mut Diagnostics) {
    for change in &line.changes {
        if let Some(option) = change.port_without_protocol() {
            let option_text = Excerpt::new(option.bytes());
            diagnostics.warn(Warning::DportWithoutProtocol { option: option_text }, option);
        }
        if let Some(ports) = change.ports_without_multiport() {
            diagnostics.warn(Warning::PortsWithoutMultiport, ports);
        }
        if change.lacks_handle() {
            diagnostics.warn(Warning::NftRuleWithoutHandle, change.whole);
        }
        if let Some(number) = change.number {
            diagnostics.warn(Warning::DeleteByNumber, number);
        }
    }
}

/// Warns about changes of firewalld's files that are not loaded.
fn check_permanence(line: &Line<'_>, diagnostics: &mut Diagnostics) {
    let of_firewalld = line.changes.iter().filter(|change| change.is_of_firewalld());
    let options: Vec<Option<Piece<'_>>> = of_firewalld.map(Change::permanent).collect();
    let reloads = line.script.commands.iter().any(firewall::reloads_firewalld);
    // Often the same is done twice, once with `--permanent` and once without.
    if !line.script.is_whole || reloads || options.iter().any(Option::is_none) {
        return;
    }
    if let Some(at) = options.first().copied().flatten() {
        diagnostics.warn(Warning::PermanentWithoutReload, at);
    }
}
