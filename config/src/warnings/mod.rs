//! Warnings: what is no error but hardly meant, or opens more easily, or does less, than it seems to.

mod advice;
mod code;
mod lint;

pub use advice::{Advice, Guess, Mismatch, NoIp, ProgramFault, Unknown, Why};
pub use code::{Code, Level, Levels};
pub use lint::Lint;
