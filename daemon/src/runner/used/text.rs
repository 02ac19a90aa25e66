//! The lines of the file.

use std::net::IpAddr;

use knock_engine::{PeriodOfDoor, address};
use knock_signed::SequenceId;

use super::Use;

/// The first line.
pub(super) const HEADER: &str = "# derived sequences that were used; knockd writes this file\n";

/// Returns the line for a use.
pub(super) fn line((one, client): Use) -> String {
    let PeriodOfDoor { sequence, period } = one;
    let sequence = sequence.to_bits();
    match client {
        Some(client) => format!("used {sequence:016x} {period} {}\n", address::text(client)),
        None => format!("forgotten {sequence:016x} {period}\n"),
    }
}

/// Returns the uses in a text, and the numbers of the lines that cannot be read.
pub(super) fn parse(text: &[u8]) -> (Vec<Use>, Vec<usize>) {
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
    let kind = words.next()?;
    let sequence = SequenceId::from_bits(u64::from_str_radix(words.next()?, 16).ok()?);
    let one = PeriodOfDoor { sequence, period: words.next()?.parse().ok()? };
    let client: Option<IpAddr> = words.next().map(str::parse).transpose().ok()?;
    let is_whole = words.next().is_none() && (kind == "used") == client.is_some();
    (is_whole && matches!(kind, "used" | "forgotten")).then_some((one, client))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let one = PeriodOfDoor { sequence: SequenceId::from_bits(0xab), period: u32::MAX };
        for client in [None, Some([192, 0, 2, 1].into()), Some("2001:db8::1".parse().unwrap())] {
            let text = line((one, client));
            assert_eq!(parse(text.as_bytes()), (vec![(one, client)], vec![]), "{text}");
        }
        assert_eq!(line((one, None)), "forgotten 00000000000000ab 4294967295\n");
    }

    #[test]
    fn a_line_that_is_not_whole_is_damaged() {
        let text = "# comment\nused ab 7 192.0.2.1\nused ab 7\nforgotten ab 7 192.0.2.1\nused ab 7 x\nother ab 7\n\
                    forgotten ab 7 \n\nused ab -1 192.0.2.1\n\u{ff}\nused ab 7 192.0.2.1";
        let (uses, damaged) = parse(text.as_bytes());
        assert_eq!(uses.len(), 1);
        assert_eq!(damaged, [3, 4, 5, 6, 7, 8, 9, 10, 11]);
    }
}
