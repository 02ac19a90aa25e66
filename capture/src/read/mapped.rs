//! Files mapped into memory, and what makes that safe.

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::sync::{Arc, Once};

use memmap2::Mmap;

use super::pages::PagesAhead;

/// How far ahead of the walk memory is touched.
const WINDOW: usize = 16 * 1024;
/// The length of a line of the processor's cache, or a divisor of it.
const CACHE_LINE: usize = 64;
/// How many bytes are read before the length of the file is checked again.
const CHECK: usize = 1024 * 1024;

/// A regular file that is read as memory.
pub(super) struct Mapped {
    map: Arc<Mmap>,
    file: File,
    /// The thread that has pages mapped, if one was begun.
    ahead: Option<PagesAhead>,
    /// Where the walk is.
    position: usize,
    /// Up to where bytes may be read: the file was that long a moment ago, and they are in the cache.
    ready: usize,
    /// Up to where the length of the file was checked.
    checked: usize,
}

/// A file that became shorter than its map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shrunk {
    pub(super) was: u64,
    pub(super) is: u64,
}

impl Mapped {
    /// Maps `file`, a regular file that is not empty.
    #[expect(unsafe_code, reason = "reading memory that another process may change")]
    pub(super) fn new(file: File) -> io::Result<Self> {
        end_cleanly_on_sigbus();
        // SAFETY: The map is private to this struct, read-only, and lent out as bytes only, of
        // which every value is valid. If the file changes, a reader sees other bytes, and it checks
        // all bytes before use. If the file shrinks, `window` reports it; between that check and the
        // read, SIGBUS ends the process with a message.
        let map = unsafe { Mmap::map(&file) }?;
        Ok(Self { map: Arc::new(map), file, ahead: None, position: 0, ready: 0, checked: 0 })
    }

    /// Has a thread map what is ahead from now on.
    pub(super) fn map_ahead(&mut self) {
        self.ahead = PagesAhead::begin(&self.map, &self.file, self.position);
    }

    /// Returns the bytes from the walk's position, at least `needed` unless the file ends.
    #[inline]
    pub(super) fn window(&mut self, needed: usize) -> Result<&[u8], Shrunk> {
        if self.ready.saturating_sub(self.position) < needed {
            self.make_ready(needed)?;
        }
        Ok(self.held())
    }

    #[inline]
    pub(super) fn held(&self) -> &[u8] {
        self.map.get(self.position..self.ready).unwrap_or_default()
    }

    #[inline]
    pub(super) fn consume(&mut self, length: usize) {
        self.position = self.position.saturating_add(length).min(self.ready);
    }

    pub(super) const fn position(&self) -> usize {
        self.position
    }

    /// Returns the bytes of the whole file, for a walk that goes on from the position.
    pub(super) fn file(&mut self) -> Result<&[u8], Shrunk> {
        if self.position >= self.checked {
            self.checked = self.position;
            self.check_length()?;
        }
        Ok(&self.map)
    }

    /// Moves on to `position`. Bytes up to `known` were read a moment ago.
    pub(super) fn jump(&mut self, position: usize, known: usize) {
        self.position = position.clamp(self.position, self.map.len());
        self.ready = self.ready.max(known.min(self.map.len())).max(self.position);
    }

    fn make_ready(&mut self, needed: usize) -> Result<(), Shrunk> {
        let end = self.position.saturating_add(needed).min(self.map.len());
        while self.ready < end {
            let next = self.ready.saturating_add(WINDOW).min(self.map.len());
            if next > self.checked {
                self.check_length()?;
            }
            self.map.get(self.ready..next).map(touch);
            self.ready = next;
        }
        Ok(())
    }

    fn check_length(&mut self) -> Result<(), Shrunk> {
        let was = u64::try_from(self.map.len()).unwrap_or(u64::MAX);
        let is = self.file.metadata().map_or(was, |metadata| metadata.len());
        self.checked = self.checked.saturating_add(CHECK).min(self.map.len());
        if let Some(ahead) = &self.ahead {
            ahead.move_on(self.position);
        }
        if is < was { Err(Shrunk { was, is }) } else { Ok(()) }
    }
}

/// Brings `bytes` into the cache. Walking from record to record, each load must wait for the one
/// before, which says where the next record is; these loads do not wait for one another.
fn touch(bytes: &[u8]) {
    let mut folded = 0_u64;
    // Summed in 64 bits: with bytes, the compiler would pack them instead of loading ahead.
    for line in bytes.chunks(CACHE_LINE) {
        folded = folded.wrapping_add(line.first().copied().unwrap_or_default().into());
    }
    black_box(folded);
}

/// Has the processor fetch two lines of memory without waiting for them.
#[inline]
pub(super) fn prefetch(bytes: &[u8], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(rest) = bytes.get(at..) {
        prefetch_lines(rest);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, at);
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[expect(unsafe_code, reason = "the instruction takes a pointer")]
fn prefetch_lines(bytes: &[u8]) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    for at in [0, CACHE_LINE] {
        // SAFETY: This instruction reads nothing that a program could see, and never faults.
        unsafe { _mm_prefetch(bytes.as_ptr().wrapping_add(at).cast::<i8>(), _MM_HINT_T0) };
    }
}

/// Ends the process with a message and status 3 when reading the map fails, because its file shrank
/// or its disk broke. Without this, SIGBUS would kill it silently.
#[expect(unsafe_code, reason = "a signal handler")]
#[expect(clippy::as_conversions, reason = "libc takes the address of a handler as a number")]
fn end_cleanly_on_sigbus() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let handler: extern "C" fn(libc::c_int) = on_sigbus;
        // SAFETY: The handler calls nothing but async-signal-safe functions and does not return.
        unsafe { libc::signal(libc::SIGBUS, handler as *const () as libc::sighandler_t) };
    });
}

#[expect(unsafe_code, reason = "only raw system calls may be made in a signal handler")]
extern "C" fn on_sigbus(_signal: libc::c_int) {
    const MESSAGE: &[u8] = b"knock-replay: error: a capture file was truncated, or could not be \
        read from its disk, while it was read; read a copy\n";
    // SAFETY: Both are async-signal-safe; the pointer and the length are those of a constant.
    unsafe {
        libc::write(libc::STDERR_FILENO, MESSAGE.as_ptr().cast(), MESSAGE.len());
        libc::_exit(3);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const INSIDE: &str = "KNOCK_TEST_TOUCHES_A_TRUNCATED_MAP";

    #[test]
    fn a_read_beyond_a_truncated_file_ends_the_process_with_a_message() {
        if std::env::var_os(INSIDE).is_some() {
            read_beyond_a_truncated_file();
        }
        let name = "a_read_beyond_a_truncated_file_ends_the_process_with_a_message";
        let outcome = Command::new(std::env::current_exe().unwrap())
            .args([name, "--nocapture"])
            .env(INSIDE, "1")
            .output()
            .unwrap();
        assert_eq!(outcome.status.code(), Some(3));
        let message = String::from_utf8(outcome.stderr).unwrap();
        assert!(message.contains("a capture file was truncated"), "{message}");
    }

    #[test]
    fn a_window_is_as_long_as_needed_unless_the_file_ends() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(40_000).unwrap();
        let mut mapped = Mapped::new(file).unwrap();
        assert!(mapped.window(1).unwrap().len() < 40_000);
        assert!(mapped.window(20_000).unwrap().len() >= 20_000);
        mapped.consume(39_990);
        assert!(mapped.position() <= 40_000);
        assert_eq!(mapped.window(usize::MAX).unwrap().len(), 40_000 - mapped.position());
        mapped.consume(usize::MAX);
        assert_eq!(mapped.window(1).unwrap(), b"");
    }

    fn read_beyond_a_truncated_file() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(100_000).unwrap();
        let mut mapped = Mapped::new(file.try_clone().unwrap()).unwrap();
        assert_eq!(mapped.window(1).unwrap()[0], 0);
        file.set_len(0).unwrap();
        mapped.window(50_000).map(<[u8]>::len).unwrap();
        panic!("the map is longer than the file");
    }
}
