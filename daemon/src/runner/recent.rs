//! The latest log lines, in memory, for the control socket.

use std::collections::VecDeque;
use std::net::IpAddr;

use knock_engine::address;

use super::output::About;

/// How many lines are kept.
const LINES_MAX: usize = 4_096;

/// How many bytes they have at most. A single line has no more than a few thousand.
const BYTES_MAX: usize = 1 << 20;

/// A line, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecentLine {
    pub(super) text: Vec<u8>,
    pub(super) client: Option<IpAddr>,
    pub(super) about: About,
}

impl RecentLine {
    /// Returns a line that is only a text.
    #[cfg(test)]
    pub(super) fn plain(text: impl Into<Vec<u8>>) -> Self {
        Self { text: text.into(), client: None, about: About::default() }
    }

    /// Returns how many bytes its text and names have.
    fn bytes(&self) -> usize {
        let About { door, event: _, user } = &self.about;
        let names = [door, user].into_iter().flatten().map(Vec::len);
        names.fold(self.text.len(), usize::saturating_add)
    }
}

/// The latest lines. They are numbered since the start, so that a reader knows which it has missed.
#[derive(Debug, Default)]
pub(super) struct Recent {
    lines: VecDeque<RecentLine>,
    bytes: usize,
    /// The number of the next line.
    next: u64,
}

impl Recent {
    /// Adds a line, and removes the oldest ones if there are too many.
    pub(super) fn push(&mut self, line: RecentLine) {
        self.bytes = self.bytes.saturating_add(line.bytes());
        self.lines.push_back(line);
        self.next = self.next.saturating_add(1);
        while self.lines.len() > LINES_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
        }
    }

    /// Returns the number of the next line.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Returns the first line from a number on: its own number, which is larger if lines were removed
    /// meanwhile, and the line.
    pub(super) fn from(&self, number: u64) -> Option<(u64, &RecentLine)> {
        let count = u64::try_from(self.lines.len()).unwrap_or(u64::MAX);
        let oldest = self.next.saturating_sub(count);
        let number = number.max(oldest);
        let place = usize::try_from(number.saturating_sub(oldest)).ok()?;
        self.lines.get(place).map(|line| (number, line))
    }

    /// Returns the lines that name a client, oldest first.
    pub(super) fn about(&self, client: IpAddr) -> impl Iterator<Item = &[u8]> {
        let mut name = Vec::new();
        address::write(client, &mut name);
        self.lines.iter().map(|line| &line.text[..]).filter(move |line| names(line, &name))
    }
}

/// Returns whether a line has an address in it, and not just as a part of a longer one.
fn names(line: &[u8], address: &[u8]) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    line.windows(address.len().max(1)).enumerate().any(|(start, window)| {
        let end = start.saturating_add(address.len());
        let before = line.get(..start).unwrap_or_default();
        let after = line.get(end..).unwrap_or_default();
        // A colon and a blank may follow, as in most lines, but no more of an address.
        let goes_on = match after {
            [b':' | b'.', next, ..] => next.is_ascii_hexdigit() || *next == b':',
            after => is_part(after.first()),
        };
        let went_on = matches!(before.last(), Some(b':' | b'.')) || is_part(before.last());
        window == address && !goes_on && !went_on
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
        lines.map(|line| String::from_utf8(line.to_vec()).unwrap()).collect()
    }

    #[test]
    fn only_lines_about_the_client_are_found() {
        let mut recent = Recent::default();
        for text in [
            "192.0.2.1: ssh: Stage 1",
            "192.0.2.10: ssh: Stage 1",
            "10.192.0.2.1: no address",
            "ssh: running command: open 192.0.2.1/32",
            "1192.0.2.1: ssh: Stage 1",
            "ssh: STAYS OPEN for 192.0.2.1",
            "2001:db8::1: ssh: Stage 1",
            "2001:db8::1:2: ssh: Stage 1",
        ] {
            recent.push(RecentLine::plain(text));
        }
        let about = |client: &str| texts(recent.about(client.parse().unwrap()));
        assert_eq!(
            about("192.0.2.1"),
            [
                "192.0.2.1: ssh: Stage 1",
                "ssh: running command: open 192.0.2.1/32",
                "ssh: STAYS OPEN for 192.0.2.1"
            ]
        );
        assert_eq!(about("2001:db8::1"), ["2001:db8::1: ssh: Stage 1"]);
        assert_eq!(about("2001:db8::1:2"), ["2001:db8::1:2: ssh: Stage 1"]);
        assert_eq!(about("192.0.2.2"), [""; 0]);
    }

    #[test]
    fn the_oldest_lines_make_room_and_readers_know_what_they_missed() {
        let mut recent = Recent::default();
        assert_eq!(recent.from(0), None);
        for number in 0..LINES_MAX + 10 {
            recent.push(RecentLine::plain(number.to_string()));
        }
        assert_eq!(recent.from(0), Some((10, &RecentLine::plain("10"))));
        assert_eq!(recent.from(50), Some((50, &RecentLine::plain("50"))));
        assert_eq!(recent.from(recent.next()), None);
        // Long lines are limited by their bytes.
        recent.push(RecentLine::plain(vec![b'x'; BYTES_MAX]));
        assert_eq!(recent.lines.len(), 1);
        recent.push(RecentLine::plain("last"));
        assert_eq!(texts(recent.lines.iter().map(|line| &line.text[..])), ["last"]);
    }
}
