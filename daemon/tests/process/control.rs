//! The control socket, with `knockctl` and with messages written by hand.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use knock_tests::schema::Schema;
use serde_json::{Value, json};

use crate::common::{
    Daemon, Folder, Machine, Need, Outcome, PROGRAMS, finish, require, wait_until,
};

/// Doors that stay open until somebody closes them.
const DOORS: &str = "\
[options]
    ControlSocket = DIR/control

[ssh]
    sequence = 7000:udp,8000:udp
    start_command = echo %IP% >> DIR/started
    cmd_timeout = 600
    stop_command = echo %IP% >> DIR/stopped

[web]
    sequence = 7001:udp,8001:udp
    start_command = echo %IP% >> DIR/started
    cmd_timeout = 600
    stop_command = echo web >> DIR/stopped; test -e DIR/may-close
";

/// Doors at which attempts take a long time.
const ATTEMPTED: &str = "\
[options]
    ControlSocket = DIR/control

[one]
    sequence = 7001:udp,8001:udp
    seq_timeout = 3000
    command = true

[two]
    sequence = 7000:udp,8000:udp,9000:udp
    seq_timeout = 6000
    command = true
";

/// The program that asks.
const KNOCKCTL: &str = env!("CARGO_BIN_EXE_knockctl");

fn machine(name: &str) -> Option<Machine> {
    let programs = [PROGRAMS, &["script"]].concat();
    require(name, &programs, Need::Namespaces).then(|| Machine::with(DOORS))
}

fn knockctl(machine: &Machine, arguments: &str) -> Outcome {
    machine.run(&format!("exec {KNOCKCTL} --socket control {arguments}"))
}

/// Returns what it prints, if it succeeds.
fn said(machine: &Machine, arguments: &str) -> String {
    let outcome = knockctl(machine, arguments);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{arguments}");
    outcome.stdout
}

fn connect(machine: &Machine) -> BufReader<UnixStream> {
    let stream = UnixStream::connect(machine.folder.path("control")).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    BufReader::new(stream)
}

fn send(connection: &mut BufReader<UnixStream>, message: &Value) {
    let text = format!("{message}\0");
    connection.get_mut().write_all(text.as_bytes()).unwrap();
}

fn receive(connection: &mut BufReader<UnixStream>) -> Value {
    let mut message = Vec::new();
    connection.read_until(0, &mut message).unwrap();
    assert_eq!(message.pop(), Some(0));
    serde_json::from_slice(&message).unwrap()
}

#[test]
fn knockctl_shows_and_closes_doors() {
    let Some(machine) = machine("knockctl_shows_and_closes_doors") else { return };
    let daemon = Daemon::start(&machine, "-v");
    assert_eq!(said(&machine, "status"), "knockd: running, 2 doors, 0 open\n");
    assert_eq!(said(&machine, "list"), "no door is open that knockd will close\n");
    machine.knock(&[7000, 8000, 7001, 8001]);
    wait_until("both doors are open", || {
        let doors: Value = serde_json::from_str(&said(&machine, "list --format json")).unwrap();
        let doors = doors["doors"].as_array().unwrap().clone();
        doors.len() == 2 && doors.iter().all(|door| door["state"] == "open")
    });
    let status = said(&machine, "status");
    let expected = "knockd: running, 2 doors, 2 open (ssh for 127.0.0.1, ";
    assert!(status.starts_with(expected), "{status}");
    assert!(said(&machine, "metrics").contains("\nknockd_openings_total 2\n"));
    let nobody = knockctl(&machine, "close 192.0.2.77");
    let told = "knockctl: error: no such door is open: 'knockctl list' lists the doors that knockd can \
                close\n";
    assert_eq!((nobody.status, nobody.stderr.as_str()), (Some(1), told));
    assert_eq!(said(&machine, "close ssh"), "closing 1 door\n");
    machine.wait_for_lines("stopped", 1);
    daemon.wait_for("ssh: closing it for 127.0.0.1 now, as knockctl asks");
    // The other one cannot be closed yet, and is tried again.
    assert_eq!(said(&machine, "close 127.0.0.1"), "closing 1 door\n");
    wait_until("the failure is shown", || said(&machine, "list").contains("STAYS OPEN, "));
    // On a terminal, it is red.
    let on_terminal = |environment: &str| {
        let list = format!("{KNOCKCTL} --socket control list");
        machine.run(&format!("TERM=xterm {environment} script -qec '{list}' /dev/null")).stdout
    };
    let red = "\u{1b}[1m\u{1b}[31mweb";
    assert!(on_terminal("").contains(red), "{}", on_terminal(""));
    assert!(!said(&machine, "list").contains('\u{1b}'));
    assert!(!on_terminal("NO_COLOR=1").contains('\u{1b}'));
    assert!(said(&machine, "status").contains("; 1 door cannot be closed, see 'knockctl list'"));
    machine.folder.write("may-close", "");
    knockctl(&machine, "close --all");
    wait_until("it is closed", || said(&machine, "status").ends_with(" 0 open\n"));
    let lines = said(&machine, "explain 127.0.0.1");
    assert!(lines.contains("127.0.0.1: ssh: OPEN SESAME\n"), "{lines}");
    assert!(lines.contains("web: STAYS OPEN for 127.0.0.1; "), "{lines}");
    let nothing = "knockd has logged nothing about 192.0.2.1 lately\n";
    assert_eq!(said(&machine, "explain 192.0.2.1"), nothing);
    assert_eq!(daemon.end().status, Some(0));
    assert!(!machine.folder.path("control").exists());
    let gone = knockctl(&machine, "status");
    assert_eq!(gone.status, Some(3));
    assert!(gone.stderr.starts_with("knockctl: error: there is no knockd at control: "));
    // Each was closed once.
    let stopped = machine.folder.read("stopped");
    assert_eq!(stopped.lines().filter(|line| *line == "127.0.0.1").count(), 1, "{stopped}");
}

#[test]
fn a_socket_that_cannot_be_used_is_named_with_a_way_out() {
    let folder = Folder::new();
    folder.write("file", "");
    for name in ["missing", ".", "file", "file/x"] {
        let mut command = Command::new(KNOCKCTL);
        let outcome =
            finish(command.current_dir(folder.directory()).args(["--socket", name, "status"]));
        let said = outcome.stderr;
        assert_eq!(outcome.status, Some(3), "{said}");
        assert!(said.contains(&format!(" {name}: ")) && said.contains("'--socket'"), "{said}");
        assert!(!said.contains("No such") && !said.contains("Not a directory"), "{said}");
    }
}

#[test]
fn knockctl_lists_attempts_and_the_furthest_first() {
    let name = "knockctl_lists_attempts_and_the_furthest_first";
    if !require(name, &[PROGRAMS, &["pgrep"]].concat(), Need::Namespaces) {
        return;
    }
    let machine = Machine::with(ATTEMPTED);
    let daemon = Daemon::start(&machine, "-v");
    assert_eq!(said(&machine, "attempts"), "no client is part-way through a sequence\n");
    machine.knock(&[7000, 8000]);
    daemon.wait_for("127.0.0.1: two: Stage 2");
    machine.knocker([127, 0, 0, 2]).knock(&[7001]);
    daemon.wait_for("127.0.0.2: one: Stage 1");
    let expected = "\
DOOR  CLIENT     STAGE   EXPIRES
two   127.0.0.1  2 of 3  in 100 min
one   127.0.0.2  1 of 2  in 50 min
";
    assert_eq!(said(&machine, "attempts"), expected);
    // A process that does not answer keeps only those waiting who ask for this.
    let sniffer = machine.run("pgrep -f '^knockd: sniffer'").stdout;
    machine.set_up(&format!("kill -STOP {sniffer}"));
    let mut waiting = connect(&machine);
    send(&mut waiting, &json!({ "method": "org.knockd.Control.Attempts" }));
    send(&mut waiting, &json!({ "method": "org.knockd.Control.Status" }));
    assert!(said(&machine, "status").starts_with("knockd: running, "));
    machine.set_up(&format!("kill -CONT {sniffer}"));
    assert_eq!(receive(&mut waiting)["parameters"]["total"], 2);
    assert_eq!(receive(&mut waiting)["parameters"]["doors"], 2);
    // With that process, the attempts are gone, and who waits gets an error.
    machine.set_up(&format!("kill -STOP {sniffer}"));
    send(&mut waiting, &json!({ "method": "org.knockd.Control.Attempts" }));
    send(&mut waiting, &json!({ "method": "org.knockd.Control.Status" }));
    assert!(said(&machine, "status").starts_with("knockd: running, "));
    machine.set_up(&format!("kill -KILL {sniffer}"));
    assert_eq!(receive(&mut waiting)["error"], "org.knockd.Control.NotNow");
    wait_until("another process reads packets", || {
        let outcome = knockctl(&machine, "attempts");
        outcome.stdout == "no client is part-way through a sequence\n"
    });
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn what_is_printed_as_json_is_as_the_schema_says() {
    let name = "what_is_printed_as_json_is_as_the_schema_says";
    let Some(machine) = machine(name) else { return };
    let schema = Schema::read("knockctl.schema.json");
    for wrong in [json!({ "doors": [{}] }), json!({ "version": "1" }), json!({ "line": "x" })] {
        assert!(!schema.allows(&wrong), "{wrong}");
    }
    let daemon = Daemon::start(&machine, "-v");
    let json =
        |arguments: &str| schema.object(&said(&machine, &format!("--format json {arguments}")));
    let events = machine.start(&format!("exec {KNOCKCTL} --socket control --format json events"));
    machine.knock(&[7000, 8000, 7001]);
    wait_until("the door is open", || json("list")["doors"][0]["state"] == "open");
    assert_eq!(json("status")["open"], 1);
    assert_eq!(json("metrics")["counters"]["openings"], 1);
    wait_until("the attempt has begun", || json("attempts")["attempts"][0]["stage"] == 1);
    assert_eq!(json("attempts")["attempts"][0]["knocks"], 2);
    let lines = json("explain 127.0.0.1");
    assert!(lines["lines"].as_array().unwrap().len() >= 3, "{lines}");
    assert_eq!(json("close ssh")["closing"], 1);
    machine.wait_for_lines("stopped", 1);
    assert_eq!(json("reload"), json!({}));
    let line = schema.object(&events.line());
    assert_eq!(line["lost"], 0);
    // Nothing to close has the same exit status as without JSON.
    let nothing = knockctl(&machine, "--format json close 192.0.2.77");
    assert_eq!(nothing.status, Some(1));
    assert_eq!(schema.object(&nothing.stdout)["closing"], 0);
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn knockctl_reloads_and_follows_the_log() {
    let Some(machine) = machine("knockctl_reloads_and_follows_the_log") else { return };
    let daemon = Daemon::start(&machine, "-v");
    let events = machine.start(&format!("exec {KNOCKCTL} --socket control events"));
    // It follows from the time at which it is connected, and that is before its first line.
    wait_until("it has a line", || {
        said(&machine, "reload");
        events.line_within(Duration::from_millis(100)).is_some()
    });
    machine.knock(&[7000, 8000]);
    while events.line() != "127.0.0.1: ssh: OPEN SESAME" {}
    machine.folder.write("knockd.conf", "[broken]\nsequence = x\n");
    said(&machine, "reload");
    while !events.line().starts_with("reload rejected: ") {}
    let metrics = said(&machine, "metrics");
    assert!(metrics.contains("\nknockd_rejected_reloads_total 1\n"), "{metrics}");
    assert_eq!(daemon.end().status, Some(0));
    // With the daemon, the lines end.
    assert_eq!(events.finish().status, Some(3));
}

#[test]
fn a_reload_moves_the_socket_and_connections_go_on() {
    let Some(machine) = machine("a_reload_moves_the_socket_and_connections_go_on") else { return };
    let daemon = Daemon::start(&machine, "-v");
    let mut connection = connect(&machine);
    machine.folder.write("knockd.conf", &DOORS.replace("DIR/control", "DIR/moved"));
    said(&machine, "reload");
    wait_until("the socket is moved", || {
        machine.folder.path("moved").exists() && !machine.folder.path("control").exists()
    });
    let moved = machine.run(&format!("exec {KNOCKCTL} --socket moved status"));
    assert_eq!(moved.status, Some(0), "{}", moved.stderr);
    send(&mut connection, &json!({ "method": "org.varlink.service.GetInfo" }));
    assert!(receive(&mut connection)["parameters"].is_object());
    // Where none can be made, the old one stays.
    machine.folder.write("knockd.conf", &DOORS.replace("DIR/control", "/proc/control"));
    let reload = machine.run(&format!("exec {KNOCKCTL} --socket moved reload"));
    assert_eq!(reload.status, Some(0), "{}", reload.stderr);
    daemon.wait_for_error_beginning(
        "knockd: warning: cannot make the control socket /proc/control: ",
    );
    let moved = machine.run(&format!("exec {KNOCKCTL} --socket moved status"));
    assert_eq!(moved.status, Some(0), "{}", moved.stderr);
    assert_eq!(daemon.end().status, Some(0));
    assert!(!machine.folder.path("moved").exists());
}

#[test]
fn other_programs_can_use_the_socket_by_the_varlink_protocol() {
    let name = "other_programs_can_use_the_socket_by_the_varlink_protocol";
    let Some(machine) = machine(name) else { return };
    let daemon = Daemon::start(&machine, "-v");
    let mut connection = connect(&machine);
    send(&mut connection, &json!({ "method": "org.varlink.service.GetInfo" }));
    let info = receive(&mut connection);
    assert_eq!(info["parameters"]["product"], "knockd");
    for interface in info["parameters"]["interfaces"].as_array().unwrap() {
        let parameters = json!({ "interface": interface });
        let method = "org.varlink.service.GetInterfaceDescription";
        send(&mut connection, &json!({ "method": method, "parameters": parameters }));
        let description = receive(&mut connection);
        let text = description["parameters"]["description"].as_str().unwrap();
        assert!(text.contains(&format!("interface {}", interface.as_str().unwrap())), "{text}");
    }
    // Several calls at once are answered in order; one without an answer is not.
    for (method, oneway) in [("Status", false), ("Reload", true), ("List", false), ("No", false)] {
        let method = format!("org.knockd.Control.{method}");
        send(&mut connection, &json!({ "method": method, "oneway": oneway }));
    }
    assert_eq!(receive(&mut connection)["parameters"]["state"], "listening");
    assert_eq!(receive(&mut connection)["parameters"], json!({ "doors": [] }));
    assert_eq!(receive(&mut connection)["error"], "org.varlink.service.MethodNotFound");
    daemon.wait_for_beginning("re-reading config file: ");
    // What is no message ends this connection, and no other.
    let mut other = connect(&machine);
    other.get_mut().write_all(b"GET / HTTP/1.1\r\n\0").unwrap();
    assert_eq!(other.read_to_end(&mut Vec::new()).unwrap(), 0);
    send(&mut connection, &json!({ "method": "org.knockd.Control.List" }));
    assert_eq!(receive(&mut connection)["parameters"], json!({ "doors": [] }));
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn who_is_not_root_may_only_ask_and_only_as_a_member_of_the_group() {
    let name = "who_is_not_root_may_only_ask_and_only_as_a_member_of_the_group";
    let programs = [PROGRAMS, &["setpriv"]].concat();
    if !require(name, &programs, Need::Namespaces) {
        return;
    }
    let machine = Machine::with(DOORS);
    machine.folder.open_to_all();
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7000, 8000]);
    machine.wait_for_lines("started", 1);
    // As an administrator would, where there is no group of that name.
    machine.set_up("chgrp 4321 control && chmod 660 control");
    machine.set_up(&format!("cp {KNOCKCTL} . && chmod 755 knockctl"));
    let run = |ids: &str, arguments: &str| {
        machine.run(&format!(
            "exec setpriv --clear-groups {ids} ./knockctl --socket control {arguments}"
        ))
    };
    let member = "--reuid 1234 --regid 4321";
    let status = run(member, "status");
    assert_eq!(status.status, Some(0), "{}", status.stderr);
    for change in ["close --all", "reload"] {
        let refused = run(member, change);
        let told = "knockctl: error: only root, or the user that knockd runs as, may do that\n";
        assert_eq!((refused.status, refused.stderr.as_str()), (Some(1), told));
    }
    let stranger = run("--reuid 1234 --regid 1234", "status");
    assert_eq!(stranger.status, Some(3));
    assert!(stranger.stderr.contains("you may not use control: run this as root"));
    assert_eq!(machine.folder.read("stopped"), "");
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn without_a_socket_the_daemon_does_its_work() {
    let Some(machine) = machine("without_a_socket_the_daemon_does_its_work") else { return };
    machine.folder.write("control", "not a socket");
    let daemon = Daemon::start(&machine, "-v");
    daemon.wait_for_error_beginning("knockd: warning: cannot make the control socket ");
    machine.knock(&[7000, 8000]);
    machine.wait_for_lines("started", 1);
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(machine.folder.read("control"), "not a socket");
}
