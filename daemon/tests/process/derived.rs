//! Derived sequences: what was used stays used, whichever process is killed, and where it cannot be written down.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use knock_signed::{Key, PortSpan, ports};
use nix::sys::signal::Signal;

use crate::common::{Daemon, Knocker, Machine, Need, PROGRAMS, require, wait_until};

/// A door whose sequence is the same for a day, and one that shows that all before was heard.
const DOORS: &str = "\
[SSH]
    sequence_key = DIR/the.key
    sequence_ports = 20000-29999:udp
    sequence_period = 1d
    command = echo %IP% >> DIR/opened
[after]
    sequence = 7009:udp
    command = echo >> DIR/after
";

/// The bytes of the key.
const KEY: [u8; 32] = *b"secret secret secret secret secr";

struct Case {
    machine: Machine,
    one: Knocker,
    other: Knocker,
}

impl Case {
    fn new(name: &str, options: &str) -> Option<Self> {
        if !require(name, PROGRAMS, Need::Namespaces) {
            return None;
        }
        let machine = Machine::with(&[options, DOORS].concat());
        machine.folder.write("the.key", "key = c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=\n");
        let key = machine.folder.path("the.key");
        fs::set_permissions(key, Permissions::from_mode(0o600)).unwrap();
        let (one, other) = (machine.knocker([127, 0, 0, 1]), machine.knocker([127, 0, 0, 2]));
        Some(Self { machine, one, other })
    }

    /// Waits until the daemon has handled everything so far.
    fn settle(&self) {
        let before = self.machine.folder.read("after").len();
        wait_until("the last door opens", || {
            self.machine.knock(&[7009]);
            self.machine.folder.read("after").len() > before
        });
    }

    /// Fails unless these hosts, and no others, opened the door.
    fn has_opened(&self, hosts: &str) {
        self.settle();
        assert_eq!(self.machine.folder.read("opened"), hosts);
    }
}

/// Returns the sequence of today, or of tomorrow if the test would still run then: it counts as well, on both days.
fn sequence() -> Vec<u16> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let day = (now + 3600) / 86_400;
    let span = PortSpan::new(20_000, 29_999).unwrap();
    ports(&Key::take(&mut KEY.clone()).for_sequences(), b"SSH", day, span, 5)
}

#[test]
fn a_derived_sequence_that_was_used_stays_used_whichever_process_is_killed() {
    let name = "a_derived_sequence_that_was_used_stays_used_whichever_process_is_killed";
    let Some(case) = Case::new(name, "") else { return };
    let sequence = sequence();
    let daemon = Daemon::start(&case.machine, "-v");
    case.one.knock(&sequence);
    case.machine.wait_for_lines("opened", 1);
    // The file never has the key.
    let used = case.machine.folder.read("state/used");
    assert_eq!(used.lines().count(), 3, "{used}");
    assert!(used.ends_with(" 127.0.0.1\n"), "{used}");
    let mode = fs::metadata(case.machine.folder.path("state/used")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    daemon.sniffer.signal(Signal::SIGKILL);
    daemon.wait_for_error_beginning("knockd: error: the process that reads packets has died");
    daemon.wait_for("listening on lo...");
    case.settle();
    let ignored = |daemon: &Daemon| {
        case.one.knock(&sequence);
        daemon.wait_for_error(
            "127.0.0.1: SSH: opened with this sequence already (Sequence_Period), ignored",
        );
    };
    ignored(&daemon);
    daemon.runner.signal(Signal::SIGKILL);
    drop(daemon.live.finish());
    case.machine.wait_for_no_process();
    let daemon = Daemon::start(&case.machine, "-v");
    ignored(&daemon);
    case.has_opened("127.0.0.1\n");
    // Everybody may use it once.
    case.other.knock(&sequence);
    case.machine.wait_for_lines("opened", 2);
    assert_eq!(daemon.end().status, Some(0));
    let daemon = Daemon::start(&case.machine, "-v");
    case.other.knock(&sequence);
    daemon.wait_for_error(
        "127.0.0.2: SSH: opened with this sequence already (Sequence_Period), ignored",
    );
    case.has_opened("127.0.0.1\n127.0.0.2\n");
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_use_that_cannot_be_written_down_keeps_the_door_shut_unless_the_administrator_wants_it_open() {
    let name = "a_use_that_cannot_be_written_down_keeps_the_door_shut_unless_the_administrator_wants_it_open";
    for (options, opens) in [("", false), ("[options]\non_state_error = open\n", true)] {
        let options = options.replace("on_state_error", "OnStateError");
        let Some(case) = Case::new(name, &options) else { return };
        let daemon = Daemon::start(&case.machine, "-v");
        case.settle();
        let read_only =
            "mkdir -p state && mount --bind state state && mount -o remount,ro,bind state";
        case.machine.set_up(read_only);
        case.one.knock(&sequence());
        let (beginning, end) = if opens {
            (
                "127.0.0.1: SSH: opens, though it cannot be remembered that its sequence is used: ",
                "count again",
            )
        } else {
            (
                "127.0.0.1: SSH: not opened: cannot remember that its sequence is used: ",
                "open it all the same",
            )
        };
        let line = loop {
            let line = daemon.live.error_line();
            if line.starts_with(beginning) {
                break line;
            }
        };
        assert!(line.contains("/state/used: the file system is read-only; "), "{line}");
        assert!(line.ends_with(end), "{line}");
        case.machine.wait_for_lines("opened", usize::from(opens));
        case.has_opened(if opens { "127.0.0.1\n" } else { "" });
        case.machine.set_up("umount state");
        // It is used all the same, and written down with the next one.
        case.one.knock(&sequence());
        daemon.wait_for_error(
            "127.0.0.1: SSH: opened with this sequence already (Sequence_Period), ignored",
        );
        case.other.knock(&sequence());
        case.machine.wait_for_lines("opened", 1 + usize::from(opens));
        assert_eq!(case.machine.folder.read("state/used").lines().count(), 4);
        assert_eq!(daemon.end().status, Some(0));
    }
}
