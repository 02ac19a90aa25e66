//! `Include`: the lines of other files, in the place of the line that names them.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use knock_config::diagnostics::Style;
use knock_config::options::CheckOptions;
use knock_config::{Setup, ThisHost, Verdict, Waits};
use knock_guard::Modes;
use tempfile::TempDir;

const MAIN: &str =
    "[options]\nlogfile = log\nInclude = doors.d/*.conf\n[last]\nsequence = 9\ncommand =\n";

#[test]
fn files_are_read_in_the_place_of_the_line_in_the_order_of_their_names() {
    let folder = Folder::new(MAIN);
    folder.write("doors.d/b.conf", "[b]\nsequence = 2\ncommand =\n");
    folder.write("doors.d/a.conf", "\u{feff}# no newline at the end\n[a]\nsequence = 1\ncommand =");
    folder.write("doors.d/c.conf~", "broken");
    folder.write("doors.d/.hidden.conf", "broken");
    assert_eq!(folder.doors(), ["a", "b", "last"]);
    let config = Setup::load(&folder.path("knockd.conf")).config.unwrap();
    let included = ["doors.d/a.conf", "doors.d/b.conf"].map(|name| folder.path(name));
    assert_eq!(config.included, included);
    // None is no error: the folder may be for later.
    fs::remove_file(folder.path("doors.d/a.conf")).unwrap();
    fs::remove_file(folder.path("doors.d/b.conf")).unwrap();
    assert_eq!(folder.doors(), ["last"]);
}

#[test]
fn a_file_without_sections_goes_on_with_the_section_of_the_line() {
    let folder = Folder::new("[a]\nsequence = 1\nInclude = times\ncommand =\n");
    folder.write("times", "seq_timeout = 7\n");
    let config = Setup::load(&folder.path("knockd.conf")).config.unwrap();
    assert_eq!(config.doors[0].seq_timeout.as_ref().unwrap().value.get(), 7);
    assert!(config.doors[0].start.is_some());
}

#[test]
fn a_relative_path_is_one_in_the_folder_of_the_file_that_has_the_line() {
    let folder = Folder::new("Include = one/first\n");
    folder.write("one/first", "Include = two/second\n");
    folder.write("one/two/second", "Include = ../../third\n");
    folder.write("third", "[a]\nsequence = 1\ncommand =\n");
    assert_eq!(folder.doors(), ["a"]);
}

#[test]
fn what_is_found_names_the_file_and_its_line() {
    let folder = Folder::new(MAIN);
    folder
        .write("doors.d/a.conf", "[a]\nsequence = 1\nsequence = 70000\ncommand = x\ncommand = y\n");
    folder.write("doors.d/b.conf", "\n\n[a]\nsequence = 2\nseq_timeout = ten\ncommand =\n");
    folder.write("doors.d/c.conf", "[options]\nlogfile = other\n");
    let setup = Setup::load(&folder.path("knockd.conf"));
    assert_eq!(setup.config, None);
    insta::assert_snapshot!(folder.placed(&setup.report(Style::Plain)));
    let check = |format: &str| {
        let format = clap::ValueEnum::from_str(format, false).unwrap();
        let options = CheckOptions { format, ..CheckOptions::default() };
        let path = folder.path("knockd.conf");
        Verdict::on(&path, |_| None, &options, false, None, Waits::Never, Style::Plain)
    };
    let objects: Vec<serde_json::Value> =
        check("json").output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let is_there = |file: &str, line: u64| {
        let file = folder.path(file).display().to_string();
        objects.iter().any(|one| one["file"] == file.as_str() && one["line"] == line)
    };
    assert!(is_there("doors.d/a.conf", 3) && is_there("doors.d/b.conf", 5), "{objects:#?}");
}

#[test]
fn what_cannot_be_included_is_an_error_at_the_line_that_names_it() {
    let folder = Folder::new(
        "Include = missing\n[options]\nInclude =\nInclude = doors.d\nInclude = none/*.conf\n\
         Include = loop\nInclude = knockd.conf\nInclude = deep1\n[a]\nsequence = 1\ncommand =\n",
    );
    fs::create_dir(folder.path("doors.d")).unwrap();
    folder.write("loop", "# a loop\nInclude = loop2\n");
    folder.write("loop2", "Include = loop\n");
    for depth in 1..=9 {
        folder.write(&format!("deep{depth}"), &format!("Include = deep{}\n", depth + 1));
    }
    let setup = Setup::load(&folder.path("knockd.conf"));
    assert_eq!(setup.config, None);
    insta::assert_snapshot!(folder.placed(&setup.report(Style::Plain)));
}

#[test]
fn a_line_whose_section_is_doubtful_is_an_error() {
    let folder = Folder::new("[a]\nsequence = 1\nInclude = b\n# fine\n\ncommand = meant for a\n");
    folder.write("b", "[b]\nsequence = 2\ncommand =\n");
    let report = Setup::load(&folder.path("knockd.conf")).report(Style::Plain);
    insta::assert_snapshot!(folder.placed(&report));
    folder.write(
        "knockd.conf",
        "[a]\nsequence = 1\ncommand =\nInclude = b\n[c]\nsequence = 3\ncommand =\n",
    );
    assert_eq!(folder.doors(), ["a", "b", "c"]);
}

#[test]
fn the_number_and_the_size_of_files_have_limits() {
    let folder = Folder::new("Include = d/*\n");
    fs::create_dir(folder.path("d")).unwrap();
    for number in 0..257 {
        folder.write(&format!("d/{number:03}"), "# nothing\n");
    }
    let report = || Setup::load(&folder.path("knockd.conf")).report(Style::Plain);
    assert!(report().contains("a configuration includes 256 files at most"), "{}", report());
    fs::remove_file(folder.path("d/256")).unwrap();
    assert!(!report().contains("error"), "{}", report());
    for number in 0..3 {
        folder.write(&format!("d/{number:03}"), &"#\n".repeat(200_000));
    }
    assert!(report().contains("all files together are larger than 1 MiB"), "{}", report());
}

#[test]
fn files_that_other_users_can_change_are_refused_as_the_configuration_is() {
    let folder = Folder::new(MAIN);
    folder.write("doors.d/a.conf", "[a]\nsequence = 1\ncommand =\n");
    let load = |modes| Setup::load_within(&folder.path("knockd.conf"), modes, Waits::Never);
    let permit = |mode| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(folder.path("doors.d/a.conf"), permissions).unwrap();
    };
    permit(0o666);
    assert!(load(Modes::Any).config.is_some());
    let setup = load(Modes::Strict);
    assert_eq!(setup.config, None);
    let report = setup.report(Style::Plain);
    assert!(report.contains("a.conf`: other users could change it"), "{report}");
    permit(0o644);
    let readable = |host: Option<&dyn knock_config::Host>| {
        let path = folder.path("knockd.conf");
        let options = CheckOptions::default();
        Verdict::on(&path, |_| None, &options, false, host, Waits::Never, Style::Plain).errors
    };
    let warned = readable(Some(&ThisHost { modes: Modes::Any }));
    assert!(warned.contains("a.conf"), "{warned}");
    assert!(!readable(None).contains("world-readable"));
}

#[test]
fn the_texts_that_were_read_give_the_same_again() {
    let folder = Folder::new(MAIN);
    folder.write("doors.d/a.conf", "[a]\nsequence = 1\ncommand = x\ncommand = y\n");
    let path = folder.path("knockd.conf");
    let loaded = Setup::load(&path);
    fs::remove_dir_all(folder.path("doors.d")).unwrap();
    let parsed = Setup::parse(&path, loaded.files.clone());
    assert!(loaded.report(Style::Plain).contains("doors.d/a.conf:3:"));
    assert_eq!(parsed.config, loaded.config);
    assert_eq!(parsed.report(Style::Plain), loaded.report(Style::Plain));
    assert_eq!(parsed.files, loaded.files);
}

/// A folder with a `knockd.conf`.
struct Folder(TempDir);

impl Folder {
    fn new(text: &str) -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.write("knockd.conf", text);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn placed(&self, report: &str) -> String {
        report.replace(self.0.path().to_str().unwrap(), "DIR")
    }

    /// Returns the names of the doors of a configuration without errors.
    fn doors(&self) -> Vec<String> {
        let setup = Setup::load(Path::new(&self.path("knockd.conf")));
        let report = setup.report(Style::Plain);
        let config = setup.config.unwrap_or_else(|| panic!("{report}"));
        let names = config.doors.iter().map(|door| door.name.as_bytes());
        names.map(|name| String::from_utf8(name.to_vec()).unwrap()).collect()
    }
}
