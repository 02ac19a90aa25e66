//! A machine to run the daemon on, apart from the real one.

use std::fs::{self, File, Permissions};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use knock_tests::live::Namespace;
use knock_tests::process::{Live, Outcome, finish};
use nix::sched::{CloneFlags, setns};
use tempfile::TempDir;

use super::processes::{self, Process};
use super::{CONFIG, wait_until};

/// The daemon's program.
const KNOCKD: &str = env!("CARGO_BIN_EXE_knockd");

/// A folder in which programs are run.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// Returns a folder with [`CONFIG`] as `knockd.conf`.
    pub(crate) fn new() -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.write("knockd.conf", CONFIG);
        folder
    }

    pub(crate) fn directory(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file. In its text, `DIR` means the folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let directory = self.directory().to_str().unwrap();
        fs::write(self.path(name), text.replace("DIR", directory)).unwrap();
    }

    /// Returns the text of a file, or an empty one if there is no such file.
    pub(crate) fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.path(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns a command that runs the daemon on the real network. The arguments are separated by blanks.
    pub(crate) fn knockd(&self, arguments: &str) -> Command {
        let mut command = Command::new(KNOCKD);
        command.env("RUNTIME_DIRECTORY", self.directory());
        command.args(arguments.split_whitespace());
        command.current_dir(self.directory()).stdin(Stdio::null());
        // Never the state of a daemon on the real machine.
        command.env("STATE_DIRECTORY", self.path("state"));
        command
    }

    /// Lets all users read the folder, and copies the program there, because other users may not be able
    /// to read it where it is built.
    pub(crate) fn open_to_all(&self) {
        fs::set_permissions(self.directory(), Permissions::from_mode(0o755)).unwrap();
        // By another process: a program that this one has open for writing, and so has what other tests
        // start meanwhile, cannot be run.
        let copied = Command::new("cp").arg(KNOCKD).arg(self.path("knockd")).status().unwrap();
        assert!(copied.success());
    }

    /// Makes it the folder of a user, who then can start the daemon there, and root cannot any more.
    pub(crate) fn give_to(&self, user: u32) {
        chown(self.directory(), Some(user), None).unwrap();
    }
}

/// A folder, and a network, processes and mounts apart from those of the real machine.
pub(crate) struct Machine {
    // Ended before the folder goes.
    namespace: Namespace,
    pub(crate) folder: Folder,
}

impl Machine {
    /// Returns a machine whose network is a loopback interface.
    pub(crate) fn new() -> Self {
        let namespace = Namespace::new();
        namespace.set_up("ip link set lo up");
        Self { namespace, folder: Folder::new() }
    }

    /// Returns a machine with another configuration.
    pub(crate) fn with(config: &str) -> Self {
        let machine = Self::new();
        machine.folder.write("knockd.conf", config);
        machine
    }

    /// Returns a shell command to be run on the machine, in the folder. In it, `$KNOCKD` is the daemon's
    /// program, and `DIR` means the folder.
    pub(crate) fn command(&self, line: &str) -> Command {
        let directory = self.folder.directory().to_str().unwrap();
        let line = line.replace("DIR", directory);
        let mut command = self.namespace.command(&format!("cd {directory} && {line}"));
        command.env("KNOCKD", KNOCKD).env("STATE_DIRECTORY", self.folder.path("state"));
        command
    }

    /// Returns a command to be run on the machine without a shell.
    pub(crate) fn command_without_shell(&self, words: &[&str]) -> Command {
        let mut command = self.namespace.enter();
        command.args(words);
        command
    }

    /// Runs a shell command.
    pub(crate) fn run(&self, line: &str) -> Outcome {
        finish(&mut self.command(line))
    }

    /// Runs a shell command, which must succeed.
    pub(crate) fn set_up(&self, line: &str) {
        let outcome = self.run(&format!("set -e; {line}"));
        assert_eq!(outcome.status, Some(0), "{line}: {}", outcome.stderr);
    }

    /// Starts a shell command.
    pub(crate) fn start(&self, line: &str) -> Live {
        Live::start(&mut self.command(line))
    }

    /// Returns all processes on the machine, except for the first.
    pub(crate) fn processes(&self) -> Vec<Process> {
        processes::all(self.namespace.id())
    }

    /// Returns the processes with a name.
    pub(crate) fn named(&self, name: &str) -> Vec<Process> {
        self.processes().into_iter().filter(|process| process.name == name).collect()
    }

    /// Waits for the process with a name, which must be the only one.
    pub(crate) fn process(&self, name: &str) -> Process {
        let mut found = Vec::new();
        wait_until(&format!("there is one process {name}"), || {
            found = self.named(name);
            found.len() == 1
        });
        found.remove(0)
    }

    /// Waits for the process that looks up names, and until it has shut itself in.
    pub(crate) fn resolver(&self) -> Process {
        let resolver = self.process("knockd: resolver");
        wait_until("the resolver is shut in", || resolver.status("Seccomp") == "2");
        resolver
    }

    /// Waits until no process of the daemon is left.
    pub(crate) fn wait_for_no_process(&self) {
        wait_until("no process of knockd is left", || {
            !self.processes().iter().any(|process| process.name.starts_with("knockd"))
        });
    }

    /// Waits until a file has this many lines.
    pub(crate) fn wait_for_lines(&self, name: &str, count: usize) {
        wait_until(&format!("{name} has {count} lines"), || {
            self.folder.read(name).lines().count() >= count
        });
    }

    /// Waits until a file contains a text.
    pub(crate) fn wait_for_text(&self, name: &str, text: &str) {
        wait_until(&format!("{name} has {text:?}"), || self.folder.read(name).contains(text));
    }

    /// Returns a client that knocks from an address of the loopback interface.
    pub(crate) fn knocker(&self, from: [u8; 4]) -> Knocker {
        Knocker(self.on_network(move || UdpSocket::bind((Ipv4Addr::from(from), 0)).unwrap()))
    }

    /// Opens a socket on the machine's network, where it stays.
    pub(crate) fn on_network<T: Send + 'static>(
        &self,
        open: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let network = File::open(format!("/proc/{}/ns/net", self.namespace.id())).unwrap();
        // Only this thread of the test goes to that network.
        let thread = thread::spawn(move || {
            setns(network, CloneFlags::CLONE_NEWNET).unwrap();
            open()
        });
        thread.join().unwrap()
    }

    /// Knocks from 127.0.0.1.
    pub(crate) fn knock(&self, ports: &[u16]) {
        self.knocker([127, 0, 0, 1]).knock(ports);
    }
}

/// A client that knocks by UDP at 127.0.0.1.
pub(crate) struct Knocker(UdpSocket);

impl Knocker {
    pub(crate) fn knock(&self, ports: &[u16]) {
        for &port in ports {
            self.0.send_to(b"", (IpAddr::from([127, 0, 0, 1]), port)).unwrap();
        }
    }
}
