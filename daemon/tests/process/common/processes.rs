//! Processes, as `/proc` shows them.

use std::fs::{self, File};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// Its ID outside of its namespace.
    pub(crate) id: Pid,
    /// The last component of the name it was started by.
    pub(crate) name: String,
}

/// Returns all processes of the namespace that `holder` has made, except for the first.
pub(super) fn all(holder: u32) -> Vec<Process> {
    let namespace = fs::read_link(format!("/proc/{holder}/ns/pid_for_children")).unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let name = entry.unwrap().file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        if fs::read_link(format!("/proc/{id}/ns/pid")).is_ok_and(|theirs| theirs == namespace)
            && let Ok(command) = fs::read(format!("/proc/{id}/cmdline"))
            // A process that has ended has no name.
            && !command.is_empty()
        {
            let command = String::from_utf8_lossy(&command);
            let first = command.split('\0').next().unwrap_or_default();
            let name = first.rsplit('/').next().unwrap_or_default().to_owned();
            found.push(Process { id: Pid::from_raw(id), name });
        }
    }
    found.retain(|process| process.inner() != Some(1));
    found
}

impl Process {
    /// Returns the path of its file in `/proc`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.id).into()
    }

    /// Returns the values of a line of its status, separated by single blanks.
    pub(crate) fn status(&self, key: &str) -> String {
        let status = fs::read_to_string(self.path("status")).unwrap();
        value(&status, key).unwrap_or_else(|| panic!("no {key} in {status}"))
    }

    /// Returns its ID inside its namespace; `None` if it has ended.
    pub(crate) fn inner(&self) -> Option<u32> {
        let status = fs::read_to_string(self.path("status")).ok()?;
        value(&status, "NSpid")?.split(' ').next_back()?.parse().ok()
    }

    /// Returns the ID of its parent, outside of its namespace.
    pub(crate) fn parent(&self) -> Pid {
        Pid::from_raw(self.status("PPid").parse().unwrap())
    }

    /// Returns the number of its terminal; 0 if it has none.
    pub(crate) fn terminal(&self) -> i32 {
        let stat = fs::read_to_string(self.path("stat")).unwrap();
        // After the name, which may contain anything: state, parent, group, session, terminal.
        let (_, rest) = stat.rsplit_once(')').unwrap();
        rest.split_whitespace().nth(4).unwrap().parse().unwrap()
    }

    /// Returns its descriptors and what they are, in order.
    pub(crate) fn descriptors(&self) -> Vec<(u32, String)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.path("fd")).unwrap() {
            let path = entry.unwrap().path();
            let Ok(what) = fs::read_link(&path) else { continue };
            let number = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
            found.push((number, what.to_str().unwrap().to_owned()));
        }
        found.sort();
        found
    }

    /// Returns how often each of its threads was switched off the processor, voluntarily or not, and how
    /// much processor time it has used.
    pub(crate) fn activity(&self) -> Vec<[String; 4]> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.path("task")).unwrap() {
            let path = entry.unwrap().path();
            let read = |name| fs::read_to_string(path.join(name)).unwrap();
            let status = read("status");
            let [by_itself, forced] = ["voluntary", "nonvoluntary"]
                .map(|how| value(&status, &format!("{how}_ctxt_switches")).unwrap());
            let stat = read("stat");
            let (_, rest) = stat.rsplit_once(')').unwrap();
            let ticks: Vec<&str> = rest.split_whitespace().skip(11).take(2).collect();
            let number = path.file_name().unwrap().to_str().unwrap().to_owned();
            found.push([number, by_itself, forced, ticks.join("+")]);
        }
        found.sort();
        found
    }

    /// Returns whether a signal was sent to it that it has not received yet.
    pub(crate) fn has_pending(&self, signal: Signal) -> bool {
        let pending = u64::from_str_radix(&self.status("ShdPnd"), 16).unwrap();
        let pending = (1..=64).filter(|number| pending >> (number - 1) & 1 == 1);
        pending.into_iter().any(|number| Signal::try_from(number) == Ok(signal))
    }

    /// Returns what root can read of the memory that it can write: each part with its line of `maps`.
    pub(crate) fn memory(&self) -> Vec<(String, Vec<u8>)> {
        let memory = File::open(self.path("mem")).unwrap();
        let maps = fs::read_to_string(self.path("maps")).unwrap();
        let mut found = Vec::new();
        for line in maps.lines() {
            let (range, rest) = line.split_once(' ').unwrap();
            let (from, to) = range.split_once('-').unwrap();
            let [from, to] = [from, to].map(|place| u64::from_str_radix(place, 16).unwrap());
            let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
            // Some parts are not to be read, such as rings of packets.
            if rest.starts_with("rw") && memory.read_exact_at(&mut bytes, from).is_ok() {
                found.push((line.to_owned(), bytes));
            }
        }
        for name in ["[heap]", "[stack]"] {
            assert!(found.iter().any(|(line, _)| line.ends_with(name)), "{name} is not in {maps}");
        }
        found
    }

    /// Takes the socket that is its standard input.
    #[expect(unsafe_code, reason = "the standard library has no such calls")]
    pub(crate) fn take_socket(&self) -> UnixStream {
        let call = |number, arguments: [i64; 3]| {
            let [a, b, c] = arguments;
            // SAFETY: neither of the calls below reads or writes memory.
            let answer = unsafe { libc::syscall(number, a, b, c) };
            assert!(answer >= 0, "{}", std::io::Error::last_os_error());
            // SAFETY: both return a new descriptor, which has no other owner.
            unsafe { OwnedFd::from_raw_fd(i32::try_from(answer).unwrap()) }
        };
        let process = call(libc::SYS_pidfd_open, [self.id.as_raw().into(), 0, 0]);
        call(libc::SYS_pidfd_getfd, [process.as_raw_fd().into(), 0, 0]).into()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.id, signal).unwrap();
    }

    /// Sends it a signal, unless it has ended.
    pub(crate) fn signal_if_there(&self, signal: Signal) {
        match kill(self.id, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => panic!("{}: {error}", self.name),
        }
    }
}

fn value(status: &str, key: &str) -> Option<String> {
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    Some(line.split_whitespace().collect::<Vec<_>>().join(" "))
}
