//! Keys that were made or stored.

use std::fmt;

use serde::Serialize;

/// A key that was made.
#[derive(Serialize)]
pub(crate) struct Enrolled<'a> {
    /// The file with it, on the server.
    pub(crate) file: String,
    pub(crate) user: String,
    /// Empty for every door that the user may open.
    pub(crate) doors: Vec<String>,
    /// What the client needs, with the key.
    pub(crate) uri: &'a str,
    /// The same as a picture, on a terminal.
    #[serde(skip)]
    pub(crate) qr: Option<&'a String>,
}

impl fmt::Display for Enrolled<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, user, doors, uri, qr } = self;
        write!(out, "{file}: the key of {user}")?;
        if !doors.is_empty() {
            write!(out, " for {}", doors.join(", ").escape_debug())?;
        }
        write!(out, "\n\n{}", qr.map(String::as_str).unwrap_or_default())?;
        writeln!(out, "{uri}")
    }
}

/// A key that was stored.
#[derive(Serialize)]
pub(crate) struct Imported {
    /// The file with it, on the client.
    pub(crate) file: String,
    /// Whether it was not there before.
    pub(crate) is_new: bool,
    /// The file of profiles.
    pub(crate) profiles: String,
    /// The lines to add there.
    pub(crate) profile: String,
}

impl fmt::Display for Imported {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, is_new, profiles, profile } = self;
        let what = if *is_new { "stored" } else { "was there already" };
        writeln!(out, "{file}: {what}")?;
        writeln!(out, "add to {profiles}:\n")?;
        out.write_str(profile)
    }
}
