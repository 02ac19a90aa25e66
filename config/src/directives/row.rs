//! The properties of a directive.

use knock_engine::Seconds;

/// A row of the table of directives.
pub(crate) struct Row {
    /// Every name, in lower case, the usual one before its alias.
    pub(super) names: &'static [&'static str],
    pub(super) section: Section,
    pub(super) value: Value,
    pub(super) absent: Absent,
    pub(super) again: Again,
    /// Whether knockd 0.8 knows it.
    pub(super) is_in_08: bool,
    /// How the manual page writes it: words between backticks are bold.
    pub(super) usage: &'static str,
    /// Its paragraph of the manual page.
    pub(super) manual: &'static str,
}

/// The sections a directive can belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `[options]`.
    Options,
    /// A door.
    Door,
    /// `[options]`, and doors because knockd 0.8 takes it there.
    Anywhere,
}

/// What the value of a directive is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    /// There is none.
    Nothing,
    /// The name of a file.
    FileName,
    /// Names of interfaces.
    Interfaces,
    /// The name of a user.
    User,
    /// One of a few words.
    OneOf(Words),
    /// Ports with their protocols.
    Knocks,
    /// A number of seconds.
    Seconds(Least),
    /// A number of seconds, or of minutes, hours or days with their letter.
    Duration,
    /// A number of openings in a minute.
    PerMinute,
    /// Addresses and prefixes.
    Prefixes,
    /// How many knocks a sequence has.
    KnockCount,
    /// Consecutive ports with their protocol.
    PortSpan,
    /// A port.
    Port,
    /// The name of a server.
    ServerName,
    /// Names of users with keys.
    KeyUsers,
    /// Protocols and ports to open.
    Ports,
    /// A firewall.
    Firewall,
    /// TCP flags.
    Flags,
    /// An IP address.
    Address,
    /// A command.
    Command,
}

/// The words that a value can be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    /// The words.
    pub(crate) known: &'static [&'static str],
    /// What they name, after "unknown".
    pub(crate) thing: &'static str,
    /// The help if no word is similar.
    pub(crate) help: &'static str,
}

/// The least number of seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Least {
    /// 0.
    Zero,
    /// 1, because 0 makes no sense.
    One {
        /// What is wrong with 0.
        message: &'static str,
        /// The help.
        help: &'static str,
    },
}

/// What happens without a directive.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Absent {
    /// A section needs it.
    Needed,
    /// This, as the end of "remove the line".
    Means(&'static str),
    /// This value.
    Default(&'static str),
    /// This number of seconds.
    Seconds(u32),
}

/// What it means if a directive is given again in its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// Only the last line counts.
    Overrides,
    /// The lines add up.
    AddsUp,
}

impl Absent {
    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::Needed => None,
            Self::Means(text) => Some(text.to_owned()),
            Self::Default(value) => Some(format!("for the default, `{value}`")),
            Self::Seconds(seconds) => Some(format!("for the default, {seconds} seconds")),
        }
    }

    pub(super) const fn seconds(self) -> Option<Seconds> {
        match self {
            Self::Seconds(seconds) => Seconds::new(seconds),
            Self::Needed | Self::Means(_) | Self::Default(_) => None,
        }
    }
}

impl Value {
    /// Returns what it is, as the end of "expected".
    pub(super) fn expected(self) -> String {
        let text = match self {
            Self::Nothing => "nothing",
            Self::FileName => "a file name",
            Self::Interfaces => "the name of a network interface",
            Self::User => "the name of a user",
            Self::OneOf(Words { known, .. }) => return listed(known),
            Self::Knocks => "ports, such as `7000,8000,9000`",
            Self::Seconds(_) => "a number of seconds",
            Self::Duration => "a duration, such as `90s`, `30m`, `8h` or `1d`",
            Self::PerMinute => "a number from 1 to 1000",
            Self::Prefixes => "addresses or prefixes, such as `192.0.2.0/24,2001:db8::/32`",
            Self::KnockCount => "a number from 4 to 32",
            Self::Port => "a port from 1 to 65535",
            Self::ServerName => "a name such as `home.example.com`",
            Self::KeyUsers => "names of users, such as `alice,bob`, or `any`",
            Self::PortSpan => "a range of ports, such as `20000-59999`",
            Self::Ports => "ports with their protocol, such as `tcp/22`",
            Self::Firewall => "`nft`, or `nft` and a table, such as `nft inet filter`",
            Self::Flags => "flags, such as `syn`",
            Self::Address => "an IP address",
            Self::Command => "a command",
        };
        text.to_owned()
    }
}

/// Returns words as `` `a`, `b` or `c` ``.
fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_listed_with_or_before_the_last() {
        assert_eq!(listed(&["a"]), "`a`");
        assert_eq!(listed(&["a", "b"]), "`a` or `b`");
        assert_eq!(listed(&["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
