//! Daemons to knock at: Debian's, and our own.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::process;

use knock_tests::process::Live;

use crate::scene::Scene;

/// Whose daemon it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// Debian's knockd 0.8.
    Theirs,
    /// The one of this workspace.
    Ours,
}

/// Both.
pub(crate) const BOTH: [Program; 2] = [Program::Theirs, Program::Ours];

/// The name of our daemon, with which the names of its child processes begin.
const NAME: &str = "knockd";

/// Makes this program the daemon if it is called by the name of the daemon.
///
/// For a test, cargo builds programs of the test's own package only, and examples only if no test is
/// selected. So the test program is the daemon as well, which is always there. This runs before
/// `main`, because the test harness reads the arguments there.
#[ctor::ctor(unsafe)]
fn be_the_daemon_if_called_so() {
    let name = env::args().next().unwrap_or_default();
    if name.rsplit('/').next().is_some_and(|name| name.starts_with(NAME)) {
        process::exit(knockd::main().status().into());
    }
}

/// Starts a daemon on the server with a configuration, and waits until it listens.
pub(crate) fn start(scene: &Scene, program: Program, config: &str) -> Live {
    let path = scene.path("knockd.conf");
    fs::write(&path, config).unwrap();
    let daemon = match program {
        Program::Theirs => "/usr/sbin/knockd".to_owned(),
        Program::Ours => ours(scene),
    };
    // Never the state of a daemon on the real machine.
    let state = scene.path("state");
    let line = format!("STATE_DIRECTORY={state} exec {daemon} -v -i server -c {path}");
    let knockd = scene.on_server(&line);
    let first = knockd.line_if_any();
    if first.as_deref() == Some("listening on server...") {
        return knockd;
    }
    panic!("{program:?} does not listen: {first:?} {}", knockd.finish().stderr);
}

/// Returns the path of our daemon.
fn ours(scene: &Scene) -> String {
    let path = scene.path(NAME);
    if fs::symlink_metadata(&path).is_err() {
        symlink(env::current_exe().unwrap(), &path).unwrap();
    }
    path
}
