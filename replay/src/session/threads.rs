//! Threads, which a limit of the system may forbid.

use std::io;
use std::thread::{Builder, Scope, ScopedJoinHandle};

use knock_config::text::ThreadFault;

/// Starts a thread. All threads of a replay are started here: [`Scope::spawn`] panics at a limit.
///
/// # Errors
/// Why there is none.
pub(crate) fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, ThreadFault> {
    Builder::new().spawn_scoped(scope, work).map_err(ThreadFault)
}

/// Returns why there is no thread, if that is what an error is.
pub(crate) fn fault(error: &io::Error) -> Option<&ThreadFault> {
    error.get_ref()?.downcast_ref()
}
