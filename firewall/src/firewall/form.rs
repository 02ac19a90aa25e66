//! How the kernel describes what is there.

use std::collections::BTreeSet;

use nix::errno::Errno;

use crate::error::Error;
use crate::message::attributes::{self, Attributes};
use crate::message::key_of;
use crate::message::numbers::{
    NFT_SET_INTERVAL, NFT_SET_MAP, NFT_SET_TIMEOUT, NFTA_CHAIN_HANDLE, NFTA_CHAIN_HOOK,
    NFTA_CHAIN_NAME, NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE, NFTA_EXPR_DATA, NFTA_EXPR_NAME,
    NFTA_LIST_ELEM, NFTA_RULE_CHAIN, NFTA_RULE_EXPRESSIONS, NFTA_RULE_HANDLE, NFTA_SET_ELEM_KEY,
    NFTA_SET_ELEM_KEY_END, NFTA_SET_ELEM_LIST_ELEMENTS, NFTA_SET_ELEM_LIST_SET, NFTA_SET_FLAGS,
    NFTA_SET_HANDLE, NFTA_SET_KEY_TYPE, NFTA_SET_NAME, NFTA_TABLE, NFTA_TABLE_FLAGS,
    NFTA_TABLE_HANDLE, NFTA_TABLE_USE, kind,
};
use crate::place::Place;
use crate::ruleset::Ruleset;
use crate::socket::{Answer, Socket};
use crate::text::Definition;
use crate::transaction::Set;

/// What the kernel says about the table, without what changes while it is used: clients, counters.
/// Handles are in it, so that it also shows whether something was deleted and made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form(Vec<u8>);

impl Form {
    /// Looks at it; `None` if the table is missing, or a set in the table of an administrator.
    pub(super) fn look(socket: &mut Socket, ruleset: &Ruleset) -> Result<Option<Self>, Errno> {
        let place = ruleset.place();
        let mut form = Self(Vec::new());
        match socket.get(kind::GETTABLE, place, &of_table(place)) {
            Ok(Some(table)) => form.take(&table, &[NFTA_TABLE_HANDLE, NFTA_TABLE_FLAGS]),
            Ok(None) | Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => return Err(errno),
        }
        for found in sets(socket, ruleset)? {
            let Some(set) = found else {
                if ruleset.is_guard() {
                    continue;
                }
                return Ok(None);
            };
            form.take(&set, &[NFTA_SET_NAME, NFTA_SET_HANDLE, NFTA_SET_FLAGS]);
        }
        if ruleset.is_guard() {
            form.take_guard(socket, place)?;
        }
        Ok(Some(form))
    }

    fn take_guard(&mut self, socket: &mut Socket, place: &Place) -> Result<(), Errno> {
        let chains = socket.dump(kind::GETCHAIN, place, &Attributes::new())?;
        for chain in chains.iter().filter(|chain| is_in(chain, place)) {
            let parts = [NFTA_CHAIN_NAME, NFTA_CHAIN_HANDLE, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY];
            self.take(chain, &parts);
            self.take(chain, &[NFTA_CHAIN_TYPE]);
        }
        for rule in rules(socket, place)? {
            self.take(&rule, &[NFTA_RULE_CHAIN, NFTA_RULE_HANDLE, NFTA_RULE_EXPRESSIONS]);
        }
        let mut guarded = of_table(place);
        guarded.text(NFTA_SET_ELEM_LIST_SET, &Set::Guarded.to_string());
        let answers = match socket.dump(kind::GETSETELEM, place, &guarded) {
            Err(Errno::ENOENT) => Vec::new(),
            result => result?,
        };
        let mut elements = BTreeSet::new();
        for answer in &answers {
            let list = attributes::find(answer, NFTA_SET_ELEM_LIST_ELEMENTS).unwrap_or(&[]);
            for (_, element) in attributes::parse(list) {
                let ends = [NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_KEY_END];
                elements.insert(ends.map(|end| attributes::find(element, end)));
            }
        }
        for end in elements.into_iter().flatten() {
            self.part(end);
        }
        Ok(())
    }

    /// Takes some attributes of a description.
    fn take(&mut self, description: &[u8], kinds: &[u16]) {
        for kind in kinds {
            self.part(attributes::find(description, *kind));
        }
    }

    fn part(&mut self, value: Option<&[u8]>) {
        let length = value.map_or(u64::MAX, |value| u64::try_from(value.len()).unwrap_or(u64::MAX));
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(value.unwrap_or_default());
    }
}

/// Returns whether there is no such table, or an empty one, or one that knockd has made: it has the set of
/// guarded ports.
pub(super) fn is_own(socket: &mut Socket, place: &Place) -> Result<bool, Errno> {
    let table = match socket.get(kind::GETTABLE, place, &of_table(place)) {
        Err(Errno::ENOENT) => return Ok(true),
        result => result?,
    };
    if table.is_some_and(|table| attributes::number(&table, NFTA_TABLE_USE) == Some(0)) {
        return Ok(true);
    }
    let mut question = of_table(place);
    question.text(NFTA_SET_NAME, &Set::Guarded.to_string());
    match socket.get(kind::GETSET, place, &question) {
        Err(Errno::ENOENT) => Ok(false),
        result => {
            let key_type = result?.and_then(|set| attributes::number(&set, NFTA_SET_KEY_TYPE));
            Ok(key_type == Some(key_of(Set::Guarded).0))
        }
    }
}

/// Returns the descriptions of the sets of clients that are there.
pub(super) fn sets(socket: &mut Socket, ruleset: &Ruleset) -> Result<Vec<Option<Answer>>, Errno> {
    let place = ruleset.place();
    let mut found = Vec::new();
    for set in ruleset.client_sets() {
        let mut question = of_table(place);
        question.text(NFTA_SET_NAME, &set.to_string());
        found.push(match socket.get(kind::GETSET, place, &question) {
            Err(Errno::ENOENT) => None,
            result => result?,
        });
    }
    Ok(found)
}

/// Returns the sets of clients in the table, also those of another configuration.
pub(super) fn all_sets(socket: &mut Socket, ruleset: &Ruleset) -> Result<Vec<Set>, Errno> {
    let place = ruleset.place();
    let answers = match socket.dump(kind::GETSET, place, &of_table(place)) {
        Err(Errno::ENOENT) => Vec::new(),
        result => result?,
    };
    let answers = answers.iter().filter(|answer| is_in(answer, place));
    let named = |answer| {
        let set = Set::named(std::str::from_utf8(attributes::text(answer, NFTA_SET_NAME)?).ok()?)?;
        match set {
            Set::Clients(clients) if clients.is_own == ruleset.is_guard() => {
                let key_type = attributes::number(answer, NFTA_SET_KEY_TYPE);
                (key_type == Some(key_of(set).0)).then_some(set)
            }
            Set::Clients(_) | Set::Guarded => None,
        }
    };
    Ok(answers.filter_map(|answer| named(answer)).collect())
}

/// Checks whether a set that is there can take the clients.
pub(super) fn check(place: &Place, set: Set, found: &Answer) -> Result<(), Error> {
    let flags = attributes::number(found, NFTA_SET_FLAGS).unwrap_or(0);
    let has_type = attributes::number(found, NFTA_SET_KEY_TYPE) == Some(key_of(set).0);
    let fits =
        has_type && flags & NFT_SET_TIMEOUT != 0 && flags & (NFT_SET_MAP | NFT_SET_INTERVAL) == 0;
    if fits {
        return Ok(());
    }
    let needed = Definition(set).to_string();
    Err(Error::WrongSet { place: place.clone(), set, needed })
}

/// Returns the chains with rules that look for something in a set, or add to it.
pub(super) fn users(socket: &mut Socket, place: &Place, set: Set) -> Result<Vec<String>, Errno> {
    let mut chains = BTreeSet::new();
    for rule in rules(socket, place)? {
        let expressions = attributes::find(&rule, NFTA_RULE_EXPRESSIONS).unwrap_or(&[]);
        let looks = attributes::parse(expressions).any(|(kind, expression)| {
            let data = attributes::find(expression, NFTA_EXPR_DATA).unwrap_or(&[]);
            kind == NFTA_LIST_ELEM
                && attributes::text(expression, NFTA_EXPR_NAME) == Some(b"lookup")
                && attributes::text(data, NFTA_LOOKUP_SET) == Some(set.to_string().as_bytes())
        });
        if let Some(chain) = attributes::text(&rule, NFTA_RULE_CHAIN)
            && looks
        {
            chains.insert(String::from_utf8_lossy(chain).into_owned());
        }
    }
    Ok(chains.into_iter().collect())
}

/// The name of the set in an expression that looks for something in it.
const NFTA_LOOKUP_SET: u16 = 1;

/// Returns all rules of a table; none without the table.
fn rules(socket: &mut Socket, place: &Place) -> Result<Vec<Answer>, Errno> {
    let rules = match socket.dump(kind::GETRULE, place, &of_table(place)) {
        Err(Errno::ENOENT) => Vec::new(),
        result => result?,
    };
    // Old kernels return those of all tables.
    Ok(rules.into_iter().filter(|rule| is_in(rule, place)).collect())
}

fn is_in(description: &[u8], place: &Place) -> bool {
    attributes::text(description, NFTA_TABLE) == Some(place.table.as_str().as_bytes())
}

fn of_table(place: &Place) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.text(NFTA_TABLE, place.table.as_str());
    attributes
}
