//! Commands that the engine asks for.

/// A command that the engine asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// Its place among the commands that run.
    pub(crate) place: u32,
    /// Distinguishes the command from those that had the place before.
    pub(crate) serial: u32,
}

impl RunId {
    /// Takes the result of [`RunId::to_bits`]: for a driver whose parts talk over a socket.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self::from_serial(bits)
    }

    /// Returns the number as one that a driver can send to another process.
    #[must_use]
    #[expect(clippy::as_conversions, reason = "there is no other way to widen in a const fn")]
    pub const fn to_bits(self) -> u64 {
        ((self.serial as u64) << 32) | self.place as u64
    }

    /// Makes the number of a command from one that no other command has had lately.
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "takes the lower half"
    )]
    pub(crate) const fn from_serial(serial: u64) -> Self {
        Self { place: serial as u32, serial: (serial >> 32) as u32 }
    }
}

/// How a command ended: 0 for success, else its exit status as in a shell, 1 to 255 (128 plus the
/// number of the signal that killed it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandStatus(pub u8);

impl CommandStatus {
    /// The command succeeded.
    pub const SUCCESS: Self = Self(0);
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_numbers_of_commands_are_never_reused() {
        let serials = [0, 1, 1 << 31, 1 << 32, (1 << 32) + 1, 1 << 33, u64::MAX];
        let runs: BTreeSet<RunId> = serials.into_iter().map(RunId::from_serial).collect();
        assert_eq!(runs.len(), serials.len());
    }

    #[test]
    fn the_number_of_a_command_can_be_sent_to_another_process_and_back() {
        for bits in [0, 1, u64::from(u32::MAX), 1 << 32, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(RunId::from_bits(bits).to_bits(), bits);
        }
    }
}
