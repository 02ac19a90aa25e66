//! Lines in the journal of systemd. A socket of the test stands in for it, at the journal's own path.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::{CONFIG, Machine, Need, PROGRAMS, require};

/// A daemon whose standard error leads to the journal, according to the service manager.
const IN_JOURNAL: &str = "export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2)
    exec $KNOCKD -i lo -c knockd.conf -g DIR/log";

#[test]
fn entries_have_fields_with_client_door_and_event() {
    let Some(machine) = machine("entries_have_fields_with_client_door_and_event") else { return };
    machine.set_up("mkdir -p /run/systemd/journal && mount --bind DIR /run/systemd/journal");
    let journal = UnixDatagram::bind(machine.folder.path("socket")).unwrap();
    journal.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let next = || {
        let mut bytes = [0; 4096];
        let length = journal.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let live = machine.start(IN_JOURNAL);
    let begin = "MESSAGE=starting up, listening on lo\nPRIORITY=6\nSYSLOG_IDENTIFIER=knockd\n";
    assert_eq!(next(), begin);
    machine.knock(&[7000, 8000]);
    let opened = "MESSAGE=127.0.0.1: door: OPEN SESAME\nPRIORITY=5\nSYSLOG_IDENTIFIER=knockd\n\
                  KNOCKD_CLIENT=127.0.0.1\nKNOCKD_DOOR=door\nKNOCKD_EVENT=opened\n";
    assert_eq!(next(), opened);
    let command = next();
    assert!(command.starts_with("MESSAGE=door: running command: echo 127.0.0.1"), "{command}");
    machine.folder.write("knockd.conf", "[door]\nsequence = x\n");
    let daemon = machine.process("knockd");
    daemon.signal(Signal::SIGHUP);
    while !next().starts_with("MESSAGE=error: ") {}
    while !next().starts_with("MESSAGE=reload rejected: ") {}
    daemon.signal(Signal::SIGTERM);
    while !next().starts_with("MESSAGE=shutting down\n") {}
    let outcome = live.finish();
    // Nothing is written twice.
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn without_its_socket_lines_go_to_the_stream_with_a_priority() {
    let name = "without_its_socket_lines_go_to_the_stream_with_a_priority";
    let Some(machine) = machine(name) else { return };
    machine.set_up("mkdir -p /run/systemd/journal && mount --bind DIR /run/systemd/journal");
    let live = machine.start(IN_JOURNAL);
    while live.error_line() != "<6>starting up, listening on lo" {}
    machine.knock(&[7000, 8000]);
    while live.error_line() != "<5>127.0.0.1: door: OPEN SESAME" {}
    machine.process("knockd").signal(Signal::SIGTERM);
    assert_eq!(live.finish().status, Some(0));
    // So do errors of a start that fails.
    machine.folder.write("knockd.conf", "[door]\nsequence = x\n");
    let outcome = machine.run(IN_JOURNAL);
    assert_eq!(outcome.status, Some(1));
    let is_marked = outcome.stderr.lines().all(|line| line.starts_with("<3>"));
    assert!(is_marked && outcome.stderr.contains("<3>error: "), "{}", outcome.stderr);
}

fn machine(name: &str) -> Option<Machine> {
    require(name, &[PROGRAMS, &["stat"]].concat(), Need::Namespaces).then(|| Machine::with(CONFIG))
}
