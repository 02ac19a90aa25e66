//! What the benchmarks of whole programs share: captures to read, and how a process is timed.

mod runs;
mod traffic;

pub use runs::{cost, median, time};
pub use traffic::{Captures, Kind, MIXED, MIXED_FILTER, MIXED_FILTER_OF_IPV4, scatter};
