//! Admissions: what a door lets a client reach, and for how long.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::packet::{Port, Protocol};
use crate::time::Seconds;

/// Some consecutive ports of a protocol, such as `tcp/22` or `tcp/8000-8010`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    protocol: Protocol,
    first: Port,
    last: Port,
}

impl PortRange {
    /// Makes a range from its first to its last port; `None` if the first is 0 or after the last.
    #[must_use]
    pub const fn new(protocol: Protocol, first: Port, last: Port) -> Option<Self> {
        if first.0 == 0 || first.0 > last.0 {
            return None;
        }
        Some(Self { protocol, first, last })
    }

    /// Returns the protocol.
    #[must_use]
    pub const fn protocol(self) -> Protocol {
        self.protocol
    }

    /// Returns the first port.
    #[must_use]
    pub const fn first(self) -> Port {
        self.first
    }

    /// Returns the last port.
    #[must_use]
    pub const fn last(self) -> Port {
        self.last
    }

    /// Returns whether a port is in both ranges.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.protocol == other.protocol && self.first <= other.last && other.first <= self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.protocol {
            Protocol::Tcp => "tcp/",
            Protocol::Udp => "udp/",
        })?;
        write!(f, "{}", self.first.0)?;
        if self.last > self.first {
            write!(f, "-{}", self.last.0)?;
        }
        Ok(())
    }
}

/// The ports that a door opens: from one range to [`OpenPorts::MAX_RANGES`], no two of which overlap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenPorts(Box<[PortRange]>);

/// Why there are no such ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenPortsError {
    /// There is no range.
    Empty,
    /// There are more than [`OpenPorts::MAX_RANGES`].
    TooMany,
    /// Two overlap.
    Overlap(PortRange, PortRange),
}

impl OpenPorts {
    /// The most ranges of one door.
    pub const MAX_RANGES: usize = 32;

    /// Takes the ranges in the order in which the configuration has them.
    ///
    /// # Errors
    /// [`OpenPortsError`].
    pub fn new(ranges: Vec<PortRange>) -> Result<Self, OpenPortsError> {
        if ranges.is_empty() {
            return Err(OpenPortsError::Empty);
        }
        if ranges.len() > Self::MAX_RANGES {
            return Err(OpenPortsError::TooMany);
        }
        let mut sorted = ranges.clone();
        sorted.sort_unstable();
        for pair in sorted.windows(2) {
            if let [one, other] = *pair
                && one.overlaps(other)
            {
                return Err(OpenPortsError::Overlap(one, other));
            }
        }
        Ok(Self(ranges.into_boxed_slice()))
    }

    /// Returns whether each port of other ranges is in one of these.
    #[must_use]
    pub fn contain(&self, other: &Self) -> bool {
        let has = |wanted: &PortRange| {
            let mut next = u32::from(wanted.first.0);
            let mut sorted: Vec<&PortRange> =
                self.0.iter().filter(|one| one.protocol == wanted.protocol).collect();
            sorted.sort_unstable();
            for range in sorted {
                if u32::from(range.first.0) <= next {
                    next = next.max(u32::from(range.last.0).saturating_add(1));
                }
            }
            next > u32::from(wanted.last.0)
        };
        other.0.iter().all(has)
    }

    /// Returns the ranges in the order in which the configuration has them.
    #[must_use]
    pub fn ranges(&self) -> &[PortRange] {
        &self.0
    }
}

/// As the configuration writes them: `tcp/22,tcp/443,udp/51820`.
impl fmt::Display for OpenPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, range) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            range.fmt(f)?;
        }
        Ok(())
    }
}

/// What a door lets its clients reach: `Open`, `Open_For` and `Open_Max`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The ports.
    pub ports: OpenPorts,
    /// How long after an opening the admission ends, at least 1 second.
    pub lasts: Seconds,
    /// How long after the first opening it ends, however often the client opens the door again. Not less
    /// than `lasts`.
    pub max: Option<Seconds>,
}

impl Admission {
    /// One hour: the default of `Open_For`.
    pub const DEFAULT_LASTS: Seconds = Seconds::new(3600).unwrap();
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    fn range(protocol: Protocol, first: u16, last: u16) -> PortRange {
        PortRange::new(protocol, Port(first), Port(last)).unwrap()
    }

    #[test]
    fn ports_are_written_as_in_a_configuration() {
        let ports = vec![
            range(Protocol::Tcp, 22, 22),
            range(Protocol::Udp, 51820, 51820),
            range(Protocol::Tcp, 8000, 8010),
        ];
        let ports = OpenPorts::new(ports).unwrap();
        assert_eq!(ports.to_string(), "tcp/22,udp/51820,tcp/8000-8010");
    }

    #[test]
    fn ports_contain_others_if_they_have_each_of_them() {
        let tcp = |first, last| range(Protocol::Tcp, first, last);
        let ports =
            OpenPorts::new(vec![tcp(23, 30), tcp(20, 22), range(Protocol::Udp, 1, 1)]).unwrap();
        let contain = |one| ports.contain(&OpenPorts::new(vec![one]).unwrap());
        assert!(contain(tcp(20, 30)));
        assert!(contain(tcp(22, 23)));
        assert!(!contain(tcp(19, 20)));
        assert!(!contain(tcp(30, 31)));
        assert!(!contain(range(Protocol::Udp, 1, 2)));
    }

    #[test]
    fn a_range_begins_above_0_and_not_after_its_end() {
        assert_eq!(PortRange::new(Protocol::Tcp, Port(0), Port(5)), None);
        assert_eq!(PortRange::new(Protocol::Tcp, Port(6), Port(5)), None);
    }

    #[test]
    fn ranges_of_one_door_do_not_overlap() {
        let (one, other) = (range(Protocol::Tcp, 20, 22), range(Protocol::Tcp, 22, 30));
        assert_eq!(OpenPorts::new(vec![other, one]), Err(OpenPortsError::Overlap(one, other)));
        assert!(OpenPorts::new(vec![one, range(Protocol::Udp, 22, 30)]).is_ok());
        assert_eq!(OpenPorts::new(vec![]), Err(OpenPortsError::Empty));
        let many = (1..=33).map(|port| range(Protocol::Tcp, port, port)).collect();
        assert_eq!(OpenPorts::new(many), Err(OpenPortsError::TooMany));
    }
}
