//! The lines of the file `used` in the state folder of the daemon: which derived sequences and signed packets were used.

use std::net::IpAddr;

use knock_engine::{PeriodOfDoor, address};
use knock_signed::{KeyId, Moment, SequenceId};

/// A use, or what stands for earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Of a sequence, by a client or, where there is none, by any: then those of earlier periods are used, too.
    Period(PeriodOfDoor, Option<IpAddr>),
    /// Of a signed packet.
    Moment(KeyId, Moment),
    /// No signed packet counts with this moment or an earlier one.
    Floor(Moment),
}

/// The most of a file that is read, in bytes.
pub const BYTES_MAX: u64 = 64 << 20;

/// The first line.
pub const HEADER: &str =
    "# derived sequences and signed packets that were used; knockd writes this file\n";

/// Returns the line for a use.
#[must_use]
pub fn line(one: Use) -> String {
    match one {
        Use::Period(PeriodOfDoor { sequence, period }, client) => {
            let sequence = sequence.to_bits();
            match client {
                Some(client) => {
                    format!("used {sequence:016x} {period} {}\n", address::text(client))
                }
                None => format!("forgotten {sequence:016x} {period}\n"),
            }
        }
        Use::Moment(key, Moment(moment)) => format!("moment {key} {moment}\n"),
        Use::Floor(Moment(floor)) => format!("floor {floor}\n"),
    }
}

/// Returns the uses in a text, and the numbers of the lines that cannot be read. A last line without an end is one of
/// them: it may be only the beginning of what was written.
#[must_use]
pub fn parse(text: &[u8]) -> (Vec<Use>, Vec<usize>) {
    let (mut uses, mut damaged) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
        if line.starts_with(b"#") {
            continue;
        }
        match parse_line(line) {
            Some(one) => uses.push(one),
            None => damaged.push(number),
        }
    }
    (uses, damaged)
}

fn parse_line(line: &[u8]) -> Option<Use> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let mut words = line.split(' ');
    let one = match words.next()? {
        "used" => {
            let one = period(&mut words)?;
            Use::Period(one, Some(words.next()?.parse().ok()?))
        }
        "forgotten" => Use::Period(period(&mut words)?, None),
        "moment" => {
            let key = KeyId(u64::from_str_radix(words.next()?, 16).ok()?.to_be_bytes());
            Use::Moment(key, Moment(words.next()?.parse().ok()?))
        }
        "floor" => Use::Floor(Moment(words.next()?.parse().ok()?)),
        _ => return None,
    };
    words.next().is_none().then_some(one)
}

fn period<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<PeriodOfDoor> {
    let sequence = SequenceId::from_bits(u64::from_str_radix(words.next()?, 16).ok()?);
    Some(PeriodOfDoor { sequence, period: words.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let one = PeriodOfDoor { sequence: SequenceId::from_bits(0xab), period: u32::MAX };
        for client in [None, Some([192, 0, 2, 1].into()), Some("2001:db8::1".parse().unwrap())] {
            let one = Use::Period(one, client);
            let text = line(one);
            assert_eq!(parse(text.as_bytes()), (vec![one], vec![]), "{text}");
        }
        for one in [Use::Moment(KeyId([0xab; 8]), Moment(u64::MAX)), Use::Floor(Moment(7))] {
            let text = line(one);
            assert_eq!(parse(text.as_bytes()), (vec![one], vec![]), "{text}");
        }
        assert_eq!(line(Use::Moment(KeyId([0xab; 8]), Moment(9))), "moment abababababababab 9\n");
        assert_eq!(line(Use::Period(one, None)), "forgotten 00000000000000ab 4294967295\n");
    }

    #[test]
    fn a_line_that_is_not_whole_is_damaged() {
        let text = "# comment\nused ab 7 192.0.2.1\nused ab 7\nforgotten ab 7 192.0.2.1\nused ab 7 x\nother ab 7\n\
                    forgotten ab 7 \n\nused ab -1 192.0.2.1\n\u{ff}\nmoment ab\nmoment ab 7 8\nfloor\n\
                    used ab 7 192.0.2.1";
        let (uses, damaged) = parse(text.as_bytes());
        assert_eq!(uses.len(), 1);
        assert_eq!(damaged, [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    }
}
