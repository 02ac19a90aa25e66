//! The control socket, by which `knockctl` and others ask what the daemon does, and tell it what to do.
//!
//! The process with privileges serves it, because it alone knows which doors are open and can close them.
//! Only members of the socket's group can connect. Messages have a limit, answers are made only for who
//! reads them, and no connection can make the daemon wait.

mod answers;
mod connection;
mod server;

use std::path::Path;

use knock_config::text::{Cause, shown};

pub(super) use self::server::{ControlServer, GROUP};
use super::Runner;
use super::output::Kind;

impl Runner {
    /// Makes the control socket at another place. Connections go on.
    ///
    /// # Errors
    /// Why that is not possible. The old one stays.
    pub(super) fn move_control(&mut self, path: Option<&Path>) -> std::io::Result<()> {
        let new = path.map(ControlServer::new).transpose()?;
        self.control = match (new, self.control.take()) {
            (Some(new), Some(old)) => Some(new.with_connections_of(old)),
            (new, _) => new,
        };
        Ok(())
    }

    /// Makes the control socket. Without it the daemon does its work all the same.
    pub(super) fn make_control(&mut self) {
        let Some(path) = &self.settings.control_socket else { return };
        match ControlServer::new(path) {
            Ok(control) => self.control = Some(control),
            // As beside a service. knockctl then asks the other one.
            Err(error)
                if self.settings.control_is_default
                    && error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => {
                let text = format!(
                    "knockd: warning: cannot make the control socket {}: {}; knockctl cannot be used; \
                     another place can be set with the directive 'ControlSocket'",
                    shown(path),
                    Cause(&error)
                );
                self.output.text(Kind::Notice, text);
            }
        }
    }
}
