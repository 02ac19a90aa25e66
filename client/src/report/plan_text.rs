//! The plan, for people.

use std::fmt;

use crate::plan::{Plan, Then};
use crate::route::Address;
use knock_capture::duration::Shown;
use knock_capture::hit::flag_names;

/// Returns flags as they follow the port of a knock.
pub(super) fn flag_list(flags: knock_engine::TcpFlags) -> String {
    let names = flag_names(flags);
    if names.is_empty() { ":none".to_owned() } else { format!(":{}", names.join(",")) }
}

/// The plan, for people.
pub(super) struct PlanText<'a>(pub(super) &'a Plan);

impl fmt::Display for PlanText<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(plan) = self;
        let (address, source) = (Address(plan.destination), Address(plan.source));
        write!(out, "knock at {address}")?;
        if plan.host != address.to_string() {
            write!(out, " ({})", plan.host.escape_debug())?;
        }
        write!(out, " from {source}")?;
        if let Some(interface) = &plan.interface {
            write!(out, " through {interface}")?;
        }
        writeln!(out, ":")?;
        for (due, hit) in plan.schedule() {
            writeln!(out, "{:>12}  {hit}", Shown(due).to_string())?;
        }
        plan.then.map_or(Ok(()), |then| ThenText(then).fmt(out))
    }
}

/// What is waited for, for people.
pub(super) struct ThenText(pub(super) Then);

impl fmt::Display for ThenText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Then { port, wait, retry }) = self;
        write!(out, "then wait up to {} until {}/tcp is open", Shown(*wait), port.0)?;
        match retry {
            0 => {}
            1 => write!(out, ", and knock once more if it is not")?,
            times => write!(out, ", and knock up to {times} times more if it is not")?,
        }
        writeln!(out)
    }
}
