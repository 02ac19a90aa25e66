//! Floods of frames that pass the kernel's filter, but are not packets.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use knock_tests::process::Live;

use crate::common::{Injector, Scene, comes_true};

const TIMED: &str = "
[timed]
    sequence = 7001:udp
    start_command = true
    cmd_timeout = 1
    stop_command = touch DIR/stopped
[stages]
    sequence = 7001:udp,7002:udp
    seq_timeout = 1
    command =
";

#[test]
fn what_is_due_is_done_while_frames_come_without_end() {
    let name = "what_is_due_is_done_while_frames_come_without_end";
    let Some(scene) = Scene::new(name, &["pgrep"], "") else { return };
    scene.configure(&scene.placed(TIMED));
    let mut injector = Injector::new(&scene);
    let daemon = scene.start("-i server");
    scene.client("printf x | nc -u -q 0 192.0.2.1 7001");
    daemon.wait_for("192.0.2.10: timed: OPEN SESAME");
    let came = comes_true_while_frames_come(&scene, &mut injector, || {
        scene.path("stopped").exists()
            && daemon.count("192.0.2.10: stages: sequence timeout (stage 1)") == 1
    });
    assert!(came, "nothing was due: {}", daemon.output());
    daemon.signal("TERM");
    assert_eq!(daemon.finish().status, Some(0));
}

#[test]
fn a_flood_on_one_interface_keeps_no_knock_of_another_from_being_heard() {
    let name = "a_flood_on_one_interface_keeps_no_knock_of_another_from_being_heard";
    let Some(scene) = Scene::new(name, &["pgrep"], "") else { return };
    scene.configure(&scene.placed(TIMED));
    scene.add_second();
    let mut injector = Injector::new(&scene);
    for options in ["-i server,second", "-i second,server"] {
        let daemon = scene.start(options);
        let came = comes_true_while_frames_come(&scene, &mut injector, || {
            scene.client("printf x | nc -u -q 0 203.0.113.1 7001");
            daemon.count("203.0.113.10: timed: OPEN SESAME") > 0
        });
        assert!(came, "no knock was handled: {}", daemon.output());
        daemon.signal("TERM");
        assert_eq!(daemon.finish().status, Some(0));
    }
}

/// A door that anyone opens with one packet, with a command that takes a second, and one for honest people.
const FLOODED: &str = "
[flooded]
    sequence = 7001
    tcpflags = syn
    command = sleep 1
[honest]
    sequence = 7002:udp
    start_command = touch DIR/open
    cmd_timeout = 1
    stop_command = rm DIR/open
";

#[test]
fn a_flood_from_forged_sources_at_one_door_keeps_no_other_door_shut_or_open() {
    let name = "a_flood_from_forged_sources_at_one_door_keeps_no_other_door_shut_or_open";
    let Some(scene) = Scene::new(name, &[], FLOODED) else { return };
    let mut injector = Injector::new(&scene);
    let daemon = scene.start("-i server");
    let is_over = AtomicBool::new(false);
    let rounds = thread::scope(|threads| {
        threads.spawn(|| {
            for number in 0_u32.. {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let source = Ipv4Addr::from(0x0a00_0000 + number).to_string();
                injector.knock(&source, "192.0.2.1", &[7001], &[]);
            }
        });
        let busy = comes_true(|| daemon.errors().contains("flooded: not opened: busy, too many"));
        let round = || {
            scene.client("printf x | nc -u -q 0 192.0.2.1 7002");
            comes_true(|| scene.path("open").exists())
                && comes_true(|| !scene.path("open").exists())
        };
        let rounds = busy.then(|| (0..4).take_while(|_| round()).count());
        is_over.store(true, Ordering::Relaxed);
        rounds
    });
    assert_eq!(rounds, Some(4), "{}", daemon.errors());
    daemon.signal("TERM");
    let ended = daemon.finish();
    assert_eq!(ended.status, Some(0));
    // Said once a minute, and counted.
    assert!(ended.errors.matches("not opened: busy").count() <= 5, "{}", ended.errors);
    assert!(ended.errors.contains(" openings were refused since the start"), "{}", ended.errors);
}

/// A door that sees how often anyone has knocked, and one for honest people.
const COUNTED: &str = "
[counted]
    sequence = 7001:udp,7001:udp
    command =
[honest]
    sequence = 7002:udp
    command =
";

/// On a machine with a gigabyte or more, a ring has room for more packets than come in the meantime.
#[test]
fn while_the_process_that_reads_packets_stands_still_none_is_lost() {
    const PACKETS: u32 = 40_000;
    let name = "while_the_process_that_reads_packets_stands_still_none_is_lost";
    let Some(scene) = Scene::new(name, &["pkill"], COUNTED) else { return };
    let mut injector = Injector::new(&scene);
    let daemon = scene.start("-i server");
    scene.server("pkill -STOP -f '^knockd: sniffer'");
    for number in 0..PACKETS {
        let source = Ipv4Addr::from(0x0a00_0000 + number);
        injector.send(&Injector::datagram(source, 7001, b"x"));
    }
    scene.client("printf x | nc -u -q 0 192.0.2.1 7002");
    scene.server("pkill -CONT -f '^knockd: sniffer'");
    daemon.wait_for("192.0.2.10: honest: OPEN SESAME");
    // Packets are handled in order, so all others were handled before.
    let stages = daemon.output().matches(": counted: Stage 1\n").count();
    assert_eq!(stages, usize::try_from(PACKETS).unwrap());
    assert_eq!(daemon.end_with_warnings(), "");
}

/// Two doors that log into a file.
const LOGGED: &str = "
[options]
    LogFile = DIR/log
[flooded]
    sequence = 7001,7002
    tcpflags = syn
    seq_timeout = 1
    command = true
[honest]
    sequence = 7003
    tcpflags = syn
    command = true %IP%
";

#[test]
fn in_a_flood_of_first_knocks_the_log_has_every_opening_and_counts_the_rest() {
    const ROUNDS: u32 = 20;
    const FORGED: u32 = 500;
    let name = "in_a_flood_of_first_knocks_the_log_has_every_opening_and_counts_the_rest";
    let Some(scene) = Scene::new(name, &[], "") else { return };
    scene.configure(&scene.placed(LOGGED));
    let mut injector = Injector::new(&scene);
    let daemon = scene.start("-i server");
    for round in 0..ROUNDS {
        for number in 0..FORGED {
            let source = Ipv4Addr::from(0x0a01_0000 + round * FORGED + number).to_string();
            injector.knock(&source, "192.0.2.1", &[7001], &[]);
        }
        // Wherever a summary begins and ends, all clients in it are of one network.
        let client = format!("10.1.128.{}", round + 1);
        injector.knock(&client, "192.0.2.1", &[7003], &[]);
        // Whatever else is to be written, the opening comes.
        let opened = format!("] {client}: honest: OPEN SESAME\n");
        assert!(
            comes_true(|| scene.read("log").contains(&opened)),
            "{opened}{}",
            scene.read("log")
        );
    }
    let forged = usize::try_from(ROUNDS * FORGED).unwrap();
    let ended = comes_true(|| daemon.output().matches("sequence timeout").count() == forged);
    assert!(ended, "{}", daemon.errors());
    daemon.signal("TERM");
    let ended = daemon.finish();
    assert_eq!(ended.status, Some(0));
    // Standard output has the whole transcript, and nothing else.
    assert_eq!(ended.output.matches(": flooded: Stage 1\n").count(), forged);
    assert!(!ended.output.contains("flood: "));
    let log = scene.read("log");
    for (step, summary) in
        [("flooded: Stage 1\n", " Stage 1"), ("flooded: sequence timeout", " sequence timeout")]
    {
        let logged = log.matches(step).count();
        assert!((10..forged / 2).contains(&logged), "{logged}: {log}");
        let honest = if step.contains("Stage") { usize::try_from(ROUNDS).unwrap() } else { 0 };
        let counted = summarised(&log, summary);
        let honest_logged = log.matches("honest: Stage 1\n").count();
        let honest_left = if honest > 0 { honest - honest_logged } else { 0 };
        assert_eq!(logged + counted, forged + honest_left, "{log}");
    }
    assert!(log.contains(" clients in 10.1."), "{log}");
    for kind in ["OPEN SESAME\n", "honest: running command: true 10.1.128."] {
        assert_eq!(log.matches(kind).count(), usize::try_from(ROUNDS).unwrap(), "{log}");
    }
}

/// Returns how many lines of a kind the summaries of a log count.
fn summarised(log: &str, kind: &str) -> usize {
    let summaries = log.lines().filter(|line| line.contains("] knockd: flood: "));
    let counts = summaries.flat_map(|line| {
        let (_, counts) = line.rsplit_once(": ").unwrap();
        counts.split(", ").filter_map(|count| count.strip_suffix(kind))
    });
    counts.map(|count| count.parse::<usize>().unwrap()).sum()
}

/// Waits until a condition is true, while more frames come than the sniffer can read, because it is
/// stopped most of the time. Returns whether it became true.
fn comes_true_while_frames_come(
    scene: &Scene,
    injector: &mut Injector,
    is_so: impl FnMut() -> bool,
) -> bool {
    let _ = std::fs::remove_file(scene.path("over"));
    let is_over = AtomicBool::new(false);
    let line = "id=$(pgrep -f '^knockd: sniffer')
        until test -e DIR/over; do kill -STOP $id; sleep 0.1; kill -CONT $id; sleep 0; done";
    let slowing = Live::start(&mut scene.cable.server.command(&scene.placed(line)));
    let came = thread::scope(|threads| {
        threads.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                injector.send_what_is_no_packet();
            }
        });
        let came = comes_true(is_so);
        is_over.store(true, Ordering::Relaxed);
        came
    });
    scene.write("over", "");
    assert_eq!(slowing.finish().status, Some(0));
    came
}
