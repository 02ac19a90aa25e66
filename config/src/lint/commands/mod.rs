//! Warnings about the commands of doors.

mod closing;
mod families;
mod scripts;
mod single;
mod stopping;

pub(super) use closing::check as check_closing;
pub(super) use scripts::{DoorScripts, Line};

use super::circumstances::{Circumstances, Program};
use crate::diagnostics::Diagnostics;

/// Warns about the commands of a door, each by itself and with those that undo it.
pub(super) fn check(door: &DoorScripts<'_>, with: &Circumstances, diagnostics: &mut Diagnostics) {
    single::check(door, diagnostics);
    stopping::check(door, diagnostics);
    families::check(door, with, diagnostics);
}

/// Returns the programs that commands name by their whole paths.
pub(super) fn programs(door: &DoorScripts<'_>) -> Vec<Program> {
    let named = door.all().flat_map(single::programs);
    let absolute = named.filter(|program| program.bytes().starts_with(b"/"));
    absolute.map(|at| Program { path: at.bytes().to_vec(), span: at.span() }).collect()
}
