//! The environment of commands, and when they run.

use std::fs;

use crate::common::{Machine, wait_until};
use crate::{OURS, THEIRS, both, can_run, end, listen};

#[test]
fn commands_of_one_client_and_door_overlap_under_knockd_08() {
    if !can_run("commands_of_one_client_and_door_overlap_under_knockd_08", &[]) {
        return;
    }
    let config = "[door]\nsequence = 7000:udp\ncommand = echo begin >> DIR/order; \
                  until test -e DIR/go; do sleep 0.01; done; echo end >> DIR/order\n";
    let orders = both(config, |machine, program| {
        let (live, _) = listen(machine, program, "");
        machine.knock(&[7000, 7000]);
        let at_once = if program == THEIRS { 2 } else { 1 };
        for _ in 0..at_once {
            while !live.line().starts_with("door: running command: ") {}
        }
        machine.wait_for_lines("order", at_once);
        machine.set_up("touch DIR/go");
        machine.wait_for_lines("order", 4);
        machine.folder.read("order").replace('\n', " ")
    });
    assert_eq!(orders, ["begin begin end end ", "begin end begin end "]);
}

#[test]
fn commands_of_knockd_08_have_its_output_environment_and_descriptors() {
    let name = "commands_of_knockd_08_have_its_output_environment_and_descriptors";
    if !can_run(name, &[]) {
        return;
    }
    let config = "\
[options]
    logfile = DIR/log
[door]
    sequence = 7000:udp
    command = env > DIR/env; ls -l /proc/self/fd > DIR/fds; echo said; touch DIR/done
";
    let [theirs, ours] = both(config, |machine, program| {
        let live = machine
            .start(&format!("SECRET=x LC_TIME=C exec {program} -v -i lo -c DIR/knockd.conf"));
        assert_eq!(live.line(), "listening on lo...");
        let process = crate::rest(machine);
        machine.knock(&[7000]);
        wait_until("the command has ended", || machine.folder.path("done").exists());
        if program == OURS {
            machine.wait_for_text("log", "] door: output: said\n");
        }
        let output = end(live, &process).stdout;
        (output, machine.folder.read("env"), machine.folder.read("fds"))
    });
    assert!(theirs.0.lines().any(|line| line == "said"), "{theirs:?}");
    assert!(!ours.0.lines().any(|line| line.ends_with("said")), "{ours:?}");
    let has = |environment: &str, line: &str| environment.lines().any(|one| one == line);
    assert!(has(&theirs.1, "SECRET=x") && !theirs.1.contains("KNOCK_CLIENT"), "{theirs:?}");
    assert!(!ours.1.contains("SECRET") && has(&ours.1, "LC_TIME=C"), "{ours:?}");
    for line in ["KNOCK_CLIENT=127.0.0.1", "KNOCK_DOOR=door", "KNOCK_PHASE=start"] {
        assert!(has(&ours.1, line), "{line}: {ours:?}");
    }
    // The log, and the socket that packets are read from.
    assert!(theirs.2.contains("/log\n") && theirs.2.contains("socket:"), "{theirs:?}");
    assert!(!ours.2.contains("/log\n") && !ours.2.contains("socket:"), "{ours:?}");
}

#[test]
fn a_name_that_does_not_come_delays_commands_of_knockd_08_only() {
    if !can_run("a_name_that_does_not_come_delays_commands_of_knockd_08_only", &[]) {
        return;
    }
    let config = "[door]\nsequence = 7000:udp\ncommand = touch DIR/opened\n";
    let waits = [THEIRS, OURS].map(|program| {
        let machine = Machine::with(config);
        // A name server that never answers: on this network, the address leads to a silent socket.
        machine
            .folder
            .write("resolv.conf", "nameserver 127.0.0.53\noptions timeout:4 attempts:1\n");
        machine.folder.write("hosts", "\n");
        machine.set_up(
            "mount --bind resolv.conf $(realpath /etc/resolv.conf); mount --bind hosts /etc/hosts",
        );
        let _silent = machine.start("exec nc -u -l 127.0.0.53 53");
        wait_until("the silent server listens", || {
            machine.run("grep -q 3500007F:0035 /proc/net/udp").status == Some(0)
        });
        let _daemon = listen(&machine, program, "-l");
        let begin = std::time::SystemTime::now();
        machine.knock(&[7000]);
        wait_until("the command has run", || machine.folder.path("opened").exists());
        let opened = fs::metadata(machine.folder.path("opened")).unwrap().modified().unwrap();
        opened.duration_since(begin).unwrap_or_default().as_millis()
    });
    let [theirs, ours] = waits;
    assert!(theirs >= 3900 && ours < theirs, "{waits:?}");
}

#[test]
fn a_stop_command_that_fails_once_leaves_the_door_open_under_knockd_08_only() {
    if !can_run("a_stop_command_that_fails_once_leaves_the_door_open_under_knockd_08_only", &[]) {
        return;
    }
    let config = "[door]\nsequence = 7000:udp\nstart_command = touch DIR/open\ncmd_timeout = 1\n\
                  stop_command = echo >> DIR/tries; [ $(wc -l < DIR/tries) -gt 1 ] || exit 4; rm DIR/open\n";
    let stays_open = both(config, |machine, program| {
        let (live, process) = listen(machine, program, "");
        machine.knock(&[7000]);
        machine.wait_for_lines("tries", if program == THEIRS { 1 } else { 2 });
        if program == THEIRS {
            // Nothing waits that could close the door.
            wait_until("one process is left", || machine.named("knockd").len() == 1);
        }
        let _ = end(live, &process);
        machine.wait_for_no_process();
        machine.folder.path("open").exists()
    });
    assert_eq!(stays_open, [true, false]);
}
