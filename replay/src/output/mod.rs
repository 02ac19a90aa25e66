//! What is printed: text for people, JSON and JUnit for programs.

pub(crate) mod json;
pub(crate) mod text;
pub(crate) mod transcript;
