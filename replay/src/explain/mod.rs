//! `--explain`: why knocks did not open, client by client and door by door.

mod change;
mod explainer;
mod explanation;
mod json;
mod miss;
mod nearest;
mod places;
mod run;
mod text;
mod track;
mod whom;
mod words;

pub use explainer::{Explainer, Totals};
pub use explanation::{Attempt, Explanation, Late, Seen, Verdict, Why};
pub use miss::{Cause, Miss, Nearest};
pub use places::{ConfigLine, Places};
pub use whom::Whom;
pub use words::Words;

pub use crate::session::reader::{CaptureNames, PacketId};

pub(crate) use run::explain;
pub(crate) use text::remarks;
pub(crate) use track::nanos;
