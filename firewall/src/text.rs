//! Transactions as text for nft.

use std::fmt;

use knock_engine::{PortRange, Protocol};

use crate::grant::Since;
use crate::transaction::{Chain, Change, Clients, Element, Set, Statement, Transaction, Version};

/// The commands of nft that do the same, one a line.
impl fmt::Display for Transaction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        for change in &self.changes {
            match change {
                Change::AddTable => writeln!(out, "add table {place}")?,
                Change::DeleteTable => writeln!(out, "delete table {place}")?,
                Change::AddSet(set) => {
                    writeln!(out, "add set {place} {} {{ {} }}", set, Definition(*set))?;
                }
                Change::EmptySet(set) => writeln!(out, "flush set {place} {set}")?,
                Change::AddElements(set, elements) => {
                    let elements = Elements(*set, elements, true);
                    writeln!(out, "add element {place} {set} {{ {elements} }}")?;
                }
                Change::DeleteElements(set, elements) => {
                    let elements = Elements(*set, elements, false);
                    writeln!(out, "delete element {place} {set} {{ {elements} }}")?;
                }
                Change::AddCounter => writeln!(out, "add counter {place} refused")?,
                Change::AddChain(chain) => {
                    writeln!(out, "add chain {place} {}{}", chain.name(), hook(*chain))?;
                }
                Change::AddRule(chain, statements) => {
                    write!(out, "add rule {place} {}", chain.name())?;
                    for statement in statements {
                        write!(out, " {statement}")?;
                    }
                    writeln!(out)?;
                }
            }
        }
        Ok(())
    }
}

const fn hook(chain: Chain) -> &'static str {
    match chain {
        Chain::Guard => " { type filter hook prerouting priority -150; policy accept; }",
        Chain::Closed => "",
    }
}

/// What is between the braces of a set.
pub(crate) struct Definition(pub(crate) Set);

impl fmt::Display for Definition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = match self.0 {
            Set::Guarded => {
                return out.write_str("type inet_proto . inet_service; flags interval;");
            }
            Set::Clients(clients) => clients,
        };
        out.write_str(match clients.version {
            Version::V4 => "type ipv4_addr",
            Version::V6 => "type ipv6_addr",
        })?;
        if clients.range.is_none() {
            out.write_str(" . inet_proto . inet_service")?;
        }
        write!(out, "; size {}; flags timeout;", Set::SIZE)
    }
}

/// Elements of a set, with or without their timeouts.
struct Elements<'a>(Set, &'a [Element], bool);

impl fmt::Display for Elements<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(set, elements, has_timeouts) = *self;
        for (place, element) in elements.iter().enumerate() {
            if place > 0 {
                out.write_str(", ")?;
            }
            let grant = match element {
                Element::Guarded(ports) => {
                    write!(out, "{}", Key(*ports))?;
                    continue;
                }
                Element::Granted(grant) => grant,
            };
            write!(out, "{}", grant.client)?;
            if !matches!(set, Set::Clients(Clients { range: Some(_), .. })) {
                write!(out, " . {}", Key(grant.ports))?;
            }
            if has_timeouts {
                write!(out, " timeout {}ms", grant.time_left.as_millis())?;
                if let Some(since) = grant.since {
                    write!(out, " comment \"{}\"", Since(since))?;
                }
            }
        }
        Ok(())
    }
}

/// Ports as in an element of a set.
struct Key(PortRange);

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.0.protocol() {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(out, "{protocol} . {}", self.0.first().0)?;
        if self.0.last() > self.0.first() {
            write!(out, "-{}", self.0.last().0)?;
        }
        Ok(())
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::ToGuardedPort => {
                return write!(out, "meta l4proto . th dport @{}", Set::Guarded);
            }
            Self::OfClient(clients) => return of_client(*clients, out),
            Self::FromLoopback => "iif lo",
            Self::OfConnection => "ct state established,related",
            Self::ForOtherHost => "fib daddr type unicast fib daddr . iif type unicast",
            Self::BeginsNothing => "tcp flags & syn == 0",
            Self::OfTcp => "meta l4proto tcp",
            Self::Count => "counter name refused",
            Self::Accept => "accept",
            Self::Drop => "drop",
            Self::Reset => "reject with tcp reset",
            Self::Unreachable => "reject with icmpx type port-unreachable",
            Self::GoTo(chain) => return write!(out, "goto {}", chain.name()),
        })
    }
}

fn of_client(clients: Clients, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let address = match clients.version {
        Version::V4 => "ip saddr",
        Version::V6 => "ip6 saddr",
    };
    let set = Set::Clients(clients);
    let Some(range) = clients.range else {
        return write!(out, "{address} . meta l4proto . th dport @{set}");
    };
    let protocol = match range.protocol() {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    write!(out, "{protocol} dport {}-{} {address} @{set}", range.first().0, range.last().0)
}
