//! Commands, and how `%IP%` is replaced in them.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use crate::address;

/// A shell command of the configuration, as bytes, with `%IP%` still in it. May be empty.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Command(Box<[u8]>);

impl Command {
    const TOKEN: &[u8] = b"%IP%";

    /// Takes the value of a directive.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Returns the command as the configuration has it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Appends the command to `out`, every `%IP%` replaced by the address of `client`.
    ///
    /// The search goes on after a replaced token, so `%IP%IP%` becomes `ADDRIP%`
    /// (case `e-substitution`).
    pub fn expand(&self, client: IpAddr, out: &mut Vec<u8>) {
        let mut rest = &*self.0;
        while let Some(at) = find(rest, Self::TOKEN) {
            let (before, from_token) = rest.split_at(at);
            out.extend_from_slice(before);
            address::write(client, out);
            rest = from_token.get(Self::TOKEN.len()..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command(\"{}\")", self.0.escape_ascii())
    }
}

fn find(text: &[u8], token: &[u8]) -> Option<usize> {
    text.windows(token.len()).position(|window| window == token)
}

/// Which command of a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The one that runs when the door opens.
    Start,
    /// The one that runs when the command timeout is over.
    Stop,
}

/// The four command directives of a door; `None` where the directive is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// `Start_Command`, `Command`.
    pub start: Option<Command>,
    /// `Start_Command_6`, `Command_6`.
    pub start_6: Option<Command>,
    /// `Stop_Command`.
    pub stop: Option<Command>,
    /// `Stop_Command_6`.
    pub stop_6: Option<Command>,
}

impl Commands {
    /// Returns what to run for `client` in a phase.
    #[must_use]
    pub fn of(&self, phase: Phase, client: IpAddr) -> Option<&Command> {
        match phase {
            Phase::Start => self.start_for(client),
            Phase::Stop => self.stop_for(client),
        }
    }

    /// Returns what to run when the door opens for `client`.
    ///
    /// An IPv6 client gets the `_6` directive if there is one, else the other; an empty value means that
    /// nothing runs.
    #[must_use]
    pub fn start_for(&self, client: IpAddr) -> Option<&Command> {
        choose(client, self.start.as_ref(), self.start_6.as_ref())
    }

    /// Returns what to run when the command timeout of `client` is over.
    ///
    /// A door that runs nothing when it opens runs nothing when it closes (case `e-empty-start`).
    #[must_use]
    pub fn stop_for(&self, client: IpAddr) -> Option<&Command> {
        self.start_for(client)?;
        choose(client, self.stop.as_ref(), self.stop_6.as_ref())
    }
}

fn choose<'a>(
    client: IpAddr,
    any: Option<&'a Command>,
    ipv6: Option<&'a Command>,
) -> Option<&'a Command> {
    let chosen = if client.is_ipv6() { ipv6.or(any) } else { any };
    chosen.filter(|command| !command.0.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(template: &str, client: &str) -> Vec<u8> {
        let mut out = Vec::new();
        Command::new(template.as_bytes()).expand(client.parse().unwrap(), &mut out);
        out
    }

    #[test]
    fn every_ip_token_becomes_the_address_and_nothing_else_changes() {
        assert_eq!(expanded("a %IP% b %IP%", "192.0.2.1"), b"a 192.0.2.1 b 192.0.2.1");
        assert_eq!(expanded("%IP%IP% %ip% %IP %%IP%%", "192.0.2.1"), {
            b"192.0.2.1IP% %ip% %IP %192.0.2.1%".to_vec()
        });
        assert_eq!(expanded("%IP", "192.0.2.1"), b"%IP");
        assert_eq!(expanded("", "192.0.2.1"), b"");
    }

    #[test]
    fn a_command_is_shown_to_programmers_byte_for_byte() {
        assert_eq!(
            alloc::format!("{:?}", Command::new(b"a \xff %IP%")),
            r#"Command("a \xff %IP%")"#
        );
    }

    fn commands(start: Option<&str>, start_6: Option<&str>, stop: Option<&str>) -> Commands {
        let command = |text: Option<&str>| text.map(|text| Command::new(text.as_bytes()));
        Commands {
            start: command(start),
            start_6: command(start_6),
            stop: command(stop),
            stop_6: None,
        }
    }

    fn text(command: Option<&Command>) -> Option<&[u8]> {
        command.map(Command::as_bytes)
    }

    #[test]
    fn ipv6_clients_use_the_ipv6_command_and_fall_back_one_by_one() {
        let (v4, v6) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        let both = commands(Some("s"), Some("s6"), Some("t"));
        assert_eq!(text(both.start_for(v4)), Some(&b"s"[..]));
        assert_eq!(text(both.start_for(v6)), Some(&b"s6"[..]));
        assert_eq!(text(both.stop_for(v6)), Some(&b"t"[..]));
        let one = commands(Some("s"), None, None);
        assert_eq!(text(one.start_for(v6)), Some(&b"s"[..]));
    }

    #[test]
    fn an_empty_start_command_runs_nothing_and_so_does_its_stop_command() {
        let v6 = "2001:db8::1".parse().unwrap();
        let silent_6 = commands(Some("s"), Some(""), Some("t"));
        assert_eq!(silent_6.start_for(v6), None);
        assert_eq!(silent_6.stop_for(v6), None);
    }

    #[test]
    fn an_empty_stop_command_is_no_stop_command() {
        let v4 = "192.0.2.1".parse().unwrap();
        assert_eq!(commands(Some("s"), None, Some("")).stop_for(v4), None);
    }
}
