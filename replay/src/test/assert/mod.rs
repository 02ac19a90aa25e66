//! Assertions: what must and must not happen to the packets of captures, in a text that people write.
//!
//! ```text
//! # A comment.
//! must open openSSH from 10.0.0.5
//! must open openSSH from 10.0.0.5 within 2s
//! must not open any from 203.0.113.0/24
//! must not open "back door"
//! opens openSSH 3
//! opens openSSH at most 3 times from 10.0.0.0/8
//! closes openSSH for 10.0.0.5 after 10s
//! runs "/sbin/iptables -A INPUT -s 10.0.0.5 -p tcp --dport 22 -j ACCEPT"
//! runs 'logger "knocked"' 2 times
//! does not run "/sbin/iptables -F"
//! nothing is admitted
//! ```
//!
//! - `must open DOOR [from WHO] [within T]`: the door opens at least once for a client of WHO, so that its
//!   last knock comes no later than T after the first knock of the same attempt.
//! - `must not open DOOR [from WHO]`: it never does. A single address of which no packet came fails, too.
//! - `opens DOOR [at least|at most] N [times] [from WHO]`: so many openings, neither more nor fewer
//!   unless it says so.
//! - `closes DOOR [for WHO] [after T]`: at least once the `cmd_timeout` of an open door is over, exactly T
//!   after its `OPEN SESAME`.
//! - `runs "COMMAND" [[at least|at most] N [times]]`: a start or stop command runs that has this very text,
//!   with the address of the client in the place of `%IP%`; at least once if nothing else is said.
//! - `does not run "COMMAND"`: it never does.
//! - `nothing is admitted`: no packet is let through by the filter of any door. Without this line,
//!   packets of which none is admitted prove nothing, and fail.
//!
//! DOOR is the name of a door, in quotes if there is a blank in it or if it is called `any`; doors that
//! share the name are taken together. `any` means all doors. WHO is an address or a network; without
//! it, everybody is meant. T is in seconds, or has a unit: `ms`, `s`, `m`, `h`. Quotes are `"`, between
//! which `\"` and `\\` mean `"` and `\`, or `'`.
//!
//! Lines that begin with `config`, `local`, `rules` or `only-ip-v4` say with what a test is run, see
//! [`Settings`].

mod claim;
mod evidence;
mod facts;
mod failure;
mod networks;
mod read;
mod run;
mod subjects;
mod trial;
mod under_way;

pub use claim::{Assertions, Settings};
pub use read::{MAX_ASSERTIONS, read};

pub(crate) use read::{Unusable, load};
pub(crate) use run::run;
pub(crate) use trial::{Judgement, Trial};
