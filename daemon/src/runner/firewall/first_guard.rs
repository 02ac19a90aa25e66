//! The first guard of a machine may lock its administrator out.
//!
//! Who starts it is often connected to the very port, and may not have tried to knock. So that start is
//! refused while clients are connected. Later ones never are: after a reboot, anybody who connects before knockd
//! starts could otherwise keep the port open to all.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;

use knock_engine::PortRange;
use knock_guard::New;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, faccessat};

use super::present;
use crate::places::Places;
use crate::settings::Settings;

/// The file in the state folder that says that this machine has been guarded.
const NAME: &str = "guarded";

/// What it says.
const TEXT: &[u8] =
    b"knockd has guarded ports here. Without this file, a start is refused while clients are connected.\n";

/// Whether the machine was guarded before.
pub(super) struct FirstGuard {
    /// The file, in the first state folder that can be written; `None` without one.
    file: Option<PathBuf>,
}

impl FirstGuard {
    pub(super) fn new(settings: &Settings) -> Self {
        let places = Places::new(settings.state_dir.as_deref(), None);
        let folders = places.files().filter_map(|slots| Some(slots.first()?.parent()?.to_owned()));
        let can_be_written = |folder: &PathBuf| {
            faccessat(AT_FDCWD, folder, AccessFlags::W_OK, AtFlags::AT_EACCESS).is_ok()
        };
        Self { file: folders.into_iter().find(can_be_written).map(|folder| folder.join(NAME)) }
    }

    /// Checks that the guard shuts nobody out who is connected now, unless it is there or was before. If that
    /// could not be remembered, a start after a reboot would be refused, so then none is.
    ///
    /// # Errors
    /// Who would be shut out, and the ways out.
    pub(super) fn check(
        &self,
        is_there: bool,
        ports: &[PortRange],
        local: &BTreeSet<IpAddr>,
    ) -> Result<(), String> {
        let is_first = self.file.as_ref().is_some_and(|file| !file.exists());
        if is_there || !is_first {
            return Ok(());
        }
        let clients = present::clients(ports, local);
        let Some((client, port)) = clients.first() else { return Ok(()) };
        let more = present::more_than_one(&clients);
        Err(format!(
            "{client} is connected to {port}{more}, and could not connect again without a knock, so this first \
             guard is refused; if you can knock, start knockd once with '--force', or with '--guard-dry-run' to \
             try it without closing anything"
        ))
    }

    /// Remembers that the machine is guarded.
    pub(super) fn remember(&self) {
        let Some(file) = &self.file else { return };
        let mut new = New::default();
        // It is there already, or the folder went away: then the next start is checked as this one was.
        if new.file(file, TEXT).is_ok() {
            new.keep();
        }
    }
}
