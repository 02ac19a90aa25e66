//! What is in the messages: the types of `org.knockd.Control.varlink`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Fault;

/// The name of the interface.
pub const INTERFACE: &str = "org.knockd.Control";

/// The description of the interface, for `varlinkctl introspect` and for readers.
pub const DESCRIPTION: &str = include_str!("org.knockd.Control.varlink");

/// Returns the description of an interface that the socket has.
#[must_use]
pub fn description(interface: &str) -> Option<&'static str> {
    match interface {
        INTERFACE => Some(DESCRIPTION),
        "org.varlink.service" => Some(include_str!("org.varlink.service.varlink")),
        _ => None,
    }
}

/// Where the daemon is between its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DaemonState {
    /// It does not listen yet.
    Starting,
    /// It listens.
    Listening,
    /// It closes its doors and exits.
    Ending,
}

/// The answer to `Status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The version of the daemon.
    pub version: String,
    /// The process that runs commands.
    pub pid: u32,
    /// Where it is between its start and its end.
    pub state: DaemonState,
    /// Milliseconds since its start.
    pub uptime: u64,
    /// What it listens on.
    pub interfaces: Vec<String>,
    /// How many doors are configured.
    pub doors: u64,
    /// How many doors are open that it will close.
    pub open: u64,
    /// How many commands run or wait.
    pub commands: u64,
    /// Totals since the start, by name.
    pub counters: BTreeMap<String, u64>,
}

/// Where an open door is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoorState {
    /// The start command waits or runs.
    Opening,
    /// It is open.
    Open,
    /// The stop command waits or runs.
    Closing,
    /// The stop command has failed and is tried again.
    Failed,
}

/// A door that is open for a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenDoor {
    /// Openings are numbered.
    pub number: u64,
    /// The name of the door.
    pub door: String,
    /// The address of the client.
    pub client: String,
    /// Where it is on its way.
    pub state: DoorState,
    /// Milliseconds until the stop command runs or is tried again; `None` if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_in: Option<u64>,
    /// How often the stop command has failed.
    pub failures: u32,
}

/// The answer to `List`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenDoors {
    /// In the order in which they were opened.
    pub doors: Vec<OpenDoor>,
}

/// How far a client has come at a door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The name of the door.
    pub door: String,
    /// The address of the client.
    pub client: String,
    /// How many knocks have counted.
    pub stage: u64,
    /// How many knocks the door has.
    pub knocks: u64,
    /// Milliseconds until the attempt times out.
    pub expires_in: u64,
}

/// The answer to `Attempts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// Those with the most progress first.
    pub attempts: Vec<Attempt>,
    /// How many there are, listed or not.
    pub total: u64,
}

/// What `Close` is to close: what fits both, so all doors if neither is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseParameters {
    /// The address of a client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The name of a door.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<String>,
}

/// The answer to `Close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// How many stop commands were begun.
    pub closing: u64,
}

/// The answer to `Explain`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// Oldest first.
    pub lines: Vec<String>,
}

/// One answer to `Events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    /// A line as it is logged.
    pub line: String,
    /// How many lines before it were left out.
    pub lost: u64,
    /// The client that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The name of the door that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<String>,
    /// What has happened, as the transcript in JSON calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The name of the user with whose key a signed packet was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// A message of the daemon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The answer, or what the error is about.
    #[serde(default)]
    pub parameters: serde_json::Value,
    /// Whether more answers to the same call follow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
    /// The name of an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Reply {
    /// Makes an answer.
    pub fn answer(parameters: &impl Serialize) -> Self {
        // The types above always become JSON.
        let parameters = serde_json::to_value(parameters).unwrap_or_default();
        Self { parameters, continues: false, error: None }
    }

    /// Makes an error.
    #[must_use]
    pub fn fault(fault: &Fault) -> Self {
        let (error, parameters) = fault.parts();
        Self { parameters, continues: false, error: Some(error.to_owned()) }
    }
}

/// Returns a message as it is sent.
pub fn encode(message: &impl Serialize) -> Vec<u8> {
    // The types of this crate always become JSON.
    let mut bytes = serde_json::to_vec(message).unwrap_or_default();
    bytes.push(0);
    bytes
}
