//! Packets that make no difference.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use knock_capture::Unwanted;
use knock_compat::Rules;
use knock_engine::{Doors, NamedPorts, decode};

use crate::args::Whom;

/// Some clients: those in some networks.
#[derive(Clone, Debug, Default)]
pub(crate) struct SomeClients {
    /// In order, and none overlaps another.
    networks: Vec<IpNet>,
}

impl SomeClients {
    /// Returns nobody.
    pub(crate) fn nobody() -> Self {
        Self::default()
    }

    /// Returns all of whom one of these is.
    pub(crate) fn of(all: impl IntoIterator<Item = Whom>) -> Self {
        let mut networks = Vec::new();
        for whom in all {
            match whom {
                Whom::All => networks.extend(Whom::ALL),
                Whom::Network(network) => networks.push(network),
            }
        }
        networks = IpNet::aggregate(&networks);
        networks.sort();
        Self { networks }
    }

    pub(crate) fn is_nobody(&self) -> bool {
        self.networks.is_empty()
    }

    fn is_everybody(&self) -> bool {
        Whom::ALL.iter().all(|all| self.networks.contains(all))
    }

    /// Returns whether a client is one of them.
    pub(crate) fn contains(&self, client: IpAddr) -> bool {
        // They do not overlap: only the last one that does not begin after the client may contain it.
        let behind = self.networks.partition_point(|network| network.network() <= client);
        let last = behind.checked_sub(1).and_then(|at| self.networks.get(at));
        last.is_some_and(|network| network.contains(&client))
    }
}

/// Returns which packets make no difference: by the rules of knock those to ports that none of the doors names,
/// but for those of some clients, who are looked at in any case. `None` if there are no such packets.
pub(crate) fn unwanted(rules: Rules, doors: &Doors, but_of: SomeClients) -> Option<Unwanted> {
    if rules != Rules::Knock || but_of.is_everybody() {
        return None;
    }
    let named = NamedPorts::of(doors);
    let is_looked_at = move |client| !but_of.is_nobody() && but_of.contains(client);
    Some(Arc::new(move |link, frame| {
        decode(link, frame)
            .is_ok_and(|packet| !named.names(&packet) && !is_looked_at(packet.source))
    }))
}
