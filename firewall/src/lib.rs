//! Opens ports for clients in nftables, without a command: an element of a set, which the kernel removes when
//! its time is over, even if no process of knockd is left.
//!
//! A [`Ruleset`] says what is to be in the kernel, and makes [`Transaction`]s. A transaction is data, which is
//! written as text for people and nft, or as messages for the kernel. A [`Firewall`] sends it, reads back
//! who may reach what, and a [`Watch`] notices when another program has changed the ruleset.
//!
//! There are two modes. With [`Ruleset::guard`], knockd has a table of its own that refuses packets to guarded
//! ports; whether the others may pass is left to the other tables. With [`Ruleset::admit`], the
//! administrator has a table that refuses them, and knockd only fills two sets.

#![cfg(target_os = "linux")]

mod error;
mod firewall;
mod grant;
mod message;
mod pieces;
mod place;
mod ruleset;
mod socket;
mod text;
mod transaction;
mod watch;

pub use error::Error;
pub use firewall::{Condition, Counter, Firewall, Start};
pub use grant::{Grant, Stay};
pub use place::{Family, Place, PlaceError, TableName};
pub use ruleset::{Refusal, Revocation, Ruleset};
pub use transaction::{Clients, Set, Transaction};
pub use watch::Watch;
