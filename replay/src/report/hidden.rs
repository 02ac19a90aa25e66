//! Secrets that still open a door, which a page does not show.

/// Replaces the ports of knocks, such as `7000/tcp`, in a text about a sequence that still opens its
/// door.
pub(super) fn without_ports(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|character: char| character.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let end = from.find(|character: char| !character.is_ascii_digit()).unwrap_or(from.len());
        let (digits, after) = from.split_at(end);
        let is_knock = after.starts_with("/tcp") || after.starts_with("/udp");
        out.push_str(if is_knock { HIDDEN } else { digits });
        rest = after;
    }
    out + rest
}

/// What is shown in place of a port.
pub(super) const HIDDEN: &str = "(hidden)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_knocks_are_hidden_and_other_numbers_are_not() {
        let text = "packet 12 void at stage 2 of 3: wrong port (expected 9000/tcp, got 9001/udp)";
        let hidden =
            "packet 12 void at stage 2 of 3: wrong port (expected (hidden)/tcp, got (hidden)/udp)";
        assert_eq!(without_ports(text), hidden);
        assert_eq!(without_ports("7000/tcp"), "(hidden)/tcp");
        assert_eq!(without_ports("seq_timeout = 7"), "seq_timeout = 7");
        assert_eq!(without_ports(""), "");
    }
}
