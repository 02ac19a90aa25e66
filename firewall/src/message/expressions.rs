//! Rules as expressions of `nf_tables`: each loads something into registers, or compares or uses what is
//! there.

use knock_engine::Protocol;

use super::attributes::Attributes;
use super::numbers::{
    NF_ACCEPT, NF_DROP, NFPROTO_IPV4, NFPROTO_IPV6, NFT_GOTO, NFTA_DATA_VALUE, NFTA_DATA_VERDICT,
    NFTA_EXPR_DATA, NFTA_EXPR_NAME, NFTA_LIST_ELEM, NFTA_VERDICT_CHAIN, NFTA_VERDICT_CODE,
};
use crate::transaction::{Chain, Clients, Set, Statement, Version};

/// The expressions of a rule.
pub(super) fn of_rule(statements: &[Statement]) -> Attributes {
    let mut rule = Expressions(Attributes::new());
    for statement in statements {
        rule.statement(*statement);
    }
    rule.0
}

/// The first register of 4 bytes; the others follow. Where something begins at a multiple of 16 bytes, the
/// kernel itself uses the numbers of the registers of 16 bytes.
const FIRST: u32 = 8;

/// The order of the bytes of numbers that the kernel loads itself is that of the machine.
const RTN_UNICAST: u32 = 1;
/// Established and related.
const CONNECTION_STATES: u32 = 2 | 4;
const LOOPBACK: u32 = 1;

const SOURCE_4: Payload = Payload { base: NETWORK, offset: 12, length: 4 };
const SOURCE_6: Payload = Payload { base: NETWORK, offset: 8, length: 16 };
const DESTINATION_PORT: Payload = Payload { base: TRANSPORT, offset: 2, length: 2 };
const TCP_FLAGS: Payload = Payload { base: TRANSPORT, offset: 13, length: 1 };
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;
const SYN: u8 = 0x02;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Bytes of a packet.
#[derive(Clone, Copy)]
struct Payload {
    base: u32,
    offset: u32,
    length: u32,
}

#[derive(Clone, Copy)]
enum Meta {
    /// The interface that the packet came from.
    Interface = 4,
    Family = 15,
    Protocol = 16,
}

#[derive(Clone, Copy)]
enum Comparison {
    Equal = 0,
    NotEqual = 1,
    AtMost = 3,
    AtLeast = 5,
}

struct Expressions(Attributes);

impl Expressions {
    fn statement(&mut self, statement: Statement) {
        match statement {
            Statement::ToGuardedPort => {
                self.key(FIRST);
                self.lookup(Set::Guarded);
            }
            Statement::FromLoopback => {
                self.meta(Meta::Interface, FIRST);
                self.compare(Comparison::Equal, &LOOPBACK.to_ne_bytes());
            }
            Statement::OfConnection => {
                self.add("ct", |ct| ct.number(1, FIRST).number(2, 0));
                self.mask(&CONNECTION_STATES.to_ne_bytes());
                self.compare(Comparison::NotEqual, &[0; 4]);
            }
            Statement::ForOtherHost => {
                // First the local addresses of the whole machine, then those of the interface, which
                // may have a table of its own (VRF).
                for of_interface in [0, 1 << 3] {
                    let destination = 1 << 1;
                    self.add("fib", |fib| {
                        fib.number(1, FIRST).number(2, 3).number(3, destination | of_interface)
                    });
                    self.compare(Comparison::Equal, &RTN_UNICAST.to_ne_bytes());
                }
            }
            Statement::BeginsNothing => {
                self.meta(Meta::Protocol, FIRST);
                self.compare(Comparison::Equal, &[TCP]);
                self.payload(TCP_FLAGS, FIRST);
                self.mask(&[SYN]);
                self.compare(Comparison::Equal, &[0]);
            }
            Statement::OfClient(clients) => self.of_client(clients),
            Statement::OfTcp => {
                self.meta(Meta::Protocol, FIRST);
                self.compare(Comparison::Equal, &[TCP]);
            }
            Statement::Count => {
                self.add("objref", |object| object.number(1, 1).text(2, "refused"));
            }
            Statement::Accept => self.verdict(NF_ACCEPT, None),
            Statement::Drop => self.verdict(NF_DROP, None),
            Statement::GoTo(chain) => self.verdict(NFT_GOTO, Some(chain)),
            Statement::Reset => self.reject(1, 0),
            Statement::Unreachable => self.reject(2, 1),
        }
    }

    fn of_client(&mut self, clients: Clients) {
        if let Some(range) = clients.range {
            let protocol = match range.protocol() {
                Protocol::Tcp => TCP,
                Protocol::Udp => UDP,
            };
            self.meta(Meta::Protocol, FIRST);
            self.compare(Comparison::Equal, &[protocol]);
            self.payload(DESTINATION_PORT, FIRST);
            self.compare(Comparison::AtLeast, &range.first().0.to_be_bytes());
            self.compare(Comparison::AtMost, &range.last().0.to_be_bytes());
        }
        let (family, source, after) = match clients.version {
            Version::V4 => (NFPROTO_IPV4, SOURCE_4, FIRST.saturating_add(1)),
            Version::V6 => (NFPROTO_IPV6, SOURCE_6, FIRST.saturating_add(4)),
        };
        self.meta(Meta::Family, FIRST);
        self.compare(Comparison::Equal, &[family]);
        self.payload(source, FIRST);
        if clients.range.is_none() {
            self.key(after);
        }
        self.lookup(Set::Clients(clients));
    }

    /// Loads the protocol and the destination port.
    fn key(&mut self, register: u32) {
        self.meta(Meta::Protocol, register);
        self.payload(DESTINATION_PORT, register.saturating_add(1));
    }

    fn add(&mut self, name: &str, data: impl FnOnce(&mut Attributes) -> &mut Attributes) {
        let mut inner = Attributes::new();
        data(&mut inner);
        let mut expression = Attributes::new();
        expression.text(NFTA_EXPR_NAME, name).nested(NFTA_EXPR_DATA, &inner);
        self.0.nested(NFTA_LIST_ELEM, &expression);
    }

    #[expect(clippy::as_conversions, reason = "the discriminants are the kernel's numbers")]
    fn meta(&mut self, what: Meta, register: u32) {
        self.add("meta", |meta| meta.number(1, register).number(2, what as u32));
    }

    fn payload(&mut self, payload: Payload, register: u32) {
        let Payload { base, offset, length } = payload;
        self.add("payload", |load| {
            load.number(1, register).number(2, base).number(3, offset).number(4, length)
        });
    }

    #[expect(clippy::as_conversions, reason = "the discriminants are the kernel's numbers")]
    fn compare(&mut self, how: Comparison, with: &[u8]) {
        let with = value(with);
        self.add("cmp", |cmp| cmp.number(1, FIRST).number(2, how as u32).nested(3, &with));
    }

    fn mask(&mut self, mask: &[u8]) {
        // A mask has a few bytes.
        let length = u32::try_from(mask.len()).unwrap_or(u32::MAX);
        let (nothing, mask) = (value(&vec![0; mask.len()]), value(mask));
        self.add("bitwise", |bitwise| {
            bitwise.number(1, FIRST).number(2, FIRST).number(3, length);
            bitwise.nested(4, &mask).nested(5, &nothing)
        });
    }

    fn lookup(&mut self, set: Set) {
        self.add("lookup", |lookup| lookup.text(1, &set.to_string()).number(2, FIRST));
    }

    fn verdict(&mut self, code: u32, chain: Option<Chain>) {
        let mut verdict = Attributes::new();
        verdict.number(NFTA_VERDICT_CODE, code);
        if let Some(chain) = chain {
            verdict.text(NFTA_VERDICT_CHAIN, chain.name());
        }
        let mut data = Attributes::new();
        data.nested(NFTA_DATA_VERDICT, &verdict);
        self.add("immediate", |immediate| immediate.number(1, 0).nested(2, &data));
    }

    fn reject(&mut self, how: u32, code: u8) {
        self.add("reject", |reject| reject.number(1, how).bytes(2, &[code]));
    }
}

fn value(bytes: &[u8]) -> Attributes {
    let mut out = Attributes::new();
    out.bytes(NFTA_DATA_VALUE, bytes);
    out
}
