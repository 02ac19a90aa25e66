//! How large the rings are, in which packets wait for the sniffer.
//!
//! A ring lasts until the sniffer gets a processor. On a busy machine, or one whose host is busy, that can take
//! half a second, in which a flood brings a hundred thousand packets. But the kernel takes the memory at once
//! and for good, so a small machine has a small one.

use crate::packet_socket::BLOCK_BYTES;

/// Which part of the memory of the machine the rings of all named interfaces take, and the limits of that.
const PART: u64 = 64;
const BYTES_MIN: u64 = 4 << 20;
const BYTES_MAX: u64 = 64 << 20;

/// How many bytes they take where the memory of the machine is not known.
const BYTES_UNKNOWN: u64 = 16 << 20;

/// The size of the ring for an interface of a pattern: there may be many.
const PATTERN_BYTES: u64 = 2 << 20;

/// The sizes of rings on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rings {
    /// How many bytes all named interfaces have.
    named: u64,
}

impl Rings {
    /// Returns the sizes for a machine whose `/proc/meminfo` has this text.
    pub(super) fn for_machine(meminfo: Option<&str>) -> Self {
        let bytes = meminfo.and_then(memory).and_then(|memory| memory.checked_div(PART));
        Self { named: bytes.map_or(BYTES_UNKNOWN, |part| part.clamp(BYTES_MIN, BYTES_MAX)) }
    }

    /// Returns the number of blocks for one of so many named interfaces.
    pub(super) fn of_named(self, count: usize) -> u32 {
        let count = u64::try_from(count).unwrap_or(u64::MAX).max(1);
        blocks(self.named.checked_div(count).unwrap_or_default().max(PATTERN_BYTES))
    }

    /// Returns the number of blocks for an interface of a pattern.
    pub(super) fn of_pattern() -> u32 {
        blocks(PATTERN_BYTES)
    }
}

fn blocks(bytes: u64) -> u32 {
    let blocks = bytes.checked_div(BLOCK_BYTES.into()).unwrap_or_default();
    u32::try_from(blocks).unwrap_or(u32::MAX)
}

/// Returns the bytes of memory that a machine has.
fn memory(meminfo: &str) -> Option<u64> {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use super::*;

    /// Returns the sizes for a machine with so many MiB.
    fn with(mib: u64) -> Rings {
        let kib = mib * 1024;
        Rings::for_machine(Some(&format!("MemTotal:       {kib} kB\nMemFree:          9 kB\n")))
    }

    fn mib(blocks: u32) -> u32 {
        (blocks * BLOCK_BYTES) >> 20
    }

    #[test]
    fn a_ring_takes_a_part_of_the_memory_within_limits() {
        let sizes =
            [64, 256, 512, 1024, 2048, 4096, 65_536].map(|size| mib(with(size).of_named(1)));
        assert_eq!(sizes, [4, 4, 8, 16, 32, 64, 64]);
    }

    #[test]
    fn named_interfaces_share_it_but_none_has_less_than_one_of_a_pattern() {
        let sizes = [0, 1, 2, 3, 32, 256].map(|count| mib(with(65_536).of_named(count)));
        assert_eq!(sizes, [64, 64, 32, 21, 2, 2]);
        assert_eq!(mib(Rings::of_pattern()), 2);
    }

    #[test]
    fn where_the_memory_is_unknown_a_ring_has_a_size_all_the_same() {
        let unknown = [None, Some(""), Some("MemTotal: many kB\n"), Some("MemTotal: 5\n")];
        for text in unknown {
            assert_eq!(mib(Rings::for_machine(text).of_named(1)), 16, "{text:?}");
        }
    }
}
