//! A disk that loses what was not synced when the power fails, and that fails at a chosen step.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use crate::runner::lease_store::storage::Storage;

/// A disk with a folder for one file and its successor. Clones are the same disk.
#[derive(Clone, Default)]
pub(super) struct Disk(Rc<RefCell<State>>);

#[derive(Clone, Default)]
struct State {
    files: Vec<File>,
    /// The file that the folder names, and the one that would be named after a power cut.
    named: Option<usize>,
    named_for_sure: Option<usize>,
    /// The new file, which has no name that matters.
    new: Option<usize>,
    steps: usize,
    faults: Vec<(usize, Fault)>,
    is_dead: bool,
    was_changed: bool,
}

#[derive(Clone, Default)]
struct File {
    text: Vec<u8>,
    /// What of it would survive a power cut for sure.
    synced: Vec<u8>,
}

/// What goes wrong at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process is killed, or the power fails, before it is done.
    Cut,
    /// The same in the middle of it.
    CutWithin,
    /// This step fails, and has done half of its work. Later ones succeed.
    Error,
}

/// What is left after a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Everything that was written: only the process was killed.
    Written,
    /// Only what was synced.
    Synced,
    /// What was synced, half of what was written after that, and zeros in the place of the rest.
    Torn,
    /// New names, but of files only what was synced.
    Names,
}

impl Disk {
    /// Has this go wrong at steps, counted from now.
    pub(super) fn fail_at(&self, faults: &[(usize, Fault)]) {
        let mut state = self.0.borrow_mut();
        (state.steps, state.faults) = (0, faults.to_vec());
    }

    /// Returns how many steps were taken since the last [`Disk::fail_at`].
    pub(super) fn steps(&self) -> usize {
        self.0.borrow().steps
    }

    pub(super) fn is_dead(&self) -> bool {
        self.0.borrow().is_dead
    }

    /// Has another program touch the file, so that it must be written again.
    pub(super) fn touch_by_other(&self) {
        self.0.borrow_mut().was_changed = true;
    }

    /// Returns the disk as it is after a cut, and the text of the file.
    pub(super) fn after_cut(&self, left: Left) -> (Self, Vec<u8>) {
        let mut state = self.0.borrow().clone();
        state.named = match left {
            Left::Written | Left::Names => state.named,
            Left::Synced | Left::Torn => state.named_for_sure,
        };
        for file in &mut state.files {
            let rest = file.text.get(file.synced.len()..).unwrap_or_default();
            let rest = match left {
                Left::Written => rest.to_vec(),
                Left::Synced | Left::Names => vec![],
                Left::Torn => {
                    let (half, zeros) = rest.split_at(rest.len() / 2);
                    [half, &vec![0; zeros.len()]].concat()
                }
            };
            file.synced.extend(rest);
            file.text.clone_from(&file.synced);
        }
        (state.named_for_sure, state.new) = (state.named, None);
        (state.faults, state.is_dead, state.was_changed) = (vec![], false, true);
        let text = state.named.map_or(vec![], |at| state.files[at].text.clone());
        (Self(Rc::new(RefCell::new(state))), text)
    }

    /// Takes a step. `half` does a half of the work, `whole` all of it.
    fn step(
        &self,
        half: impl FnOnce(&mut State),
        whole: impl FnOnce(&mut State),
    ) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let step = state.steps;
        state.steps += 1;
        let fault = state.faults.iter().find(|(at, _)| *at == step).map(|(_, fault)| *fault);
        if state.is_dead {
            return Err(io::Error::other("dead"));
        }
        let Some(fault) = fault else {
            whole(&mut state);
            return Ok(());
        };
        state.is_dead = fault != Fault::Error;
        if fault != Fault::Cut {
            half(&mut state);
        }
        Err(io::ErrorKind::StorageFull.into())
    }
}

impl Storage for Disk {
    fn is_intact(&self) -> bool {
        let state = self.0.borrow();
        state.named.is_some() && !state.was_changed
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let write = |bytes: Vec<u8>| {
            move |state: &mut State| {
                let at = state.named.unwrap();
                state.files[at].text.extend(bytes);
            }
        };
        self.step(write(bytes[..bytes.len() / 2].to_vec()), write(bytes.to_vec()))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.step(
            |_| {},
            |state| {
                let file = &mut state.files[state.named.unwrap()];
                file.synced.clone_from(&file.text);
            },
        )
    }

    fn write_new(&mut self, bytes: &[u8]) -> io::Result<()> {
        let write = |text: Vec<u8>| {
            move |state: &mut State| {
                state.files.push(File { text, synced: vec![] });
                state.new = Some(state.files.len() - 1);
            }
        };
        self.step(write(bytes[..bytes.len() / 2].to_vec()), write(bytes.to_vec()))
    }

    fn sync_new(&mut self) -> io::Result<()> {
        self.step(
            |_| {},
            |state| {
                let file = &mut state.files[state.new.unwrap()];
                file.synced.clone_from(&file.text);
            },
        )
    }

    fn replace(&mut self) -> io::Result<()> {
        let replace = |state: &mut State| {
            (state.named, state.was_changed) = (state.new.take(), false);
        };
        // A rename is done or not, even if it says that it failed.
        self.step(replace, replace)
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        self.step(|_| {}, |state| state.named_for_sure = state.named)
    }

    fn remove(&mut self) -> io::Result<()> {
        self.step(|_| {}, |state| state.named = None)
    }
}
