//! What is to be in nftables.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use knock_engine::PortRange;

use crate::error::Error;
use crate::grant::{self, Grant, Stay};
use crate::pieces;
use crate::place::{Family, Place};
use crate::text::Definition;
use crate::transaction::{Chain, Change, Clients, Element, Set, Statement, Transaction, Version};

/// The shortest timeout: 0 would be none at all.
const SHORTEST: Duration = Duration::from_millis(1);

/// The longest timeout, ten years: the kernel refuses one that its clock cannot count.
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);

/// How a packet to a guarded port is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is dropped without an answer, as if there were no host.
    Drop,
    /// It is answered as if nothing listened: a reset for TCP, "port unreachable" for UDP.
    Reject,
    /// It passes and is only counted: a dry run.
    CountOnly,
}

/// What is to be in nftables, without the clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruleset {
    place: Place,
    /// How packets are refused in a table of knockd's own; `None` in the table of an administrator.
    refusal: Option<Refusal>,
    /// The ports that doors open, in pieces that do not overlap.
    pieces: Vec<PortRange>,
}

/// Two ways to take a port from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Adds the element, if the kernel has removed it already, and deletes it. A transaction that fails makes
    /// the kernel wait for all its processors, for 10 ms and more.
    pub sure: Transaction,
    /// Only deletes it, and fails if it is not there. For a set in which nothing can be added.
    pub plain: Transaction,
}

impl Ruleset {
    /// Guards ports with a table of knockd's own, `inet knockd`: only admitted clients reach them, as far as
    /// other tables let them.
    #[must_use]
    pub fn guard(ports: &[PortRange], refusal: Refusal) -> Self {
        Self::new(Place::own(), Some(refusal), ports)
    }

    /// Admits clients by two sets in a table of the administrator, who has rules that use them.
    #[must_use]
    pub fn admit(place: Place, ports: &[PortRange]) -> Self {
        Self::new(place, None, ports)
    }

    fn new(place: Place, refusal: Option<Refusal>, ports: &[PortRange]) -> Self {
        Self { place, refusal, pieces: pieces::cut(ports) }
    }

    /// Returns the table.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Returns whether the table is knockd's own.
    #[must_use]
    pub const fn is_guard(&self) -> bool {
        self.refusal.is_some()
    }

    /// Returns the commands of nft that make the table from nothing, or the lines that an administrator
    /// adds to `/etc/nftables.conf`.
    #[must_use]
    pub fn nft_text(&self) -> String {
        if self.is_guard() { self.build(&[]).to_string() } else { self.lines_to_add() }
    }

    /// Returns the transaction that makes the table again with these grants, or the sets in a table of the
    /// administrator. It succeeds whatever was there; of an administrator's table, only if that is there.
    #[must_use]
    pub fn build(&self, grants: &[Grant]) -> Transaction {
        let mut changes = Vec::new();
        if self.is_guard() {
            // Adding first lets the deletion succeed if there is no table.
            changes.extend([Change::AddTable, Change::DeleteTable, Change::AddTable]);
        }
        changes.extend(self.client_sets().map(Change::AddSet));
        if let Some(refusal) = self.refusal {
            self.add_guard(refusal, &mut changes);
        }
        self.fill(&grant::carried_over(grants, &self.pieces), !self.is_guard(), &mut changes);
        self.transaction(changes)
    }

    /// Returns the transaction that lets a client reach ports for exactly this long, whether or not it
    /// could before, and notes since when.
    ///
    /// # Errors
    /// [`Error::NoFamily`] and [`Error::UnknownPorts`].
    pub fn admission(
        &self,
        client: IpAddr,
        ports: &[PortRange],
        stay: Stay,
    ) -> Result<Transaction, Error> {
        let grants = self.grants(client, ports, stay)?;
        let mut changes = Vec::new();
        for (set, elements) in self.by_set(&grants) {
            // An element that is added again keeps its time. So it is deleted; this needs one that is
            // there.
            changes.extend([
                Change::AddElements(set, elements.clone()),
                Change::DeleteElements(set, elements.clone()),
                Change::AddElements(set, elements),
            ]);
        }
        Ok(self.transaction(changes))
    }

    /// Returns the transactions that take ports from a client.
    ///
    /// # Errors
    /// [`Error::NoFamily`] and [`Error::UnknownPorts`].
    pub fn revocations(
        &self,
        client: IpAddr,
        ports: &[PortRange],
    ) -> Result<Vec<Revocation>, Error> {
        let mut revocations = Vec::new();
        for (set, elements) in self.by_set(&self.grants(client, ports, SHORTEST.into())?) {
            let each = elements.into_iter().map(|element| {
                let element = vec![element];
                let deletion = Change::DeleteElements(set, element.clone());
                Revocation {
                    sure: self
                        .transaction(vec![Change::AddElements(set, element), deletion.clone()]),
                    plain: self.transaction(vec![deletion]),
                }
            });
            revocations.extend(each);
        }
        Ok(revocations)
    }

    /// Returns the transaction that ends all that knockd does: the table is deleted, or the sets of an
    /// administrator's table emptied.
    #[must_use]
    pub fn removal(&self) -> Transaction {
        self.transaction(if self.is_guard() {
            vec![Change::AddTable, Change::DeleteTable]
        } else {
            self.client_sets().map(Change::EmptySet).collect()
        })
    }

    /// Returns the sets of clients: those for single ports, and those for each range.
    pub(crate) fn client_sets(&self) -> impl Iterator<Item = Set> {
        let versions: &[Version] = match self.place.family {
            Family::Inet => &[Version::V4, Version::V6],
            Family::Ip => &[Version::V4],
            Family::Ip6 => &[Version::V6],
        };
        let clients = |version, range| Clients { is_own: self.is_guard(), version, range };
        let ranges = self.pieces.iter().filter(|piece| piece.first() < piece.last());
        let ranges = [None].into_iter().chain(ranges.copied().map(Some));
        ranges.flat_map(move |range| {
            versions.iter().map(move |version| Set::Clients(clients(*version, range)))
        })
    }

    fn transaction(&self, changes: Vec<Change>) -> Transaction {
        Transaction { place: self.place.clone(), changes }
    }

    /// Adds what refuses packets to the guarded ports.
    fn add_guard(&self, refusal: Refusal, changes: &mut Vec<Change>) {
        use Statement as S;
        changes.push(Change::AddSet(Set::Guarded));
        changes.push(Change::AddCounter);
        changes.push(Change::AddChain(Chain::Closed));
        let mut closed = vec![
            vec![S::FromLoopback, S::Accept],
            vec![S::OfConnection, S::Accept],
            vec![S::ForOtherHost, S::Accept],
            vec![S::BeginsNothing, S::Accept],
        ];
        closed.extend(self.rules_of_clients());
        match refusal {
            Refusal::Drop => closed.push(vec![S::Count, S::Drop]),
            Refusal::Reject => {
                closed.extend([vec![S::Count], vec![S::OfTcp, S::Reset], vec![S::Unreachable]]);
            }
            Refusal::CountOnly => closed.push(vec![S::Count, S::Accept]),
        }
        changes.extend(closed.into_iter().map(|rule| Change::AddRule(Chain::Closed, rule)));
        if !self.pieces.is_empty() {
            let guarded = self.pieces.iter().copied().map(Element::Guarded).collect();
            changes.push(Change::AddElements(Set::Guarded, guarded));
        }
        changes.push(Change::AddChain(Chain::Guard));
        let rule = vec![S::ToGuardedPort, S::GoTo(Chain::Closed)];
        changes.push(Change::AddRule(Chain::Guard, rule));
    }

    /// Returns what an administrator adds to a table, with the rules as comments: only the
    /// administrator knows in which chain and where they must be.
    fn lines_to_add(&self) -> String {
        let mut text = format!("table {} {{\n", self.place);
        // Writing to a string cannot fail.
        for set in self.client_sets() {
            let _ = writeln!(text, "    set {set} {{ {} }}", Definition(set));
        }
        text.push_str("\n    # In the chain that drops what it does not accept, before it does:\n");
        for rule in self.rules_of_clients() {
            text.push_str("    #    ");
            for statement in rule {
                let _ = write!(text, " {statement}");
            }
            text.push('\n');
        }
        text.push_str("}\n");
        text
    }

    /// Returns the rules that let clients pass.
    fn rules_of_clients(&self) -> impl Iterator<Item = Vec<Statement>> {
        self.client_sets().filter_map(|set| match set {
            Set::Guarded => None,
            Set::Clients(clients) => Some(vec![Statement::OfClient(clients), Statement::Accept]),
        })
    }

    /// Adds clients to the sets; first removes those that are there, if there may be any.
    fn fill(&self, grants: &[Grant], removes: bool, changes: &mut Vec<Change>) {
        if removes {
            changes.extend(self.client_sets().map(Change::EmptySet));
        }
        for (set, elements) in self.by_set(grants) {
            changes.push(Change::AddElements(set, elements));
        }
    }

    /// Returns the elements for some grants of pieces, and their sets, none of which without an element.
    fn by_set(&self, grants: &[Grant]) -> Vec<(Set, Vec<Element>)> {
        let mut all = Vec::new();
        for set in self.client_sets() {
            let elements: Vec<Element> = grants
                .iter()
                .filter(|grant| set == set_of(grant, self.is_guard()))
                .copied()
                .map(Element::Granted)
                .collect();
            if !elements.is_empty() {
                all.push((set, elements));
            }
        }
        all
    }

    /// Returns the grants of all pieces of the ports.
    fn grants(
        &self,
        client: IpAddr,
        ports: &[PortRange],
        Stay { time, since }: Stay,
    ) -> Result<Vec<Grant>, Error> {
        let has_family = match self.place.family {
            Family::Inet => true,
            Family::Ip => client.is_ipv4(),
            Family::Ip6 => client.is_ipv6(),
        };
        if !has_family {
            return Err(Error::NoFamily { place: self.place.clone(), client });
        }
        let time_left = time.clamp(SHORTEST, LONGEST);
        let mut grants = Vec::new();
        for &range in ports {
            let within = self.pieces.iter().filter(|piece| pieces::contains(range, **piece));
            let within: Vec<PortRange> = within.copied().collect();
            let known: u32 = within.iter().map(|piece| pieces::width(*piece)).sum();
            if known != pieces::width(range) {
                return Err(Error::UnknownPorts { ports: range });
            }
            let grant = |ports| Grant { client, ports, time_left, since };
            grants.extend(within.into_iter().map(grant));
        }
        grants.sort_unstable();
        grants.dedup();
        Ok(grants)
    }
}

/// Returns the set that a grant belongs in.
fn set_of(grant: &Grant, is_own: bool) -> Set {
    let version = match grant.client {
        IpAddr::V4(_) => Version::V4,
        IpAddr::V6(_) => Version::V6,
    };
    let range = Some(grant.ports).filter(|ports| ports.first() < ports.last());
    Set::Clients(Clients { is_own, version, range })
}
