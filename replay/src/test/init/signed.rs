//! Tests that may be made for a door that signed packets open.

use std::net::IpAddr;

use knock_engine::address;
use knock_engine::{Admits, Door, Doors, SignedDoor, Signing, UserKey, Users};

use super::draft::{CLIENTS, Draft, Drafts, Knocks, Shows, quoted};

/// Who makes packets for a door.
struct Signer<'d> {
    door: &'d Door,
    user: &'d [u8],
    /// Which of the keys of the user it is, from 1.
    number: usize,
}

impl Drafts<'_> {
    /// Returns the tests that may be made for the signed packets of a door; none if it does not hear them.
    ///
    /// # Errors
    /// Why no packet opens it.
    pub(super) fn signed(&self, door: &Door, doors: &Doors) -> Result<Vec<Draft>, &'static str> {
        let Some(SignedDoor { users, admits }) = &door.signed else { return Ok(Vec::new()) };
        let signer = doors.signing().and_then(|signing| Signer::of(door, users, signing));
        let Some(signer) = signer else {
            return Err("no user that it names has a key for it");
        };
        let Some(knocks) = Knocks::new(door, self.local, Shows::NoSecret) else {
            return Err("no client was found that allow and deny let knock");
        };
        let line = |rest: &str| vec![signer.line(&knocks, *admits, rest)];
        let mut drafts = vec![self.opens("opens-signed", "A signed packet.", &knocks, &line(""))];
        let other = CLIENTS
            .into_iter()
            .find(|other| other.is_ipv4() == knocks.client.is_ipv4() && *other != knocks.client);
        if let Some(other) = other {
            drafts.push(self.opens_once(&knocks, &line(&again(other)), other));
        }
        let title = "The clock of the client is an hour behind.";
        drafts.push(self.stays_shut("wrong-clock", title, &knocks, &line(" skew -1h")));
        Ok(drafts)
    }

    /// A packet opens the door once, whoever sends it again.
    fn opens_once(&self, knocks: &Knocks<'_>, lines: &[String], other: IpAddr) -> Draft {
        let title = "A signed packet, and somebody else who repeats it.";
        let name = quoted(knocks.door.name.as_bytes());
        let other = address::text(other);
        let once = [b"opens ", &name[..], b" 1"].concat();
        let shut = [b"must not open ", &name[..], b" from ", other.as_bytes()].concat();
        let draft = self.stays_shut("replayed", title, knocks, lines);
        let heading = self.heading("It opens once.");
        Draft { assertions: vec![once, shut], heading, ..draft }
    }
}

fn again(other: IpAddr) -> String {
    format!(" again 1 every 5s by {}", address::text(other))
}

impl<'d> Signer<'d> {
    /// Returns the first that has a key for a door which may be used when a scenario starts.
    fn of(door: &'d Door, users: &Users, signing: &'d Signing) -> Option<Self> {
        let is_for_door = |one: &UserKey| {
            let is_user = match users {
                Users::Any => true,
                Users::Named(users) => users.contains(&one.user),
            };
            is_user && (one.doors.is_empty() || one.doors.contains(&door.name))
        };
        let key = signing.keys().iter().find(|one| is_for_door(one))?;
        let of_user = signing.keys().iter().filter(|one| one.user == key.user);
        let number = of_user.take_while(|one| one.key.id() != key.key.id()).count();
        Some(Self { door, user: key.user.as_bytes(), number: number.saturating_add(1) })
    }

    /// Returns a line of a scenario.
    fn line(&self, knocks: &Knocks<'_>, admits: Admits, rest: &str) -> String {
        let [client, host] = [knocks.client, knocks.host].map(address::text);
        let user = String::from_utf8_lossy(self.user);
        let name = quoted(self.door.name.as_bytes());
        let name = String::from_utf8_lossy(&name);
        let key = if self.number > 1 { format!(" key {}", self.number) } else { String::new() };
        let admit = match admits {
            Admits::Source => String::new(),
            Admits::Packet | Admits::Both => format!(" admit {client}"),
        };
        format!("0 signed {user} door {name}{key} from {client} to {host}{admit}{rest}\n")
    }
}
