//! Keys as addresses: `knock://alice@home.example.com:62201/SSH?key=...&until=2027-01-31`.

use std::fmt::Write as _;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use knock_config::UserName;
use knock_config::keys::{Day, KeyFile, decode_key, encode_key, server_name};
use knock_engine::{DoorName, Port};
use zeroize::Zeroizing;

/// What each begins with.
pub(super) const SCHEME: &str = "knock://";

/// Why a text is not such an address. It never says what the text is, because the key is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UriFault {
    Scheme,
    Server,
    Port,
    Door,
    Key,
    Until,
    Unknown,
}

impl UriFault {
    /// Returns what is wrong.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Scheme => "it does not begin with `knock://`",
            Self::Server => "it has no name of a server between `knock://` and `/`",
            Self::Port => "its port is not a number from 1 to 65535",
            Self::Door => "a name of a door in it is empty, or not as URIs write it",
            Self::Key => "it has no `key=` with 32 bytes in base64",
            Self::Until => "what follows `until=` in it is not a day",
            Self::Unknown => "it has a part that is unknown here",
        }
    }
}

/// Writes a key for a client of a user.
pub(crate) fn write(user: &UserName, key_file: &KeyFile) -> Zeroizing<String> {
    let KeyFile { key, doors, until, server, port } = key_file;
    // With this capacity the key is not copied to another place.
    let mut uri = Zeroizing::new(String::with_capacity(8_192));
    uri.push_str(SCHEME);
    push_escaped(&mut uri, user.as_bytes());
    uri.push('@');
    push_escaped(&mut uri, server.as_deref().unwrap_or_default().as_bytes());
    // Writing to a string cannot fail.
    if let Some(Port(port)) = port {
        let _ = write!(uri, ":{port}");
    }
    for (number, door) in doors.iter().enumerate() {
        uri.push(if number == 0 { '/' } else { ',' });
        push_escaped(&mut uri, door.as_bytes());
    }
    let _ = write!(uri, "?key={}", *encode_key(key, &URL_SAFE_NO_PAD));
    if let Some(until) = until {
        let _ = write!(uri, "&until={until}");
    }
    uri
}

/// Reads a key for a client.
///
/// # Errors
/// [`UriFault`].
pub(crate) fn read(uri: &str) -> Result<KeyFile, UriFault> {
    let rest = uri.trim().strip_prefix(SCHEME).ok_or(UriFault::Scheme)?;
    let (place, query) = rest.split_once('?').ok_or(UriFault::Key)?;
    let (server, doors) = place.split_once('/').unwrap_or((place, ""));
    let server = server.rsplit_once('@').map_or(server, |(_, server)| server);
    let (server, port) = match server.split_once(':') {
        Some((server, port)) => (server, Some(read_port(port).ok_or(UriFault::Port)?)),
        None => (server, None),
    };
    let server = unescaped(server).and_then(|name| server_name(&name)).ok_or(UriFault::Server)?;
    let doors = if doors.is_empty() { Vec::new() } else { read_doors(doors)? };
    let (mut key, mut until) = (None, None);
    for part in query.split('&') {
        match part.split_once('=') {
            Some(("key", text)) if key.is_none() => {
                let found = decode_key(text.as_bytes(), &URL_SAFE_NO_PAD);
                key = Some(found.ok_or(UriFault::Key)?);
            }
            Some(("until", day)) if until.is_none() => {
                until = Some(Day::parse(day).ok_or(UriFault::Until)?);
            }
            Some(_) | None => return Err(UriFault::Unknown),
        }
    }
    let key = key.ok_or(UriFault::Key)?;
    Ok(KeyFile { key, doors, until, server: Some(server), port })
}

fn read_port(text: &str) -> Option<Port> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0).map(Port)
}

fn read_doors(text: &str) -> Result<Vec<DoorName>, UriFault> {
    let door = |name| {
        let name = unescaped(name).filter(|name| is_door(name))?;
        Some(DoorName::new(&name))
    };
    text.split(',').map(|name| door(name).ok_or(UriFault::Door)).collect()
}

/// Returns whether a section of knockd.conf can have the name, and a file with a key can say it.
pub(crate) fn is_door(name: &[u8]) -> bool {
    let is_refused = |byte: &u8| byte.is_ascii_control() || matches!(byte, b',' | b']');
    !name.is_empty() && name.trim_ascii() == name && !name.iter().any(is_refused)
}

/// Adds what is not a plain letter of URIs as `%` and two digits.
fn push_escaped(uri: &mut String, text: &[u8]) {
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, tail) = rest.split_first_chunk::<2>()?;
        let digits = std::str::from_utf8(digits).ok().filter(|it| !it.starts_with('+'))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = tail;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use knock_signed::Key;
    use proptest::prelude::*;

    use super::*;

    fn key_file() -> KeyFile {
        KeyFile {
            key: Key::take(&mut std::array::from_fn(|at| u8::try_from(at).unwrap())),
            doors: vec![DoorName::new(b"SSH"), DoorName::new(b"my web")],
            until: Day::parse("2027-01-31"),
            server: Some("home.example.com".to_owned()),
            port: Some(Port(1234)),
        }
    }

    const URI: &str = "knock://alice@home.example.com:1234/SSH,my%20web?\
                       key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8&until=2027-01-31";

    #[test]
    fn a_key_is_written_and_read() {
        let alice = UserName::new(b"alice").unwrap();
        assert_eq!(*write(&alice, &key_file()), URI);
        assert_eq!(read(URI), Ok(key_file()));
        assert_eq!(read(&format!(" {URI}\n")), Ok(key_file()));
        let alone =
            KeyFile { server: Some("2001:db8::1".to_owned()), ..KeyFile::new(key_file().key) };
        let uri = write(&alice, &alone);
        assert!(uri.starts_with("knock://alice@2001%3Adb8%3A%3A1?key="), "{}", *uri);
        assert_eq!(read(&uri), Ok(alone));
    }

    #[test]
    fn every_mistake_is_named() {
        let with = |from: &str, to: &str| read(&URI.replacen(from, to, 1)).unwrap_err();
        assert_eq!(with("knock:", "http:"), UriFault::Scheme);
        assert_eq!(with("home.example.com", ""), UriFault::Server);
        assert_eq!(with("home.example.com", "%zz"), UriFault::Server);
        assert_eq!(with("1234", "0"), UriFault::Port);
        assert_eq!(with("SSH,", ",,"), UriFault::Door);
        assert_eq!(with("SSH,", "%0A,"), UriFault::Door);
        assert_eq!(with("SSH,", "%2,"), UriFault::Door);
        assert_eq!(with("AAEC", "AAE"), UriFault::Key);
        assert_eq!(with("key=", "kez="), UriFault::Unknown);
        assert_eq!(with("&until=", "&until=x"), UriFault::Until);
        assert_eq!(with("&until=2027-01-31", "&key="), UriFault::Unknown);
        assert_eq!(with("?key=", "?until=2027-01-31&k="), UriFault::Unknown);
        assert_eq!(read("knock://a@b?until=2027-01-31"), Err(UriFault::Key));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = read(&text);
            let _ = read(&format!("{SCHEME}{text}"));
            let _ = read(&format!("{URI}{text}"));
        }

        #[test]
        fn any_name_survives(server in "[!-~]{1,60}", doors in prop::collection::vec("[a-zé#%?&=/: ]{1,9}", 0..4)) {
            let doors: Vec<_> = doors.iter().map(|door| door.trim()).filter(|door| !door.is_empty()).collect();
            let doors = doors.iter().map(|door| DoorName::new(door.as_bytes())).collect();
            let key_file = KeyFile { server: Some(server), doors, ..key_file() };
            let uri = write(&UserName::new(b"alice").unwrap(), &key_file);
            prop_assert_eq!(read(&uri), Ok(key_file));
        }
    }
}
