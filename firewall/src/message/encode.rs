//! Transactions and questions as messages.

use super::attributes::Attributes;
use super::numbers::{
    NF_ACCEPT, NF_INET_PRE_ROUTING, NFNL_BATCH_GENID, NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END,
    NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6, NFT_OBJECT_COUNTER, NFT_SET_CONCAT, NFT_SET_INTERVAL,
    NFT_SET_TIMEOUT, NFTA_CHAIN_HOOK, NFTA_CHAIN_NAME, NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE,
    NFTA_COUNTER_BYTES, NFTA_COUNTER_PACKETS, NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY,
    NFTA_LIST_ELEM, NFTA_OBJ_DATA, NFTA_OBJ_NAME, NFTA_OBJ_TYPE, NFTA_RULE_CHAIN,
    NFTA_RULE_EXPRESSIONS, NFTA_SET_DESC, NFTA_SET_DESC_CONCAT, NFTA_SET_DESC_SIZE,
    NFTA_SET_ELEM_LIST_ELEMENTS, NFTA_SET_ELEM_LIST_SET, NFTA_SET_FIELD_LEN, NFTA_SET_FLAGS,
    NFTA_SET_ID, NFTA_SET_KEY_LEN, NFTA_SET_KEY_TYPE, NFTA_SET_NAME, NFTA_TABLE, NLM_F_ACK,
    NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REQUEST, SUBSYSTEM, kind,
};
use super::{elements, expressions, header};
use crate::place::{Family, Place};
use crate::transaction::{Chain, Change, Element, Set, Transaction, Version};

/// The most elements in one message: their list must be shorter than 64 KiB.
const ELEMENTS_MAX: usize = 500;

/// The messages of a transaction, to be sent as one datagram.
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    /// The number of the message that begins the batch. That of the message before its end is answered
    /// even if there is no error.
    pub(crate) first: u32,
    /// For each message from the second on, the change that it belongs to.
    pub(crate) changes: Vec<usize>,
}

impl Batch {
    /// Writes a transaction that happens only if `generation`, if there is one, is still the number of
    /// the present ruleset.
    pub(crate) fn new(transaction: &Transaction, first: u32, generation: Option<u32>) -> Self {
        let mut messages: Vec<(usize, u16, u16, Attributes)> = Vec::new();
        for (number, change) in transaction.changes.iter().enumerate() {
            for (kind, flags, attributes) in messages_of(change, &transaction.place) {
                messages.push((number, kind, flags, attributes));
            }
        }
        let mut bytes = Vec::new();
        let mut around = Attributes::new();
        if let Some(generation) = generation {
            around.number(NFNL_BATCH_GENID, generation);
        }
        let begin = around.as_bytes();
        let subsystem = (0, u16::from(SUBSYSTEM));
        header::write(&mut bytes, NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, first, subsystem, begin);
        let family = (family(transaction.place.family), 0);
        let mut sequence = first;
        let count = messages.len();
        for (place, (_, kind, flags, attributes)) in messages.iter().enumerate() {
            sequence = sequence.wrapping_add(1);
            let is_last = place.saturating_add(1) == count;
            let flags = NLM_F_REQUEST | flags | if is_last { NLM_F_ACK } else { 0 };
            header::write(
                &mut bytes,
                of_tables(*kind),
                flags,
                sequence,
                family,
                attributes.as_bytes(),
            );
        }
        let end = sequence.wrapping_add(1);
        header::write(&mut bytes, NFNL_MSG_BATCH_END, NLM_F_REQUEST, end, subsystem, &[]);
        let changes = messages.into_iter().map(|(change, ..)| change).collect();
        Self { bytes, first, changes }
    }
}

/// Returns a message that asks the kernel for one object, or for all of a kind.
pub(crate) fn question(
    kind: u16,
    is_dump: bool,
    sequence: u32,
    place: &Place,
    attributes: &Attributes,
) -> Vec<u8> {
    let mut out = Vec::new();
    let flags = NLM_F_REQUEST | if is_dump { NLM_F_DUMP } else { NLM_F_ACK };
    let family = (family(place.family), 0);
    header::write(&mut out, of_tables(kind), flags, sequence, family, attributes.as_bytes());
    out
}

pub(crate) const fn family(family: Family) -> u8 {
    match family {
        Family::Inet => NFPROTO_INET,
        Family::Ip => NFPROTO_IPV4,
        Family::Ip6 => NFPROTO_IPV6,
    }
}

fn of_tables(kind: u16) -> u16 {
    u16::from(SUBSYSTEM) << 8 | kind
}

fn messages_of(change: &Change, place: &Place) -> Vec<(u16, u16, Attributes)> {
    let table = || {
        let mut attributes = Attributes::new();
        attributes.text(NFTA_TABLE, place.table.as_str());
        attributes
    };
    let mut attributes = table();
    let (kind, flags) = match change {
        Change::AddTable => (kind::NEWTABLE, NLM_F_CREATE),
        Change::DeleteTable => (kind::DELTABLE, 0),
        Change::AddSet(set) => {
            add_set(*set, &mut attributes);
            (kind::NEWSET, NLM_F_CREATE)
        }
        Change::EmptySet(set) => {
            attributes.text(NFTA_SET_ELEM_LIST_SET, &set.to_string());
            (kind::DELSETELEM, 0)
        }
        Change::AddElements(set, elements) => {
            let parts = parts(&attributes, *set, elements, true);
            return parts.map(|part| (kind::NEWSETELEM, NLM_F_CREATE, part)).collect();
        }
        Change::DeleteElements(set, elements) => {
            let parts = parts(&attributes, *set, elements, false);
            return parts.map(|part| (kind::DELSETELEM, 0, part)).collect();
        }
        Change::AddCounter => {
            let mut counter = Attributes::new();
            counter.long(NFTA_COUNTER_BYTES, 0).long(NFTA_COUNTER_PACKETS, 0);
            attributes.text(NFTA_OBJ_NAME, "refused").number(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
            attributes.nested(NFTA_OBJ_DATA, &counter);
            (kind::NEWOBJ, NLM_F_CREATE)
        }
        Change::AddChain(chain) => {
            add_chain(*chain, &mut attributes);
            (kind::NEWCHAIN, NLM_F_CREATE)
        }
        Change::AddRule(chain, statements) => {
            attributes.text(NFTA_RULE_CHAIN, chain.name());
            attributes.nested(NFTA_RULE_EXPRESSIONS, &expressions::of_rule(statements));
            (kind::NEWRULE, NLM_F_CREATE | NLM_F_APPEND)
        }
    };
    vec![(kind, flags, attributes)]
}

/// The numbers that nft has for the types of keys; those of the parts of a key take 6 bits each.
const IPV4_ADDR: u32 = 7;
const IPV6_ADDR: u32 = 8;
const INET_PROTO: u32 = 12;
const INET_SERVICE: u32 = 13;

/// Returns the type of the keys of a set as nft numbers it, and the lengths of their parts.
pub(crate) fn key_of(set: Set) -> (u32, Vec<u32>) {
    let clients = match set {
        Set::Guarded => return (INET_PROTO << 6 | INET_SERVICE, vec![1, 2]),
        Set::Clients(clients) => clients,
    };
    let (address, length) = match clients.version {
        Version::V4 => (IPV4_ADDR, 4),
        Version::V6 => (IPV6_ADDR, 16),
    };
    if clients.range.is_some() {
        return (address, vec![length]);
    }
    (address << 12 | INET_PROTO << 6 | INET_SERVICE, vec![length, 1, 2])
}

fn add_set(set: Set, attributes: &mut Attributes) {
    let (key_type, lengths) = key_of(set);
    // Each part is padded to 4 bytes.
    let length = lengths.iter().map(|part| part.next_multiple_of(4)).sum();
    let mut description = Attributes::new();
    let flags = match set {
        Set::Clients(_) => {
            description.number(NFTA_SET_DESC_SIZE, Set::SIZE);
            NFT_SET_TIMEOUT
        }
        Set::Guarded => {
            let mut fields = Attributes::new();
            for length in lengths {
                let mut field = Attributes::new();
                field.number(NFTA_SET_FIELD_LEN, length);
                fields.nested(NFTA_LIST_ELEM, &field);
            }
            description.nested(NFTA_SET_DESC_CONCAT, &fields);
            NFT_SET_INTERVAL | NFT_SET_CONCAT
        }
    };
    attributes
        .text(NFTA_SET_NAME, &set.to_string())
        .number(NFTA_SET_FLAGS, flags)
        .number(NFTA_SET_KEY_TYPE, key_type)
        .number(NFTA_SET_KEY_LEN, length)
        .nested(NFTA_SET_DESC, &description)
        // Only for rules of the same transaction; these use names.
        .number(NFTA_SET_ID, 1);
}

fn add_chain(chain: Chain, attributes: &mut Attributes) {
    attributes.text(NFTA_CHAIN_NAME, chain.name());
    match chain {
        Chain::Closed => {}
        Chain::Guard => {
            let priority: i32 = -150;
            let mut hook = Attributes::new();
            hook.number(NFTA_HOOK_HOOKNUM, NF_INET_PRE_ROUTING);
            hook.number(NFTA_HOOK_PRIORITY, priority.cast_unsigned());
            attributes
                .nested(NFTA_CHAIN_HOOK, &hook)
                .number(NFTA_CHAIN_POLICY, NF_ACCEPT)
                .text(NFTA_CHAIN_TYPE, "filter");
        }
    }
}

/// Returns the attributes of messages that together have all elements.
fn parts<'a>(
    table: &'a Attributes,
    set: Set,
    elements: &'a [Element],
    has_timeouts: bool,
) -> impl Iterator<Item = Attributes> + 'a {
    elements.chunks(ELEMENTS_MAX).map(move |elements| {
        let mut list = Attributes::new();
        for element in elements {
            list.nested(NFTA_LIST_ELEM, &elements::write(element, set, has_timeouts));
        }
        let mut attributes = table.clone();
        attributes.text(NFTA_SET_ELEM_LIST_SET, &set.to_string());
        attributes.nested(NFTA_SET_ELEM_LIST_ELEMENTS, &list);
        attributes
    })
}
