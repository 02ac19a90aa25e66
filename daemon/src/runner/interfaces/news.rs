//! What is reported about interfaces.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use knock_config::text::Cause;

use super::Wanted;
use crate::links::Links;
use crate::runner::output::Kind;

/// How many names or addresses a line has at the most.
const NAMES_MAX: usize = 16;

/// A line about an interface.
pub(super) struct News {
    pub(super) kind: Kind,
    pub(super) text: String,
}

impl News {
    fn good(text: String) -> Self {
        Self { kind: Kind::Opening, text }
    }

    fn bad(text: &str) -> Self {
        Self { kind: Kind::Notice, text: format!("knockd: warning: {text}") }
    }

    pub(super) fn began(title: &str, is_up: bool, has_address: bool) -> Self {
        let down = format!(", which is down ('ip link set {title} up')");
        let state = match (is_up, has_address) {
            (false, false) => down + " and has no address of its own",
            (false, true) => down,
            (true, false) => ", which has no address of its own".to_owned(),
            (true, true) => String::new(),
        };
        Self::good(format!("listening on {title}{state}"))
    }

    pub(super) fn ended(name: &[u8]) -> Self {
        Self::good(format!("no longer listening on {}", shown(name)))
    }

    pub(super) fn gone(title: &str, awaited: Option<&Wanted>) -> Self {
        match awaited {
            Some(Wanted::DefaultRoute) => {
                Self::bad(&format!("{title} is gone: waiting for {}", Wanted::DefaultRoute))
            }
            Some(Wanted::Any | Wanted::Name(_) | Wanted::Pattern(_)) => {
                Self::bad(&format!("{title} is gone: waiting for it to come back"))
            }
            None => Self::good(format!("{title} is gone")),
        }
    }

    pub(super) fn renamed(old: &[u8], new: &[u8], wanted: &Wanted) -> Self {
        let (old, new) = (shown(old), shown(new));
        if wanted.may_be_named(new.as_bytes()) {
            Self::good(format!("{old} is now named {new}"))
        } else {
            Self::bad(&format!(
                "{old} is now named {new}, and knockd still listens on it; after a restart it waits for \
                 {wanted}, unless you name {new}"
            ))
        }
    }

    pub(super) fn up_or_down(title: &str, is_up: bool) -> Self {
        if is_up {
            Self::good(format!("{title} is up"))
        } else {
            Self::bad(&format!(
                "{title} is down: no knock arrives there until it is up; 'ip link set {title} up' does that"
            ))
        }
    }

    pub(super) fn addresses(title: &str, addresses: &BTreeSet<IpAddr>) -> Self {
        if addresses.is_empty() {
            Self::bad(&format!(
                "{title} has no address of its own: only knocks at other addresses of this machine count \
                 there"
            ))
        } else {
            let addresses = addresses.iter().map(|&address| knock_engine::address::text(address));
            Self::good(format!("{title} has an address: {}", list(addresses)))
        }
    }

    pub(super) fn awaited(wanted: &Wanted, there: &[String]) -> Self {
        Self::bad(&awaited(wanted, there, "waiting"))
    }

    pub(super) fn failed(name: &[u8], error: &io::Error) -> Self {
        let name = shown(name);
        Self::bad(&if error.kind() == io::ErrorKind::PermissionDenied {
            format!("cannot listen on {name} without the capability CAP_NET_RAW; trying again")
        } else {
            format!("cannot listen on {name}: {}; trying again", Cause(error))
        })
    }

    pub(super) fn too_many(number: usize, most: usize) -> Self {
        Self::bad(&format!(
            "{number} interfaces are to be listened on, but at most {most} are: use 'any' for all"
        ))
    }
}

/// Returns warnings of the interfaces among these that do not exist now.
pub(crate) fn missing(names: &[Vec<u8>], links: &Links) -> Vec<String> {
    let there = links.names();
    let wanted = Wanted::all(names).into_iter().filter(|wanted| *wanted != Wanted::Any);
    let is_there = |wanted: &Wanted| links.all.iter().any(|one| wanted.is_there(&one.name, links));
    let missing = wanted.filter(|wanted| !is_there(wanted));
    missing.map(|wanted| awaited(&wanted, &there, "knockd would wait")).collect()
}

fn awaited(wanted: &Wanted, there: &[String], waits: &str) -> String {
    let there = list(there.iter().cloned());
    match wanted {
        Wanted::Pattern(_) => {
            format!("no interface matches {wanted}: {waits} for one (available: {there})")
        }
        Wanted::DefaultRoute => format!(
            "no interface is named, and there is no default route: {waits} for one; or name an interface \
             with '-i' or the directive 'Interface' (available: {there})"
        ),
        Wanted::Any | Wanted::Name(_) => {
            format!("there is no interface {wanted}: {waits} for it (available: {there})")
        }
    }
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Returns things in a line, but not too many.
fn list(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(NAMES_MAX);
    let text = all.take(NAMES_MAX).collect::<Vec<_>>().join(", ");
    if more == 0 { text } else { format!("{text} and {more} more") }
}
