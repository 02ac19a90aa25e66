//! The parts of a packet that the rules need.

use core::fmt;
use core::net::IpAddr;

/// A TCP or UDP port, 0 to 65,535. Port 0 occurs in packets, never in a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(pub u16);

/// The transport protocols that carry knocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP, IP protocol 6; the default in a sequence.
    Tcp,
    /// UDP, IP protocol 17.
    Udp,
}

/// A port and a protocol: one element of a sequence, or the destination of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Knock {
    /// The destination port.
    pub port: Port,
    /// The protocol.
    pub protocol: Protocol,
}

/// The flag bits of a TCP header, byte 13: FIN is the lowest bit, CWR the highest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// A connection is opened.
    pub const SYN: Self = Self(0x02);
    /// The connection is reset.
    pub const RST: Self = Self(0x04);
    /// Data is pushed to the receiver.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer counts.
    pub const URG: Self = Self(0x20);

    /// Returns whether every bit of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns whether any bit of `other` is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns the bits that are set in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the bits that are set here and not in `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// The names of the flags that are set, such as `SYN+ACK`, or `none`.
impl fmt::Display for TcpFlags {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(u8, &str); 8] = [
            (0x02, "SYN"),
            (0x01, "FIN"),
            (0x04, "RST"),
            (0x08, "PSH"),
            (0x10, "ACK"),
            (0x20, "URG"),
            (0x40, "ECE"),
            (0x80, "CWR"),
        ];
        let mut before = "";
        for (_, name) in NAMES.iter().filter(|(bit, _)| self.0 & bit != 0) {
            write!(out, "{before}{name}")?;
            before = "+";
        }
        if self.0 == 0 { out.write_str("none") } else { Ok(()) }
    }
}

/// `8000/tcp`.
impl fmt::Display for Knock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(out, "{}/{protocol}", self.port.0)
    }
}

/// The fields that the rules need from a TCP header, after the ports. A capture or a first fragment may
/// end before either field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TcpHeader {
    /// The sequence number, bytes 4 to 7; `None` if they are missing.
    pub sequence_number: Option<u32>,
    /// The flags, byte 13; `None` if it is missing.
    pub flags: Option<TcpFlags>,
}

/// The protocol of a packet, with the fields that only that protocol has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A TCP segment.
    Tcp(TcpHeader),
    /// A UDP datagram.
    Udp,
}

/// A packet that has a destination port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    /// The source address: the client.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// The source port.
    pub source_port: Port,
    /// The destination port.
    pub destination_port: Port,
    /// The protocol and its fields.
    pub transport: Transport,
}

impl Packet {
    /// Returns the port and protocol that the packet knocks at.
    #[must_use]
    pub const fn knock(&self) -> Knock {
        let protocol = match self.transport {
            Transport::Tcp(_) => Protocol::Tcp,
            Transport::Udp => Protocol::Udp,
        };
        Knock { port: self.destination_port, protocol }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn flags_and_knocks_are_printed_by_their_common_names() {
        let names = |bits| TcpFlags(bits).to_string();
        assert_eq!(names(0x12), "SYN+ACK");
        assert_eq!(names(0), "none");
        assert_eq!(names(0xff), "SYN+FIN+RST+PSH+ACK+URG+ECE+CWR");
        let knock = |protocol| Knock { port: Port(53), protocol }.to_string();
        assert_eq!([knock(Protocol::Tcp), knock(Protocol::Udp)], ["53/tcp", "53/udp"]);
    }
}
