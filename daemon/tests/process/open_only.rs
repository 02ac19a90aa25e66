//! Where doors only use `Open`, the process that opens ports keeps one capability and starts no program.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};

use nix::sys::signal::Signal;

use crate::common::{Daemon, Machine, Need, PROGRAMS, Process, require, wait_until};
use crate::privileges::{CAPABILITIES, assert_has_no_capability, assert_is};

const CONFIG: &str = "\
[options]
    Firewall = nft
[SSH]
    Sequence = 7000:udp,8000:udp
    Seq_Timeout = 100
    Open = tcp/22
    Open_For = 1h
";

/// The bit of `CAP_NET_ADMIN`, and those of `CAP_KILL`, `CAP_SETGID`, `CAP_SETUID`, `CAP_SETPCAP` and `CAP_NET_RAW`.
const NET_ADMIN: &str = "0000000000001000";
const OF_THE_STARTER: &str = "00000000000021e0";

const ADMIT: &str = "SSH: admit 127.0.0.1 to tcp/22 for 3600 s";

fn machine(test: &str) -> Option<Machine> {
    require(test, PROGRAMS, Need::Namespaces).then(|| Machine::with(CONFIG))
}

fn assert_capabilities(process: &Process, [kept, bounding]: [&str; 2]) {
    let none = "0000000000000000";
    for (set, expected) in CAPABILITIES.into_iter().zip([none, kept, kept, bounding, none]) {
        assert_eq!(process.status(set), expected, "{set} of {}", process.name);
    }
}

/// Knocks until the daemon has opened the door. A knock that comes while it starts another process is lost.
fn get_in(machine: &Machine, daemon: &Daemon) {
    machine.knock(&[7000, 8000]);
    daemon.wait_for(ADMIT);
}

/// Waits for another process that reads packets, which listens.
fn wait_for_another(machine: &Machine, daemon: &mut Daemon) {
    daemon.wait_for("listening on lo...");
    daemon.sniffer = machine.process("knockd: sniffer");
}

#[test]
fn the_runner_keeps_one_capability_and_the_starter_those_of_its_work() {
    let Some(machine) =
        machine("the_runner_keeps_one_capability_and_the_starter_those_of_its_work")
    else {
        return;
    };
    machine.set_up(
        "cp /etc/group /run/group; sed -i /^knockd:/d /run/group; echo knockd:x:64901: >>/run/group
        mount --bind /run/group /etc/group",
    );
    let daemon = Daemon::start(&machine, "-v -g DIR/log");
    get_in(&machine, &daemon);
    assert_capabilities(&daemon.runner, [NET_ADMIN, NET_ADMIN]);
    // Each thread has capabilities of its own.
    for thread in fs::read_dir(daemon.runner.path("task")).unwrap() {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        for [key, value] in [["CapPrm", NET_ADMIN], ["CapBnd", NET_ADMIN], ["Seccomp", "2"]] {
            assert!(status.contains(&format!("{key}:\t{value}\n")), "{key}: {status}");
        }
        assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
    }
    let starter = machine.process("knockd: starter");
    assert_capabilities(&starter, [OF_THE_STARTER, OF_THE_STARTER]);
    assert_eq!(starter.status("NoNewPrivs"), "1");
    assert_eq!(starter.status("Threads"), "1");
    assert_has_no_capability(&daemon.sniffer, &CAPABILITIES);
    assert_is("knockd", &daemon.sniffer);
    assert_eq!((starter.parent(), daemon.sniffer.parent()), (daemon.runner.id, starter.id));
    // Without a capability for that, the socket is the group's.
    let socket = machine.run("stat -c '%A %U %g' /run/knockd/knockd.varlink");
    assert_eq!(socket.stdout, "srw-rw---- root 64901\n");
    assert_eq!(daemon.end().status, Some(0));
    machine.wait_for_no_process();
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_runner_that_was_taken_over_starts_nothing_and_works_on() {
    use crate::common::inject::{Answer, Call, TEXT, inject};

    let Some(machine) = machine("a_runner_that_was_taken_over_starts_nothing_and_works_on") else {
        return;
    };
    let daemon = Daemon::start(&machine, "-v");
    let raw = u64::from(libc::SOCK_RAW.unsigned_abs());
    let sniffer = u64::from(daemon.sniffer.inner().unwrap());
    let at = i64::from(libc::AT_FDCWD).cast_unsigned();
    for call in [
        Call(libc::SYS_execve, [TEXT, 0, 0, 0, 0, 0], "/bin/true"),
        Call(libc::SYS_execveat, [at, TEXT, 0, 0, 0, 0], "/bin/true"),
        Call(libc::SYS_fork, [0; 6], ""),
        Call(libc::SYS_vfork, [0; 6], ""),
        Call(libc::SYS_clone, [17, 0, 0, 0, 0, 0], ""),
        Call(libc::SYS_clone3, [TEXT, 88, 0, 0, 0, 0], ""),
        Call(libc::SYS_ptrace, [16, sniffer, 0, 0, 0, 0], ""),
        Call(libc::SYS_process_vm_writev, [1, TEXT, 1, TEXT, 1, 0], ""),
        Call(libc::SYS_kill, [sniffer, 9, 0, 0, 0, 0], ""),
        Call(libc::SYS_setuid, [0; 6], ""),
        Call(libc::SYS_setresuid, [0; 6], ""),
        Call(libc::SYS_capset, [TEXT, TEXT, 0, 0, 0, 0], ""),
        Call(libc::SYS_unshare, [0x1000_0000, 0, 0, 0, 0, 0], ""),
        Call(libc::SYS_mount, [TEXT, TEXT, TEXT, 0, 0, 0], "/"),
        Call(libc::SYS_init_module, [TEXT, 1, TEXT, 0, 0, 0], ""),
        Call(libc::SYS_bpf, [0, TEXT, 8, 0, 0, 0], ""),
        Call(libc::SYS_socket, [u64::from(libc::AF_PACKET.unsigned_abs()), raw, 0, 0, 0, 0], ""),
        Call(libc::SYS_socket, [u64::from(libc::AF_INET.unsigned_abs()), raw, 0, 0, 0, 0], ""),
    ] {
        assert_eq!(inject(&daemon.runner, &call), Answer::Refused(libc::ENOSYS), "{call:?}");
    }
    get_in(&machine, &daemon);
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn where_doors_have_commands_the_runner_keeps_its_privileges() {
    let name = "where_doors_have_commands_the_runner_keeps_its_privileges";
    let Some(machine) = machine(name) else { return };
    let config =
        format!("{CONFIG}[note]\n    Sequence = 7100:udp\n    Command = echo noted >DIR/noted\n");
    machine.folder.write("knockd.conf", &config);
    let daemon = Daemon::start(&machine, "-v");
    get_in(&machine, &daemon);
    machine.knock(&[7100]);
    machine.wait_for_text("noted", "noted");
    assert_ne!(daemon.runner.status("CapPrm"), NET_ADMIN);
    assert!(machine.named("knockd: starter").is_empty());
    assert_eq!(daemon.sniffer.parent(), daemon.runner.id);
    assert_eq!(daemon.end().status, Some(0));
}

/// One that has died, and one that hangs, which takes a privilege to kill.
#[test]
fn a_sniffer_is_replaced_without_the_privileges_for_that() {
    let name = "a_sniffer_is_replaced_without_the_privileges_for_that";
    let Some(machine) = machine(name) else { return };
    let mut daemon = Daemon::start(&machine, "-v");
    for signal in [Signal::SIGKILL, Signal::SIGSTOP] {
        let before = daemon.sniffer.id;
        daemon.sniffer.signal(signal);
        // One that hangs is missed when a packet waits for it.
        machine.knock(&[7000]);
        let text = "knockd: error: the process that reads packets has died (killed by SIGKILL); starting \
                    another: attempts under way are lost, open doors stay as they are";
        daemon.wait_for_error(text);
        wait_for_another(&machine, &mut daemon);
        assert_ne!(daemon.sniffer.id, before);
        assert_is("knockd", &daemon.sniffer);
        assert_has_no_capability(&daemon.sniffer, &CAPABILITIES);
        get_in(&machine, &daemon);
    }
    assert_eq!(daemon.end().status, Some(0));
    machine.wait_for_no_process();
}

#[test]
fn an_interface_that_comes_later_and_another_user_take_no_privileges() {
    let name = "an_interface_that_comes_later_and_another_user_take_no_privileges";
    let Some(machine) = machine(name) else { return };
    let live = machine.start("exec $KNOCKD -v -i lo,later -c knockd.conf");
    let wait_for = |text: &str| while !live.line().contains(text) {};
    wait_for("listening on lo...");
    machine.set_up("ip link add later type veth peer name end; ip link set later up");
    wait_for("listening on later");
    let user = CONFIG.replace("[options]", "[options]\n    User = nobody");
    machine.folder.write("knockd.conf", &user);
    let before = machine.process("knockd: sniffer").id;
    machine.process("knockd").signal(Signal::SIGHUP);
    wait_for("listening on lo, later...");
    let sniffer = machine.process("knockd: sniffer");
    assert_ne!(sniffer.id, before);
    assert_is("nobody", &sniffer);
    machine.process("knockd").signal(Signal::SIGTERM);
    assert_eq!(live.finish().status, Some(0));
}

#[test]
fn a_resolver_is_replaced_without_the_privileges_for_that() {
    let name = "a_resolver_is_replaced_without_the_privileges_for_that";
    let Some(machine) = machine(name) else { return };
    let daemon = Daemon::start(&machine, "--lookup");
    let before = machine.process("knockd: resolver");
    before.signal(Signal::SIGKILL);
    daemon.wait_for_error_beginning(
        "knockd: warning: the process that looks up names has died (killed by SIGKILL); starting another",
    );
    wait_until("there is another one", || {
        machine.named("knockd: resolver").iter().any(|one| one.id != before.id)
    });
    let resolver = machine.process("knockd: resolver");
    wait_until("it has become knockd", || !resolver.status("Uid").starts_with("0 "));
    assert_is("knockd", &resolver);
    assert_eq!(daemon.end().status, Some(0));
    machine.wait_for_no_process();
}

#[test]
fn a_reload_to_a_command_is_refused_and_the_log_is_reopened() {
    let name = "a_reload_to_a_command_is_refused_and_the_log_is_reopened";
    let Some(machine) = machine(name) else { return };
    let daemon = Daemon::start(&machine, "-v -g log");
    machine
        .folder
        .write("knockd.conf", &CONFIG.replace("Open_For", "Command = true\n    Open_For"));
    daemon.runner.signal(Signal::SIGHUP);
    daemon.wait_for_error(
        "error: the door SSH has a command, but at its start knockd had none to start and has given up the \
         privileges for that; restart knockd",
    );
    daemon.wait_for_error_beginning("reload rejected: ");
    // Other changes are taken, and the log file begins again after a rotation.
    machine.folder.write("knockd.conf", &CONFIG.replace("1h", "2h"));
    fs::rename(machine.folder.path("log"), machine.folder.path("log.1")).unwrap();
    daemon.runner.signal(Signal::SIGHUP);
    machine.wait_for_text("log", "re-opening log file");
    machine.knock(&[7000, 8000]);
    daemon.wait_for("SSH: admit 127.0.0.1 to tcp/22 for 7200 s");
    machine.wait_for_text("log", "for 7200 s");
    assert_eq!(daemon.end().status, Some(0));
}

/// The door of a client must not be shut, and no knock be missed, because a process beside has died.
#[test]
fn without_the_starter_knocks_are_heard_until_the_sniffer_dies_too() {
    let name = "without_the_starter_knocks_are_heard_until_the_sniffer_dies_too";
    if !require(name, &[PROGRAMS, &["nft"]].concat(), Need::Namespaces) {
        return;
    }
    let machine = Machine::with(CONFIG);
    let daemon = Daemon::start(&machine, "-v");
    machine.process("knockd: starter").signal(Signal::SIGKILL);
    daemon.wait_for_error_beginning(
        "knockd: error: the process that starts others has died: knocks are still heard, but not on",
    );
    get_in(&machine, &daemon);
    daemon.sniffer.signal(Signal::SIGKILL);
    daemon.wait_for_error_beginning(
        "knockd: error: knockd cannot start another process that reads packets, because the process that starts \
         others has died, too: exiting; clients stay admitted",
    );
    assert_eq!(daemon.live.finish().status, Some(1));
    machine.wait_for_no_process();
    let set = machine.run("nft list set inet knockd admitted4").stdout;
    assert!(set.contains("127.0.0.1 . tcp . 22"), "{set}");
}

#[test]
fn no_process_outlives_a_runner_that_was_killed() {
    let Some(machine) = machine("no_process_outlives_a_runner_that_was_killed") else { return };
    let daemon = Daemon::start(&machine, "-v --lookup");
    daemon.sniffer.signal(Signal::SIGSTOP);
    daemon.runner.signal(Signal::SIGKILL);
    let _ = daemon.live.finish();
    machine.wait_for_no_process();
}

/// Privileges are worth less than the log that the administrator has asked for.
#[test]
fn a_log_that_takes_privileges_keeps_them_and_a_warning_says_so() {
    let name = "a_log_that_takes_privileges_keeps_them_and_a_warning_says_so";
    let Some(machine) = machine(name) else { return };
    fs::create_dir(machine.folder.path("logs")).unwrap();
    chown(machine.folder.path("logs"), Some(65_534), None).unwrap();
    assert_eq!(fs::metadata(machine.folder.path("logs")).unwrap().mode() & 0o777, 0o755);
    let live = machine.start("exec $KNOCKD -v -i lo -c knockd.conf -g DIR/logs/log");
    let folder = machine.folder.path("logs");
    let warning = format!(
        "knockd: warning: no door has a command, but knockd keeps the privileges for one: {} cannot be used \
         without them: Permission denied; make it and its folder root's, and restart knockd",
        folder.display()
    );
    while live.error_line() != warning {}
    let runner = machine.process("knockd");
    assert_ne!(runner.status("CapPrm"), NET_ADMIN);
    while live.line() != "listening on lo..." {}
    runner.signal(Signal::SIGTERM);
    assert_eq!(live.finish().status, Some(0));
    // Of root, it takes none.
    chown(folder, Some(0), None).unwrap();
    let daemon = Daemon::start(&machine, "-v -g DIR/logs/log");
    assert_eq!(daemon.runner.status("CapPrm"), NET_ADMIN);
    assert_eq!(daemon.end().status, Some(0));
}

/// A reload must be able to read the keys again.
#[test]
fn keys_that_it_takes_privileges_to_read_keep_them_and_a_warning_says_so() {
    let name = "keys_that_it_takes_privileges_to_read_keep_them_and_a_warning_says_so";
    let Some(machine) = machine(name) else { return };
    let options = "[options]\n    Server_Name = a\n    Key_Dir = DIR/keys\n";
    let config = CONFIG.replace("[options]\n", options);
    assert_ne!(config, CONFIG);
    machine.folder.write("knockd.conf", &format!("{config}    Signed = any\n"));
    let file = machine.folder.path("keys/alice.key");
    machine.set_up("umask 077 && mkdir keys && (printf 'key = '; head -c 32 /dev/urandom | base64) >keys/alice.key");
    chown(&file, Some(65_534), None).unwrap();
    let live = machine.start("exec $KNOCKD -v -i lo -c knockd.conf --no-strict-modes");
    let warning = format!(
        "knockd: warning: no door has a command, but knockd keeps the privileges for one: {} cannot be used \
         without them: Permission denied; make it and its folder root's, and restart knockd",
        file.display()
    );
    while live.error_line() != warning {}
    while live.line() != "listening on lo..." {}
    machine.process("knockd").signal(Signal::SIGTERM);
    assert_eq!(live.finish().status, Some(0));
    chown(file, Some(0), None).unwrap();
    let daemon = Daemon::start(&machine, "-v --no-strict-modes");
    assert_eq!(daemon.runner.status("CapPrm"), NET_ADMIN);
    assert_eq!(daemon.end().status, Some(0));
}

/// A door that a command has opened is closed by a command, also if the new configuration has none.
#[test]
fn doors_that_were_left_open_are_closed_with_all_privileges() {
    let name = "doors_that_were_left_open_are_closed_with_all_privileges";
    let Some(machine) = machine(name) else { return };
    let with_command = "[d]\n    Sequence = 7100:udp\n    Start_Command = true\n    Cmd_Timeout = 3000\n    \
                        Stop_Command = echo closed >DIR/closed\n";
    machine.folder.write("knockd.conf", with_command);
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7100]);
    daemon.wait_for_beginning("d: running command: true");
    daemon.runner.signal(Signal::SIGKILL);
    let _ = daemon.live.finish();
    machine.wait_for_no_process();
    machine.folder.write("knockd.conf", CONFIG);
    let live = machine.start("exec $KNOCKD -v -i lo -c knockd.conf");
    let warning = "knockd: warning: no door has a command, but knockd keeps the privileges for one: doors that \
                   commands have opened are still open, and must be closed by commands; restart knockd when \
                   they are closed";
    while live.error_line() != warning {}
    machine.process("knockd").signal(Signal::SIGTERM);
    assert_eq!(live.finish().status, Some(0));
    assert_eq!(machine.folder.read("closed"), "closed\n");
    let daemon = Daemon::start(&machine, "-v");
    assert_eq!(daemon.runner.status("CapPrm"), NET_ADMIN);
    assert_eq!(daemon.end().status, Some(0));
}
