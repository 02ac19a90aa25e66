//! The walk over the extension headers of an IPv6 packet.

use super::{Maker, TCP, UDP};
use crate::filter::EXTENSION_HEADERS_MAX;
use crate::filter::code::{Compare, Label, Size};

/// Where the IPv6 header has the number of the next one, and how long it is.
const FIRST: u32 = 6;
const IPV6_LENGTH: u32 = 40;

/// The numbers of the headers that decoding skips. Those for options and routes have the same form.
const SAME_FORM: [u32; 3] = [0, 43, 60];
const FRAGMENT: u32 = 44;
const AUTHENTICATION: u32 = 51;

/// Where an extension header has the number of the next one, its length, and where a fragment belongs.
const NEXT: u32 = 0;
const LENGTH: u32 = 1;
const OFFSET: u32 = 2;

/// The bits of the last of these that say where.
const OFFSET_BITS: u32 = 0xfff8;

/// How long an extension header is if its length is 0, and how many times a longer one doubles that field:
/// it counts units of eight bytes, or of four.
const LENGTH_LEAST: u32 = 8;
const EIGHT_BYTES: u32 = 3;
const FOUR_BYTES: u32 = 2;

/// Where the tests of the kinds of extension headers begin.
struct Kinds {
    same_form: Label,
    fragment: Label,
    authentication: Label,
}

impl Maker {
    /// Adds a walk over the extension headers of a packet, after which the length of all headers of IPv6 is the
    /// index. The number of the protocol is kept, or that of the next header after as many as are walked.
    ///
    /// Later fragments are dropped, and packets of other protocols than TCP and UDP.
    pub(super) fn walk_extensions(&mut self, walked: Label) -> Label {
        let walked = self.code.keep(walked);
        let rest = Kinds { same_form: walked, fragment: walked, authentication: walked };
        let mut next = self.by_kind(&rest, walked);
        for _ in 0..EXTENSION_HEADERS_MAX {
            let kinds = self.extension(next);
            next = self.by_kind(&kinds, walked);
        }
        next = self.code.load(Size::Byte, self.network.saturating_add(FIRST), next);
        self.code.set_index(IPV6_LENGTH, next)
    }

    /// Adds the comparisons of a number with those of extension headers and protocols.
    fn by_kind(&mut self, kinds: &Kinds, walked: Label) -> Label {
        let &Kinds { same_form, fragment, authentication } = kinds;
        let headers = SAME_FORM.map(|number| (number, Some(same_form)));
        let others = [(AUTHENTICATION, Some(authentication)), (FRAGMENT, Some(fragment))];
        let protocols = [(UDP, Some(walked)), (TCP, Some(walked))];
        self.code.choose(others.into_iter().chain(headers).chain(protocols), self.drop)
    }

    /// Adds the walk over one header of each kind, after which the number of the next one is loaded.
    fn extension(&mut self, next: Label) -> Kinds {
        let drop = self.drop;
        let next = self.code.load_kept(next);
        let longer = self.code.add_to_index(LENGTH_LEAST, next);

        let units = self.code.double(EIGHT_BYTES, longer);
        let length = self.load_extension(Size::Byte, LENGTH, units);
        let same_form = self.keep_next(length);

        let units = self.code.double(FOUR_BYTES, longer);
        // It would be shorter than an authentication header can be.
        let is_possible = self.code.compare(Compare::Equal, 0, drop, units);
        let length = self.load_extension(Size::Byte, LENGTH, is_possible);
        let authentication = self.keep_next(length);

        let length = self.code.load_number(0, longer);
        let first = self.keep_next(length);
        let is_first = self.code.compare(Compare::AnyBit, OFFSET_BITS, drop, first);
        let fragment = self.load_extension(Size::Half, OFFSET, is_first);
        Kinds { same_form, fragment, authentication }
    }

    /// Adds that the number of the header after this one is kept.
    fn keep_next(&mut self, next: Label) -> Label {
        let next = self.code.keep(next);
        self.load_extension(Size::Byte, NEXT, next)
    }

    /// Adds a load from the extension header that begins at the index.
    fn load_extension(&mut self, size: Size, at: u32, next: Label) -> Label {
        self.code.load_after_header(size, self.network.saturating_add(at), next)
    }
}
