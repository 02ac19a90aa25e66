//! Knocks as people write them, and as packets: what the client and the replay tool have in common.

pub mod duration;
pub mod frame;
pub mod hit;

pub use hit::Hit;
