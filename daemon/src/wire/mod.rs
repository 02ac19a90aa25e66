//! What the two processes say to each other.
//!
//! The sniffer, which reads packets of strangers, says little: every [`Report`] is a record of
//! 64 bytes, of which the runner, which has privileges, believes nothing that it cannot
//! check. What the runner tells the sniffer ([`Order`]) may be long, but comes from a process that is
//! trusted.

mod effect;
mod order;
mod record;
mod report;

pub(crate) use order::{NotAnOrder, Order, OrderReader, Task};
pub(crate) use record::NotAReport;
pub(crate) use report::{Gravity, Loss, Report, ReportReader, Sighting};
