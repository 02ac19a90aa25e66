//! Files: which of them a program believes, and how it writes them.
//!
//! Root runs the commands of a configuration, so a configuration that somebody else can change gives root
//! away. [`open`] finds out, as sshd does with `StrictModes`: it goes from folder to folder by descriptors,
//! and judges what it has opened, so no one exchanges a file between the look and the use.

mod cause;
mod characters;
mod create;
mod granted;
mod pid;
mod quote;
mod secret;
mod target;
mod trust;
mod walk;

pub use cause::Cause;
pub use characters::{is_unprintable, turns_text};
pub use create::New;
pub use granted::{granted_to_all, remedy_for_granted};
pub use pid::{check_pid_file, remove_pid_file, write_pid};
pub use quote::quoted;
pub use secret::{SecretError, erase_stack, read_secret};
pub use target::{NotWritten, Readers, Target, append, check_not_read};
pub use trust::{Distrust, Modes, OpenError, check_folder_of, open};
