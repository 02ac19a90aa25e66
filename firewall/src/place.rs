//! Where in nftables something is.

use std::fmt;
use std::str::FromStr;

/// The packets that a table is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4 and IPv6.
    Inet,
    /// IPv4 only.
    Ip,
    /// IPv6 only.
    Ip6,
}

/// As nft writes it.
impl fmt::Display for Family {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Inet => "inet",
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
        })
    }
}

impl FromStr for Family {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        match text {
            "inet" => Ok(Self::Inet),
            "ip" => Ok(Self::Ip),
            "ip6" => Ok(Self::Ip6),
            _ => Err(PlaceError::Family),
        }
    }
}

/// The name of a table: a letter, `_` or `.`, then letters, digits, `/`, `-`, `_` and `.`, as nft can
/// write it; at most 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName(String);

impl TableName {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FromStr for TableName {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let begins = |byte: &u8| byte.is_ascii_alphabetic() || b"_.".contains(byte);
        let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(byte);
        let is_name = text.as_bytes().first().is_some_and(begins)
            && text.as_bytes().iter().all(goes_on)
            && text.len() <= 255;
        if is_name { Ok(Self(text.to_owned())) } else { Err(PlaceError::Name) }
    }
}

/// A table, such as `inet filter`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Its family.
    pub family: Family,
    /// Its name.
    pub table: TableName,
}

impl Place {
    /// Returns the table of knockd's own: `inet knockd`.
    #[must_use]
    pub fn own() -> Self {
        Self { family: Family::Inet, table: TableName("knockd".to_owned()) }
    }
}

/// As nft writes it.
impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.family, self.table)
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let mut words = text.split_ascii_whitespace();
        let (Some(family), Some(table), None) = (words.next(), words.next(), words.next()) else {
            return Err(PlaceError::Words);
        };
        Ok(Self { family: family.parse()?, table: table.parse()? })
    }
}

/// Why a text names no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceError {
    /// It has not two words.
    Words,
    /// The first word is no family that has addresses.
    Family,
    /// The second word is no name.
    Name,
}

impl fmt::Display for PlaceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Words => "a table has a family and a name, such as \"inet filter\"",
            Self::Family => "the family of the table must be inet, ip or ip6",
            Self::Name => {
                "the name of a table begins with a letter and has only letters, digits and / - _ ."
            }
        })
    }
}

impl std::error::Error for PlaceError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_nft_writes_it() {
        for text in ["inet filter", "ip filter", "ip6 a-b_c.d/e9"] {
            let place: Place = text.parse().unwrap();
            assert_eq!(place.to_string(), text);
        }
        let long = format!("inet {}", "a".repeat(256));
        for (text, error) in [
            ("filter", PlaceError::Words),
            ("inet filter input", PlaceError::Words),
            ("bridge filter", PlaceError::Family),
            ("inet 9filter", PlaceError::Name),
            ("inet fil;ter", PlaceError::Name),
            ("inet fil\u{e4}ter", PlaceError::Name),
            (&long, PlaceError::Name),
        ] {
            assert_eq!(text.parse::<Place>(), Err(error), "{text}");
        }
    }
}
