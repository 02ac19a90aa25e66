//! The rules of knockd 0.8, and the differences to knock: for replay only.
//!
//! The daemon does not link this crate. [`Rules`] names a rule set and makes an engine of it;
//! [`Difference`] numbers what the two do differently, as `docs/differences.md` does.

mod admissions;
mod attempts;
mod children;
mod decode;
mod difference;
mod effect;
mod filter;
mod hearing;
mod machine;
mod neighbours;
mod remembered;
mod rules;
mod span;
mod undecodable;

pub use decode::{Decodings, is_decoded_alike};
pub use difference::{Difference, FixedUpTo};
pub use effect::Knockd08Effect;
pub use filter::Refusal;
pub use machine::Knockd08Rules;
pub use neighbours::{Incoming, Neighbours};
pub use rules::{AnyRules, Engine, Rules, Sight, decode};
pub use undecodable::{Reason, Undecodable};

/// An effect under any of the [`Rules`].
pub type Effect = knock_engine::Effect<Knockd08Effect>;
/// An effect under any of the [`Rules`], and its time.
pub type TimedEffect = knock_engine::TimedEffect<Knockd08Effect>;
/// The configuration and context of the rule sets.
type Site = knock_engine::Site<Knockd08Effect>;
