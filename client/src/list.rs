//! The hosts of the profiles, as a list.

use std::fmt::Write as _;

use knock_config::text::shown;
use serde::Serialize;

use crate::profile::{Knocks, Resolved, Settings};
use crate::request::Awaited;
use knock_capture::hit::Hit;

/// A host that a profile names.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    name: String,
    host: String,
    /// How many knocks there are; `None` if they cannot be found.
    #[serde(skip_serializing_if = "Option::is_none")]
    knocks: Option<usize>,
    /// The file that has them, if it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// The file with the key, of a host that gets a signed packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// How many one-time sequences are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequences: Option<usize>,
    /// The port to wait for.
    #[serde(skip_serializing_if = "Option::is_none")]
    then: Option<u16>,
    /// Whether the profiles name a place for the knocks, even if the knocks are not there.
    #[serde(skip)]
    is_usable: bool,
    /// The secret.
    #[serde(skip)]
    hits: Vec<Hit>,
}

impl Listed {
    /// Collects what the profiles say about a host.
    pub(crate) fn new(name: String, settings: &Settings, resolved: Option<&Resolved>) -> Self {
        let from = match &settings.knocks {
            _ if settings.key.is_some() => None,
            None | Some(Knocks::Here(_)) => None,
            Some(Knocks::Door(door)) => {
                let config = settings.config.as_deref().map(shown).unwrap_or_default();
                Some(format!("door {} of {config}", door.to_string().escape_debug()))
            }
            Some(Knocks::OneTime(path)) => Some(shown(path)),
        };
        Self {
            host: settings.host(&name),
            name,
            knocks: resolved.map(|resolved| resolved.hits.len()),
            from,
            key: settings.key.as_deref().map(shown),
            sequences: resolved
                .and_then(|resolved| resolved.one_time.as_ref())
                .map(|one_time| one_time.left().saturating_add(1)),
            then: settings.then.and_then(Awaited::port).map(|port| port.0),
            is_usable: settings.knocks.is_some() || settings.key.is_some(),
            hits: resolved.map(|resolved| resolved.hits.clone()).unwrap_or_default(),
        }
    }

    fn knocks(&self) -> String {
        let mut text = match (self.knocks, &self.key, self.is_usable) {
            (_, Some(key), _) => format!("a signed packet, key {key}"),
            (Some(1), None, _) => "1 knock".to_owned(),
            (Some(knocks), None, _) => format!("{knocks} knocks"),
            (None, None, true) => "not usable".to_owned(),
            (None, None, false) => "no knocks".to_owned(),
        };
        // Writing to a string cannot fail.
        if let Some(from) = &self.from {
            let _ = write!(text, ", {from}");
        }
        match self.sequences {
            Some(1) => text.push_str(", 1 sequence left"),
            Some(left) => {
                let _ = write!(text, ", {left} sequences left");
            }
            None => {}
        }
        if let Some(port) = self.then {
            let _ = write!(text, ", then {port}/tcp");
        }
        text
    }
}

/// Returns the list as a table; with the knocks, which are the secret, if `secrets` is true.
pub(crate) fn text(hosts: &[Listed], secrets: bool) -> String {
    let printable = |text: &str| text.escape_debug().to_string();
    let rows: Vec<[String; 3]> = hosts
        .iter()
        .map(|host| [printable(&host.name), printable(&host.host), host.knocks()])
        .collect();
    let width = |text: &String| text.chars().count();
    let names = rows.iter().map(|[name, _, _]| width(name)).max().unwrap_or_default();
    let targets = rows.iter().map(|[_, host, _]| width(host)).max().unwrap_or_default();
    let mut out = String::new();
    for (row, host) in rows.iter().zip(hosts) {
        let [name, target, knocks] = row;
        let _ = write!(out, "{name:names$}  {target:targets$}  {knocks}");
        if secrets && !host.hits.is_empty() {
            let hits: Vec<String> = host.hits.iter().map(Hit::to_string).collect();
            let _ = write!(out, ": {}", hits.join(" "));
        }
        out.push('\n');
    }
    out
}
