//! What clients may reach, and for how long.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use knock_engine::PortRange;

use crate::pieces;

/// A client that may reach ports for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The address of the client.
    pub client: IpAddr,
    /// The ports.
    pub ports: PortRange,
    /// How long until the kernel closes them. The kernel does not count the time in which the machine is
    /// suspended.
    pub time_left: Duration,
    /// When the client was let in first, as the time since the machine was started; `None` if no one needs to
    /// know. The kernel keeps it as the comment of the element, also when this process is gone.
    pub since: Option<Duration>,
}

/// How long a client may reach ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// From now on.
    pub time: Duration,
    /// As of a [`Grant`].
    pub since: Option<Duration>,
}

impl From<Duration> for Stay {
    fn from(time: Duration) -> Self {
        Self { time, since: None }
    }
}

/// When a client was let in first, as the comment of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Since(pub(crate) Duration);

impl Since {
    /// Parses such a comment; `None` for one of the administrator.
    pub(crate) fn parse(comment: &str) -> Option<Self> {
        let number = comment.strip_prefix("first let in ")?.strip_suffix(" ms after boot")?;
        number.parse().ok().map(Duration::from_millis).map(Self)
    }
}

impl fmt::Display for Since {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "first let in {} ms after boot", self.0.as_millis())
    }
}

/// Returns the grants of all `pieces` that the clients may reach as a whole, each with the time after
/// which some port of it is closed.
pub(crate) fn carried_over(grants: &[Grant], pieces: &[PortRange]) -> Vec<Grant> {
    let mut of_clients: BTreeMap<IpAddr, Vec<&Grant>> = BTreeMap::new();
    for grant in grants {
        of_clients.entry(grant.client).or_default().push(grant);
    }
    let mut carried = Vec::new();
    for (client, grants) in of_clients {
        for &ports in pieces {
            // Of what was opened at different times, the first counts: nothing may stay open for too long.
            let parts = grants.iter().filter(|grant| grant.ports.overlaps(ports));
            let since = parts.filter_map(|grant| grant.since).min();
            let time_left = time_left(&grants, ports);
            carried.extend(time_left.map(|time_left| Grant { client, ports, time_left, since }));
        }
    }
    carried
}

/// Returns how long all ports of a range are open; `None` if one is closed.
fn time_left(grants: &[&Grant], range: PortRange) -> Option<Duration> {
    let borders: Vec<PortRange> = grants.iter().map(|grant| grant.ports).chain([range]).collect();
    let parts = pieces::cut(&borders);
    let parts = parts.into_iter().filter(|part| pieces::contains(range, *part));
    let left = |part: PortRange| {
        let open = grants.iter().filter(|grant| pieces::contains(grant.ports, part));
        open.map(|grant| grant.time_left).max()
    };
    parts.map(left).collect::<Option<Vec<Duration>>>()?.into_iter().min()
}

#[cfg(test)]
mod tests {
    use knock_engine::{Port, Protocol};

    use super::*;

    fn tcp(first: u16, last: u16) -> PortRange {
        PortRange::new(Protocol::Tcp, Port(first), Port(last)).unwrap()
    }

    #[test]
    fn grants_are_cut_and_joined_as_a_new_configuration_has_the_ports() {
        let client = "192.0.2.7".parse().unwrap();
        let other = "192.0.2.8".parse().unwrap();
        let grant = |client, ports, seconds| Grant {
            client,
            ports,
            time_left: Duration::from_secs(seconds),
            since: Some(Duration::from_secs(1000 - seconds)),
        };
        let old = [
            grant(client, tcp(10, 14), 50),
            grant(client, tcp(15, 15), 20),
            grant(client, tcp(30, 30), 9),
            grant(other, tcp(10, 12), 7),
        ];
        let new = [tcp(10, 12), tcp(13, 15), tcp(16, 20), tcp(30, 31)];
        assert_eq!(
            carried_over(&old, &new),
            [
                grant(client, tcp(10, 12), 50),
                Grant { since: Some(Duration::from_secs(950)), ..grant(client, tcp(13, 15), 20) },
                grant(other, tcp(10, 12), 7)
            ]
        );
    }
}
