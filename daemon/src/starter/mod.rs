//! The process that keeps the privileges to start others, when the runner has given up its own.
//!
//! Where doors only use `Open`, the runner needs one capability and no program, but a process that reads
//! packets may die and must be replaced: the daemon must not become deaf. That takes more, so this process
//! has it. It does what the runner asks, and hears of nobody else: it starts the two programs that have no
//! privileges, kills one of them, and opens packet sockets. It ends when the runner does.

mod channel;
mod order;
mod program;

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::Child;

use caps::Capability;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;

pub(crate) use self::channel::Channel;
pub(crate) use self::order::{Order, Report};
pub(crate) use self::program::{Program, SELF};
use crate::exit::Exit;
use crate::{packet_socket, sandbox, signals};

/// The name of the process, by which the program knows which process it is.
pub(crate) const NAME: &str = "knockd: starter";

/// What it takes to open packet sockets, to start a process that gives up everything, and to kill that.
const KEPT: [Capability; 5] = [
    Capability::CAP_NET_RAW,
    Capability::CAP_SETUID,
    Capability::CAP_SETGID,
    Capability::CAP_SETPCAP,
    Capability::CAP_KILL,
];

/// Runs the process. There is no one to report an error to: its end says enough.
pub(crate) fn main() -> Exit {
    match run() {
        Ok(()) => Exit::Done,
        Err(_) => Exit::Failed,
    }
}

fn run() -> io::Result<()> {
    let runner = Channel::from(io::stdin().as_fd().try_clone_to_owned()?);
    // The runner handles signals that end the daemon. Here, only the end of a child matters.
    let signals = signals::take()?;
    sandbox::keep_capabilities(&KEPT).map_err(io::Error::other)?;
    let mut starter = Starter { runner, signals, children: Vec::new() };
    let ended = starter.work();
    starter.end_children();
    ended
}

struct Starter {
    runner: Channel,
    signals: SignalFd,
    children: Vec<Child>,
}

impl Starter {
    /// Works until the runner is gone.
    fn work(&mut self) -> io::Result<()> {
        loop {
            let mut wanted = [
                PollFd::new(self.runner.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut wanted, PollTimeout::NONE) {
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            while let Ok(Some(_)) = self.signals.read_signal() {}
            self.report_ended()?;
            let Some((words, descriptors)) = self.runner.receive()? else { continue };
            let Some(words) = words else { return Ok(()) };
            let order = Order::from_words(words).ok_or(io::ErrorKind::InvalidData)?;
            let (report, descriptor) = self.obey(order, descriptors);
            self.runner.send(report.words(), descriptor.as_slice())?;
        }
    }

    /// Does what the runner asks, and returns what to answer.
    fn obey(&mut self, order: Order, descriptors: Vec<OwnedFd>) -> (Report, Option<OwnedFd>) {
        let failed = |error: io::Error| {
            let number = error.raw_os_error().unwrap_or(libc::EINVAL);
            (Report::Failed(number.unsigned_abs()), None)
        };
        match order {
            Order::Start(program) => {
                let mut descriptors = descriptors.into_iter();
                let Some(socket) = descriptors.next() else {
                    return failed(io::ErrorKind::InvalidInput.into());
                };
                match program.start(socket, descriptors.next()) {
                    Ok(child) => {
                        let id = child.id();
                        self.children.push(child);
                        (Report::Started(id), None)
                    }
                    Err(error) => failed(error),
                }
            }
            Order::Kill(id) => {
                // Of others, it knows nothing: one that has ended is not killed.
                if let Some(child) = self.children.iter_mut().find(|child| child.id() == id) {
                    let _ = child.kill();
                }
                (Report::Killed, None)
            }
            Order::Open { index, framing, blocks } => {
                match packet_socket::open(index, framing, blocks) {
                    Ok((socket, blocks)) => (Report::Opened(blocks), Some(socket)),
                    Err(error) => failed(error),
                }
            }
        }
    }

    /// Reports the children that have ended.
    fn report_ended(&mut self) -> io::Result<()> {
        let mut ended = Vec::new();
        self.children.retain_mut(|child| match child.try_wait() {
            Ok(Some(status)) => {
                ended.push(Report::ended(child.id(), status));
                false
            }
            Ok(None) | Err(_) => true,
        });
        ended.into_iter().try_for_each(|report| self.runner.send(report.words(), &[]))
    }

    /// Kills what is left, after the end of the runner.
    fn end_children(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
