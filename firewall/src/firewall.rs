//! The ruleset in the kernel.

mod causes;
mod form;

use std::net::IpAddr;

use knock_engine::PortRange;
use nix::errno::Errno;

use self::causes::of_question;
use self::form::Form;
use crate::error::Error;
use crate::grant::{Grant, Stay};
use crate::message::attributes::{self, Attributes};
use crate::message::granted;
use crate::message::numbers::{
    NFT_OBJECT_COUNTER, NFTA_COUNTER_BYTES, NFTA_COUNTER_PACKETS, NFTA_LIST_ELEM, NFTA_OBJ_DATA,
    NFTA_OBJ_NAME, NFTA_OBJ_TYPE, NFTA_SET_ELEM_LIST_ELEMENTS, NFTA_SET_ELEM_LIST_SET, NFTA_TABLE,
    kind,
};
use crate::ruleset::{Revocation, Ruleset};
use crate::socket::{Refused, Socket};
use crate::transaction::{Change, Set, Transaction};
use crate::watch::Watch;

/// How often the ruleset is read again because somebody changed it before ours was written.
const TRIES: usize = 20;

/// Keeps a ruleset in the kernel, and the clients in it.
pub struct Firewall {
    ruleset: Ruleset,
    socket: Socket,
    /// How the kernel describes what is there, as of the last time that it was made.
    form: Option<Form>,
}

/// What was found at a start or at a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// No table, or no sets in the table of the administrator.
    Made,
    /// The table or the sets, with these grants. They stay, with the time that they had left; those of ports
    /// that no door opens any more are ended.
    TakenUp(Vec<Grant>),
}

/// Whether what is in the kernel is what was put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is. Some clients may have been removed by the administrator.
    Intact,
    /// The table is gone, or a set in the table of the administrator: guarded ports are open to everybody, and
    /// admitted clients are not admitted any more.
    Missing,
    /// Something was changed, or is there again without its clients, as after a reload of the
    /// administrator's ruleset.
    Altered,
}

/// How much was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// The number of packets.
    pub packets: u64,
    /// The number of bytes in them.
    pub bytes: u64,
}

impl Firewall {
    /// Connects to the kernel, and changes nothing.
    ///
    /// # Errors
    /// [`Error::NoNftables`], or [`Error::System`].
    pub fn connect(ruleset: Ruleset) -> Result<Self, Error> {
        Ok(Self { ruleset, socket: Socket::open(0)?, form: None })
    }

    /// Returns the ruleset.
    #[must_use]
    pub const fn ruleset(&self) -> &Ruleset {
        &self.ruleset
    }

    /// Writes the ruleset in one transaction, so that no packet sees half of it, and keeps the grants that are
    /// there. In a table of an administrator, makes the sets that are missing.
    ///
    /// # Errors
    /// Any [`Error`] but those about a client. Nothing was changed then.
    pub fn start(&mut self) -> Result<Start, Error> {
        for _ in 0..TRIES {
            let generation = self.socket.generation().map_err(of_question)?;
            let found = match self.check_owner().and_then(|()| self.found()) {
                Ok(found) => found,
                // What was seen may be from before and from after a change by another program.
                Err(_) if self.socket.generation().map_err(of_question)? != generation => continue,
                Err(error) => return Err(error),
            };
            match self.write(found.as_deref().unwrap_or_default(), generation) {
                Err(Error::Raced) => {}
                result => return result.map(|()| found.map_or(Start::Made, Start::TakenUp)),
            }
        }
        Err(Error::Raced)
    }

    /// Writes another ruleset, as after a reload of the configuration, and keeps the grants of ports that it
    /// opens, too. The table of the ruleset before is removed if it is another one.
    ///
    /// # Errors
    /// As of [`start`](Self::start). The ruleset before stays then.
    pub fn replace(&mut self, ruleset: Ruleset) -> Result<Start, Error> {
        let before = std::mem::replace(&mut self.ruleset, ruleset);
        match self.start() {
            Err(error) => {
                self.ruleset = before;
                Err(error)
            }
            Ok(start) => {
                if before.place() != self.ruleset.place() {
                    match self.commit(&before.removal(), None) {
                        Err(error) if !error.is_gone() => return Err(error),
                        Ok(()) | Err(_) => {}
                    }
                }
                Ok(start)
            }
        }
    }

    /// Lets a client reach ports for exactly this long from now, whether or not it could before.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::NoTable`], [`Error::NoSet`] and those that are always possible. The client
    /// may reach then what it could before.
    pub fn admit(
        &mut self,
        client: IpAddr,
        ports: &[PortRange],
        stay: impl Into<Stay>,
    ) -> Result<(), Error> {
        let transaction = self.ruleset.admission(client, ports, stay.into())?;
        self.commit(&transaction, None)
    }

    /// Takes ports from a client. It is no error if they are closed already.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] and others that are always possible.
    pub fn revoke(&mut self, client: IpAddr, ports: &[PortRange]) -> Result<(), Error> {
        for Revocation { sure, plain } in self.ruleset.revocations(client, ports)? {
            let (mut tried, mut done) = (&sure, self.socket.commit(&sure, None));
            if matches!(done, Err(Refused::Change(_, Errno::ENFILE))) {
                (tried, done) = (&plain, self.socket.commit(&plain, None));
            }
            match done {
                // The element, the set or the table is not there.
                Ok(()) | Err(Refused::Change(_, Errno::ENOENT)) => {}
                Err(refused) => return Err(self.cause(tried, refused)),
            }
        }
        Ok(())
    }

    /// Returns what clients may reach now, in order.
    ///
    /// # Errors
    /// [`Error::NoTable`], [`Error::NoSet`] and those that are always possible.
    pub fn grants(&mut self) -> Result<Vec<Grant>, Error> {
        let mut grants = Vec::new();
        for set in self.sets() {
            match self.elements(set) {
                Ok(elements) => grants.extend(elements),
                Err(Errno::ENOENT) => return Err(self.what_is_missing(set)),
                Err(errno) => return Err(of_question(errno)),
            }
        }
        grants.sort_unstable();
        // While a set grows, the kernel may show an element twice.
        grants.dedup_by(|one, before| (one.client, one.ports) == (before.client, before.ports));
        Ok(grants)
    }

    /// Looks whether the kernel still has what was put there.
    ///
    /// # Errors
    /// Those that are always possible.
    pub fn condition(&mut self) -> Result<Condition, Error> {
        let form = Form::look(&mut self.socket, &self.ruleset);
        let Some(form) = form.map_err(of_question)? else {
            return Ok(Condition::Missing);
        };
        let is_same = self.form.as_ref() == Some(&form);
        Ok(if is_same { Condition::Intact } else { Condition::Altered })
    }

    /// Writes the ruleset and these grants, and no others, whatever is there.
    ///
    /// # Errors
    /// [`Error::NoTable`] if the table of an administrator is gone, and those that are always possible.
    pub fn restore(&mut self, grants: &[Grant]) -> Result<(), Error> {
        self.write(grants, None)
    }

    /// Deletes the table, so that the ports are open to everybody; or empties the sets of an administrator's
    /// table, so that nobody is admitted.
    ///
    /// # Errors
    /// Those that are always possible.
    pub fn remove(&mut self) -> Result<(), Error> {
        match self.commit(&self.ruleset.removal(), None) {
            Err(error) if error.is_gone() => Ok(()),
            result => result,
        }
    }

    /// Returns how many packets to guarded ports were refused, or would have been in a dry run, since the
    /// table was made; `None` in the table of an administrator.
    ///
    /// # Errors
    /// [`Error::NoTable`] and those that are always possible.
    pub fn refused(&mut self) -> Result<Option<Counter>, Error> {
        if !self.ruleset.is_guard() {
            return Ok(None);
        }
        let mut attributes = self.table();
        attributes.text(NFTA_OBJ_NAME, "refused").number(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
        match self.socket.get(kind::GETOBJ, self.ruleset.place(), &attributes) {
            Err(Errno::ENOENT) => Err(Error::NoTable { place: self.ruleset.place().clone() }),
            Err(errno) => Err(of_question(errno)),
            Ok(answer) => {
                let answer = answer.ok_or(Error::NoAnswer)?;
                let data = attributes::find(&answer, NFTA_OBJ_DATA).ok_or(Error::NoAnswer)?;
                let number = |kind| attributes::long(data, kind).ok_or(Error::NoAnswer);
                let (packets, bytes) = (number(NFTA_COUNTER_PACKETS)?, number(NFTA_COUNTER_BYTES)?);
                Ok(Some(Counter { packets, bytes }))
            }
        }
    }

    /// Returns the chains of the table that have rules with a set of clients, each once. If there is none in
    /// the table of an administrator, no client is let in, whatever it knocks.
    ///
    /// # Errors
    /// Those that are always possible.
    pub fn users(&mut self, set: Set) -> Result<Vec<String>, Error> {
        form::users(&mut self.socket, self.ruleset.place(), set).map_err(of_question)
    }

    /// Returns the sets of clients that rules can use.
    #[must_use]
    pub fn sets(&self) -> Vec<Set> {
        self.ruleset.client_sets().collect()
    }

    /// Starts to watch for changes that others make.
    ///
    /// # Errors
    /// Those that are always possible.
    pub fn watch(&self) -> Result<Watch, Error> {
        Watch::new(self.ruleset.place().clone(), self.socket.port())
    }

    /// Checks that a table with the name of ours is not another's, since it is going to be deleted.
    fn check_owner(&mut self) -> Result<(), Error> {
        if !self.ruleset.is_guard() {
            return Ok(());
        }
        let is_own = form::is_own(&mut self.socket, self.ruleset.place());
        if is_own.map_err(of_question)? {
            return Ok(());
        }
        Err(Error::Foreign { place: self.ruleset.place().clone() })
    }

    /// Returns the grants that are there; `None` without a table or sets.
    fn found(&mut self) -> Result<Option<Vec<Grant>>, Error> {
        let sets = form::all_sets(&mut self.socket, &self.ruleset);
        let sets = sets.map_err(of_question)?;
        let mut found = Vec::new();
        for &set in &sets {
            match self.elements(set) {
                Ok(elements) => found.extend(elements),
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(of_question(errno)),
            }
        }
        found.sort_unstable();
        Ok((!sets.is_empty()).then_some(found))
    }

    /// Writes all, and remembers its form.
    fn write(&mut self, grants: &[Grant], generation: Option<u32>) -> Result<(), Error> {
        let there = if self.ruleset.is_guard() { Vec::new() } else { self.usable_sets()? };
        let mut transaction = self.ruleset.build(grants);
        transaction
            .changes
            .retain(|change| !matches!(change, Change::AddSet(set) if there.contains(set)));
        if !self.ruleset.is_guard() {
            // Those of another configuration cannot be deleted while rules use them.
            let all = form::all_sets(&mut self.socket, &self.ruleset);
            let mut others = all.map_err(of_question)?;
            others.retain(|set| !self.sets().contains(set));
            transaction.changes.extend(others.into_iter().map(Change::EmptySet));
        }
        self.commit(&transaction, generation)?;
        let form = Form::look(&mut self.socket, &self.ruleset);
        self.form = form.map_err(of_question)?;
        Ok(())
    }

    /// Returns the sets that are in the table of an administrator, all of which can take the clients.
    fn usable_sets(&mut self) -> Result<Vec<Set>, Error> {
        let found = form::sets(&mut self.socket, &self.ruleset);
        let found = found.map_err(of_question)?;
        let mut there = Vec::new();
        for (set, found) in self.ruleset.client_sets().zip(found) {
            let Some(found) = found else { continue };
            form::check(self.ruleset.place(), set, &found)?;
            there.push(set);
        }
        Ok(there)
    }

    /// Returns what is in a set of clients.
    fn elements(&mut self, set: Set) -> Result<Vec<Grant>, Errno> {
        let Set::Clients(clients) = set else { return Ok(Vec::new()) };
        let mut attributes = self.table();
        attributes.text(NFTA_SET_ELEM_LIST_SET, &set.to_string());
        let answers = self.socket.dump(kind::GETSETELEM, self.ruleset.place(), &attributes)?;
        let mut grants = Vec::new();
        for answer in &answers {
            let list = attributes::find(answer, NFTA_SET_ELEM_LIST_ELEMENTS).unwrap_or(&[]);
            let elements = attributes::parse(list).filter(|(kind, _)| *kind == NFTA_LIST_ELEM);
            grants.extend(elements.filter_map(|(_, element)| granted(element, clients)));
        }
        Ok(grants)
    }

    fn commit(&mut self, transaction: &Transaction, generation: Option<u32>) -> Result<(), Error> {
        let result = self.socket.commit(transaction, generation);
        result.map_err(|refused| self.cause(transaction, refused))
    }

    /// Returns the attributes of a question about something in the table.
    fn table(&self) -> Attributes {
        let mut attributes = Attributes::new();
        attributes.text(NFTA_TABLE, self.ruleset.place().table.as_str());
        attributes
    }
}
