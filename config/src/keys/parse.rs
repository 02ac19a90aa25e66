//! Reads the text of a file with a key, or reports all its errors.

use std::collections::BTreeMap;

use base64::engine::general_purpose::STANDARD;
use knock_engine::{DoorName, Port};
use knock_signed::Key;

use super::day::Day;
use super::entry::Entry;
use super::key_base64::decode_key;
use super::key_file::KeyFile;
use super::mask::{is_shown, mask};
use crate::diagnostics::{Faults, Source};
use crate::lex::{Piece, Text};
use crate::text::Excerpt;
use crate::wording::Wording;

/// What [`parse_key_file`] made of a text.
#[derive(Clone, Debug)]
pub struct ParsedKey {
    /// What the file says; `None` if and only if there is an error.
    pub key_file: Option<KeyFile>,
    /// The text with its errors. Whatever may be of a key has been replaced by `*`.
    pub source: Source,
}

/// Reads the text of a file with a key. Any bytes will do.
///
/// `name` is that of the file, fit to be printed.
#[must_use]
pub fn parse_key_file(name: String, text: &[u8]) -> ParsedKey {
    let mut reader = Reader::default();
    let lines = Text::new(text);
    for line in lines.lines() {
        reader.read(line.trimmed());
    }
    let first = lines.lines().next().map(|line| line.trimmed().empty_at_start());
    // Another error may say where it is.
    let is_missing = !reader.given.contains_key(&Entry::Key) && reader.faults.errors() == 0;
    if let Some(first) = first.filter(|_| is_missing) {
        let wording = Wording::new("there is no key in this file", "no line begins with `key =`");
        reader.faults.error(first, wording.help(HOW_TO_MAKE));
    }
    let Reader { faults, key, doors, until, server, port, given: _ } = reader;
    let key = key.filter(|_| faults.errors() == 0);
    ParsedKey {
        key_file: key.map(|key| KeyFile { key, doors, until, server, port }),
        source: faults.into_source(name, mask(text).to_vec()),
    }
}

const HOW_TO_MAKE: &str = "make a key with `knock enroll`, or write `key = ` and the output of `head -c 32 /dev/urandom | base64`";

/// The most doors of a key: those of a configuration.
const DOORS_MAX: usize = 1_000;

#[derive(Default)]
struct Reader {
    faults: Faults,
    /// The line of each entry.
    given: BTreeMap<Entry, u32>,
    key: Option<Key>,
    doors: Vec<DoorName>,
    until: Option<Day>,
    server: Option<String>,
    port: Option<Port>,
}

impl Reader {
    fn read(&mut self, line: Piece<'_>) {
        if line.is_empty() || line.bytes().starts_with(b"#") {
            return;
        }
        let Some((name, value)) = line.split_once(b'=') else {
            let wording = Wording::new("a line without `=`", "expected an entry and its value");
            return self.faults.error(line, wording.help(KNOWN));
        };
        let (name, value) = (name.trim(), value.trim());
        let Some(entry) = Entry::from_name(name.bytes()) else { return self.unknown(line, name) };
        if let Some(first) = self.given.insert(entry, line.line().number) {
            let message = format!("a second `{}`", entry.name());
            let wording = Wording::new(message, format!("the first one is on line {first}"));
            return self.faults.error(name, wording.help("remove one of the two"));
        }
        if value.is_empty() {
            let message = format!("no value after `{}`", entry.name());
            let wording = Wording::new(message, "expected a value after this");
            let help = format!("such as `{}`", entry.example());
            return self.faults.error(name, wording.help(help));
        }
        match entry {
            Entry::Key => self.key(value),
            Entry::Doors => self.doors(value),
            Entry::Until => self.until(value),
            Entry::Server => self.server(value),
            Entry::Port => self.port(value),
        }
    }

    fn unknown(&mut self, line: Piece<'_>, name: Piece<'_>) {
        if !is_shown(name.bytes()) || name.is_empty() {
            let wording = Wording::new("not an entry of a key file", "expected a known entry");
            return self.faults.error(line, wording.help(KNOWN));
        }
        let message = format!("unknown entry `{}`", Excerpt::new(name.bytes()));
        let nearest = self.faults.nearest(name.bytes(), Entry::ALL.map(Entry::name));
        let help = nearest.map_or(KNOWN.to_owned(), |near| format!("did you mean `{near}`?"));
        self.faults.error(name, Wording::new(message, "not a known entry").help(help));
    }

    fn key(&mut self, value: Piece<'_>) {
        self.key = decode_key(value.bytes(), &STANDARD);
        if self.key.is_none() {
            let wording = Wording::new("the key is not 32 bytes in base64", "this value");
            self.faults.error(value, wording.help(HOW_TO_MAKE));
        }
    }

    fn doors(&mut self, value: Piece<'_>) {
        for name in value.split(b',').map(Piece::trim) {
            if name.is_empty() {
                let wording = Wording::new("a door without a name", "expected the name of a door");
                return self.faults.error(name, wording.help("remove the comma"));
            }
            if self.doors.len() >= DOORS_MAX {
                let message = format!("more than {DOORS_MAX} doors");
                let wording = Wording::new(message, "one too many");
                return self.faults.error(name, wording.help("remove the line to allow all doors"));
            }
            self.doors.push(DoorName::new(name.bytes()));
        }
    }

    fn until(&mut self, value: Piece<'_>) {
        self.until = std::str::from_utf8(value.bytes()).ok().and_then(Day::parse);
        if self.until.is_none() {
            let message = format!("`{}` is not a day", Excerpt::new(value.bytes()));
            let wording = Wording::new(message, format!("expected a day up to {}", Day::LAST));
            self.faults.error(value, wording.help("write it as `until = 2027-01-31`"));
        }
    }

    fn server(&mut self, value: Piece<'_>) {
        self.server = server_name(value.bytes());
        if self.server.is_none() {
            let message = format!("`{}` is not a name of a server", Excerpt::new(value.bytes()));
            let wording = Wording::new(message, "expected the `Server_Name` of the server");
            self.faults.error(value, wording.help("such as `server = home.example.com`"));
        }
    }

    fn port(&mut self, value: Piece<'_>) {
        let is_number = value.bytes().iter().all(u8::is_ascii_digit);
        let port = std::str::from_utf8(value.bytes()).ok().and_then(|text| text.parse().ok());
        self.port = port.filter(|port| is_number && *port != 0).map(Port);
        if self.port.is_none() {
            let message = format!("`{}` is not a port", Excerpt::new(value.bytes()));
            let wording = Wording::new(message, "expected a number from 1 to 65535");
            self.faults.error(value, wording.help("write the `Knock_Port` of the server"));
        }
    }
}

/// The way out of a line that is no entry.
const KNOWN: &str =
    "the entries are `key`, `doors`, `until`, `server` and `port`; comments begin with `#`";

/// Reads the name of a server: 1 to 253 visible characters of ASCII.
#[must_use]
pub fn server_name(name: &[u8]) -> Option<String> {
    const BYTES_MAX: usize = 253;
    let is_one = (1..=BYTES_MAX).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic);
    is_one.then(|| String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lex::is_blank;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn read(text: impl AsRef<[u8]>) -> KeyFile {
        let parsed = parse_key_file("k".to_owned(), text.as_ref());
        parsed.key_file.unwrap_or_else(|| panic!("{:?}", parsed.source.findings))
    }

    /// Returns the messages, each with its line and column.
    fn faults(text: &str) -> Vec<(u32, u32, String)> {
        let ParsedKey { key_file, source } = parse_key_file("k".to_owned(), text.as_bytes());
        assert_eq!(key_file, None);
        let found = source.findings.into_iter().map(|finding| {
            let span = finding.span.unwrap();
            (span.line, span.column, finding.wording.message)
        });
        found.collect()
    }

    #[test]
    fn a_file_of_a_server_and_one_of_a_client_are_read() {
        let server =
            read(format!("# alice\r\n\n KEY={KEY}\r\ndoors = SSH , web\nuntil = 2027-01-31\n"));
        let doors: Vec<String> = server.doors.iter().map(DoorName::to_string).collect();
        assert_eq!(doors, ["SSH", "web"]);
        assert_eq!(server.until, Day::parse("2027-01-31"));
        let client = read(format!("server = home.example.com\nport = 1234\nkey = {KEY}"));
        assert_eq!(client.key, server.key);
        assert_eq!(
            (client.server.as_deref(), client.port),
            (Some("home.example.com"), Some(Port(1234)))
        );
        assert!(client.doors.is_empty());
    }

    #[test]
    fn what_is_written_is_read() {
        let mut key_file = KeyFile::new(Key::take(&mut [7; 32]));
        assert_eq!(read(&*key_file.text()), key_file);
        key_file.doors = vec![DoorName::new(b"SSH"), DoorName::new(b"a \xff door")];
        key_file.until = Day::parse("2030-12-31");
        key_file.server = Some("home.example.com".to_owned());
        key_file.port = Some(Port(62_201));
        assert_eq!(read(&*key_file.text()), key_file);
    }

    #[test]
    fn every_mistake_has_its_place() {
        let one = |text: &str| {
            let mut found = faults(&format!("{text}\nkey = {KEY}\n"));
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            found.remove(0)
        };
        let place = |line, column, message: &str| (line, column, message.to_owned());
        assert_eq!(one("abc"), place(1, 1, "a line without `=`"));
        assert_eq!(one("door = SSH"), place(1, 1, "unknown entry `door`"));
        assert_eq!(one("= SSH"), place(1, 1, "not an entry of a key file"));
        assert_eq!(one("doors ="), place(1, 1, "no value after `doors`"));
        assert_eq!(one("doors = a,,b"), place(1, 11, "a door without a name"));
        assert_eq!(one("until = 2027-02-29"), place(1, 9, "`2027-02-29` is not a day"));
        assert_eq!(one("server = a b"), place(1, 10, "`a b` is not a name of a server"));
        assert_eq!(one("port = +1"), place(1, 8, "`+1` is not a port"));
        assert_eq!(one("port = 65536"), place(1, 8, "`65536` is not a port"));
        assert_eq!(one(&format!("key = {KEY}")), place(2, 1, "a second `key`"));
    }

    #[test]
    fn a_file_without_a_key_is_refused() {
        assert_eq!(faults(""), [(1, 1, "there is no key in this file".to_owned())]);
        assert_eq!(faults("# key = x")[0].2, "there is no key in this file");
        for bad in ["", "AAAA", &KEY[..43], &KEY[4..], &format!("{KEY}{KEY}")] {
            assert_eq!(faults(&format!("key = {bad}")).len(), 1, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: Vec<u8>) {
            let ParsedKey { key_file, source } = parse_key_file(String::new(), &text);
            prop_assert_eq!(key_file.is_none(), !source.findings.is_empty());
        }

        #[test]
        fn any_names_of_doors_are_written_and_read(
            doors in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..6), 0..4),
        ) {
            let is_name = |name: &&Vec<u8>| {
                let is_plain = |byte: &u8| !matches!(byte, b',' | b'\n') && !is_blank(*byte);
                name.iter().all(is_plain)
            };
            let doors = doors.iter().filter(is_name).map(|name| DoorName::new(name)).collect();
            let key_file = KeyFile { doors, ..KeyFile::new(Key::take(&mut [7; 32])) };
            prop_assert_eq!(read(&*key_file.text()), key_file);
        }

        /// Wherever the key is, and whatever is wrong there, no diagnostic has a part of it.
        #[test]
        fn no_diagnostic_shows_a_key(
            before in "(key|keys|k|doors|#)? ?=?[ =]?",
            after in "[ =x]?",
            again: bool,
        ) {
            let line = format!("{before}{KEY}{after}\n");
            // A name of a door is shown, and this one looks like a key.
            prop_assume!(!before.starts_with("doors"));
            let text = if again { line.repeat(2) } else { line };
            let source = parse_key_file(String::new(), text.as_bytes()).source;
            let shown = String::from_utf8_lossy(&source.text).into_owned();
            prop_assert!(!shown.contains(&KEY[..8]), "{}", shown);
            let findings = format!("{:?}", source.findings);
            prop_assert!(!findings.contains(&KEY[..8]), "{}", findings);
        }
    }
}
