//! `explain`: why knocks did not open, client by client and door by door.

mod admission;
mod apart;
mod beside;
mod change;
mod chunked;
mod clients;
mod clock;
mod company;
mod ending;
mod explainer;
mod explaining;
mod explanation;
mod hints;
mod json;
mod kept;
mod lines;
mod miss;
mod nearest;
mod observer;
mod outsiders;
mod places;
mod reasons;
mod remarks;
mod row;
mod run;
mod signed;
mod terms;
mod text;
mod track;
mod words;

pub use admission::{Ended, EndedBy};
pub use explainer::Explainer;
pub use explanation::{Attempt, Explanation, Late, Seen, SignedFault, Verdict, Why};
pub use hints::Hint;
pub use miss::{Cause, Miss, Nearest};
pub use observer::Totals;
pub use places::{ConfigLine, Places};
pub use words::Words;

pub use crate::args::{NotWhom, Whom};
pub use crate::session::names::{CaptureNames, PacketId};

pub(crate) use chunked::Chunked;
pub(crate) use explaining::Explaining;
pub(crate) use miss::Standing;
pub(crate) use nearest::{enough, lateness};
pub(crate) use observer::{Observer, Turn};
pub(crate) use remarks::remarks;
pub(crate) use run::run;
