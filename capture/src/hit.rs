//! Knocks, as the command line writes them.

use std::fmt;
use std::str::FromStr;

use knock_config::nearest;
use knock_engine::{Knock, Port, Protocol, TcpFlags};

/// The flags that a knock can have, by name.
const FLAGS: [(&str, TcpFlags); 6] = [
    ("fin", TcpFlags::FIN),
    ("syn", TcpFlags::SYN),
    ("rst", TcpFlags::RST),
    ("psh", TcpFlags::PSH),
    ("ack", TcpFlags::ACK),
    ("urg", TcpFlags::URG),
];

/// The names of the flags that a knock can have, and of no flag at all.
pub const FLAG_NAMES: [&str; 7] = ["fin", "syn", "rst", "psh", "ack", "urg", "none"];

/// A knock to make: `PORT[:PROTOCOL[:FLAGS]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The port, which is not 0, and the protocol.
    pub knock: Knock,
    /// The flags of a TCP knock that is not a plain SYN; `None` for all others.
    pub flags: Option<TcpFlags>,
}

/// Why a text is not a knock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HitError {
    /// What should be a port is not a number from 1 to 65,535.
    Port(String),
    /// What should be a protocol is not `tcp` or `udp`.
    Protocol(String),
    /// What should be a TCP flag is not one.
    Flag(String),
    /// A UDP knock has flags.
    FlagsOfUdp,
    /// There is more after the flags.
    FourthField,
}

impl fmt::Display for HitError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(text) if text.is_empty() => {
                out.write_str("there is no port before the protocol")
            }
            Self::Port(text) => {
                write!(out, "`{}` is not a port, a number from 1 to 65535", text.escape_debug())
            }
            Self::Protocol(text) => {
                write!(out, "`{}` is not a protocol: use tcp or udp", text.escape_debug())
            }
            Self::Flag(text) => {
                let known = FLAGS.map(|(name, _)| name).join(", ");
                let text = text.escape_debug();
                write!(out, "`{text}` is not a TCP flag: use {known}, or `none` alone")
            }
            Self::FlagsOfUdp => out.write_str("only tcp has flags"),
            Self::FourthField => out.write_str("nothing may follow the flags"),
        }
    }
}

impl std::error::Error for HitError {}

impl HitError {
    /// Returns a suggestion, if there is a likely one.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let did_you_mean = |text: &str, known: &[&'static str]| {
            let near = nearest(text.as_bytes(), known.iter().copied())?;
            Some(format!("did you mean `{near}`?"))
        };
        match self {
            Self::Port(text) => port_help(text),
            Self::Protocol(text) if is_flag(text) => {
                Some(format!("flags go after the protocol: `7000:tcp:{text}`"))
            }
            Self::Protocol(text) if text.contains(',') => {
                Some("knocks are separated by blanks: `7000:udp 8000:tcp`".to_owned())
            }
            Self::Protocol(text) => did_you_mean(text, &["tcp", "udp"]),
            Self::Flag(text) => did_you_mean(text, &FLAG_NAMES),
            Self::FlagsOfUdp => Some("remove the flags".to_owned()),
            Self::FourthField => None,
        }
    }
}

fn port_help(text: &str) -> Option<String> {
    let shown = text.escape_debug().to_string();
    let is_number = |part: &str| part.starts_with(|first: char| first.is_ascii_digit());
    if shown.contains(',') && shown.split(',').all(is_number) {
        let knocks = shown.replace(',', " ").replace('/', ":");
        return Some(format!("ports are separated by blanks: `{knocks}`"));
    }
    if let Some((port, protocol)) = shown.split_once('/') {
        return Some(format!("the protocol goes after a colon: `{port}:{protocol}`"));
    }
    let is_name = text.starts_with(|first: char| first.is_ascii_alphabetic());
    is_name.then(|| "write the number of the port, not its name".to_owned())
}

fn is_flag(text: &str) -> bool {
    FLAG_NAMES.iter().any(|name| name.eq_ignore_ascii_case(text))
}

impl Hit {
    /// Returns the knock by a plain packet of a protocol: a SYN, or a datagram.
    #[must_use]
    pub const fn plain(port: Port, protocol: Protocol) -> Self {
        Self { knock: Knock { port, protocol }, flags: None }
    }

    /// Returns the flags of its packet; `None` for UDP.
    #[must_use]
    pub const fn tcp_flags(self) -> Option<TcpFlags> {
        match (self.knock.protocol, self.flags) {
            (Protocol::Tcp, None) => Some(TcpFlags::SYN),
            (Protocol::Tcp, flags) => flags,
            (Protocol::Udp, _) => None,
        }
    }
}

impl FromStr for Hit {
    type Err = HitError;

    fn from_str(text: &str) -> Result<Self, HitError> {
        let mut fields = text.split(':');
        let port = port(fields.next().unwrap_or_default())?;
        let protocol = fields.next().map_or(Ok(Protocol::Tcp), protocol)?;
        let flags = fields.next().map(flags).transpose()?;
        if fields.next().is_some() {
            return Err(HitError::FourthField);
        }
        if protocol == Protocol::Udp && flags.is_some() {
            return Err(HitError::FlagsOfUdp);
        }
        let flags = flags.filter(|flags| *flags != TcpFlags::SYN);
        Ok(Self { knock: Knock { port, protocol }, flags })
    }
}

/// Reads a port that can be knocked at.
///
/// # Errors
/// [`HitError::Port`] if it is not a number from 1 to 65,535.
pub fn port(text: &str) -> Result<Port, HitError> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| is_decimal && *number > 0);
    number.map(Port).ok_or_else(|| HitError::Port(text.to_owned()))
}

/// Reads `PORT` or `PORT/tcp`.
///
/// # Errors
/// What is wrong with the text.
pub fn tcp_port(text: &str) -> Result<Port, String> {
    let number = match text.rsplit_once('/') {
        Some((number, protocol)) if protocol.eq_ignore_ascii_case("tcp") => number,
        Some((_, protocol)) if protocol.eq_ignore_ascii_case("udp") => {
            let why = "not a TCP port: only TCP ports can be tested for being open";
            return Err(why.to_owned());
        }
        _ => text,
    };
    port(number).map_err(|_| "not a TCP port, such as 22 or 22/tcp".to_owned())
}

fn protocol(text: &str) -> Result<Protocol, HitError> {
    if text.eq_ignore_ascii_case("tcp") {
        Ok(Protocol::Tcp)
    } else if text.eq_ignore_ascii_case("udp") {
        Ok(Protocol::Udp)
    } else {
        Err(HitError::Protocol(text.to_owned()))
    }
}

fn flags(text: &str) -> Result<TcpFlags, HitError> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(TcpFlags::default());
    }
    let flag = |name: &str| {
        let known = FLAGS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|(_, flag)| *flag).ok_or_else(|| HitError::Flag(name.to_owned()))
    };
    text.split(',').try_fold(TcpFlags::default(), |all, name| Ok(all.union(flag(name)?)))
}

/// Returns the name of a protocol.
#[must_use]
pub const fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// Returns the names of flags, in the order of their bits.
#[must_use]
pub fn flag_names(flags: TcpFlags) -> Vec<&'static str> {
    FLAGS.iter().filter(|(_, flag)| flags.contains(*flag)).map(|(name, _)| *name).collect()
}

/// Prints a knock as the command line writes it.
impl fmt::Display for Hit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { knock: Knock { port, protocol }, flags } = self;
        write!(out, "{}:{}", port.0, protocol_name(*protocol))?;
        match flags.map(flag_names) {
            Some(names) if names.is_empty() => out.write_str(":none"),
            Some(names) => write!(out, ":{}", names.join(",")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knocks_are_read_and_printed() {
        for (text, printed) in [
            ("7000", "7000:tcp"),
            ("1:udp", "1:udp"),
            ("65535:TCP", "65535:tcp"),
            ("007000:Udp", "7000:udp"),
            ("7000:tcp:syn", "7000:tcp"),
            ("7000:tcp:fin,psh", "7000:tcp:fin,psh"),
            ("7000:tcp:URG,psh,FIN,fin", "7000:tcp:fin,psh,urg"),
            ("7000:tcp:syn,ack", "7000:tcp:syn,ack"),
            ("7000:tcp:none", "7000:tcp:none"),
        ] {
            assert_eq!(text.parse::<Hit>().unwrap().to_string(), printed, "{text}");
        }
    }

    #[test]
    fn a_plain_knock_has_no_flags_but_its_packet_has() {
        let flags = |text: &str| text.parse::<Hit>().unwrap().tcp_flags();
        assert_eq!(flags("7000"), Some(TcpFlags::SYN));
        assert_eq!(flags("7000:tcp:fin"), Some(TcpFlags::FIN));
        assert_eq!(flags("7000:udp"), None);
    }

    #[test]
    fn what_is_not_a_knock_is_refused_with_its_cause() {
        let port = |text: &str| HitError::Port(text.to_owned());
        let protocol = |text: &str| HitError::Protocol(text.to_owned());
        let flag = |text: &str| HitError::Flag(text.to_owned());
        for (text, error) in [
            ("", port("")),
            (":udp", port("")),
            ("0", port("0")),
            ("65536", port("65536")),
            ("+7", port("+7")),
            ("ssh", port("ssh")),
            ("7000 ", port("7000 ")),
            ("99999999999999999999", port("99999999999999999999")),
            ("7000:", protocol("")),
            ("7000:tpc", protocol("tpc")),
            ("7000:fin", protocol("fin")),
            ("7000:udp:fin", HitError::FlagsOfUdp),
            ("7000:tcp:", flag("")),
            ("7000:tcp:fin,", flag("")),
            ("7000:tcp:!syn", flag("!syn")),
            ("7000:tcp:none,fin", flag("none")),
            ("7000:tcp:fin:", HitError::FourthField),
        ] {
            assert_eq!(text.parse::<Hit>(), Err(error), "{text}");
        }
    }

    #[test]
    fn errors_suggest_what_may_have_been_meant() {
        let blanks = |knocks: &str| Some(format!("ports are separated by blanks: `{knocks}`"));
        let colon = |knock: &str| Some(format!("the protocol goes after a colon: `{knock}`"));
        for (text, help) in [
            ("7000,8000", blanks("7000 8000")),
            ("7000/udp,8000", blanks("7000:udp 8000")),
            ("7000,8000:udp", blanks("7000 8000")),
            ("7000/udp", colon("7000:udp")),
            ("7000/\u{1b}", colon("7000:\\u{1b}")),
            ("ssh", Some("write the number of the port, not its name".into())),
            ("7000:fin", Some("flags go after the protocol: `7000:tcp:fin`".into())),
            ("7000:udp,8000", Some("knocks are separated by blanks: `7000:udp 8000:tcp`".into())),
            ("7000:tpc", Some("did you mean `tcp`?".into())),
            ("7000:tcp:sny", Some("did you mean `syn`?".into())),
            ("7000:udp:fin", Some("remove the flags".into())),
            ("0", None),
            ("7000,", None),
            ("", None),
            ("7000:tcp:fin:", None),
        ] {
            assert_eq!(text.parse::<Hit>().unwrap_err().help(), help, "{text}");
        }
    }
}
