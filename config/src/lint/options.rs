//! Warning about the section `[options]`.

use crate::diagnostics::Diagnostics;
use crate::read::Options;
use crate::warnings::{Unknown, Warning};

pub(super) fn check(options: &Options<'_>, diagnostics: &mut Diagnostics) {
    let &Options { interfaces, user, log_time, command_limit, lease_file } = options;
    for given in [user, log_time, command_limit, lease_file].into_iter().flatten() {
        let unknown = Unknown::Directive { directive: given.directive };
        diagnostics.warn(Warning::UnknownToKnockd08 { unknown }, given.at);
    }
    if let Some(given) = interfaces {
        let names = given.value.bytes();
        if names == b"any" {
            let unknown = Unknown::AnyInterface;
            diagnostics.warn(Warning::UnknownToKnockd08 { unknown }, given.value);
        } else if names.contains(&b',') {
            let unknown = Unknown::SeveralInterfaces;
            diagnostics.warn(Warning::UnknownToKnockd08 { unknown }, given.value);
        }
    }
}
