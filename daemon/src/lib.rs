//! The live daemon: a drop-in replacement for knockd 0.8.
//!
//! Two processes. The *runner* is the one that is started and that signals go to: it keeps its
//! privileges, runs commands, marks one-time sequences and writes the logs, and never touches packets.
//! It opens the packet sockets, and starts the program a second time as the *sniffer*, which gives up all
//! privileges, reads them, and runs the engine. With `--lookup` there is a third, the *resolver*, for names.
//! Where doors only use `Open`, the runner gives up its own privileges but one, and the *starter* keeps those
//! that it takes to replace the others.

#[cfg(not(target_os = "linux"))]
compile_error!("knockd needs Linux: its sandbox, its capture and its signals are those of Linux");

mod args;
mod boot_time;
mod check;
mod daemonize;
mod default_route;
mod descriptors;
mod exit;
mod files;
pub mod lease_record;
mod links;
mod locked_file;
mod other_daemons;
mod packet_socket;
mod pid_file;
mod places;
mod resolver;
mod run_lock;
mod runner;
mod sandbox;
mod settings;
mod signals;
mod sniffer;
mod starter;
mod system_calls;
mod user;
mod wire;

use std::io::{self, Write as _};

use clap::Parser as _;
use knock_config::command_line;
use knock_config::file_faults::OutputFault;

pub use crate::args::{Args, command};
pub use crate::exit::Exit;
pub use crate::wire::read_again;

/// Runs the program with the arguments of this process.
#[must_use]
pub fn main() -> Exit {
    // Before anything else, whichever process this is to be: a user can choose the name.
    if let Some(program) = knock_guard::granted_to_all() {
        return runner::refuse(&format_args!(
            "{} has capabilities, and every user may execute it, so every user could listen to the network; \
             let only a group execute it: {}",
            knock_guard::quoted(&program),
            knock_guard::remedy_for_granted(&program, "knockd")
        ));
    }
    let mut args = std::env::args_os();
    match args.next().as_deref().and_then(|name| name.to_str()) {
        Some(sniffer::NAME) => return sniffer::main(),
        Some(starter::NAME) => return starter::main(),
        Some(resolver::NAME) => {
            let arguments: Vec<String> =
                args.map(|argument| argument.to_string_lossy().into_owned()).collect();
            return resolver::main(&arguments);
        }
        Some(_) | None => {}
    }
    if let Err(error) = descriptors::keep_from_children() {
        let _ = writeln!(io::stderr(), "knockd: error: cannot read /proc/self/fd: {error}");
        return Exit::Failed;
    }
    match Args::try_parse() {
        Ok(args) => {
            if let Some(code) = args.explain {
                check::print(&knock_config::options::explanation(code))
            } else if args.nft {
                check::print_nft(&args)
            } else if args.checking.check {
                check::check(&args)
            } else {
                runner::main(&args)
            }
        }
        Err(error) => usage(&error),
    }
}

/// Prints clap's text: help and version on standard output, errors on standard error.
fn usage(error: &clap::Error) -> Exit {
    if error.use_stderr() {
        let text = command_line::text("knockd", error, true);
        let _ = write!(anstream::stderr(), "{text}");
        return Exit::Faulty;
    }
    match error.print() {
        Ok(()) => Exit::Done,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => {
            let _ = writeln!(io::stderr(), "knockd: error: {}", OutputFault(&error));
            Exit::Failed
        }
    }
}
