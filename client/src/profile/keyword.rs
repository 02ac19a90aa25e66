//! The keywords of profiles.

/// A keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Keyword {
    Host,
    HostName,
    Knocks,
    Delay,
    Then,
    Wait,
    Retry,
    Source,
    Interface,
    AddressFamily,
    Key,
    Config,
    Door,
    OneTimeSequences,
}

impl Keyword {
    /// All keywords, in the order of the manual.
    pub(super) const ALL: [Self; 14] = [
        Self::Host,
        Self::HostName,
        Self::Knocks,
        Self::Delay,
        Self::Then,
        Self::Wait,
        Self::Retry,
        Self::Source,
        Self::Interface,
        Self::AddressFamily,
        Self::Key,
        Self::Config,
        Self::Door,
        Self::OneTimeSequences,
    ];

    /// Reads a keyword, in upper or lower case; as in `knockd.conf`, its parts may have a `_` between them.
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        let letters: Vec<u8> = name.iter().copied().filter(|byte| *byte != b'_').collect();
        let is_meant = |keyword: &Self| keyword.name().as_bytes().eq_ignore_ascii_case(&letters);
        Self::ALL.into_iter().find(is_meant)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Host => "Host",
            Self::HostName => "HostName",
            Self::Knocks => "Knocks",
            Self::Delay => "Delay",
            Self::Then => "Then",
            Self::Wait => "Wait",
            Self::Retry => "Retry",
            Self::Source => "Source",
            Self::Interface => "Interface",
            Self::AddressFamily => "AddressFamily",
            Self::Key => "Key",
            Self::Config => "Config",
            Self::Door => "Door",
            Self::OneTimeSequences => "OneTimeSequences",
        }
    }

    /// Returns an example of the keyword with a value.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Host => "Host home",
            Self::HostName => "HostName home.example.com",
            Self::Knocks => "Knocks 7000 8000:udp 9000",
            Self::Delay => "Delay 200ms",
            Self::Then => "Then 22",
            Self::Wait => "Wait 5s",
            Self::Retry => "Retry 2",
            Self::Source => "Source 192.0.2.7",
            Self::Interface => "Interface eth0",
            Self::AddressFamily => "AddressFamily inet",
            Self::Key => "Key ~/.config/knock/home.key",
            Self::Config => "Config ~/knockd.conf",
            Self::Door => "Door openSSH",
            Self::OneTimeSequences => "OneTimeSequences ~/home.sequences",
        }
    }
}

/// Returns what to use in place of a keyword of `ssh_config` that people are likely to try.
pub(super) fn only_of_ssh(name: &[u8]) -> Option<&'static str> {
    let known =
        |names: &[&str]| names.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
    if known(&["Include"]) {
        return Some("write the profiles into this file, or name another file with `--profiles`");
    }
    if known(&["Match"]) {
        return Some(
            "only `Host` begins a profile; it takes patterns: `Host *.example.com !test*`",
        );
    }
    if known(&["Port"]) {
        return Some("set the port to wait for with `Then`, the ports to knock at with `Knocks`");
    }
    if known(&["BindAddress"]) {
        return Some("set the address to knock from with `Source`");
    }
    if known(&["BindInterface"]) {
        return Some("set the interface to knock through with `Interface`");
    }
    let of_logins = [
        "User",
        "IdentityFile",
        "IdentitiesOnly",
        "ProxyCommand",
        "ProxyJump",
        "ForwardAgent",
        "LocalForward",
        "ServerAliveInterval",
        "HostKeyAlias",
        "LogLevel",
        "Compression",
    ];
    known(&of_logins).then_some("this file says how to knock; ~/.ssh/config says how to log in")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_is_read_in_any_case_and_with_the_underscores_of_the_server() {
        for name in ["OneTimeSequences", "onetimesequences", "One_Time_Sequences"] {
            assert_eq!(Keyword::from_name(name.as_bytes()), Some(Keyword::OneTimeSequences));
        }
        assert_eq!(Keyword::from_name(b"Hosts"), None);
        assert_eq!(Keyword::from_name(b""), None);
        assert_eq!(Keyword::from_name(b"_"), None);
    }

    #[test]
    fn every_example_begins_with_its_keyword() {
        for keyword in Keyword::ALL {
            let first = keyword.example().split(' ').next().unwrap();
            assert_eq!(Keyword::from_name(first.as_bytes()), Some(keyword));
        }
    }
}
