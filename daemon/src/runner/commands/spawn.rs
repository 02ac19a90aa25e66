//! How a command is started.

use std::ffi::OsStr;
use std::io::{self, PipeReader};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use knock_engine::{Phase, address};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;

use super::request::CommandRequest;
use crate::runner::orphans;

/// The variables of the daemon's environment that commands get, besides `LC_*`.
const INHERITED: [&str; 7] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ"];

/// The `PATH` of commands if the daemon has none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Starts a command in its own session, with the signal settings of a program that is started by hand,
/// and with the client, the door and the phase in its environment.
pub(super) fn spawn(request: &CommandRequest, in_root: bool) -> io::Result<(Child, PipeReader)> {
    let (output, input) = io::pipe()?;
    let flags = OFlag::from_bits_retain(fcntl(output.as_fd(), FcntlArg::F_GETFL)?);
    fcntl(output.as_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    let mut client = Vec::new();
    address::write(request.client, &mut client);
    let phase = match request.phase {
        Phase::Start => "start",
        Phase::Stop => "stop",
    };
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(OsStr::from_bytes(&request.line));
    command.stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input);
    command.env_clear().env("PATH", PATH).envs(std::env::vars_os().filter(|(name, _)| {
        INHERITED.iter().any(|kept| name == kept) || name.as_bytes().starts_with(b"LC_")
    }));
    command.env("KNOCK_CLIENT", OsStr::from_bytes(&client));
    command.env("KNOCK_DOOR", OsStr::from_bytes(&request.door_name));
    command.env("KNOCK_PHASE", phase);
    if let Some(number) = request.lease {
        command.env(orphans::VARIABLE, number.to_string());
    }
    if in_root {
        command.current_dir("/");
    }
    let is_start = request.phase == Phase::Start && request.lease.is_some();
    let daemon = nix::unistd::getpid();
    #[expect(unsafe_code, reason = "there is no safe way to run code in the new process")]
    // SAFETY: it only makes system calls, which are allowed between fork and exec.
    unsafe {
        command.pre_exec(move || {
            if is_start {
                end_with(daemon)?;
            }
            leave_daemon()
        });
    }
    command.spawn().map(|child| (child, output))
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
