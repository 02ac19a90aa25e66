//! Files that other users can write: root does not run commands from them.

use nix::sys::signal::Signal;

use crate::common::{CONFIG, Daemon, Machine, Need, Outcome, PROGRAMS, require};

/// Doors and everything else that the daemon believes, in folders of their own.
const PLACES: &str = "\
[options]
    statedir = DIR/state
    pidfile = DIR/run/pid
[door]
    sequence = 7000:udp,8000:udp
    command = echo %IP% >> DIR/opened
[once]
    one_time_sequences = DIR/once/lines
    command = true
";

/// Changes that let another user take over, each with what the message says, and the remedy that it names.
const CHANGES: &[(&str, &str, &str)] = &[
    (
        "chown 1234 etc/knockd.conf",
        "DIR/etc/knockd.conf belongs to user 1234",
        "`chown root: DIR/etc/knockd.conf`",
    ),
    (
        "chmod 666 etc/knockd.conf",
        "DIR/etc/knockd.conf can be written by every user",
        "`chmod go-w DIR/etc/knockd.conf`",
    ),
    (
        "chown 1234:4321 etc/knockd.conf; chmod 664 etc/knockd.conf",
        "DIR/etc/knockd.conf belongs to user 1234, and can be written by group 4321",
        "`chown root: DIR/etc/knockd.conf && chmod go-w DIR/etc/knockd.conf`",
    ),
    ("chown 1234 etc", "its folder DIR/etc belongs to user 1234", "`chown root: DIR/etc`"),
    (
        "chmod g+w etc",
        "its folder DIR/etc can be written by group root (0)",
        "`chmod go-w DIR/etc`",
    ),
    ("chmod o+w .", "its folder DIR can be written by every user", "`chmod go-w DIR`"),
    (
        "chmod 1777 etc",
        "its folder DIR/etc can be written by every user",
        "`mv DIR/etc/knockd.conf /etc/knockd.conf`",
    ),
    (
        "chown 1234 once/lines",
        "DIR/once/lines belongs to user 1234",
        "`chown root: DIR/once/lines`",
    ),
    ("chmod 777 once", "its folder DIR/once can be written by every user", "`chmod go-w DIR/once`"),
    ("chown 1234 state", "its folder DIR/state belongs to user 1234", "`chown root: DIR/state`"),
    (
        "chmod 770 state",
        "its folder DIR/state can be written by group root",
        "`chmod go-w DIR/state`",
    ),
    ("chmod 777 run", "its folder DIR/run can be written by every user", "`chmod go-w DIR/run`"),
    // The link is as good as the folder that it is in, and as what it leads to.
    (
        "mkdir -m 777 open; mv etc/knockd.conf etc/real; ln -s DIR/etc/real open/link; \
         ln -s ../open/link etc/knockd.conf",
        "its folder DIR/open can be written by every user",
        "`chmod go-w DIR/open`",
    ),
    (
        "mkdir real; mv etc/knockd.conf real; chown -h 1234 real/knockd.conf; \
         ln -s ../real/knockd.conf etc/knockd.conf",
        "DIR/real/knockd.conf belongs to user 1234",
        "`chown root: DIR/real/knockd.conf`",
    ),
    (
        "mkdir a; mv etc a; chmod 777 a; ln -s a/etc etc",
        "its folder DIR/a can be written by every user",
        "`chmod go-w DIR/a`",
    ),
];

const ARGUMENTS: &str = "-d -i lo -c DIR/etc/knockd.conf";

#[test]
fn what_others_can_write_is_refused_with_the_command_that_changes_it() {
    let name = "what_others_can_write_is_refused_with_the_command_that_changes_it";
    for (change, cause, remedy) in CHANGES {
        let Some(machine) = machine(name) else { return };
        let in_folder =
            |text: &str| text.replace("DIR", machine.folder.directory().to_str().unwrap());
        let [cause, remedy] = [cause, remedy].map(|text| in_folder(text));
        machine.set_up(change);
        for (arguments, status) in [(ARGUMENTS, 1), (&*format!("--check {ARGUMENTS}"), 2)] {
            let outcome = machine.run(&format!("$KNOCKD {arguments}"));
            assert_eq!(outcome.status, Some(status), "{change}: {outcome:?}");
            assert!(outcome.stderr.contains(&cause), "{change}: {cause}\n{}", outcome.stderr);
            assert!(outcome.stderr.contains(&remedy), "{change}: {remedy}\n{}", outcome.stderr);
            assert!(outcome.stderr.contains("--no-strict-modes"), "{}", outcome.stderr);
        }
        machine.wait_for_no_process();
        starts_all_the_same(&machine, &format!("{ARGUMENTS} --no-strict-modes"));
        if remedy.contains("/etc/knockd.conf`") && remedy.starts_with("`mv") {
            continue;
        }
        machine.set_up(remedy.trim_matches('`'));
        starts_all_the_same(&machine, ARGUMENTS);
    }
}

#[test]
fn a_reload_of_what_others_can_write_is_rejected_and_the_doors_stay() {
    let Some(machine) = machine("a_reload_of_what_others_can_write_is_rejected_and_the_doors_stay")
    else {
        return;
    };
    let daemon = Daemon::start_as(&machine, "exec $KNOCKD -v -i lo -c DIR/etc/knockd.conf");
    let changes = [
        ("chown 1234 etc/knockd.conf", "chown 0 etc/knockd.conf"),
        ("chmod 666 once/lines", "chmod 600 once/lines"),
        ("chmod 777 etc", "chmod 755 etc"),
        ("chmod 777 state", "chmod 755 state"),
    ];
    for (number, (change, back)) in (1..).zip(changes) {
        machine.set_up(change);
        daemon.runner.signal(Signal::SIGHUP);
        let mut has_cause = false;
        loop {
            let line = daemon.live.error_line();
            has_cause |= line.contains("belongs to user 1234") || line.contains("by every user");
            if line.starts_with("reload rejected: ") {
                break;
            }
        }
        assert!(has_cause, "{change}");
        machine.knock(&[7000, 8000]);
        machine.wait_for_lines("opened", number);
        machine.set_up(back);
    }
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn an_access_control_list_is_seen_as_the_group() {
    let name = "an_access_control_list_is_seen_as_the_group";
    if !require(name, &["python3"], Need::Namespaces) {
        return;
    }
    let Some(machine) = machine(name) else { return };
    // u::rw-,u:1234:rw-,g::r--,m::rw-,o::r--, as setfacl writes it.
    machine.set_up(
        "python3 -c 'import os, struct; entry = lambda *all: struct.pack(\"<HHI\", *all); \
         none = 0xffffffff; os.setxattr(\"etc/knockd.conf\", \"system.posix_acl_access\", \
         struct.pack(\"<I\", 2) + entry(1, 6, none) + entry(2, 6, 1234) + entry(4, 4, none) \
         + entry(16, 6, none) + entry(32, 4, none))'",
    );
    let check = || machine.run(&format!("$KNOCKD --check {ARGUMENTS}"));
    let outcome = check();
    assert_eq!(outcome.status, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("etc/knockd.conf can be written by group"), "{outcome:?}");
    // The remedy takes the right from everyone in the list.
    machine.set_up("chmod go-w etc/knockd.conf");
    assert_eq!(check().status, Some(0));
    machine.set_up(
        "! setpriv --reuid=1234 --regid=1234 --clear-groups sh -c 'echo >> etc/knockd.conf' 2>&1",
    );
}

#[test]
fn a_start_that_is_refused_takes_no_directive_from_a_file_of_others() {
    let name = "a_start_that_is_refused_takes_no_directive_from_a_file_of_others";
    let Some(machine) = machine(name) else { return };
    let config = "[options]\nstatedir = DIR/state\n[door]\nsequence = 7000:udp,8000:udp\n\
                  start_command = echo >> DIR/opened\ncmd_timeout = 600\nstop_command = echo >> DIR/closed\n";
    machine.folder.write("etc/knockd.conf", config);
    let start = "exec $KNOCKD -v -i lo -c DIR/etc/knockd.conf";
    let daemon = Daemon::start_as(&machine, start);
    machine.knock(&[7000, 8000]);
    // Only then is it in the list.
    machine.wait_for_lines("opened", 1);
    daemon.runner.signal(Signal::SIGKILL);
    machine.wait_for_no_process();
    // The list of open doors is named by the file alone.
    machine.set_up("mv state/leases state/other; chown 1234 etc/knockd.conf");
    machine.folder.write(
        "etc/knockd.conf",
        &config.replace("DIR/state", "DIR/state\nleasefile = DIR/state/other"),
    );
    let outcome = machine.run(start);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert_eq!(machine.folder.read("closed"), "");
    // It is there for a start that believes the file.
    machine.set_up("chown 0 etc/knockd.conf; rm -r once");
    machine
        .folder
        .write("etc/knockd.conf", &format!("{}[broken\n", machine.folder.read("etc/knockd.conf")));
    let outcome = machine.run(start);
    assert_eq!((outcome.status, &*machine.folder.read("closed")), (Some(1), "\n"), "{outcome:?}");
}

#[test]
fn what_is_passed_as_a_descriptor_belongs_to_whoever_starts_the_daemon() {
    let name = "what_is_passed_as_a_descriptor_belongs_to_whoever_starts_the_daemon";
    let Some(machine) = machine(name) else { return };
    let checks = |line: &str| machine.run(line).status;
    assert_eq!(checks("cat etc/knockd.conf | $KNOCKD --check -c /dev/stdin"), Some(0));
    assert_eq!(checks("$KNOCKD --check -c /dev/fd/7 7< etc/knockd.conf"), Some(0));
    machine.set_up("chmod 666 etc/knockd.conf");
    assert_eq!(checks("$KNOCKD --check -c /dev/fd/7 7< etc/knockd.conf"), Some(2));
}

/// Starts the daemon, which must open its door and end.
fn starts_all_the_same(machine: &Machine, arguments: &str) {
    let outcome: Outcome = machine.run(&format!("$KNOCKD {arguments}"));
    assert_eq!(outcome.status, Some(0), "{arguments}: {outcome:?}");
    machine.set_up("rm -f opened");
    machine.knock(&[7000, 8000]);
    machine.wait_for_lines("opened", 1);
    machine.process("knockd").signal(Signal::SIGTERM);
    machine.wait_for_no_process();
}

fn machine(name: &str) -> Option<Machine> {
    if !require(name, &[PROGRAMS, &["setpriv"]].concat(), Need::Namespaces) {
        return None;
    }
    let machine = Machine::with(CONFIG);
    machine.set_up("chmod 755 .; mkdir etc once state run; echo ' 7001,7002' > once/lines");
    machine.folder.write("etc/knockd.conf", PLACES);
    machine.set_up("chmod 600 etc/knockd.conf once/lines");
    Some(machine)
}
