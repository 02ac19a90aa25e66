//! The files of one-time sequences: used sequences are marked there, and never count again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use knock_config::marks::{self, Marked, NotMarked};
use knock_config::text::shown;
use knock_config::{Config, FileName, Files, help_for_distrust, path_of};
use knock_engine::{DoorId, DoorName, OneTimeLine, Sequence};
use knock_guard::Modes;

/// The files of the present configuration, and what was used of them.
#[derive(Debug, Default)]
pub(super) struct OneTime {
    /// Whose files are believed.
    modes: Modes,
    /// The doors that have one.
    doors: BTreeMap<DoorId, OneTimeDoor>,
    files: BTreeMap<FileName, KnownFile>,
}

#[derive(Debug)]
struct OneTimeDoor {
    name: DoorName,
    file: FileName,
}

/// A file that a configuration names, or named.
#[derive(Debug, Default)]
struct KnownFile {
    /// As it was read.
    text: Vec<u8>,
    /// Where the lines of `text` begin that were used.
    used_lines: BTreeSet<u64>,
    /// The sequences that were used since the start, and by which of the present doors.
    used: BTreeMap<Sequence, BTreeSet<DoorId>>,
}

/// A line that is not marked, although its sequence was used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnmarkedLine {
    pub(super) file: FileName,
    pub(super) number: u32,
    pub(super) offset: u64,
}

impl UnmarkedLine {
    /// Marks the line in the text that was read.
    pub(super) fn mark_in(&self, files: &mut Files) {
        let text = files.one_time.get_mut(&self.file);
        let at = usize::try_from(self.offset).ok();
        if let Some(first) = text.zip(at).and_then(|(text, at)| text.get_mut(at)) {
            *first = b'#';
        }
    }
}

/// Why a sequence does not open its door.
#[derive(Debug)]
pub(super) enum NotUsed {
    /// Its line cannot be marked.
    NotMarked(NotMarked),
    /// Its line was marked by somebody else: another daemon or a person.
    MarkedBefore(PathBuf),
}

impl fmt::Display for NotUsed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMarked(why @ NotMarked::Io(..)) => {
                let way_out = "make the file writable and put '#' before the line, or a restart accepts \
                               the sequence again";
                write!(out, "{why}; {way_out}")
            }
            Self::NotMarked(NotMarked::Distrusted(why)) => {
                write!(out, "{why}; {}", help_for_distrust(why))
            }
            Self::NotMarked(why @ (NotMarked::Gone(_) | NotMarked::NoSuchLine)) => {
                write!(out, "{why}; reload, so that the present lines count")
            }
            Self::MarkedBefore(path) => {
                let way_out = "knock with the next sequence";
                write!(out, "it was marked in {} before; {way_out}", shown(path))
            }
        }
    }
}

impl OneTime {
    /// Takes the files of the first configuration. The ids are those of its doors, in order.
    pub(super) fn new(
        modes: Modes,
        config: &Config,
        files: &Files,
        ids: impl IntoIterator<Item = DoorId>,
    ) -> Self {
        let mut one_time = Self { modes, ..Self::default() };
        one_time.renew(config, files, ids);
        one_time
    }

    /// Takes the files of another configuration. What was used stays used.
    pub(super) fn renew(
        &mut self,
        config: &Config,
        files: &Files,
        ids: impl IntoIterator<Item = DoorId>,
    ) {
        let mut used: BTreeMap<FileName, BTreeSet<Sequence>> = BTreeMap::new();
        for (name, known) in &self.files {
            used.entry(name.clone()).or_default().extend(known.used.keys().cloned());
        }
        for (door, file) in one_time_files(config) {
            let earlier = self.known(door, file).flat_map(|known| known.used.keys().cloned());
            used.entry(file.clone()).or_default().extend(earlier);
        }
        let doors = config.doors.iter().zip(ids);
        self.doors = doors
            .filter_map(|(door, id)| {
                let file = door.one_time_file()?.clone();
                Some((id, OneTimeDoor { name: door.name.clone(), file }))
            })
            .collect();
        self.files = used
            .into_iter()
            .map(|(name, used)| {
                let text = files.one_time.get(&name).cloned().unwrap_or_default();
                let used = used.into_iter().map(|sequence| (sequence, BTreeSet::new())).collect();
                (name, KnownFile { text, used_lines: BTreeSet::new(), used })
            })
            .collect();
    }

    /// Returns what is known of a file, and of the file that a door of this name has.
    fn known(&self, door: &DoorName, file: &FileName) -> impl Iterator<Item = &KnownFile> {
        let of_door = self.doors.values().find(|known| known.name == *door);
        let of_door = of_door.map(|door| &door.file).filter(|other| *other != file);
        let of_door = of_door.and_then(|name| self.files.get(name));
        self.files.get(file).into_iter().chain(of_door)
    }

    /// Marks what was used of these files, in the texts only.
    pub(super) fn mark_used(&self, files: &mut Files) {
        for (name, known) in &self.files {
            let Some(text) = files.one_time.get_mut(name).filter(|text| **text == known.text)
            else {
                continue;
            };
            for &offset in &known.used_lines {
                let at = usize::try_from(offset).ok();
                if let Some(first) = at.and_then(|at| text.get_mut(at)) {
                    *first = b'#';
                }
            }
        }
    }

    /// Marks a sequence as used. Whether that succeeds or not, it counts as used from now on.
    pub(super) fn mark(&mut self, id: DoorId, line: u32, offset: u64) -> Result<(), NotUsed> {
        let no_such_line = || NotUsed::NotMarked(NotMarked::NoSuchLine);
        let name = &self.doors.get(&id).ok_or_else(no_such_line)?.file;
        let known = self.files.get_mut(name).ok_or_else(no_such_line)?;
        let sequence = marks::sequence_at(&known.text, line, offset).ok_or_else(no_such_line)?;
        let users = known.used.entry(sequence).or_default();
        // Doors with the same file each go through all of its lines.
        let is_of_other_door = users.iter().any(|&user| user != id) && !users.contains(&id);
        users.insert(id);
        known.used_lines.insert(offset);
        match marks::mark(path_of(name), self.modes, &known.text, line, offset)
            .map_err(NotUsed::NotMarked)?
        {
            Marked::Before if !is_of_other_door => {
                Err(NotUsed::MarkedBefore(path_of(name).to_owned()))
            }
            Marked::Now | Marked::Before => Ok(()),
        }
    }

    /// Returns the lines of new files whose sequences were used already: marking them failed, or an
    /// editor has written the file as it was before they were marked.
    pub(super) fn unmarked(&self, config: &Config, files: &Files) -> Vec<UnmarkedLine> {
        let mut excess: BTreeMap<&FileName, BTreeMap<&Sequence, usize>> = BTreeMap::new();
        for (door, file) in one_time_files(config) {
            for known in self.known(door, file) {
                for (sequence, left) in known.left_of_used() {
                    let most = excess.entry(file).or_default().entry(sequence).or_default();
                    *most = left.max(*most);
                }
            }
        }
        let mut found = Vec::new();
        for (file, used) in excess {
            let lines = files.one_time.get(file).map(|text| unused_lines(text)).unwrap_or_default();
            // Of lines with the same sequence, the last ones count.
            let mut left = used;
            for OneTimeLine { number, offset, sequence } in lines.into_iter().rev() {
                match left.get_mut(&sequence) {
                    Some(0) => found.push(UnmarkedLine { file: file.clone(), number, offset }),
                    Some(left) => *left = left.saturating_sub(1),
                    None => {}
                }
            }
        }
        found.reverse();
        found
    }
}

impl KnownFile {
    /// Returns the sequences that were used, and on how many lines each is that were not.
    fn left_of_used(&self) -> BTreeMap<&Sequence, usize> {
        let mut left: BTreeMap<&Sequence, usize> = self.used.keys().map(|used| (used, 0)).collect();
        if left.is_empty() {
            return left;
        }
        for line in unused_lines(&self.text) {
            if let Some(count) = left.get_mut(&line.sequence)
                && !self.used_lines.contains(&line.offset)
            {
                *count = count.saturating_add(1);
            }
        }
        left
    }
}

/// Returns the doors with a file of one-time sequences, and their files.
pub(super) fn one_time_files(config: &Config) -> impl Iterator<Item = (&DoorName, &FileName)> {
    config.doors.iter().filter_map(|door| Some((&door.name, door.one_time_file()?)))
}

/// Returns the lines of a file that are not marked; none if the file has an error.
fn unused_lines(text: &[u8]) -> Vec<OneTimeLine> {
    let (sequences, _) = knock_config::parse_one_time(text);
    sequences.map(|sequences| sequences.unused().cloned().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use knock_config as config;
    use knock_engine::Doors;
    use tempfile::TempDir;

    use super::*;
    use crate::runner::check_writable;

    const TEXT: &str = "# old\n 1,2\n3,4\n";

    /// Two doors, of which the second takes its sequences from a file.
    struct Case {
        folder: TempDir,
        one_time: OneTime,
    }

    impl Case {
        fn new() -> Self {
            let folder = TempDir::new().unwrap();
            let mut case = Self { folder, one_time: OneTime::default() };
            case.write(TEXT);
            case.load("b", "sequences");
            case
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, text: &str) {
            fs::write(self.path("sequences"), text).unwrap();
        }

        fn text(&self) -> String {
            fs::read_to_string(self.path("sequences")).unwrap()
        }

        /// Returns a configuration with a door of this name that has this file, and its files.
        fn read(&self, door: &str, file: &str) -> (Config, Files) {
            let path = self.path(file);
            let conf =
                format!("[a]\nsequence=9\n[{door}]\none_time_sequences={}\n", path.display());
            let config = config::parse(conf.as_bytes()).config.unwrap();
            let name = config.doors[1].one_time_file().unwrap().clone();
            let one_time = [(name, fs::read(path).unwrap())].into();
            (config, Files { configuration: conf.into_bytes(), one_time, ..Files::default() })
        }

        /// Takes the files of a configuration. Returns the numbers of lines with used sequences.
        fn load(&mut self, door: &str, file: &str) -> Vec<u32> {
            let (config, mut files) = self.read(door, file);
            let unmarked = self.one_time.unmarked(&config, &files);
            for line in &unmarked {
                line.mark_in(&mut files);
            }
            self.one_time.renew(&config, &files, ids());
            unmarked.into_iter().map(|line| line.number).collect()
        }

        fn mark(&mut self, line: u32, offset: u64) -> Result<(), NotUsed> {
            self.one_time.mark(ids()[1], line, offset)
        }
    }

    fn ids() -> Vec<DoorId> {
        let two = config::parse(b"[a]\nsequence=9\n[b]\nsequence=8\n").config.unwrap();
        let doors = two.doors.iter().map(config::DoorConfig::door).collect();
        Doors::new(doors).unwrap().in_order().map(|(id, _)| id).collect()
    }

    #[test]
    fn only_the_line_that_was_used_is_marked() {
        let mut case = Case::new();
        check_writable(&case.read("b", "sequences").0, Modes::Any).unwrap();
        case.mark(2, 6).unwrap();
        assert_eq!(case.text(), "# old\n#1,2\n3,4\n");
        case.mark(3, 11).unwrap();
        assert_eq!(case.text(), "# old\n#1,2\n#,4\n");
    }

    #[test]
    fn a_line_that_the_door_does_not_have_is_not_marked() {
        let mut case = Case::new();
        let no_such_line =
            |outcome| matches!(outcome, Err(NotUsed::NotMarked(NotMarked::NoSuchLine)));
        assert!(no_such_line(case.mark(1, 6)));
        assert!(no_such_line(case.one_time.mark(ids()[0], 2, 6)));
        assert_eq!(case.text(), TEXT);
    }

    #[test]
    fn a_line_that_was_marked_before_opens_no_door() {
        let mut case = Case::new();
        case.write("# old\n#1,2\n3,4\n");
        let why = case.mark(2, 6).unwrap_err().to_string();
        let path = case.path("sequences");
        let expected =
            format!("it was marked in {} before; knock with the next sequence", path.display());
        assert_eq!(why, expected);
        // Not even if this daemon marked it.
        case.mark(3, 11).unwrap();
        assert!(matches!(case.mark(3, 11), Err(NotUsed::MarkedBefore(_))));
    }

    #[test]
    fn doors_with_the_same_file_each_go_through_all_of_its_lines() {
        let mut case = Case::new();
        let path = case.path("sequences");
        let door = format!("[a]\none_time_sequences={}\n", path.display());
        let conf = [door.as_str(), &door.replace("[a]", "[b]")].concat();
        let config = config::parse(conf.as_bytes()).config.unwrap();
        let (_, files) = case.read("b", "sequences");
        case.one_time.renew(&config, &files, ids());
        let [one, other] = ids()[..] else { unreachable!() };
        case.one_time.mark(one, 2, 6).unwrap();
        case.one_time.mark(other, 2, 6).unwrap();
        assert!(matches!(case.one_time.mark(one, 2, 6), Err(NotUsed::MarkedBefore(_))));
        assert!(matches!(case.one_time.mark(other, 2, 6), Err(NotUsed::MarkedBefore(_))));
    }

    #[test]
    fn a_sequence_that_was_used_never_counts_again() {
        let mut case = Case::new();
        case.mark(2, 6).unwrap();
        assert!(case.load("b", "sequences").is_empty());
        // An editor writes what it had read before, with more lines.
        case.write("# old\n 7,8\n 1,2\n3,4\n");
        assert_eq!(case.load("b", "sequences"), [3]);
        // Also after it was gone for a while, at another place, and written in another way.
        case.write("3,4\n");
        assert!(case.load("b", "sequences").is_empty());
        case.write("3,4\n\t1:tcp , 2\n");
        assert_eq!(case.load("b", "sequences"), [2]);
    }

    #[test]
    fn a_sequence_that_could_not_be_marked_never_counts_again_either() {
        let mut case = Case::new();
        fs::rename(case.path("sequences"), case.path("away")).unwrap();
        let why = case.mark(2, 6).unwrap_err().to_string();
        let expected = format!(
            "{}: there is no such file; make the file writable and put '#' before the line, or a \
             restart accepts the sequence again",
            case.path("sequences").display()
        );
        assert_eq!(why, expected);
        // The file has another name now, or the door has.
        assert_eq!(case.load("b", "away"), [2]);
        assert_eq!(case.load("c", "away"), [2]);
    }

    #[test]
    fn a_sequence_on_two_lines_works_twice() {
        let mut case = Case::new();
        case.write(" 1,2\n 3,4\n 1,2\n");
        case.load("b", "sequences");
        case.mark(1, 0).unwrap();
        assert_eq!(case.text(), "#1,2\n 3,4\n 1,2\n");
        assert!(case.load("b", "sequences").is_empty());
        case.write(" 1,2\n 3,4\n 1,2\n");
        assert_eq!(case.load("b", "sequences"), [1]);
        case.write("#1,2\n 3,4\n 1,2\n");
        case.load("b", "sequences");
        case.mark(3, 10).unwrap();
        case.write(" 1,2\n 3,4\n 1,2\n");
        assert_eq!(case.load("b", "sequences"), [1, 3]);
    }

    #[test]
    fn a_file_that_was_removed_is_not_writable() {
        let case = Case::new();
        let (config, _) = case.read("b", "sequences");
        fs::remove_file(case.path("sequences")).unwrap();
        let expected = format!(
            "cannot write {}: there is no such file; a sequence that is not marked as used could be \
             used again",
            case.path("sequences").display()
        );
        assert_eq!(check_writable(&config, Modes::Any).unwrap_err().to_string(), expected);
    }
}
