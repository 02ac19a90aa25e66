//! Doors with `Open`: no command, the kernel lets clients in and closes by itself.

use std::process::Stdio;
use std::time::{Duration, Instant};

use knock_tests::process::{Live, finish};

use crate::common::{Daemon, Scene, wait_until};

const KNOCKD: &str = env!("CARGO_BIN_EXE_knockd");
const KNOCKCTL: &str = env!("CARGO_BIN_EXE_knockctl");

const CLIENT: &str = "192.0.2.10";
const STRANGER: &str = "192.0.2.11";
const SERVER: &str = "192.0.2.1";

/// Returns a configuration with a guarded SSH.
fn config(more: &str) -> String {
    format!(
        "[options]\n\tFirewall = nft\n[SSH]\n\tSequence = 7000,8000:udp,9000\n\tSeq_Timeout = 100\n\
         \tTCPFlags = syn\n\tOpen = tcp/22\n{more}\n"
    )
}

/// A scene with a service at port 22 that anybody can reach so far.
fn scene(test: &str, config: &str) -> Option<(Scene, Vec<Live>)> {
    scene_with(&["nft"], test, config)
}

/// The same, for a test that needs these programs.
fn scene_with(programs: &[&str], test: &str, config: &str) -> Option<(Scene, Vec<Live>)> {
    let scene = Scene::new(test, programs, config)?;
    scene.client("ip address add 2001:db8::11/64 nodad preferred_lft 0 dev client");
    let serve = |option: &str, address: &str| {
        let command = format!("exec nc {option} -l -k {address} 22 >>DIR/received");
        let live = Live::start(&mut scene.cable.server.command(&scene.placed(&command)));
        wait_until("there is a service", || {
            scene.client_can(&format!("nc {option} -z -w 1 {address} 22"))
        });
        live
    };
    let services = vec![serve("-4", SERVER), serve("-6", "2001:db8::1")];
    // The daemon warns about connections that are there at its start.
    wait_until("no connection is left", || {
        scene
            .ask_server("cat /proc/net/tcp /proc/net/tcp6 | grep ':0016 .* 01 ' || true")
            .is_empty()
    });
    Some((scene, services))
}

fn can_connect(scene: &Scene, source: &str) -> bool {
    let server = if source.contains(':') { "2001:db8::1" } else { SERVER };
    scene.client_can(&format!("nc -z -w 1 -s {source} {server} 22"))
}

fn knock(scene: &Scene, source: &str) {
    let (option, server) =
        if source.contains(':') { ("-6", "2001:db8::1") } else { ("-4", SERVER) };
    scene.client(&format!("knock {option} {server} 7000 8000:udp 9000"));
}

/// Knocks, and waits for the line of the kernel's admission.
fn get_in(scene: &Scene, daemon: &Daemon<'_>, source: &str, seconds: u32) {
    knock(scene, source);
    daemon.wait_for(&format!("SSH: admit {source} to tcp/22 for {seconds} s"));
}

/// Kills the runner as if by the kernel; the other process ends with it.
fn kill(scene: &Scene, daemon: Daemon<'_>) {
    daemon.signal("KILL");
    let _ = daemon.finish();
    wait_until("no process of the daemon is left", || {
        scene.ask_server("pgrep -x 'knockd|knockd-sniffer' || true").is_empty()
    });
}

fn opens_and_closes(test: &str, client: &str, stranger: &str) {
    let Some((scene, _services)) = scene(test, &config("\tOpen_For = 6s")) else { return };
    let daemon = scene.start("-i server");
    let server = if client.contains(':') { "2001:db8::1" } else { SERVER };
    assert!(!can_connect(&scene, client));
    get_in(&scene, &daemon, client, 6);
    let mut command = scene.cable.client.command(&format!("exec nc -s {client} {server} 22"));
    let mut connection = Live::start(command.stdin(Stdio::piped()));
    connection.send(b"early\n");
    wait_until("the client's text arrives", || scene.read("received") == "early\n");
    assert!(!can_connect(&scene, stranger));
    daemon.wait_for(&format!("SSH: {client}: admission ended"));
    assert!(!can_connect(&scene, client));
    connection.send(b"late\n");
    wait_until("the connection stays open", || scene.read("received") == "early\nlate\n");
    let expected = format!(
        "guarding tcp/22: only clients that have knocked can connect\n\
         {client}: SSH: Stage 1\n{client}: SSH: Stage 2\n{client}: SSH: Stage 3\n\
         {client}: SSH: OPEN SESAME\nSSH: admit {client} to tcp/22 for 6 s\n\
         SSH: {client}: admission ended\n"
    );
    assert_eq!(daemon.end(), expected);
}

#[test]
fn a_knock_opens_a_guarded_port_for_a_while() {
    opens_and_closes("a_knock_opens_a_guarded_port_for_a_while", CLIENT, STRANGER);
}

#[test]
fn a_knock_opens_a_guarded_port_for_a_while_with_ipv6() {
    let test = "a_knock_opens_a_guarded_port_for_a_while_with_ipv6";
    opens_and_closes(test, "2001:db8::10", "2001:db8::11");
}

#[test]
fn the_kernel_closes_when_everything_was_killed() {
    let test = "the_kernel_closes_when_everything_was_killed";
    let Some((scene, _services)) = scene(test, &config("\tOpen_For = 8s")) else { return };
    let daemon = scene.start("-i server");
    let begun = Instant::now();
    get_in(&scene, &daemon, CLIENT, 8);
    let admitted = Instant::now();
    kill(&scene, daemon);
    let may_be_over = begun.elapsed() >= Duration::from_secs(8);
    assert!(may_be_over || can_connect(&scene, CLIENT));
    wait_until("the kernel has closed", || {
        scene.ask_server("nft list set inet knockd admitted4 | grep elements || true").is_empty()
    });
    // Not before its second; how long after depends on how often this test may look.
    assert!(begun.elapsed() >= Duration::from_secs(8), "{:?}", begun.elapsed());
    println!("closed {:?} after the line of the admission", admitted.elapsed());
    assert!(!can_connect(&scene, CLIENT));
}

#[test]
fn the_next_start_takes_up_who_is_admitted() {
    let test = "the_next_start_takes_up_who_is_admitted";
    let Some((scene, _services)) = scene(test, &config("\tOpen_For = 1h")) else { return };
    let daemon = scene.start("-i server");
    get_in(&scene, &daemon, CLIENT, 3600);
    kill(&scene, daemon);
    assert!(can_connect(&scene, CLIENT) && !can_connect(&scene, STRANGER));
    let daemon = scene.start("-i server");
    daemon.wait_for("1 client is still admitted since before the start");
    assert!(can_connect(&scene, CLIENT) && !can_connect(&scene, STRANGER));
    let list = scene.ask_server(&format!("{KNOCKCTL} list"));
    assert!(list.contains("SSH") && list.contains(CLIENT), "{list}");
    assert_eq!(scene.ask_server(&format!("{KNOCKCTL} close {CLIENT}")), "closing 1 door\n");
    daemon.wait_for("SSH: 192.0.2.10: admission ended");
    assert!(!can_connect(&scene, CLIENT));
    get_in(&scene, &daemon, CLIENT, 3600);
    // A stop closes what is open, and guards on.
    let transcript = daemon.end();
    assert!(transcript.ends_with("SSH: 192.0.2.10: admission ended\n"), "{transcript}");
    assert!(!can_connect(&scene, CLIENT));
}

#[test]
fn a_flush_is_undone_and_reported() {
    let test = "a_flush_is_undone_and_reported";
    let Some((scene, _services)) = scene(test, &config("")) else { return };
    let daemon = scene.start("-i server");
    get_in(&scene, &daemon, CLIENT, 3600);
    scene.server("nft flush ruleset");
    daemon.wait_for_error(
        "another program had removed or changed the table inet knockd, so ports were not guarded; it is \
         restored, with 1 client admitted",
    );
    assert!(can_connect(&scene, CLIENT) && !can_connect(&scene, STRANGER));
    scene.server("nft flush chain inet knockd closed");
    daemon.wait_for_errors("it is restored, with 1 client admitted", 2);
    assert!(!can_connect(&scene, STRANGER));
    assert_eq!(daemon.end_with_warnings().matches("restored").count(), 2);
}

#[test]
fn unguard_lets_everybody_in_until_the_next_start() {
    let test = "unguard_lets_everybody_in_until_the_next_start";
    let Some((scene, _services)) = scene(test, &config("")) else { return };
    let daemon = scene.start("-i server");
    assert!(!can_connect(&scene, STRANGER));
    scene.server(&format!("{KNOCKCTL} unguard"));
    assert!(can_connect(&scene, STRANGER));
    knock(&scene, CLIENT);
    daemon.wait_for_error("NOT admitted to tcp/22: the guard was removed by knockctl");
    daemon.end_with_warnings();
    let daemon = scene.start("-i server");
    assert!(!can_connect(&scene, STRANGER));
    daemon.end();
}

/// Who starts the first guard may have come by the very port.
#[test]
fn a_first_guard_is_refused_while_somebody_is_connected_and_later_ones_are_not() {
    let test = "a_first_guard_is_refused_while_somebody_is_connected_and_later_ones_are_not";
    let Some((scene, _services)) = scene(test, &config("")) else { return };
    let mut command = scene.cable.client.command(&format!("exec nc -s {CLIENT} {SERVER} 22"));
    let mut connection = Live::start(command.stdin(Stdio::piped()));
    connection.send(b"early\n");
    wait_until("the client is connected", || scene.read("received") == "early\n");
    let refusal = "192.0.2.10 is connected to tcp/22, and could not connect again without a knock, so this \
                   first guard is refused; if you can knock, start knockd once with '--force', or with \
                   '--guard-dry-run' to try it without closing anything";
    let line = format!("exec {KNOCKD} -v -i server -c DIR/knockd.conf");
    let mut command = scene.cable.server.command(&scene.placed(&line));
    let refused = finish(command.env("STATE_DIRECTORY", scene.path("state")));
    assert_eq!(refused.status, Some(3), "{refused:?}");
    assert!(refused.stderr.contains(&format!("knockd: error: {refusal}\n")), "{refused:?}");
    assert!(can_connect(&scene, STRANGER));
    // A reload that would guard is no different, and a dry run shuts nobody out.
    let unguarded =
        config("").replace("Firewall = nft", "").replace("Open = tcp/22", "Command = true");
    scene.configure(&unguarded);
    let daemon = scene.start("-i server");
    scene.configure(&config(""));
    daemon.signal("HUP");
    daemon.wait_for_error(refusal);
    daemon.wait_for_error("reload rejected: ");
    assert!(can_connect(&scene, STRANGER));
    daemon.end_with_warnings();
    scene.start("-i server --guard-dry-run").end();
    scene.server("nft delete table inet knockd");
    let named = "warning: 192.0.2.10 is connected to tcp/22: these connections go on, but new ones need a \
                 knock";
    let daemon = scene.start("-i server --force");
    daemon.wait_for_error(named);
    assert!(!can_connect(&scene, CLIENT));
    connection.send(b"late\n");
    wait_until("the connection goes on", || scene.read("received") == "early\nlate\n");
    daemon.end_with_warnings();
    // After a reboot the table is gone, and somebody may be connected before knockd is there.
    for table in ["true", "nft delete table inet knockd"] {
        scene.server(table);
        let daemon = scene.start("-i server");
        daemon.wait_for_error(named);
        assert!(!can_connect(&scene, STRANGER), "{table}");
        daemon.end_with_warnings();
    }
}

/// Of this machine itself, nobody is shut out.
#[test]
fn a_first_guard_is_not_refused_because_of_this_machine() {
    let test = "a_first_guard_is_not_refused_because_of_this_machine";
    let Some((scene, _services)) = scene(test, &config("")) else { return };
    let line = format!("exec nc -s {SERVER} {SERVER} 22");
    let mut connection = Live::start(scene.cable.server.command(&line).stdin(Stdio::piped()));
    connection.send(b"early\n");
    wait_until("it is connected", || scene.read("received") == "early\n");
    scene.start("-i server").end();
    // After that, it is not the first.
    assert!(scene.read("state/guarded").starts_with("knockd has guarded ports here."));
}

/// The door with a command shows that the trace would have a shell.
#[test]
fn a_door_with_open_alone_starts_no_program() {
    let test = "a_door_with_open_alone_starts_no_program";
    let more =
        "\tOpen_For = 3s\n[note]\n\tSequence = 7100\n\tTCPFlags = syn\n\tCommand = echo noted\n";
    let Some((scene, _services)) = scene_with(&["nft", "strace"], test, &config(more)) else {
        return;
    };
    let daemon = scene.start("-i server");
    let line = "exec strace -f -qq -e trace=execve,execveat -o DIR/trace -p $(pgrep -o -x knockd)";
    let _tracer = Live::start(&mut scene.cable.server.command(&scene.placed(line)));
    wait_until("the runner is traced", || {
        let status = "cat /proc/$(pgrep -o -x knockd)/status";
        !scene.ask_server(status).contains("TracerPid:\t0\n")
    });
    get_in(&scene, &daemon, CLIENT, 3);
    daemon.wait_for("SSH: 192.0.2.10: admission ended");
    assert_eq!(scene.read("trace"), "");
    scene.client(&format!("nc -z -s {CLIENT} {SERVER} 7100"));
    wait_until("the trace has the shell", || scene.read("trace").contains("echo noted"));
    daemon.wait_for_error("note: output: noted");
    daemon.end_with_warnings();
}

#[test]
fn a_dry_run_counts_and_refuses_nothing() {
    let test = "a_dry_run_counts_and_refuses_nothing";
    let Some((scene, _services)) = scene(test, &config("")) else { return };
    let daemon = scene.start("-i server --guard-dry-run");
    assert!(can_connect(&scene, STRANGER));
    let counted = scene.ask_server("nft list table inet knockd | grep 'packets [1-9]'");
    assert!(!counted.is_empty());
    daemon.end();
}

#[test]
fn a_reload_guards_other_ports_and_rejects() {
    let test = "a_reload_guards_other_ports_and_rejects";
    let Some((scene, _services)) = scene(test, &config("")) else { return };
    let daemon = scene.start("-i server");
    get_in(&scene, &daemon, CLIENT, 3600);
    scene.configure(&config("").replace("tcp/22", "tcp/2222"));
    daemon.signal("HUP");
    daemon.wait_for("guarding tcp/2222: only clients that have knocked can connect");
    daemon.wait_for("SSH: 192.0.2.10: admission ended");
    assert!(can_connect(&scene, STRANGER));
    daemon.end();
}

#[test]
fn an_opening_renews_the_admission_until_the_maximum() {
    let test = "an_opening_renews_the_admission_until_the_maximum";
    let door = "\tOpen_For = 10s\n\tOpen_Max = 15s";
    let Some((scene, _services)) = scene(test, &config(door)) else { return };
    let daemon = scene.start("-i server");
    get_in(&scene, &daemon, CLIENT, 10);
    let left = || {
        let list = scene.ask_server("nft list set inet knockd admitted4 | grep expires || true");
        let left = list.split_once("expires ").map(|(_, left)| left.to_owned());
        let left = left.unwrap_or_default();
        left.split_once('s').and_then(|(left, _)| left.parse::<u32>().ok())
    };
    wait_until("some time has passed", || left().is_none_or(|left| left < 8));
    knock(&scene, CLIENT);
    daemon.wait_for_times("192.0.2.10: SSH: OPEN SESAME", 2);
    // The kernel has begun the time again.
    wait_until("the admission is renewed", || left().is_some_and(|left| left >= 8));
    let begun = Instant::now();
    daemon.wait_for("SSH: 192.0.2.10: admission ended");
    assert!(begun.elapsed() < Duration::from_secs(15));
    assert!(!can_connect(&scene, CLIENT));
    daemon.end();
}

/// The kernel keeps when the client was let in first, also when its element is renewed.
#[test]
fn the_maximum_counts_on_after_everything_was_killed() {
    let test = "the_maximum_counts_on_after_everything_was_killed";
    let door = "\tOpen_For = 30s\n\tOpen_Max = 40s\n\tOn_Reknock = ignore";
    let Some((scene, _services)) = scene(test, &config(door)) else { return };
    let list = || scene.ask_server("nft list set inet knockd admitted4");
    let first = |text: &str| {
        let (_, comment) = text.split_once("comment \"first let in ").unwrap();
        comment.split_once(" ms after boot\"").unwrap().0.to_owned()
    };
    let daemon = scene.start("-i server");
    let begun = Instant::now();
    get_in(&scene, &daemon, CLIENT, 30);
    let let_in = first(&list());
    kill(&scene, daemon);
    let start_and_knock = |after: u64| {
        let daemon = scene.start("-i server");
        daemon.wait_for("1 client is still admitted since before the start");
        let after = Duration::from_secs(after);
        wait_until("the maximum is nearer", || begun.elapsed() > after);
        knock(&scene, CLIENT);
        let beginning = "SSH: admit 192.0.2.10 to tcp/22 for ";
        wait_until("the client is admitted", || daemon.output().contains(beginning));
        let output = daemon.output();
        let (_, rest) = output.split_once(beginning).unwrap();
        let seconds = Duration::from_secs(rest.split_once(" s\n").unwrap().0.parse().unwrap());
        // It began before this test could look, and half a second is rounded up.
        let most = Duration::from_millis(42_500).saturating_sub(after);
        assert!(seconds <= most, "{seconds:?} after {after:?}");
        assert_eq!(first(&list()), let_in);
        daemon
    };
    // A new engine takes the next opening for the first; so it does after a second kill.
    kill(&scene, start_and_knock(12));
    let daemon = start_and_knock(18);
    // The engine would say so later, and must not take the client for admitted any more.
    daemon.wait_for("SSH: 192.0.2.10: admission ended");
    assert!(begun.elapsed() >= Duration::from_secs(40), "{:?}", begun.elapsed());
    assert!(!can_connect(&scene, CLIENT));
    daemon.knock_until("SSH: admit 192.0.2.10 to tcp/22 for 30 s", 1, || knock(&scene, CLIENT));
    assert_ne!(first(&list()), let_in);
    daemon.end_with_warnings();
}

/// The ruleset of an administrator, with the sets as `--nft` writes them.
#[test]
fn an_administrators_ruleset_admits_and_says_when_it_is_gone() {
    let test = "an_administrators_ruleset_admits_and_says_when_it_is_gone";
    let admits = config("").replace("Firewall = nft", "Firewall = nft inet filter");
    let Some((scene, _services)) = scene(test, &admits) else { return };
    let ruleset = "table inet filter {
        set knockd4 { type ipv4_addr . inet_proto . inet_service; flags timeout; size 65535; }
        set knockd6 { type ipv6_addr . inet_proto . inet_service; flags timeout; size 65535; }
        chain input {
            type filter hook input priority filter; policy drop;
            ct state established,related accept
            meta l4proto ipv6-icmp accept
            ip saddr . meta l4proto . th dport @knockd4 accept
            ip6 saddr . meta l4proto . th dport @knockd6 accept
        }
    }";
    scene.write("rules", ruleset);
    scene.server("nft -f DIR/rules");
    let daemon = scene.start("-i server");
    assert!(!can_connect(&scene, CLIENT));
    get_in(&scene, &daemon, CLIENT, 3600);
    assert!(can_connect(&scene, CLIENT) && !can_connect(&scene, STRANGER));
    scene.server("nft flush ruleset; nft -f DIR/rules");
    daemon.wait_for_error("so 1 client is not admitted any more and must knock again");
    daemon.wait_for("SSH: 192.0.2.10: admission ended");
    assert!(!can_connect(&scene, CLIENT));
    daemon.knock_until("SSH: admit 192.0.2.10 to tcp/22 for 3600 s", 2, || knock(&scene, CLIENT));
    assert!(can_connect(&scene, CLIENT));
    daemon.end_with_warnings();
}

/// Only the kernel knows whether somebody is let in: what it has refused is not claimed.
#[test]
fn what_the_kernel_refuses_is_reported_and_not_claimed() {
    let test = "what_the_kernel_refuses_is_reported_and_not_claimed";
    let admits = config("").replace("Firewall = nft", "Firewall = nft inet filter");
    let Some((scene, _services)) = scene(test, &admits) else { return };
    scene.server(
        "nft 'add table inet filter; add set inet filter knockd4 { type ipv4_addr . inet_proto . \
         inet_service; flags timeout; size 1; }'",
    );
    let daemon = scene.start("-i server");
    get_in(&scene, &daemon, CLIENT, 3600);
    scene.client(&format!(
        "nc -z -s {STRANGER} {SERVER} 7000; printf x | nc -u -q 0 -s {STRANGER} {SERVER} 8000
        nc -z -s {STRANGER} {SERVER} 9000"
    ));
    daemon.wait_for_error("SSH: 192.0.2.11: NOT admitted to tcp/22: ");
    assert_eq!(daemon.count("SSH: admit 192.0.2.11 to tcp/22 for 3600 s"), 0);
    let list = scene.ask_server(&format!("{KNOCKCTL} list"));
    assert!(!list.contains(STRANGER), "{list}");
    daemon.end_with_warnings();
}
