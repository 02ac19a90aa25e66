//! Who starts the other processes and opens packet sockets: this process, or, after it has given up the
//! privileges for that, the starter.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use knock_engine::filter::Framing;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;

use super::output::Kind;
use super::{Runner, State};
use crate::exit::Exit;
use crate::packet_socket;
use crate::starter::{self, Channel, Order, Program, Report, SELF};

/// How long the starter may take for an answer. It does nothing that waits.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How long it may take to end, and how often to look.
const END_MAX: Duration = Duration::from_secs(1);
const END_PAUSE: Duration = Duration::from_millis(2);

/// Who starts processes.
#[derive(Clone)]
pub(super) enum Starter {
    Runner,
    Process(Rc<StarterProcess>),
}

/// A process that was started.
pub(super) enum Started {
    Child(Child),
    /// By the starter, whose child it is.
    ByStarter(Rc<StarterProcess>, u32),
}

/// The starter, as the runner sees it.
pub(super) struct StarterProcess {
    child: RefCell<Child>,
    channel: Channel,
    /// How processes that it has started have ended, by their IDs.
    ended: RefCell<BTreeMap<u32, ExitStatus>>,
    /// Whether it has died, or does not answer.
    is_gone: Cell<bool>,
    is_reported: Cell<bool>,
}

impl Starter {
    /// Starts the starter, while this process can.
    pub(super) fn begin() -> io::Result<Self> {
        let (channel, other) = Channel::pair()?;
        let mut command = Command::new(SELF);
        command.arg0(starter::NAME).stdin(Stdio::from(other));
        let child = RefCell::new(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        let (ended, is_gone) = (RefCell::default(), Cell::new(false));
        let is_reported = Cell::new(false);
        Ok(Self::Process(Rc::new(StarterProcess { child, channel, ended, is_gone, is_reported })))
    }

    /// Returns whether this process has given up the privileges to start any other.
    pub(super) const fn is_process(&self) -> bool {
        matches!(self, Self::Process(_))
    }

    /// Returns whether nothing can be started any more.
    pub(super) fn is_gone(&self) -> bool {
        match self {
            Self::Runner => false,
            Self::Process(process) => process.is_gone.get(),
        }
    }

    /// Starts a program with its end of a socket, and maybe a file for its standard output.
    pub(super) fn start(
        &self,
        program: Program,
        socket: OwnedFd,
        output: Option<OwnedFd>,
    ) -> io::Result<Started> {
        let Self::Process(process) = self else {
            return program.start(socket, output).map(Started::Child);
        };
        let descriptors: Vec<OwnedFd> = std::iter::once(socket).chain(output).collect();
        match process.ask(Order::Start(program), &descriptors)? {
            (Report::Started(id), _) => Ok(Started::ByStarter(Rc::clone(process), id)),
            (report, _) => Err(process.unexpected(report)),
        }
    }

    /// Opens a packet socket, as [`packet_socket::open`] does.
    pub(super) fn open(
        &self,
        index: u32,
        framing: Framing,
        blocks: u32,
    ) -> io::Result<(OwnedFd, u32)> {
        let Self::Process(process) = self else {
            return packet_socket::open(index, framing, blocks);
        };
        match process.ask(Order::Open { index, framing, blocks }, &[])? {
            (Report::Opened(blocks), Some(socket)) => Ok((socket, blocks)),
            (report, _) => Err(process.unexpected(report)),
        }
    }

    /// Returns what can be read when a process that it has started, or itself, has ended.
    pub(super) fn wanted(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Process(process) if !process.is_gone.get() => Some(process.channel.as_fd()),
            Self::Process(_) | Self::Runner => None,
        }
    }

    /// Collects the starter if it is the process with this ID, which has ended.
    pub(super) fn collect(&self, id: Pid) -> bool {
        let Self::Process(process) = self else { return false };
        let mut child = process.child.borrow_mut();
        i32::try_from(child.id()) == Ok(id.as_raw()) && child.try_wait().is_ok()
    }

    /// Ends the starter, at the end of this process.
    pub(super) fn end(&self) {
        let Self::Process(process) = self else { return };
        process.is_gone.set(true);
        process.channel.close();
        let begin = Instant::now();
        let mut child = process.child.borrow_mut();
        while matches!(child.try_wait(), Ok(None)) && begin.elapsed() < END_MAX {
            thread::sleep(END_PAUSE);
        }
    }
}

impl StarterProcess {
    /// Sends an order, and returns the answer.
    fn ask(&self, order: Order, descriptors: &[OwnedFd]) -> io::Result<(Report, Option<OwnedFd>)> {
        if self.is_gone.get() {
            return Err(gone());
        }
        let answer = self.channel.send(order.words(), descriptors).and_then(|()| self.answer());
        match answer {
            Ok((Report::Failed(number), _)) => {
                Err(io::Error::from_raw_os_error(number.cast_signed()))
            }
            Ok(answer) => Ok(answer),
            Err(error) => {
                // An answer that comes later would be taken for that of the next order.
                self.is_gone.set(true);
                Err(error)
            }
        }
    }

    fn answer(&self) -> io::Result<(Report, Option<OwnedFd>)> {
        let begin = Instant::now();
        loop {
            if let Some(answer) = self.read()? {
                return Ok(answer);
            }
            let left = ANSWER_MAX.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut wanted = [PollFd::new(self.channel.as_fd(), PollFlags::POLLIN)];
            match poll(&mut wanted, timeout) {
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads what is there, up to an answer.
    fn read(&self) -> io::Result<Option<(Report, Option<OwnedFd>)>> {
        while let Some((words, descriptors)) = self.channel.receive()? {
            let Some(words) = words else { return Err(gone()) };
            match Report::from_words(words) {
                Some(Report::Ended(id, status)) => {
                    let status = ExitStatus::from_raw(status);
                    self.ended.borrow_mut().insert(id, status);
                }
                Some(report) => return Ok(Some((report, descriptors.into_iter().next()))),
                None => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        Ok(None)
    }

    /// Takes up which processes have ended. There is no answer to wait for.
    fn take_news(&self) {
        if !self.is_gone.get() && !matches!(self.read(), Ok(None)) {
            self.is_gone.set(true);
        }
    }

    /// Returns the error for an answer to something else.
    fn unexpected(&self, _: Report) -> io::Error {
        self.is_gone.set(true);
        io::ErrorKind::InvalidData.into()
    }
}

fn gone() -> io::Error {
    io::Error::other("the process that starts others has died")
}

impl Started {
    /// Kills it, if it has not ended by itself.
    pub(super) fn kill(&mut self) {
        match self {
            Self::Child(child) => {
                let _ = child.kill();
            }
            // If the starter is gone, the process ends when its socket is closed.
            Self::ByStarter(starter, id) => {
                let _ = starter.ask(Order::Kill(*id), &[]);
            }
        }
    }

    /// Returns how it has ended, if it has.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        match self {
            Self::Child(child) => child.try_wait(),
            Self::ByStarter(starter, id) => {
                starter.take_news();
                let status = starter.ended.borrow().get(id).copied();
                if status.is_none() && starter.is_gone.get() { Err(gone()) } else { Ok(status) }
            }
        }
    }

    /// Collects the process if it is the child with this ID, which has ended. Its status is kept.
    pub(super) fn collect(&mut self, id: Pid) -> bool {
        match self {
            Self::Child(child) => {
                i32::try_from(child.id()) == Ok(id.as_raw()) && child.try_wait().is_ok()
            }
            Self::ByStarter(..) => false,
        }
    }

    /// Returns whether it has ended, where no signal says so.
    pub(super) fn has_ended_elsewhere(&mut self) -> bool {
        matches!(self, Self::ByStarter(..)) && matches!(self.try_wait(), Ok(Some(_)))
    }
}

impl Runner {
    /// Takes up what the starter reports, and says once if it has died.
    pub(super) fn take_starter_news(&mut self) {
        let Starter::Process(process) = &self.starter else { return };
        process.take_news();
        if !process.is_gone.get()
            || process.is_reported.replace(true)
            || matches!(self.state, State::Ending(_))
        {
            return;
        }
        let text = "knockd: error: the process that starts others has died: knocks are still heard, but not on \
                    interfaces that come later, and if the process that reads packets dies, knockd exits; \
                    restart knockd soon";
        self.output.text(Kind::Notice, text);
    }

    /// Ends because no other process that reads packets can be started. Who is admitted stays so, as with
    /// `OnStop = keep`: the next start takes it up.
    pub(super) fn end_without_starter(&mut self) {
        let text = "knockd: error: knockd cannot start another process that reads packets, because the process \
                    that starts others has died, too: exiting; clients stay admitted until their time is over; \
                    start knockd again";
        self.output.text(Kind::Notice, text);
        self.keeps_doors = true;
        self.end(Exit::Failed);
    }
}
