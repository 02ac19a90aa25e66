//! Pages of a mapped file: made to be there before they are read, and given back afterwards.
//!
//! When a page of a map is read for the first time, the kernel must note where it is in memory, or fetch it from
//! the disk; when the map ends, it must forget all of them. For a gigabyte in single pages, both take longer
//! than walking through its packets. A thread has it done for what is next and for what was read, and waits
//! for the disk in place of the reader. So a capture takes no more memory than what is read now.

use std::fs::File;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};

use memmap2::{Mmap, UncheckedAdvice};

/// How far ahead of the position the thread begins, in bytes: what is nearer is read at once, at many places,
/// before the thread could have it done.
const NEAR: usize = super::skim::WINDOW;
/// How far ahead it goes, in bytes. More would fill the memory of a machine whose disk is fast.
const FAR: usize = 4 * NEAR;
/// How much is asked for at once, in bytes: until that is done, nobody else can change what is mapped.
const STEP: usize = 2 << 20;
/// How much Linux maps where one byte is read, in bytes, unless it is configured otherwise.
const FAULT_AROUND: usize = 64 << 10;
/// The position of a walk that has ended.
const END: usize = usize::MAX;

/// A thread that is ahead of a walk through a map. It ends with this.
#[derive(Debug)]
pub(super) struct PagesAhead {
    position: Arc<AtomicUsize>,
    thread: Thread,
}

impl PagesAhead {
    /// Begins with what is ahead of a position in `map`, which is that of `file`. Returns `None` where there is only
    /// one processor, or no thread to be had: reading maps all by itself.
    pub(super) fn begin(map: &Arc<Mmap>, file: &File, position: usize) -> Option<Self> {
        thread::available_parallelism().ok().filter(|processors| processors.get() > 1)?;
        let position = Arc::new(AtomicUsize::new(position));
        let (map, file, shared) = (Arc::clone(map), file.try_clone().ok()?, Arc::clone(&position));
        let thread = thread::Builder::new().spawn(move || follow(&map, &file, &shared)).ok()?;
        Some(Self { position, thread: thread.thread().clone() })
    }

    /// Goes on with another position. Nothing before it is read any more.
    pub(super) fn move_on(&self, position: usize) {
        self.position.store(position, Ordering::Relaxed);
        self.thread.unpark();
    }
}

impl Drop for PagesAhead {
    fn drop(&mut self) {
        self.move_on(END);
    }
}

/// Maps what is ahead of the position, and unmaps what is before it, until the end.
fn follow(map: &Mmap, file: &File, position: &AtomicUsize) {
    let (mut behind, mut ahead) = (0_usize, 0_usize);
    loop {
        let position = position.load(Ordering::Relaxed);
        if position == END {
            return;
        }
        ahead = ahead.max(position.saturating_add(NEAR));
        let far = position.saturating_add(FAR).min(map.len());
        if behind.saturating_add(STEP) <= position.min(map.len()) {
            unmap(map, behind, STEP);
            behind = behind.saturating_add(STEP);
        } else if ahead < far {
            let step = STEP.min(far.saturating_sub(ahead));
            let is_there = populate(map, file, ahead, step);
            ahead = if is_there { ahead.saturating_add(step) } else { END };
        } else {
            thread::park();
        }
    }
}

/// Has the kernel map a part of a map. Returns whether the file is still that long.
fn populate(map: &Mmap, file: &File, begin: usize, length: usize) -> bool {
    let end = u64::try_from(begin.saturating_add(length)).unwrap_or(u64::MAX);
    // Whatever is wrong with the file, its reader meets, too, and says what it is.
    let is_there = file.metadata().is_ok_and(|metadata| metadata.len() >= end);
    if is_there {
        let part = map.get(begin..).unwrap_or_default();
        let touched = part.iter().take(length).step_by(FAULT_AROUND);
        black_box(touched.fold(0_u8, |folded, byte| folded ^ byte));
    }
    is_there
}

/// Has the kernel unmap a part of a map. Reading it would map it again.
#[expect(unsafe_code, reason = "advice that changes the memory of some kinds of maps")]
fn unmap(map: &Mmap, begin: usize, length: usize) {
    // SAFETY: Pages of a shared map of a file, which is never written to, have the same bytes when they are
    // mapped again.
    let advised = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, begin, length) };
    // The end of the map does it otherwise.
    let _ = advised;
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, Instant};

    use tempfile::NamedTempFile;

    use super::*;

    const LENGTH: usize = 2 * FAR;
    const PATIENCE: Duration = Duration::from_mins(1);

    #[test]
    fn what_is_ahead_is_mapped_and_what_is_behind_is_not() {
        let (file, map) = mapped();
        let Some(pages) = PagesAhead::begin(&map, file.as_file(), 0) else { return };
        wait_for_mapped(&file, FAR - NEAR..=FAR);
        assert_eq!(map.iter().step_by(4096).map(|&byte| u64::from(byte)).sum::<u64>(), 0);
        assert_eq!(mapped_bytes(&file), LENGTH);
        pages.move_on(FAR);
        wait_for_mapped(&file, LENGTH - FAR..=LENGTH - FAR);
    }

    #[test]
    fn a_file_that_became_shorter_is_not_mapped() {
        let (file, map) = mapped();
        let last = LENGTH - STEP;
        assert!(populate(&map, file.as_file(), last, STEP));
        file.as_file().set_len(u64::try_from(LENGTH - 1).unwrap()).unwrap();
        assert!(!populate(&map, file.as_file(), last, STEP));
        assert!(populate(&map, file.as_file(), 0, STEP));
    }

    #[expect(unsafe_code, reason = "reading memory that another process may change")]
    fn mapped() -> (NamedTempFile, Arc<Mmap>) {
        let file = NamedTempFile::new().unwrap();
        file.as_file().set_len(u64::try_from(LENGTH).unwrap()).unwrap();
        // SAFETY: Nobody else knows the file.
        let map = unsafe { Mmap::map(file.as_file()) }.unwrap();
        (file, Arc::new(map))
    }

    fn wait_for_mapped(file: &NamedTempFile, expected: std::ops::RangeInclusive<usize>) {
        let begun = Instant::now();
        while !expected.contains(&mapped_bytes(file)) {
            assert!(begun.elapsed() < PATIENCE, "{} of {expected:?}", mapped_bytes(file));
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns how much of a mapped file the kernel has mapped, in bytes.
    fn mapped_bytes(file: &NamedTempFile) -> usize {
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let name = file.path().to_str().unwrap();
        let mut of_file = maps.lines().skip_while(|line| !line.ends_with(name));
        let resident = of_file.find_map(|line| line.strip_prefix("Rss:")).unwrap();
        resident.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap().saturating_mul(1024)
    }
}
