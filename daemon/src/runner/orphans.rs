//! Commands that a killed daemon has left running.
//!
//! A command has the number of its lease in its environment, which all processes inherit that it starts,
//! so they are found even if nothing could be recorded about them. Its session is recorded as well, because
//! a process can change its environment, such as by `sudo`.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::lease_record::{Group, Place, StoredLease};

/// The variable with the number of the lease.
pub(super) const VARIABLE: &str = "KNOCK_LEASE";

/// What stop commands have in their environment, and start commands do not.
const STOP: &[u8] = b"KNOCK_PHASE=stop";

/// How long to wait until killed processes are gone.
const END_MAX: Duration = Duration::from_secs(5);

/// How often to look.
const PAUSE: Duration = Duration::from_millis(5);

/// The largest environment that is read, in bytes.
const ENVIRONMENT_MAX: usize = 256 * 1024;

/// Kills the commands of these leases that had not ended, with all processes that they have started, and
/// waits until they are gone. A process that they have started and that is still starting others is found again.
pub(super) fn end(left: &[StoredLease], here: &Place) {
    // A start command that has ended may have left a process running on purpose.
    let has_command = |lease: &&StoredLease| lease.due.is_none() || lease.is_closing;
    let with_command: Vec<&StoredLease> =
        left.iter().filter(|lease| lease.place.boot() == here.boot()).filter(has_command).collect();
    if with_command.is_empty() {
        return;
    }
    let begin = Instant::now();
    loop {
        let orphans = find(&with_command);
        if orphans.is_empty() || begin.elapsed() > END_MAX {
            return;
        }
        for orphan in orphans {
            // It may have ended by now.
            let _ = kill(orphan, Signal::SIGKILL);
        }
        thread::sleep(PAUSE);
    }
}

/// What the processes of commands have in their environment.
struct Marks {
    starts: BTreeSet<Vec<u8>>,
    stops: BTreeSet<Vec<u8>>,
}

impl Marks {
    /// Returns whether a process with this environment belongs to one of the commands.
    fn are_in(&self, environment: &[u8]) -> bool {
        let entries = || environment.split(|&byte| byte == 0);
        let is_stop = entries().any(|entry| entry == STOP);
        let marks = if is_stop { &self.stops } else { &self.starts };
        entries().any(|entry| marks.contains(entry))
    }
}

/// A process.
struct Process {
    id: i32,
    session: i32,
    started: u64,
    has_mark: bool,
}

/// Finds the processes of the commands of these leases.
fn find(leases: &[&StoredLease]) -> Vec<Pid> {
    let mark = |lease: &&StoredLease| format!("{VARIABLE}={}", lease.number).into_bytes();
    let marks = Marks {
        starts: leases.iter().filter(|lease| lease.due.is_none()).map(mark).collect(),
        stops: leases.iter().filter(|lease| lease.is_closing).map(mark).collect(),
    };
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let processes = processes(&marks, own);
    let groups: Vec<Group> = leases.iter().filter_map(|lease| lease.group).collect();
    // An ID is not given to another process while there is a session with it, so a session is that of the
    // command if its leader is, or any of its processes.
    let is_ours = |session: i32| {
        processes.iter().any(|one| {
            one.session == session
                && (one.has_mark
                    || groups.contains(&Group { leader: one.id, started: one.started }))
        })
    };
    let sessions: BTreeSet<i32> =
        groups.iter().map(|group| group.leader).filter(|leader| is_ours(*leader)).collect();
    let ours = |one: &&Process| one.has_mark || sessions.contains(&one.session);
    processes.iter().filter(ours).map(|one| Pid::from_raw(one.id)).collect()
}

/// Returns all processes but this one, and those that have ended.
fn processes(marks: &Marks, own: i32) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return vec![] };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let process = |id: i32| {
        let (session, started) = stat(id)?;
        let mut environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment.truncate(ENVIRONMENT_MAX);
        Some(Process { id, session, started, has_mark: marks.are_in(&environment) })
    };
    ids.filter(|id| *id != own).filter_map(process).collect()
}

/// Returns the session of a process that has not ended, and when it was started.
fn stat(id: i32) -> Option<(i32, u64)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // After the name, which may contain anything: state, parent, group, session, and more.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let [state, _, _, session, ..] = fields[..] else { return None };
    if matches!(state, "Z" | "X") {
        return None;
    }
    Some((session.parse().ok()?, fields.get(19)?.parse().ok()?))
}

/// Returns the process group of a command that has just been started.
pub(super) fn group(leader: Pid) -> Option<Group> {
    let (_, started) = stat(leader.as_raw())?;
    Some(Group { leader: leader.as_raw(), started })
}
