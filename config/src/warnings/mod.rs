//! Warnings: likely mistakes, and what opens more easily, or does less, than it seems to.
//!
//! A new one is a row in `table.rs`, a file in `explanations/` and an arm in `wording.rs`.

mod details;
mod key_wording;
mod levels;
mod table;
mod wording;

pub use details::{
    BadAllow, Guess, KeyGap, Mismatch, NoIp, OneFamily, ProgramFault, Undoer, Unknown, Why,
};
pub use levels::{Level, Levels};
pub use table::{Code, Warning};
