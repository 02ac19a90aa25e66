//! A folder with profiles in which the program is run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use knock_tests::process::{Outcome, finish};
use knock_tests::schema::Schema;
use tempfile::TempDir;

/// A folder with `config/knock/config`, the file of profiles of the user that runs the program.
pub(crate) struct CaseRunner(TempDir);

impl CaseRunner {
    pub(crate) fn new(profiles: &str) -> Self {
        let desk = Self(TempDir::new().unwrap());
        fs::create_dir_all(desk.path("config/knock")).unwrap();
        desk.write("config/knock/config", profiles);
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file that only its user may read.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        self.permit(name, 0o600);
    }

    pub(crate) fn permit(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Puts a copy of the program into the folder, for users who cannot reach the original.
    ///
    /// Another process makes it: a file that this one has open for writing may be inherited by the
    /// processes of other tests, and is then too busy to be run.
    pub(crate) fn copy_program(&self) {
        let program = env!("CARGO_BIN_EXE_knock");
        let copied = finish(Command::new("cp").arg(program).arg(self.path("program")));
        assert_eq!(copied.status, Some(0), "{}", copied.stderr);
        self.permit("program", 0o755);
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Makes `command` one that runs in the folder, for the user with the profiles.
    pub(crate) fn set(&self, command: &mut Command) {
        command.current_dir(self.0.path()).stdin(Stdio::null());
        command.env("XDG_CONFIG_HOME", self.path("config")).env("HOME", self.path("home"));
    }

    /// Returns the program with arguments, given as in a shell without quotes.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_knock"));
        self.set(&mut command);
        command.args(arguments.split_whitespace());
        command
    }

    /// Runs the program to its end. The folder is `DIR` in what it prints.
    pub(crate) fn run(&self, arguments: &str) -> Outcome {
        self.finish(&mut self.command(arguments))
    }

    /// Runs any program to its end. The folder is `DIR` in what it prints.
    pub(crate) fn finish(&self, command: &mut Command) -> Outcome {
        let Outcome { status, stdout, stderr } = finish(command);
        let folder = self.0.path().to_str().unwrap();
        let [stdout, stderr] = [stdout, stderr].map(|text| text.replace(folder, "DIR"));
        Outcome { status, stdout, stderr }
    }

    /// Returns the knocks that the program would make, as it prints them.
    pub(crate) fn plan(&self, arguments: &str) -> Vec<String> {
        let outcome = self.run(&format!("--dry-run {arguments}"));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{arguments}");
        outcome.stdout.lines().map(|line| line.trim().to_owned()).collect()
    }
}

/// Returns the schema of the lines of `--json`.
pub(crate) fn schema() -> Schema {
    Schema::read("knock.schema.json")
}
