//! What is printed, as objects of `--json`.

use serde::Serialize;

use super::enrolled::{Enrolled, Imported};
use crate::list::Listed;
use crate::plan::Then;
use crate::signed::{PacketObject, PlanObject};
use knock_capture::hit::{Hit, flag_names, protocol_name};

/// The version of the objects of `--json`. It changes when a member is removed or changes its meaning.
pub(super) const VERSION: u8 = 1;

#[derive(Serialize)]
pub(super) struct Line<'a> {
    pub(super) version: u8,
    #[serde(flatten)]
    pub(super) event: Event<'a>,
}

/// One object of `--json`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event<'a> {
    /// The plan.
    Plan {
        host: &'a str,
        address: String,
        source: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        interface: Option<String>,
        delay_ms: f64,
        knocks: Vec<Object>,
        #[serde(skip_serializing_if = "Option::is_none")]
        then: Option<Waiting>,
    },
    /// A knock that is sent now.
    Knock {
        number: usize,
        address: String,
        #[serde(flatten)]
        knock: Object,
    },
    /// The plan of a signed knock.
    SignedPlan {
        #[serde(flatten)]
        plan: PlanObject<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        then: Option<Waiting>,
    },
    /// A signed packet that is sent now.
    Packet {
        number: usize,
        #[serde(flatten)]
        packet: PacketObject,
    },
    /// A key was made.
    Enrolled(&'a Enrolled<'a>),
    /// A key was stored.
    Imported(&'a Imported),
    /// A capture was written.
    Written { file: String, knocks: usize },
    /// The port has opened.
    Open { port: u16, after_s: f64 },
    /// The port has not opened; there may be another round.
    Shut {
        port: u16,
        cause: String,
        again: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<&'a str>,
    },
    /// A host of the profiles.
    Profile(&'a Listed),
    /// A likely mistake, which does not end the program.
    Warning {
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<&'a str>,
    },
    /// Something useful to know.
    Note { message: &'a str },
    /// The error that ends the program.
    Error {
        message: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<&'a str>,
        status: u8,
    },
}

#[derive(Serialize)]
pub(super) struct Object {
    port: u16,
    protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<Vec<&'static str>>,
}

#[derive(Serialize)]
pub(super) struct Waiting {
    port: u16,
    wait_s: f64,
    retry: u32,
}

impl From<Hit> for Object {
    fn from(hit: Hit) -> Self {
        Self {
            port: hit.knock.port.0,
            protocol: protocol_name(hit.knock.protocol),
            flags: hit.tcp_flags().map(flag_names),
        }
    }
}

impl From<Then> for Waiting {
    fn from(then: Then) -> Self {
        Self { port: then.port.0, wait_s: then.wait.as_secs_f64(), retry: then.retry }
    }
}
