//! Signed packets as objects of `--json`, and as text.

use std::fmt;

use knock_engine::{Seconds, SignedAction};
use serde::Serialize;

use super::plan::{SignedPlan, SignedShot};
use crate::route::Address;

/// A packet. Its contents are not here, and nothing in it is secret.
#[derive(Serialize)]
pub(crate) struct PacketObject {
    address: String,
    port: u16,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    admit: Option<String>,
}

impl From<&SignedShot> for PacketObject {
    fn from(shot: &SignedShot) -> Self {
        Self {
            address: Address(shot.destination).to_string(),
            port: shot.destination.port(),
            source: Address(shot.source).to_string(),
            admit: shot.admit.map(|address| address.to_string()),
        }
    }
}

/// What will be sent.
#[derive(Serialize)]
pub(crate) struct PlanObject<'a> {
    host: &'a str,
    server: &'a str,
    door: String,
    /// `open` or `close`.
    action: &'static str,
    /// For how many seconds.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    wish: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<String>,
    packets: Vec<PacketObject>,
}

impl<'a> From<&'a SignedPlan> for PlanObject<'a> {
    fn from(plan: &'a SignedPlan) -> Self {
        let (action, wish) = match plan.action {
            SignedAction::Open(wish) => ("open", wish.map(Seconds::get)),
            SignedAction::Close => ("close", None),
        };
        Self {
            action,
            wish,
            host: &plan.host,
            server: &plan.server,
            door: plan.door.to_string(),
            interface: plan.interface.as_ref().map(ToString::to_string),
            packets: plan.shots.iter().map(PacketObject::from).collect(),
        }
    }
}

impl fmt::Display for SignedPlan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (door, server) = (self.door.to_string(), self.server.escape_debug());
        write!(out, "signed packet ")?;
        if self.action == SignedAction::Close {
            write!(out, "to close ")?;
        } else {
            write!(out, "for ")?;
        }
        write!(out, "door {} of {server}", door.escape_debug())?;
        if let SignedAction::Open(Some(wish)) = self.action {
            write!(out, " for {} s", wish.get())?;
        }
        if let Some(interface) = &self.interface {
            write!(out, " through {interface}")?;
        }
        writeln!(out, ":")?;
        for shot in &self.shots {
            let PacketObject { address, port, source, admit } = shot.into();
            write!(out, "  to {address} port {port} from {source}")?;
            if let Some(admit) = admit {
                write!(out, ", to admit {admit}")?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}
