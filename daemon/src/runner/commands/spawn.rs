//! How a command is started.

use std::ffi::{CString, OsStr, OsString};
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use knock_engine::{Phase, address};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;

use super::posix_spawn;
use super::request::CommandRequest;
use crate::runner::orphans;

/// The shell.
const SHELL: &str = "/bin/sh";

/// The variables of the daemon's environment that commands get, besides `LC_*`.
const INHERITED: [&str; 7] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ"];

/// The `PATH` of commands if the daemon has none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Starts a command in its own session, with the signal settings of a program that is started by hand,
/// and with the client, the door and the phase in its environment.
pub(super) fn spawn(request: &CommandRequest, in_root: bool) -> io::Result<(Pid, PipeReader)> {
    let (output, input) = io::pipe()?;
    let flags = OFlag::from_bits_retain(fcntl(output.as_fd(), FcntlArg::F_GETFL)?);
    fcntl(output.as_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    let opens = request.phase == Phase::Start && request.lease.is_some();
    let id = if opens {
        spawn_bound(request, in_root, input)?
    } else {
        let arguments = [SHELL.as_bytes(), b"-c", &request.line].map(CString::new);
        let arguments = arguments.into_iter().collect::<Result<Vec<_>, _>>()?;
        let variables = environment(request).into_iter();
        let variables = variables
            .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()));
        let variables = variables.collect::<Result<Vec<_>, _>>()?;
        let folder = in_root.then_some(c"/");
        posix_spawn::start(&arguments, &variables, input.as_fd(), folder)?
    };
    Ok((id, output))
}

/// Returns the environment of a command.
fn environment(request: &CommandRequest) -> Vec<(OsString, OsString)> {
    let is_kept = |name: &OsStr| {
        INHERITED.iter().any(|kept| name == *kept) || name.as_bytes().starts_with(b"LC_")
    };
    let mut all: Vec<(OsString, OsString)> =
        std::env::vars_os().filter(|(name, _)| is_kept(name)).collect();
    if all.iter().all(|(name, _)| name != "PATH") {
        all.push(("PATH".into(), PATH.into()));
    }
    let mut client = Vec::new();
    address::write(request.client, &mut client);
    let phase = match request.phase {
        Phase::Start => "start",
        Phase::Stop => "stop",
    };
    all.push(("KNOCK_CLIENT".into(), OsString::from_vec(client)));
    all.push(("KNOCK_DOOR".into(), OsString::from_vec(request.door_name.clone())));
    all.push(("KNOCK_PHASE".into(), phase.into()));
    if let Some(number) = request.lease {
        all.push((orphans::VARIABLE.into(), number.to_string().into()));
    }
    all
}

/// Starts a command that is killed when the daemon is. That takes a copy of this process, which is slower.
fn spawn_bound(request: &CommandRequest, in_root: bool, output: PipeWriter) -> io::Result<Pid> {
    let mut command = Command::new(SHELL);
    command.arg("-c").arg(OsStr::from_bytes(&request.line));
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    command.env_clear().envs(environment(request));
    if in_root {
        command.current_dir("/");
    }
    let daemon = nix::unistd::getpid();
    #[expect(unsafe_code, reason = "there is no safe way to run code in the new process")]
    // SAFETY: it only makes system calls, which are allowed between fork and exec.
    unsafe {
        command.pre_exec(move || {
            end_with(daemon)?;
            leave_daemon()
        });
    }
    let child = command.spawn()?;
    // A process ID is a positive number of 22 bits.
    Ok(Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX)))
}

/// Has this process killed when the daemon is: then nothing could close what it opens later. A stop command
/// goes on.
fn end_with(daemon: Pid) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    if nix::unistd::getppid() == daemon { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
}

/// Leaves the daemon's session, and resets its signal settings.
fn leave_daemon() -> io::Result<()> {
    nix::unistd::setsid()?;
    for number in 1..=libc::SIGRTMAX() {
        #[expect(unsafe_code, reason = "installing a handler can be unsafe")]
        // SAFETY: the default action is not a handler. For some signals the call fails: they always have it.
        unsafe {
            libc::signal(number, libc::SIG_DFL);
        }
    }
    SigSet::empty().thread_set_mask()?;
    Ok(())
}

/// Returns whether starting a command may succeed a little later.
pub(super) fn may_work_later(error: &io::Error) -> bool {
    let number = error.raw_os_error();
    [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE].map(Some).contains(&number)
}
