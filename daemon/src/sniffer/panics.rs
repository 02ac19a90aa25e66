//! Panics, as reasons to end that can be reported.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Mutex;

/// What the latest panic said, and where.
static LATEST: Mutex<String> = Mutex::new(String::new());

/// Runs a function. `Err` is what it said if it panicked.
///
/// What the function was changing is then in any state: only what reports the panic may use it.
pub(super) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    panic::set_hook(Box::new(remember));
    panic::catch_unwind(AssertUnwindSafe(run)).map_err(|_| {
        LATEST.lock().map_or_else(|poisoned| poisoned.into_inner().clone(), |text| text.clone())
    })
}

fn remember(panic: &PanicHookInfo<'_>) {
    if let Ok(mut latest) = LATEST.lock() {
        // On one line: the message comes after the place.
        *latest = panic.to_string().replace('\n', " ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_says_and_where_is_known() {
        assert_eq!(caught(|| 7), Ok(7));
        let said = caught(|| panic!("a {} of doors", "flood")).unwrap_err();
        assert!(said.starts_with("panicked at daemon/src/sniffer/panics.rs:"), "{said}");
        assert!(said.ends_with(": a flood of doors"), "{said}");
        let _ = panic::take_hook();
    }
}
