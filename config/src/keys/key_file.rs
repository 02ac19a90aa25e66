//! What a file with a key says.

use base64::engine::general_purpose::STANDARD;
use knock_engine::{DoorName, Port};
use knock_signed::Key;
use zeroize::Zeroizing;

use super::day::Day;
use super::key_base64::encode_key;

/// What a file with a key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// The key.
    pub key: Key,
    /// The doors that it opens, on the server; empty for every door that its user may open.
    pub doors: Vec<DoorName>,
    /// The last day on which it is valid.
    pub until: Option<Day>,
    /// The name of the server, on the client.
    pub server: Option<String>,
    /// The UDP port of the server, on the client.
    pub port: Option<Port>,
}

impl KeyFile {
    /// Takes a key, without anything else.
    #[must_use]
    pub const fn new(key: Key) -> Self {
        Self { key, doors: Vec::new(), until: None, server: None, port: None }
    }

    /// Returns the text of the file. It is erased when it is dropped.
    #[must_use]
    pub fn text(&self) -> Zeroizing<Vec<u8>> {
        let Self { key, doors, until, server, port } = self;
        // With this capacity the key, which comes first, is not copied to another place.
        let mut text = Zeroizing::new(Vec::with_capacity(4_096));
        let mut line = |name: &str, value: &[u8]| {
            for part in [name.as_bytes(), b" = ", value, b"\n"] {
                text.extend_from_slice(part);
            }
        };
        line("key", encode_key(key, &STANDARD).as_bytes());
        if !doors.is_empty() {
            let names: Vec<&[u8]> = doors.iter().map(DoorName::as_bytes).collect();
            line("doors", &names.join(&b","[..]));
        }
        if let Some(until) = until {
            line("until", until.to_string().as_bytes());
        }
        if let Some(server) = server {
            line("server", server.as_bytes());
        }
        if let Some(port) = port {
            line("port", port.0.to_string().as_bytes());
        }
        text
    }
}
