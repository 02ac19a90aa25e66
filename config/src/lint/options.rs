//! Advice about the section `[options]`.

use crate::config::{Config, Options};
use crate::diagnostics::Diagnostics;
use crate::directives::Directive;
use crate::warnings::{Unknown, Warning};

pub(super) fn check(options: &Options, text: &[u8], diagnostics: &mut Diagnostics) {
    for (directive, at) in options.given() {
        if !directive.is_in_08() {
            let unknown = Unknown::Directive { directive };
            diagnostics.warn_at(Warning::UnknownToKnockd08 { unknown }, Some(at));
        }
    }
    if let Some(given) = &options.interfaces {
        let names = given.value_in(text);
        if names.bytes() == b"any" {
            let unknown = Unknown::AnyInterface;
            diagnostics.warn(Warning::UnknownToKnockd08 { unknown }, names);
        } else if names.bytes().contains(&b',') {
            let unknown = Unknown::SeveralInterfaces;
            diagnostics.warn(Warning::UnknownToKnockd08 { unknown }, names);
        }
    }
}

/// Warns about a firewall of which no door opens a port: its administrator may take a port for guarded.
pub(super) fn check_firewall(config: &Config, diagnostics: &mut Diagnostics) {
    if config.doors.iter().any(|door| door.open.is_some()) {
        return;
    }
    for (directive, at) in config.options.given() {
        if matches!(directive, Directive::Firewall | Directive::Guard) {
            diagnostics.warn_at(Warning::FirewallWithoutOpen { directive }, Some(at));
        }
    }
}
