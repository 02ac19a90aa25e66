//! The knocks that a door of a `knockd.conf` wants.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use knock_config::Setup;
use knock_config::path_of;
use knock_config::text::shown;
use knock_config::{Config, DoorConfig, Excerpt, Knocks, nearest};
use knock_engine::{
    DerivedSequence, DoorName, DoorSequence, FlagRule, Knock, Protocol, Sequence, TcpFlags,
    TcpHeader, Transport,
};

use super::trouble::Trouble;
use knock_capture::hit::Hit;

/// What a client needs to know to open a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its `Target`.
    pub(super) target: Option<IpAddr>,
    pub(super) flags: FlagRule,
    pub(super) sequence: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The sequence is always the same.
    Fixed(Sequence),
    /// The sequence is always the same, and in this file.
    File(PathBuf, Sequence),
    /// The sequence is the next one of this file.
    OneTime(PathBuf),
    /// The sequence is derived from the time.
    Derived(Box<Derived>),
}

/// How the sequences of a door are derived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Derived {
    /// The file with the key.
    pub(super) key_file: PathBuf,
    pub(super) door: DoorName,
    pub(super) how: DerivedSequence,
}

/// Reads what a door wants. Without a name, the error lists the doors.
pub(super) fn wanted(config: &Path, name: Option<&DoorName>) -> Result<Wanted, Trouble> {
    let setup = Setup::load_for(config, |door| Some(door) == name);
    let Some(read) = &setup.config else { return Err(Trouble::Setup(Box::new(setup))) };
    let door = find(read, config, name)?;
    let target = door.target().map(|target| target.address);
    let sequence = match door.knocks.as_ref().map(|given| &given.value) {
        Some(Knocks::OneTime { file, .. }) => Kind::OneTime(path_of(file).to_owned()),
        Some(Knocks::Fixed(sequence)) => Kind::Fixed(sequence.clone()),
        Some(Knocks::File { file, sequence: Some(sequence) }) => {
            Kind::File(path_of(file).to_owned(), sequence.clone())
        }
        Some(Knocks::Derived { file, .. }) => match door.door().sequence {
            DoorSequence::Derived(derived) => {
                let (key_file, door) = (path_of(file).to_owned(), door.name.clone());
                Kind::Derived(Box::new(Derived { key_file, door, how: derived }))
            }
            // Its key was read.
            DoorSequence::Fixed(_) | DoorSequence::OneTime(_) | DoorSequence::None => {
                return Err(no_door(read, config, name));
            }
        },
        // No door is read so.
        Some(Knocks::File { sequence: None, .. }) | None => {
            return Err(no_door(read, config, name));
        }
    };
    Ok(Wanted { target, flags: door.flags(), sequence })
}

fn find<'a>(
    config: &'a Config,
    path: &Path,
    name: Option<&DoorName>,
) -> Result<&'a DoorConfig, Trouble> {
    let mut named = config.doors.iter().filter(|door| Some(&door.name) == name);
    let door = named.next().ok_or_else(|| no_door(config, path, name))?;
    if named.next().is_some() {
        let message =
            format!("more than one door of {} is named `{}`", shown(path), text(&door.name));
        return Err(Trouble::new(message, "give each door a name of its own"));
    }
    Ok(door)
}

fn no_door(config: &Config, path: &Path, name: Option<&DoorName>) -> Trouble {
    /// The most doors that are listed.
    const LISTED: usize = 20;
    let names: Vec<String> = config.doors.iter().map(|door| text(&door.name)).collect();
    let message = match name {
        Some(name) => format!("there is no door `{}` in {}", text(name), shown(path)),
        None => format!("no door of {} is named", shown(path)),
    };
    let near = name.and_then(|name| nearest(name.as_bytes(), names.iter().map(String::as_str)));
    if let Some(near) = near {
        return Trouble::new(message, format!("did you mean `{near}`?"));
    }
    let listed: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > LISTED { ", and others" } else { "" };
    let help = match listed.as_slice() {
        [] => "it has no doors".to_owned(),
        [only] => format!("its only door is {only}"),
        _ => format!("its doors are {}{more}", listed.join(", ")),
    };
    Trouble::new(message, help)
}

fn text(name: &DoorName) -> String {
    Excerpt::new(name.as_bytes()).to_string()
}

/// Returns the knocks of a sequence as a door takes them.
pub(super) fn hits(sequence: &Sequence, rule: FlagRule) -> Vec<Hit> {
    let flags = flags(rule);
    let hit = |knock: &Knock| match knock.protocol {
        Protocol::Tcp => Hit { knock: *knock, flags },
        Protocol::Udp => Hit { knock: *knock, flags: None },
    };
    sequence.knocks().iter().map(hit).collect()
}

/// Returns the flags of a TCP knock that a rule accepts; `None` for a plain SYN, which is sent
/// wherever the rule accepts it, because it needs no privileges.
///
/// There always are some: no flag is both wanted and refused.
fn flags(rule: FlagRule) -> Option<TcpFlags> {
    let header = |flags| TcpHeader { sequence_number: None, flags: Some(flags) };
    let is_taken = |flags| rule.is_satisfied_by(Transport::Tcp(header(flags)));
    if is_taken(TcpFlags::SYN) {
        return None;
    }
    if rule.wanted() != TcpFlags::default() {
        return Some(rule.wanted());
    }
    // Firewalls often drop packets without any flag.
    let usual = [TcpFlags::ACK, TcpFlags::FIN, TcpFlags::PSH, TcpFlags::RST, TcpFlags::URG];
    Some(usual.into_iter().find(|flags| is_taken(*flags)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use knock_config as config;
    use proptest::prelude::*;

    use super::*;

    fn flags_of(value: &str) -> Option<TcpFlags> {
        let text = format!("[a]\nsequence=1\ntcpflags={value}\n");
        flags(config::parse(text.as_bytes()).config.unwrap().doors[0].flags())
    }

    #[test]
    fn a_plain_syn_is_sent_wherever_it_is_taken() {
        for value in ["syn", "!ack", "syn,!ack", "!fin,!rst,!psh,!ack,!urg"] {
            assert_eq!(flags_of(value), None, "{value}");
        }
        assert_eq!(flags(FlagRule::default()), None);
    }

    #[test]
    fn else_the_flags_that_are_wanted_are_sent_and_no_others() {
        assert_eq!(flags_of("fin"), Some(TcpFlags::FIN));
        assert_eq!(flags_of("fin,psh,!syn"), Some(TcpFlags::FIN.union(TcpFlags::PSH)));
        assert_eq!(flags_of("syn,ack"), Some(TcpFlags::SYN.union(TcpFlags::ACK)));
        assert_eq!(flags_of("!syn"), Some(TcpFlags::ACK));
        assert_eq!(flags_of("!syn,!ack"), Some(TcpFlags::FIN));
        assert_eq!(flags_of("!fin,!syn,!rst,!psh,!ack,!urg"), Some(TcpFlags(0)));
    }

    proptest! {
        #[test]
        fn every_rule_takes_the_flags_that_are_sent(wanted in 0..64_u8, refused in 0..64_u8) {
            let rule = FlagRule::default().refuse(TcpFlags(refused)).want(TcpFlags(wanted));
            let flags = Some(flags(rule).unwrap_or(TcpFlags::SYN));
            let header = TcpHeader { sequence_number: None, flags };
            prop_assert!(rule.is_satisfied_by(Transport::Tcp(header)));
        }
    }

    #[test]
    fn udp_knocks_have_no_flags() {
        let text = b"[a]\nsequence=1,2:udp\ntcpflags=fin\n";
        let door = config::parse(text).config.unwrap().doors.remove(0).door();
        let hits: Vec<String> =
            hits(door.sequence().unwrap(), door.flags).iter().map(Hit::to_string).collect();
        assert_eq!(hits, ["1:tcp:fin", "2:udp"]);
    }
}
