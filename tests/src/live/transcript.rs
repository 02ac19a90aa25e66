//! Compares what a live knockd printed with a replay.

use std::collections::BTreeMap;

/// A transcript without its random parts.
///
/// knockd runs the commands of an opening in a child. The lines that a child prints (`running command`,
/// `command timeout`) may come between any lines of the daemon and of other children, but stay in order
/// among themselves.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Transcript<'a> {
    /// What the daemon itself printed.
    daemon: Vec<&'a str>,
    /// What children printed, by door and client.
    children: BTreeMap<(&'a str, &'a str), Vec<&'a str>>,
}

impl<'a> Transcript<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut transcript = Self { daemon: Vec::new(), children: BTreeMap::new() };
        for line in text.lines() {
            match child(line) {
                Some(child) => transcript.children.entry(child).or_default().push(line),
                None => transcript.daemon.push(line),
            }
        }
        transcript
    }
}

/// Returns the door and the client whose child printed a line. Commands must end with `%IP%` after a
/// blank or `-`.
fn child(line: &str) -> Option<(&str, &str)> {
    if let Some((door, command)) = line.split_once(": running command: ") {
        return Some((door, command.rsplit([' ', '-']).next().unwrap_or_default()));
    }
    let (client, door) = line.strip_suffix(": command timeout")?.split_once(": ")?;
    Some((door, client))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
192.0.2.10: a: Stage 1
192.0.2.10: a: OPEN SESAME
a: running command: open 192.0.2.10
2001:db8::10: a: Stage 1
2001:db8::10: a: OPEN SESAME
a: running command: touch open-2001:db8::10
192.0.2.10: a: command timeout
a: running command: shut 192.0.2.10
";

    /// Returns the lines of the text in another order.
    fn ordered(order: [usize; 8]) -> String {
        let lines: Vec<&str> = TEXT.lines().collect();
        order.map(|place| lines[place]).join("\n")
    }

    #[test]
    fn lines_of_children_may_come_at_any_time() {
        for order in [[0, 1, 3, 4, 5, 2, 6, 7], [0, 1, 2, 6, 7, 3, 4, 5]] {
            assert_eq!(Transcript::new(&ordered(order)), Transcript::new(TEXT));
        }
    }

    #[test]
    fn lines_of_the_daemon_and_of_one_child_keep_their_order() {
        for order in [[1, 0, 2, 3, 4, 5, 6, 7], [0, 1, 6, 3, 4, 5, 2, 7], [0, 3, 2, 1, 4, 5, 6, 7]]
        {
            assert_ne!(Transcript::new(&ordered(order)), Transcript::new(TEXT));
        }
    }

    #[test]
    fn no_line_may_be_missing_or_come_twice() {
        for lines in [&[0, 1, 2, 3, 4, 5, 6][..], &[0, 1, 2, 3, 4, 5, 5, 6, 7]] {
            let all: Vec<&str> = TEXT.lines().collect();
            let text: Vec<&str> = lines.iter().map(|&line: &usize| all[line]).collect();
            assert_ne!(Transcript::new(&text.join("\n")), Transcript::new(TEXT));
        }
    }
}
