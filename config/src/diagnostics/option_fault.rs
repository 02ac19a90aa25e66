//! Errors in the values of `[options]` that knockd 0.8 does not read.

use crate::directives::{Directive, Value, Words};
use crate::names::{InterfaceName, UserName};
use crate::text::Excerpt;
use crate::wording::Wording;
use knock_engine::Seconds;

/// An error in the name of an interface or of a user, or in a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionFault {
    /// Nothing where the name of an interface should be.
    MissingInterface,
    /// A name that no interface can have.
    BadInterface {
        /// The text found.
        text: Excerpt,
        /// Whether there is a blank in it.
        has_blank: bool,
    },
    /// A name longer than [`InterfaceName::MAX_BYTES`].
    LongInterface {
        /// The bytes of the name.
        length: usize,
    },
    /// `any` beside other interfaces.
    AnyAndMore,
    /// A name that no user can have.
    BadUser {
        /// The text found.
        text: Excerpt,
    },
    /// A name longer than [`UserName::MAX_BYTES`].
    LongUser {
        /// The bytes of the name.
        length: usize,
    },
    /// Neither `nft` nor `nft` with a table.
    BadFirewall {
        /// The text found.
        text: Excerpt,
    },
    /// A name that no server can have.
    BadServerName {
        /// The text found.
        text: Excerpt,
    },
    /// `Clock_Skew = counter`.
    NoClock,
    /// More seconds than [`knock_engine::Signing::SKEW_MAX`].
    LongSkew {
        /// The seconds.
        seconds: Seconds,
    },
    /// A name that no user with a key can have.
    BadKeyUser {
        /// The text found.
        text: Excerpt,
    },
    /// `any` beside other users.
    AnyUserAndMore,
    /// A word that the directive does not know.
    UnknownWord {
        /// The directive.
        directive: Directive,
        /// The text found.
        text: Excerpt,
        /// The known word that is most like it.
        nearest: Option<&'static str>,
    },
}

impl OptionFault {
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::MissingInterface => {
                Wording::new("missing interface", "expected the name of a network interface")
                    .help("write a name, or remove the comma")
            }
            Self::BadInterface { text, has_blank } => Wording::new(
                format!("`{text}` is not the name of an interface"),
                "expected a name without blanks and `/`, such as `eth0`",
            )
            .help(if *has_blank {
                "separate interfaces with commas"
            } else {
                "write the name as `ip link` shows it"
            }),
            Self::LongInterface { length } => Wording::new(
                format!("name of {length} bytes is too long for an interface"),
                format!("longer than {} bytes", InterfaceName::MAX_BYTES),
            )
            .help("write the name as `ip link` shows it"),
            Self::AnyAndMore => Wording::new(
                "`any` is used with other interfaces",
                "this already means all interfaces",
            )
            .help("write only `any`, or only the names of interfaces"),
            Self::BadUser { text } => Wording::new(
                format!("`{text}` is not the name of a user"),
                "expected a name such as `knockd`",
            )
            .help(user_help(text.as_str())),
            Self::LongUser { length } => Wording::new(
                format!("name of {length} bytes is too long for a user"),
                format!("longer than {} bytes", UserName::MAX_BYTES),
            )
            .help("name a user with a shorter name"),
            Self::BadFirewall { text } => Wording::new(
                format!("unknown firewall `{text}`"),
                "expected `nft`, or `nft inet` and the name of a table",
            )
            .help(firewall_help(text.as_str())),
            Self::BadServerName { text } => Wording::new(
                format!("`{text}` is not the name of a server"),
                "expected a name such as `home.example.com`",
            )
            .help("write up to 253 letters, digits and signs of ASCII, without blanks"),
            Self::NoClock => Wording::new(
                "packets without a clock are not supported",
                "expected a number of seconds from 1 to 60",
            )
            .help("remove this line; `knock-replay explain` reports clients whose clock is wrong"),
            Self::LongSkew { seconds } => Wording::new(
                format!("{} seconds are more than packets allow", seconds.get()),
                "expected a number of seconds from 1 to 60",
            )
            .help(
                "the key of a packet is found by the minute in which it was made: write at most 60",
            ),
            Self::BadKeyUser { text } => Wording::new(
                format!("`{text}` is not the name of a user with a key"),
                "expected a name without dots, such as `alice` for `alice.key`",
            )
            .help("separate users with commas; `any` alone means all that have a key"),
            Self::AnyUserAndMore => Wording::new(
                "`any` is used with other users",
                "this already means all users that have a key",
            )
            .help("write only `any`, or only the names of users"),
            Self::UnknownWord { directive, text, nearest } => {
                unknown_word(*directive, text, *nearest)
            }
        }
    }
}

fn firewall_help(text: &str) -> &'static str {
    let first = text.split_ascii_whitespace().next().unwrap_or_default();
    match first {
        "nft" => {
            "write `nft` alone to guard the ports of doors, or `nft inet filter` for sets in your table \
             `inet filter`; other families than `inet` are not supported"
        }
        _ => {
            "write `nft`: it guards the ports of doors beside iptables, ufw, firewalld or Docker, whatever \
             they do"
        }
    }
}

fn unknown_word(directive: Directive, text: &Excerpt, nearest: Option<&str>) -> Wording {
    let (thing, help) = if let Value::OneOf(Words { thing, help, .. }) = directive.value() {
        (thing, help)
    } else {
        ("word", "write another")
    };
    let expected = format!("expected {}", directive.expected());
    let wording = Wording::new(format!("unknown {thing} `{text}`"), expected);
    match nearest {
        Some(nearest) => wording.help(format!("did you mean `{nearest}`?")),
        None => wording.help(help),
    }
}

/// Returns help for text that is not a name [`UserName`] allows.
fn user_help(text: &str) -> &'static str {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return "write the name of the user, not its number";
    }
    if text.contains([' ', ',', ':']) {
        return "write the name of one user, without a group";
    }
    "write a name without `/` and control characters that does not begin with `-`, `+` or `~`"
}
