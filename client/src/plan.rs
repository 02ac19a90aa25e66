//! Everything that will be done, as data.

/// The most knocks that are made: sequences have at most 32, and each knock holds two sockets.
pub const MAX_HITS: usize = 256;
