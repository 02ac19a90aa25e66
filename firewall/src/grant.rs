//! What clients may reach, and for how long.

use std::collections::BTreeMap;
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
            carried.extend(time_left(&grants, ports).map(|time_left| Grant {
                client,
                ports,
                time_left,
            }));
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
                grant(client, tcp(13, 15), 20),
                grant(other, tcp(10, 12), 7)
            ]
        );
    }
}
