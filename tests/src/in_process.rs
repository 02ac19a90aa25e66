//! The program `knock-replay`, run in the process of a test.

use std::ffi::OsString;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use knock_replay::{Exit, Streams};

/// What a run did.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub exit: Exit,
    /// Standard output.
    pub output: Vec<u8>,
    /// Standard error.
    pub errors: String,
}

/// Runs the program with these arguments, without its name.
pub fn knock_replay(args: impl IntoIterator<Item = OsString>) -> Run {
    let args = std::iter::once("knock-replay".into()).chain(args);
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let exit = knock_replay::run(args, &mut Streams::plain(&mut output, &mut errors));
    Run { exit, output, errors: String::from_utf8_lossy(&errors).into_owned() }
}

/// Does the same in a folder, to which names of files are relative.
pub fn knock_replay_in(folder: &Path, args: impl IntoIterator<Item = OsString>) -> Run {
    /// The current directory belongs to the whole process.
    static DIRECTORY: Mutex<()> = Mutex::new(());
    let _guard = DIRECTORY.lock().unwrap_or_else(PoisonError::into_inner);
    std::env::set_current_dir(folder).expect("the folder is there");
    let run = knock_replay(args);
    std::env::set_current_dir("/").expect("the root is there");
    run
}
