//! The memory of a process, by what it is for.

use std::ops::Range;

/// Memory that is in use, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// What the program has allocated: the heap, and what the allocator has mapped beside it, for other threads or
    /// for large pieces.
    pub(crate) heap: u64,
    pub(crate) arenas: u64,
    /// Stacks, and other memory without a file.
    pub(crate) stacks: u64,
    /// Pages of the program and of libraries.
    pub(crate) files: u64,
    /// What it shares with the kernel: the rings of packet sockets.
    pub(crate) shared: u64,
}

impl Memory {
    /// Reads what `/proc/PID/smaps` says.
    pub(crate) fn read(smaps: &str) -> Self {
        let mut memory = Self::default();
        let mut place = &mut memory.stacks;
        for line in smaps.lines() {
            let mut words = line.split_whitespace();
            let Some(first) = words.next() else { continue };
            if let Some(size) = line.strip_prefix("Rss:") {
                let size =
                    size.trim().strip_suffix(" kB").and_then(|size| size.parse::<u64>().ok());
                *place += size.unwrap();
            } else if let Some(range) = range(first) {
                // After the addresses: access, offset, device, inode.
                place = match words.nth(4).unwrap_or_default() {
                    "[heap]" => &mut memory.heap,
                    "" if range.start.is_multiple_of(ARENA) => &mut memory.arenas,
                    "" | "[stack]" => &mut memory.stacks,
                    path if path.starts_with('/') => &mut memory.files,
                    path if path.starts_with('[') => &mut memory.files,
                    _ => &mut memory.shared,
                };
            }
        }
        memory
    }

    /// Returns all of it.
    pub(crate) const fn all(self) -> u64 {
        self.own() + self.files + self.shared
    }

    /// Returns what grows if the program leaks. Pages of files are read from there when they are first used, and the
    /// kernel takes them back as it likes.
    pub(crate) const fn own(self) -> u64 {
        self.heap + self.arenas + self.stacks
    }
}

/// Where the allocator of the C library puts memory for a thread: at a multiple of this.
const ARENA: u64 = 64 << 20;

/// Returns the addresses of a line that begins a mapping.
fn range(word: &str) -> Option<Range<u64>> {
    let (from, to) = word.split_once('-')?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    Some(address(from)?..address(to)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_of_each_kind() {
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let memory = Memory::read(&smaps);
        assert!(memory.heap + memory.arenas > 0 && memory.stacks > 0 && memory.files > 500);
        // Nearly as much as the kernel says itself, a moment later.
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let all = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let all: u64 = all.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        assert!(memory.all().abs_diff(all) < all / 4, "{memory:?} {all}");
    }

    #[test]
    fn mappings_are_told_apart() {
        let smaps = "\
55d0e0000000-55d0e0100000 r-xp 00000000 fe:00 77    /usr/sbin/knockd
Rss:                 100 kB
Anonymous:            10 kB
55d0e1000000-55d0e1100000 rw-p 00000000 00:00 0     [heap]
Rss:                  20 kB
7f0004000000-7f0004021000 rw-p 00000000 00:00 0
Rss:                   3 kB
7f0005001000-7f0005100000 rw-p 00000000 00:00 0
Rss:                   4 kB
7f0006000000-7f0007000000 rw-s 00000000 00:08 9     socket:[9]
Rss:                   5 kB
7ffc00000000-7ffc00020000 rw-p 00000000 00:00 0     [stack]
Rss:                   6 kB
";
        let memory = Memory { heap: 20, arenas: 3, stacks: 10, files: 100, shared: 5 };
        assert_eq!(Memory::read(smaps), memory);
        assert_eq!((memory.all(), memory.own()), (138, 33));
    }
}
