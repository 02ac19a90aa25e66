//! What comes last, written by another thread while what comes first is printed.

use std::io::{self, BufWriter, Write};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::session::threads;

/// How much of the last part is written at once. After each, the thread looks whether it is still needed: after each
/// piece of a line, that would take time.
const AT_ONCE: usize = 64 * 1024;

/// Prints what comes `first`, while another thread, if there is one to be had, writes what comes `last`, and then prints that.
/// If the first part cannot be printed, the other thread ends soon, too.
///
/// # Errors
/// Why something could not be written.
pub(super) fn print_in_two(
    out: &mut dyn Write,
    first: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    last: impl Fn(&mut dyn Write) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let is_unneeded = AtomicBool::new(false);
    let ending = || -> io::Result<Vec<u8>> {
        let ending = Ending { text: Vec::new(), is_unneeded: &is_unneeded };
        let mut ending = BufWriter::with_capacity(AT_ONCE, ending);
        last(&mut ending)?;
        Ok(ending.into_inner()?.text)
    };
    thread::scope(|scope| {
        let thread = threads::start(scope, ending);
        // The scope waits for the thread.
        first(out).inspect_err(|_| is_unneeded.store(true, Ordering::Relaxed))?;
        let ending = match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic))?,
            Err(_) => ending()?,
        };
        out.write_all(&ending)?;
        out.flush()
    })
}

/// A text that grows as long as it is needed.
struct Ending<'a> {
    text: Vec<u8>,
    is_unneeded: &'a AtomicBool,
}

impl Write for Ending<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if self.is_unneeded.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.text.write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn print(out: &mut dyn Write, text: &str) -> io::Result<()> {
        out.write_all(text.as_bytes())
    }

    #[test]
    fn what_comes_last_is_printed_last() {
        let mut out = Vec::new();
        print_in_two(&mut out, |out| print(out, "first, "), |out| print(out, "last")).unwrap();
        assert_eq!(out, b"first, last");
    }

    #[test]
    fn an_error_of_the_first_part_ends_the_last_one() {
        let full = |_: &mut dyn Write| Err(io::ErrorKind::StorageFull.into());
        let is_over = AtomicBool::new(false);
        let long = |out: &mut dyn Write| {
            let end = Instant::now() + Duration::from_secs(10);
            while Instant::now() < end {
                print(out, &" ".repeat(AT_ONCE))?;
                thread::sleep(Duration::from_millis(10));
            }
            is_over.store(true, Ordering::Relaxed);
            Ok(())
        };
        let error = print_in_two(&mut io::sink(), full, long).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(!is_over.into_inner(), "it was written to its end");
    }
}
