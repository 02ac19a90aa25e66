//! Threads, which a limit of the system may forbid.

use std::io;
use std::panic::resume_unwind;
use std::thread::{self, Builder, Scope, ScopedJoinHandle};

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

/// Does two things at the same time, or one after the other where there is no thread to be had.
pub(crate) fn both<A: Send, B>(one: impl Fn() -> A + Sync, other: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| match start(scope, &one) {
        Ok(thread) => {
            let other = other();
            (thread.join().unwrap_or_else(|panic| resume_unwind(panic)), other)
        }
        Err(_) => (one(), other()),
    })
}

/// Returns why there is no thread, if that is what an error is.
pub(crate) fn fault(error: &io::Error) -> Option<&ThreadFault> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_done_and_a_panic_is_not_lost() {
        assert_eq!(both(|| 1, || 2), (1, 2));
        let result = std::panic::catch_unwind(|| both(|| panic!("on the thread"), || ()));
        let panic = result.unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"on the thread"));
    }
}
