//! The names of captures and of the packets in them.

/// Which packet of which capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId {
    /// The place of the capture on the command line, from 0.
    pub capture: usize,
    /// The number in the capture, from 1, as Wireshark counts.
    pub number: u64,
}

/// The names of captures.
#[derive(Clone, Debug)]
pub struct CaptureNames(Vec<String>);

impl CaptureNames {
    /// Takes the names of captures, fit to be printed, in the order of the command line.
    #[must_use]
    pub const fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    /// Returns all names.
    #[must_use]
    pub fn all(&self) -> &[String] {
        &self.0
    }

    /// Returns the name of the capture that a packet belongs to.
    #[must_use]
    pub fn of(&self, packet: PacketId) -> &str {
        self.0.get(packet.capture).map_or("", String::as_str)
    }

    /// Returns `packet 3`, or `packet 3 of NAME` if there are several captures.
    #[must_use]
    pub fn packet(&self, packet: PacketId) -> String {
        let PacketId { capture: _, number } = packet;
        if self.0.len() > 1 {
            format!("packet {number} of {}", self.of(packet))
        } else {
            format!("packet {number}")
        }
    }
}
