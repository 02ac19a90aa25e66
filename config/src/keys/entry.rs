//! The entries of a file with a key.

/// An entry of a file with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entry {
    Key,
    Doors,
    Until,
    Server,
    Port,
}

impl Entry {
    /// All of them, in the order in which they are written.
    pub(super) const ALL: [Self; 5] =
        [Self::Key, Self::Doors, Self::Until, Self::Server, Self::Port];

    /// Reads a name, in upper or lower case.
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|entry| entry.name().as_bytes().eq_ignore_ascii_case(name))
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Doors => "doors",
            Self::Until => "until",
            Self::Server => "server",
            Self::Port => "port",
        }
    }

    /// Returns an example of its value.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Key => "key = BASE64",
            Self::Doors => "doors = SSH,web",
            Self::Until => "until = 2027-01-31",
            Self::Server => "server = home.example.com",
            Self::Port => "port = 62201",
        }
    }
}
