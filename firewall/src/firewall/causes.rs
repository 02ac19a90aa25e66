//! Why the kernel refused something.

use nix::errno::Errno;

use super::Firewall;
use crate::error::Error;
use crate::message::numbers::kind;
use crate::socket::Refused;
use crate::transaction::{Change, Set, Statement, Transaction};

impl Firewall {
    /// Returns why a transaction was refused.
    pub(super) fn cause(&mut self, transaction: &Transaction, refused: Refused) -> Error {
        let (change, errno) = match refused {
            Refused::NoAnswer => return Error::NoAnswer,
            Refused::Whole(errno) => return whole(errno),
            Refused::Change(place, errno) => (transaction.changes.get(place), errno),
        };
        let place = || transaction.place.clone();
        match (change, errno) {
            (_, Errno::ERESTART) => Error::Raced,
            (_, Errno::EPERM) => Error::Owned { place: place() },
            (Some(Change::AddElements(set, _)), Errno::ENFILE) => {
                Error::Full { place: place(), set: *set }
            }
            (
                Some(
                    Change::AddSet(set)
                    | Change::EmptySet(set)
                    | Change::AddElements(set, _)
                    | Change::DeleteElements(set, _),
                ),
                Errno::ENOENT,
            ) => self.what_is_missing(*set),
            (Some(Change::AddSet(set)), Errno::EEXIST | Errno::EBUSY) => Error::WrongSet {
                place: place(),
                set: *set,
                needed: crate::text::Definition(*set).to_string(),
            },
            (
                Some(change),
                Errno::ENOENT | Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT | Errno::EINVAL,
            ) => Error::NoFeature { what: feature(change), errno },
            (_, errno) => Error::System { doing: "nftables refused a change", errno },
        }
    }

    /// Returns the error if a set cannot be found.
    pub(super) fn what_is_missing(&mut self, set: Set) -> Error {
        let place = self.ruleset.place().clone();
        match self.socket.get(kind::GETTABLE, &place, &self.table()) {
            Ok(Some(_)) => Error::NoSet { place, set },
            Ok(None) | Err(_) => Error::NoTable { place },
        }
    }
}

/// Returns why a question was not answered.
pub(super) fn of_question(errno: Errno) -> Error {
    if errno == Errno::EINTR {
        return Error::Raced;
    }
    if errno == Errno::EAGAIN { Error::NoAnswer } else { whole(errno) }
}

fn whole(errno: Errno) -> Error {
    const CAUSES: [(Errno, Error); 3] = [
        (Errno::EPERM, Error::NotPermitted),
        (Errno::EOPNOTSUPP, Error::NoNftables),
        (Errno::ERESTART, Error::Raced),
    ];
    match CAUSES.into_iter().find(|(of, _)| *of == errno) {
        Some((_, error)) => error,
        None => Error::System { doing: "nftables did not answer", errno },
    }
}

/// Returns what the kernel may lack if it refuses a change.
fn feature(change: &Change) -> &'static str {
    match change {
        Change::AddTable | Change::DeleteTable => "tables for IPv4 and IPv6",
        Change::AddSet(_)
        | Change::EmptySet(_)
        | Change::AddElements(..)
        | Change::DeleteElements(..) => {
            "sets of addresses and ports with timeouts (module nf_tables)"
        }
        Change::AddCounter => "counters with names (module nft_objref)",
        Change::AddChain(_) => "chains that packets pass before routing",
        Change::AddRule(_, statements) => {
            statements.iter().copied().find_map(module).unwrap_or("simple rules")
        }
    }
}

/// Returns what a part of a rule needs, if that may be missing.
const fn module(statement: Statement) -> Option<&'static str> {
    match statement {
        Statement::OfConnection => Some("\"ct state\" (modules nft_ct and nf_conntrack)"),
        Statement::ForOtherHost => Some("\"fib daddr type\" (module nft_fib_inet)"),
        Statement::Reset | Statement::Unreachable => Some("\"reject\" (module nft_reject_inet)"),
        Statement::Count => Some("counters with names (module nft_objref)"),
        Statement::OfTcp
        | Statement::FromLoopback
        | Statement::BeginsNothing
        | Statement::ToGuardedPort
        | Statement::OfClient(_)
        | Statement::Accept
        | Statement::Drop
        | Statement::GoTo(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use knock_engine::{Port, PortRange, Protocol};

    use super::*;
    use crate::{Refusal, Ruleset};

    /// No kernel without them is at hand, so this is about the text only.
    #[test]
    fn what_a_kernel_lacks_is_named_with_its_module() {
        let ports = [PortRange::new(Protocol::Tcp, Port(22), Port(22)).unwrap()];
        let ruleset = Ruleset::guard(&ports, Refusal::Reject);
        let transaction = ruleset.build(&[]);
        let mut firewall = Firewall::connect(ruleset).unwrap();
        let mut named: Vec<String> = Vec::new();
        for (place, change) in transaction.changes.iter().enumerate() {
            if matches!(change, Change::AddSet(_) | Change::AddElements(..)) {
                continue;
            }
            let error = firewall.cause(&transaction, Refused::Change(place, Errno::ENOENT));
            let Error::NoFeature { what, .. } = error else { panic!("{change:?}: {error}") };
            named.push(what.to_owned());
        }
        for module in ["nft_ct", "nft_fib_inet", "nft_reject_inet", "nft_objref"] {
            assert!(named.iter().any(|what| what.contains(module)), "{module}: {named:?}");
        }
        let text = Error::NoFeature { what: "\"reject\"", errno: Errno::ENOENT }.to_string();
        assert!(text.contains("cannot do \"reject\""), "{text}");
        assert_eq!(
            firewall.cause(&transaction, Refused::Whole(Errno::EOPNOTSUPP)),
            Error::NoNftables
        );
    }
}
