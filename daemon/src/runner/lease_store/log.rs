//! Which leases the file has, and how changes get there.

use std::collections::BTreeMap;
use std::io;

use super::storage::Storage;
use crate::lease_record::{Record, StoredLease, apply, encode, snapshot};

/// How many superfluous lines the file may have before it is rewritten.
const SPARE_LINES: usize = 1_000;

/// The file, and what is open.
pub(super) struct Log<S> {
    storage: S,
    open: BTreeMap<u64, StoredLease>,
    /// How many records the file has.
    lines: usize,
    /// Whether the last write succeeded. If not, nothing is known about the file: after a failed sync,
    /// the system may have dropped what it did not write.
    is_whole: bool,
    /// Whether all of it would survive a power cut.
    is_synced: bool,
}

impl<S: Storage> Log<S> {
    /// Begins with these leases, in a new file.
    ///
    /// # Errors
    /// The write error. The file is then as it was.
    pub(super) fn begin(
        storage: S,
        open: BTreeMap<u64, StoredLease>,
    ) -> Result<Self, (S, io::Error)> {
        let mut log = Self { storage, open, lines: 0, is_whole: false, is_synced: false };
        match log.rewrite() {
            Ok(()) => Ok(log),
            Err(error) => Err((log.storage, error)),
        }
    }

    /// Goes on with a file that has these leases, and so many lines.
    ///
    /// # Errors
    /// The write error.
    pub(super) fn go_on(
        mut storage: S,
        open: BTreeMap<u64, StoredLease>,
        lines: usize,
    ) -> Result<Self, (S, io::Error)> {
        // The daemon that has written it may have been killed before it was synced.
        match storage.sync().and_then(|()| storage.sync_folder()) {
            Ok(()) => Ok(Self { storage, open, lines, is_whole: true, is_synced: true }),
            Err(error) => Err((storage, error)),
        }
    }

    /// Returns the file.
    pub(super) const fn storage(&self) -> &S {
        &self.storage
    }

    /// Returns what is open.
    pub(super) const fn open(&self) -> &BTreeMap<u64, StoredLease> {
        &self.open
    }

    /// Applies changes, and has them on disk when it returns. Returns whether another program had changed
    /// the file. After an error, all that is open is written by the next call that can.
    ///
    /// # Errors
    /// The write error.
    pub(super) fn commit(&mut self, records: Vec<Record>) -> io::Result<bool> {
        let was_changed = self.note(records)?;
        self.sync()?;
        Ok(was_changed)
    }

    /// As [`commit`](Self::commit), but a power cut before the next [`sync`](Self::sync) may undo it. The end
    /// of this process does not.
    ///
    /// # Errors
    /// The write error.
    pub(super) fn note(&mut self, records: Vec<Record>) -> io::Result<bool> {
        let mut text = Vec::new();
        let count = records.len();
        for record in records {
            encode(&record, &mut text);
            apply(&mut self.open, record);
        }
        let most = self.open.len().saturating_mul(4).saturating_add(SPARE_LINES);
        let lines = self.lines.saturating_add(count);
        let was_changed = self.is_whole && !self.storage.is_intact();
        if !self.is_whole || lines > most || was_changed {
            return self.rewrite().map(|()| was_changed);
        }
        (self.is_whole, self.is_synced) = (false, false);
        self.storage.append(&text)?;
        (self.is_whole, self.lines) = (true, lines);
        Ok(false)
    }

    /// Returns whether a power cut would undo nothing.
    pub(super) const fn is_synced(&self) -> bool {
        self.is_synced
    }

    /// Has on disk what was noted, unless that failed: then all is written again later.
    ///
    /// # Errors
    /// The write error.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.is_whole && !self.is_synced {
            self.is_whole = false;
            self.storage.sync()?;
            (self.is_whole, self.is_synced) = (true, true);
        }
        Ok(())
    }

    /// Writes the file again if that failed before, or if another program has changed it. Returns whether
    /// one has.
    ///
    /// # Errors
    /// The write error.
    pub(super) fn check(&mut self) -> io::Result<bool> {
        let was_changed = self.is_whole && !self.storage.is_intact();
        if self.is_whole && !was_changed {
            return Ok(false);
        }
        self.rewrite().map(|()| was_changed)
    }

    /// Replaces the file by a new one with what is open.
    fn rewrite(&mut self) -> io::Result<()> {
        (self.is_whole, self.is_synced) = (false, false);
        self.storage.write_new(&snapshot(self.open.values()))?;
        self.storage.sync_new()?;
        self.storage.replace()?;
        self.storage.sync_folder()?;
        (self.is_whole, self.is_synced, self.lines) = (true, true, self.open.len());
        Ok(())
    }

    /// Removes the file, because another one has what is open.
    pub(super) fn discard(mut self) {
        self.open.clear();
        self.end();
    }

    /// Removes the file if nothing is open.
    pub(super) fn end(mut self) {
        if self.open.is_empty() {
            // If this fails, a file stays that says that nothing is open, unless the disk is full, too.
            let _ = self.storage.remove();
        }
    }
}
