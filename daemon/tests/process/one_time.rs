//! One-time sequences: what happens where a used one cannot be marked, and after edits of the file.

use nix::sys::signal::Signal;

use crate::common::{Daemon, Knocker, Machine, Need, PROGRAMS, require};

const ONCE: &str = "[once]\none_time_sequences = DIR/lines\ncommand = echo %IP% >> DIR/opened\n";

/// A case: two hosts, a file of three sequences, and a daemon.
struct Case {
    daemon: Daemon,
    one: Knocker,
    other: Knocker,
    machine: Machine,
}

impl Case {
    fn new(name: &str) -> Option<Self> {
        if !require(name, PROGRAMS, Need::Namespaces) {
            return None;
        }
        let machine = Machine::with(ONCE);
        machine
            .folder
            .write("lines", " 7001:udp,7002:udp\n 7003:udp,7004:udp\n 7005:udp,7006:udp\n");
        let (one, other) = (machine.knocker([127, 0, 0, 1]), machine.knocker([127, 0, 0, 2]));
        let daemon = Daemon::start(&machine, "-v");
        Some(Self { daemon, one, other, machine })
    }

    /// Asks for a reload, and waits until it is done.
    fn reload(&self) {
        self.machine.folder.write("knockd.conf", &[ONCE, OTHER].concat());
        self.daemon.runner.signal(Signal::SIGHUP);
        self.daemon.wait_for_beginning("re-reading config file: ");
        let other = || self.machine.folder.read("other").len();
        let before = other();
        crate::common::wait_until("the reload is done", || {
            self.machine.knock(&[7009]);
            other() > before
        });
    }

    /// Waits for the next opening of the door, which must be for this host.
    fn opens_for(&self, host: &str) {
        let wanted = format!("{host}: once: OPEN SESAME");
        let is_other = |line: &String| line.contains(": other: ");
        let opening =
            std::iter::repeat_with(|| self.daemon.next_opening()).find(|line| !is_other(line));
        assert_eq!(opening, Some(wanted));
    }

    /// Returns a line about a line of the file.
    fn text(&self, line: &str) -> String {
        line.replace("DIR", self.machine.folder.directory().to_str().unwrap())
    }

    /// Fails unless these hosts, and no others, opened the door.
    fn ends(self, opened: &str, lines: &str) {
        let Self { daemon, machine, .. } = self;
        assert_eq!(daemon.end().status, Some(0));
        assert_eq!(machine.folder.read("opened"), opened);
        assert_eq!(machine.folder.read("lines"), lines);
    }
}

/// A door that a reload adds.
const OTHER: &str = "[other]\nsequence = 7009:udp\ncommand = echo >> DIR/other\n";

#[test]
fn a_sequence_that_cannot_be_marked_opens_nothing_and_is_used_all_the_same() {
    let name = "a_sequence_that_cannot_be_marked_opens_nothing_and_is_used_all_the_same";
    let Some(case) = Case::new(name) else { return };
    case.machine.set_up("mount --bind lines lines && mount -o remount,ro,bind lines");
    case.other.knock(&[7001, 7002]);
    case.daemon.wait_for_error(&case.text(
        "127.0.0.2: once: not opened: cannot mark the one-time sequence on line 1 as used: DIR/lines: \
         the file system is read-only; make the file writable and put '#' before the line, or a restart \
         accepts the sequence again",
    ));
    case.machine.set_up("umount lines");
    // Whoever has seen it gets in neither now nor after a reload, and the next one works.
    case.other.knock(&[7001, 7002]);
    case.one.knock(&[7003, 7004]);
    case.machine.wait_for_lines("opened", 1);
    case.reload();
    case.daemon.wait_for_error(
        &case.text("knockd: warning: DIR/lines:1: this sequence was used before; marked it again"),
    );
    case.other.knock(&[7001, 7002]);
    case.one.knock(&[7005, 7006]);
    case.opens_for("127.0.0.1");
    case.machine.wait_for_lines("opened", 2);
    let marked = "#7001:udp,7002:udp\n#7003:udp,7004:udp\n#7005:udp,7006:udp\n";
    case.ends("127.0.0.1\n127.0.0.1\n", marked);
}

#[test]
fn a_line_that_was_removed_or_marked_meanwhile_opens_nothing() {
    let name = "a_line_that_was_removed_or_marked_meanwhile_opens_nothing";
    let Some(case) = Case::new(name) else { return };
    let edited = "#7003:udp,7004:udp\n 7005:udp,7006:udp\n";
    case.machine.folder.write("lines", edited);
    case.other.knock(&[7001, 7002]);
    case.daemon.wait_for_error(&case.text(
        "127.0.0.2: once: not opened: cannot mark the one-time sequence on line 1 as used: DIR/lines \
         has changed since it was read, and lacks the line; reload, so that the present lines count",
    ));
    case.other.knock(&[7003, 7004]);
    case.daemon.wait_for_error(&case.text(
        "127.0.0.2: once: not opened: cannot mark the one-time sequence on line 2 as used: it was \
         marked in DIR/lines before; knock with the next sequence",
    ));
    case.machine.set_up("rm lines");
    case.other.knock(&[7005, 7006]);
    case.daemon.wait_for_error(&case.text(
        "127.0.0.2: once: not opened: cannot mark the one-time sequence on line 3 as used: DIR/lines: \
         there is no such file; make the file writable and put '#' before the line, or a restart \
         accepts the sequence again",
    ));
    case.daemon.wait_for_error("once: no one-time sequence is left, the door is disabled");
    case.machine.folder.write("lines", " 7007:udp,7008:udp\n");
    case.reload();
    case.other.knock(&[7001, 7002, 7003, 7004, 7005, 7006]);
    case.one.knock(&[7007, 7008]);
    case.opens_for("127.0.0.1");
    case.machine.wait_for_lines("opened", 1);
    case.ends("127.0.0.1\n", "#7007:udp,7008:udp\n");
}

#[test]
fn a_sequence_that_moved_before_it_was_used_is_marked_where_it_is() {
    let name = "a_sequence_that_moved_before_it_was_used_is_marked_where_it_is";
    let Some(case) = Case::new(name) else { return };
    let lines = "# new\n 7007:udp,7008:udp\n 7001:udp,7002:udp\n 7003:udp,7004:udp\n";
    case.machine.folder.write("lines", lines);
    case.one.knock(&[7001, 7002]);
    case.machine.wait_for_lines("opened", 1);
    assert_eq!(case.machine.folder.read("lines"), lines.replace(" 7001", "#7001"));
    case.reload();
    case.other.knock(&[7001, 7002]);
    case.one.knock(&[7007, 7008]);
    case.opens_for("127.0.0.1");
    case.machine.wait_for_lines("opened", 2);
    let marked = lines.replace(" 7001", "#7001").replace(" 7007", "#7007");
    case.ends("127.0.0.1\n127.0.0.1\n", &marked);
}

#[test]
fn a_file_that_an_editor_writes_as_it_was_before_the_mark_enables_no_used_sequence() {
    let name = "a_file_that_an_editor_writes_as_it_was_before_the_mark_enables_no_used_sequence";
    let Some(case) = Case::new(name) else { return };
    let before = case.machine.folder.read("lines");
    case.one.knock(&[7001, 7002]);
    case.machine.wait_for_lines("opened", 1);
    case.machine.folder.write("lines", &format!(" 7007:udp,7008:udp\n{before}"));
    case.reload();
    case.daemon.wait_for_error(
        &case.text("knockd: warning: DIR/lines:2: this sequence was used before; marked it again"),
    );
    case.other.knock(&[7007, 7008]);
    case.machine.wait_for_lines("opened", 2);
    case.opens_for("127.0.0.2");
    case.other.knock(&[7001, 7002]);
    case.one.knock(&[7003, 7004]);
    case.opens_for("127.0.0.1");
    case.machine.wait_for_lines("opened", 3);
    let marked = "#7007:udp,7008:udp\n#7001:udp,7002:udp\n#7003:udp,7004:udp\n 7005:udp,7006:udp\n";
    case.ends("127.0.0.1\n127.0.0.2\n127.0.0.1\n", marked);
}
