//! Stop commands that do not undo what their start commands did.

use super::scripts::DoorScripts;
use crate::diagnostics::Diagnostics;
use crate::lint::firewall::not_undone;
use crate::warnings::{Undoer, Warning};

pub(super) fn check(door: &DoorScripts<'_>, diagnostics: &mut Diagnostics) {
    // The parser warns about a stop command that is also used for IPv6.
    for (start, stop) in [(&door.start, &door.stop), (&door.start_6, &door.stop_6)] {
        let (Some(start), Some(stop)) = (start, stop) else { continue };
        let start_line = start.value.line().number;
        for (mismatch, at) in not_undone(&start.changes, &stop.changes, stop.is_known) {
            let undoer = Undoer::StopCommand;
            diagnostics.warn(Warning::StopDoesNotUndo { mismatch, start_line, undoer }, at);
        }
    }
}
