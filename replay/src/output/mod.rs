//! Results on their way out: text for people, JSON and JUnit for programs.

mod digits;
pub(crate) mod fields;
pub(crate) mod json;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod transcript;
pub(crate) mod words;

use std::io::{self, BufWriter, Write};

/// What a kind of run results in.
pub(crate) trait Results {
    /// One result, known as soon as it happens.
    type One<'a>;
    /// What is known at the end.
    type End<'a>;
}

/// Where results go. There is one for people and one for each kind of program.
pub(crate) trait Output<R: Results> {
    /// Takes a result.
    ///
    /// # Errors
    /// Why it could not be written; nothing more will then be.
    fn one(&mut self, one: R::One<'_>) -> io::Result<()>;

    /// Writes what was taken and is not written yet.
    ///
    /// # Errors
    /// Why it could not be written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Takes what is known at the end.
    ///
    /// # Errors
    /// Why it could not be written.
    fn end(&mut self, end: R::End<'_>) -> io::Result<()>;
}

/// Lets results be written in large pieces.
pub(crate) fn buffered<T>(
    out: &mut (dyn Write + Send),
    write: impl FnOnce(&mut (dyn Write + Send)) -> (T, io::Result<()>),
) -> (T, io::Result<()>) {
    let mut out = BufWriter::with_capacity(64 * 1024, out);
    let (value, written) = write(&mut out);
    let written = written.and_then(|()| out.flush());
    // What is left in the buffer after an error is of no use to anybody.
    drop(out.into_parts());
    (value, written)
}
