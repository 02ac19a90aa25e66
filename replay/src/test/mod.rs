//! Captures as tests: assertions, expected transcripts, folders of them.

pub mod assert;
pub(crate) mod expect;
pub(crate) mod init;
pub(crate) mod suite;
