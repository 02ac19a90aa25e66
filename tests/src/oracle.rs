//! The real knockd 0.8 as the reference: what it prints for the packets of a capture.
//!
//! `tests/oracle/README.md` says how it works and what it cannot show.

use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{fmt, fs, thread};

use crate::require::{Need, require};

/// The daemon, where Debian installs it.
const KNOCKD: &str = "/usr/sbin/knockd";

/// The library that is loaded before it.
const SHIM: &str = include_str!("../oracle/shim.c");

/// The interface that the daemon listens on. No interface may have this name, so that a daemon without
/// the shim fails at once.
const INTERFACE: &str = "knock-oracle";

/// How long the daemon may take. This limits a failure and does not delay a success.
const PATIENCE: Duration = Duration::from_mins(2);

/// The shim, ready to be loaded.
#[derive(Clone, Debug)]
pub struct Oracle {
    shim: PathBuf,
}

/// How to run the daemon.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The current directory; names of files are relative to it.
    pub folder: PathBuf,
    /// The configuration.
    pub conf: String,
    /// The capture.
    pub capture: String,
    /// The addresses of the interface.
    pub local: Vec<IpAddr>,
    /// The other arguments, such as `-4` or `-l`.
    pub args: Vec<String>,
    /// The names of hosts.
    pub hosts: Vec<(IpAddr, String)>,
    /// When the configuration is read again.
    pub reloads: Vec<Reload>,
}

/// A SIGHUP.
#[derive(Clone, Debug, Default)]
pub struct Reload {
    /// How many frames of the capture come before it.
    pub frames_before: usize,
    /// Files that are renamed just before, from and to. No name may contain `:` or `,`.
    pub renames: Vec<(String, String)>,
}

/// What the daemon did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The lines on standard output, without the first one, "listening on ...".
    pub output: Vec<u8>,
    /// What was on standard error.
    pub errors: String,
    /// How it ended.
    pub end: End,
}

/// How the daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With an exit status; 0 at the end of the capture.
    Status(i32),
    /// By a signal.
    Signal(i32),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

impl Oracle {
    /// Returns the oracle, or `None` if the machine has no knockd or no C compiler, after saying
    /// that the test `name` is skipped; with `CI=true` that is a failure.
    ///
    /// The shim is compiled into `cache` unless it is there.
    ///
    /// # Panics
    /// If the shim cannot be compiled.
    #[must_use]
    pub fn required_by(name: &str, cache: &Path) -> Option<Self> {
        if !require(name, &[KNOCKD, "cc"], Need::Programs) {
            return None;
        }
        let shim = compiled_shim(cache).unwrap_or_else(|error| panic!("no shim: {error}"));
        Some(Self { shim })
    }

    /// Runs the daemon to the end of the capture.
    ///
    /// # Panics
    /// If it cannot be started, hangs, or runs without the shim.
    #[must_use]
    pub fn run(&self, run: &Run) -> Verdict {
        let Verdict { output, errors, end } = self.run_with(&["-i", INTERFACE], run);
        let head = format!("listening on {INTERFACE}...\n");
        let output = output.strip_prefix(head.as_bytes()).map(<[u8]>::to_vec).unwrap_or(output);
        Verdict { output, errors, end }
    }

    /// Runs the daemon on the interface that the configuration names. The line "listening on ..." is part of
    /// the output.
    ///
    /// # Panics
    /// As [`Oracle::run`].
    #[must_use]
    pub fn run_on_configured_interface(&self, run: &Run) -> Verdict {
        self.run_with(&[], run)
    }

    fn run_with(&self, interface: &[&str], run: &Run) -> Verdict {
        let mut command = self.command(run);
        let child =
            command.args(interface).spawn().unwrap_or_else(|error| panic!("{KNOCKD}: {error}"));
        let (status, output, errors) = finish(child);
        let errors = String::from_utf8_lossy(&errors).into_owned();
        assert!(!errors.contains("LD_PRELOAD"), "knockd runs without the shim: {errors}");
        assert!(!errors.contains("oracle shim:"), "{errors}");
        let end = match (status.code(), status.signal()) {
            (Some(status), _) => End::Status(status),
            (None, signal) => End::Signal(signal.unwrap_or_default()),
        };
        assert!(end != End::Signal(ALARM), "knockd hangs: {run:?}");
        Verdict { output, errors, end }
    }

    fn command(&self, run: &Run) -> Command {
        let joined = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>().join(",");
        let hosts = run.hosts.iter().map(|(address, name)| format!("{address}={name}"));
        let hups = run.reloads.iter().map(|reload| (reload.frames_before + 1).to_string());
        let renames = run.reloads.iter().flat_map(|reload| {
            let number = reload.frames_before + 1;
            reload.renames.iter().map(move |(from, to)| format!("{number}:{from}:{to}"))
        });
        let mut command = Command::new(KNOCKD);
        command
            .args(["-v", "-c", &run.conf])
            .args(&run.args)
            .current_dir(&run.folder)
            .env_clear()
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .env("LIBC_FATAL_STDERR_", "1")
            .env("LD_PRELOAD", &self.shim)
            .env("KNOCKD_ORACLE_PCAP", &run.capture)
            .env("KNOCKD_ORACLE_IPS", joined(&mut run.local.iter().map(IpAddr::to_string)))
            .env("KNOCKD_ORACLE_HOSTS", joined(&mut hosts.into_iter()))
            .env("KNOCKD_ORACLE_HUP", joined(&mut hups.into_iter()))
            .env("KNOCKD_ORACLE_HUP_MV", joined(&mut renames.into_iter()))
            .env("KNOCKD_ORACLE_SECONDS", (PATIENCE.as_secs() / 2).to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// SIGALRM, with which the shim ends a daemon that hangs.
const ALARM: i32 = 14;

/// Compiles the shim into `cache` under a name with its version.
fn compiled_shim(cache: &Path) -> io::Result<PathBuf> {
    let shim = cache.join(format!("knockd-shim-{:016x}.so", fingerprint(SHIM.as_bytes())));
    if shim.exists() {
        return Ok(shim);
    }
    // Blanks and colons would split the name in LD_PRELOAD.
    let name = shim.to_string_lossy().into_owned();
    if name.contains([' ', ':']) {
        return Err(io::Error::other(format!("{name} contains a blank or a colon")));
    }
    fs::create_dir_all(cache)?;
    let folder = tempfile::TempDir::new_in(cache)?;
    let (source, compiled) = (folder.path().join("shim.c"), folder.path().join("shim.so"));
    fs::write(&source, SHIM)?;
    let output = Command::new("cc")
        .args(["-O1", "-Wall", "-Wextra", "-fPIC", "-shared", "-U_FORTIFY_SOURCE", "-o"])
        .args([&compiled, &source])
        .arg("-ldl")
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    // Another process that compiles it at the same time makes the same file.
    fs::rename(&compiled, &shim)?;
    Ok(shim)
}

/// FNV-1a.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Reads all that a child prints and waits for its end.
fn finish(mut child: Child) -> (ExitStatus, Vec<u8>, Vec<u8>) {
    let outputs = [read(child.stdout.take()), read(child.stderr.take())];
    let [output, errors] = outputs.map(|output| {
        output.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("knockd hangs, and the alarm did not end it")
        })
    });
    let status = child.wait().expect("it was started here");
    (status, output, errors)
}

fn read(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).expect("a pipe can be read");
        }
        let _ = sender.send(bytes);
    });
    receiver
}
