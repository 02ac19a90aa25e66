//! From the start to the end: recordings, reloads, one-time sequences and open doors.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use knock_replay::{Exit, Streams};
use pcap::{Capture, Precision};

use crate::common::{Injector, Scene, wait_until};

const DOORS: &str = "
[plain]
    sequence = 7001,7002,7003
    seq_timeout = 100
    tcpflags = syn
    command = true %IP%
[timed]
    sequence = 7011:udp,7012:udp
    seq_timeout = 1
    start_command = true
    cmd_timeout = 4
    stop_command = true
";

/// A door of one-time sequences.
const ONCE: &str = "
[once]
    one_time_sequences = DIR/lines
    tcpflags = syn
    command = true
";

const LEASES: &str = "
[one]
    sequence = 7001
    tcpflags = syn
    start_command = echo %IP% >> DIR/opened
    cmd_timeout = 1000
    stop_command = echo one %IP% >> DIR/closed
[two]
    sequence = 7002
    tcpflags = syn
    start_command = echo %IP% >> DIR/opened; sleep 1
    cmd_timeout = 1000
    stop_command = echo two %IP% >> DIR/closed
";

#[test]
fn a_recording_replays_to_the_same_transcript() {
    let name = "a_recording_replays_to_the_same_transcript";
    let Some(scene) = Scene::new(name, &[], "") else { return };
    scene.configure(&scene.placed(&[DOORS, ONCE].concat()));
    let lines = " 7031,7032\n 7033,7034\n 7035,7036\n";
    scene.write("lines", lines);
    let daemon = scene.start("-i server --record DIR/record.pcapng");
    scene.client("knock 192.0.2.1 7001 7002 7003; knock -6 2001:db8::1 7001 7002 7003");
    scene.knock_from("192.0.2.11", "192.0.2.1", "7001 7003 7001 7002");
    scene.client("knock -u 192.0.2.1 7011 7012");
    // It is run when its lease is on disk, which takes a moment.
    daemon.wait_for("timed: running command: true");
    scene.client("knock -u -6 2001:db8::1 7011");
    daemon.wait_for("192.0.2.10: timed: command timeout");
    daemon.wait_for("2001:db8::10: timed: sequence timeout (stage 1)");
    scene.knock_from("192.0.2.11", "198.51.100.1", "7003");
    daemon.wait_for("192.0.2.11: plain: OPEN SESAME");
    // The second time, the first sequence was already used.
    scene.client("knock 192.0.2.1 7031 7032");
    // Marking the line takes a moment, and a replay does it at once.
    daemon.wait_for("once: running command: true");
    scene.client("knock 192.0.2.1 7031 7032 7033 7034 7033 7034");
    daemon.wait_for_times("192.0.2.10: once: OPEN SESAME", 2);
    daemon.settle();
    let live = daemon.end();
    assert_eq!(scene.read("lines"), "#7031,7032\n#7033,7034\n 7035,7036\n");
    // A replay begins where the daemon began.
    scene.write("lines", lines);
    assert_eq!(replay(&scene, "record.pcapng"), live);
    assert_eq!(scene.read("lines"), lines);
}

#[test]
fn a_recording_has_the_time_of_each_packet() {
    let name = "a_recording_has_the_time_of_each_packet";
    let Some(scene) = Scene::new(name, &[], DOORS) else { return };
    let daemon = scene.start("-i server --record DIR/record.pcapng");
    let mut came = Vec::new();
    for (port, stage) in [(7011, 1), (7011, 1), (7012, 2)] {
        if !came.is_empty() && stage == 1 {
            // An event between two packets has its own time.
            daemon.wait_for("192.0.2.10: timed: sequence timeout (stage 1)");
        }
        let times = daemon.count(&format!("192.0.2.10: timed: Stage {stage}"));
        let before = nanos_since_epoch();
        scene.client(&format!("printf x | nc -u -q 0 192.0.2.1 {port}"));
        daemon.wait_for_times(&format!("192.0.2.10: timed: Stage {stage}"), times + 1);
        came.push(before..=nanos_since_epoch());
    }
    daemon.end();
    let stamps = stamps(&scene, "record.pcapng");
    assert_eq!(stamps.len(), came.len());
    for (stamp, came) in stamps.iter().zip(came) {
        assert!(came.contains(stamp), "{stamp} {came:?}");
    }
}

/// A door that every knock opens.
const ONE_KNOCK: &str = "[one]\nsequence = 7001\ntcpflags = syn\ncommand =\n";

#[test]
fn a_recording_that_is_full_goes_on_in_another_file_and_no_packet_is_missing() {
    let name = "a_recording_that_is_full_goes_on_in_another_file_and_no_packet_is_missing";
    let Some(scene) = Scene::new(name, &[], ONE_KNOCK) else { return };
    let mut injector = Injector::new(&scene);
    let daemon = scene.start("-i server --record DIR/record.pcapng --record-size 1");
    let client = |number: u32| Ipv4Addr::from(0x0a02_0000 + number).to_string();
    let (mut sent, mut opened, mut first_files) = (Vec::new(), Vec::new(), BTreeSet::new());
    // A packet takes about 90 bytes: both files become full, the first one is emptied, and used again.
    for round in 0_u32..60 {
        for number in 0..500 {
            let client = client(500 * round + number);
            injector.knock(&client, "192.0.2.1", &[7001], &[]);
            sent.push(format!("{client}: one: OPEN SESAME"));
        }
        daemon.wait_for(sent.last().unwrap());
        let sizes = ["record.pcapng", "record.pcapng.1"]
            .map(|name| fs::metadata(scene.path(name)).unwrap().len());
        assert!(sizes.iter().all(|&size| size < 1_100_000), "{sizes:?}");
        first_files.insert(fs::metadata(scene.path("record.pcapng")).unwrap().ino());
    }
    assert_eq!(first_files.len(), 2);
    daemon.end();
    for file in ["record.pcapng.1", "record.pcapng"] {
        let transcript = replay(&scene, file);
        opened.extend(
            transcript.lines().filter(|line| line.ends_with(": OPEN SESAME")).map(str::to_owned),
        );
    }
    assert!(opened.len() > 10_000, "{}", opened.len());
    assert_eq!(opened, sent[sent.len() - opened.len()..]);
}

#[test]
fn every_open_door_is_closed_at_the_end() {
    let Some(scene) = Scene::new("every_open_door_is_closed_at_the_end", &[], "") else { return };
    scene.configure(&scene.placed(LEASES));
    let daemon = scene.start("-i server");
    scene.client("knock 192.0.2.1 7001 7002; knock -6 2001:db8::1 7001");
    wait_until("all are open", || scene.read("opened").lines().count() == 3);
    daemon.end();
    assert_closed(&scene);
}

#[test]
fn a_sniffer_that_is_killed_is_replaced_and_doors_stay_as_they_are() {
    let name = "a_sniffer_that_is_killed_is_replaced_and_doors_stay_as_they_are";
    let Some(scene) = Scene::new(name, &[], "") else { return };
    scene.configure(&scene.placed(LEASES));
    let daemon = scene.start("-i server");
    scene.client("knock 192.0.2.1 7001 7002; knock -6 2001:db8::1 7001");
    wait_until("all are open", || scene.read("opened").lines().count() == 3);
    scene.server("pkill -KILL -f '^knockd: sniffer'");
    wait_until("another listens", || daemon.count("listening on server...") == 2);
    let why = "knockd: error: the process that reads packets has died (killed by SIGKILL); starting \
               another: attempts under way are lost, open doors stay as they are\n";
    assert_eq!(daemon.errors(), why);
    assert_eq!(scene.read("closed"), "");
    scene.client("knock 192.0.2.1 7001");
    wait_until("it opens doors", || scene.read("opened").lines().count() == 4);
    daemon.signal("TERM");
    assert_eq!(daemon.finish().status, Some(0));
    wait_until("all are closed", || scene.read("closed").lines().count() == 4);
}

#[test]
fn a_sniffer_without_its_runner_ends() {
    let name = "a_sniffer_without_its_runner_ends";
    let Some(scene) = Scene::new(name, &[], DOORS) else { return };
    let daemon = scene.start("-i server");
    daemon.signal("KILL");
    wait_until("the sniffer has ended", || {
        scene.ask_server("pgrep -c -f '^knockd: sniffer' || true").trim() == "0"
    });
}

#[test]
fn a_reload_keeps_attempts_and_leases_and_takes_new_sequences() {
    let name = "a_reload_keeps_attempts_and_leases_and_takes_new_sequences";
    let Some(scene) = Scene::new(name, &[], "") else { return };
    scene.configure(&scene.placed(&[LEASES, DOORS].concat()));
    let daemon = scene.start("-i server");
    scene.client("knock 192.0.2.1 7001");
    wait_until("the door is open", || scene.read("opened").lines().count() == 1);
    daemon.wait_for("192.0.2.10: plain: Stage 1");
    // The doors with leases are removed, one is unchanged, one has another sequence.
    scene.configure(&DOORS.replace("7011:udp", "7021:udp"));
    daemon.signal("HUP");
    daemon.knock_until("192.0.2.11: timed: OPEN SESAME", 1, || {
        scene.client(
            "for port in 7021 7012; do echo | nc -u -q 0 -s 192.0.2.11 192.0.2.1 $port; done",
        );
    });
    scene.client("knock 192.0.2.1 7002 7003");
    daemon.wait_for("192.0.2.10: plain: OPEN SESAME");
    daemon.end();
    assert_eq!(scene.read("closed"), "one 192.0.2.10\n");
}

#[test]
fn a_reload_with_errors_is_rejected() {
    let name = "a_reload_with_errors_is_rejected";
    let Some(scene) = Scene::new(name, &[], DOORS) else { return };
    let daemon = scene.start("-i server");
    scene.configure("[plain]\nsequence = ssh\n");
    daemon.signal("HUP");
    daemon.wait_for_error("error: `ssh` is not a port");
    daemon.wait_for_error(
        "has the errors above, so the doors stay as they were; fix them and reload again",
    );
    scene.client("knock 192.0.2.1 7001 7002 7003");
    daemon.wait_for("192.0.2.10: plain: OPEN SESAME");
    daemon.signal("TERM");
    assert_eq!(daemon.finish().status, Some(0));
}

#[test]
fn a_one_time_sequence_opens_once_and_the_door_is_disabled_after_the_last() {
    let name = "a_one_time_sequence_opens_once_and_the_door_is_disabled_after_the_last";
    let Some(scene) = Scene::new(name, &[], "") else { return };
    scene.configure(&scene.placed(ONCE));
    scene.write("lines", "# used: 1,2\n 7001,7002\n 7003,7004\n");
    let daemon = scene.start("-i server");
    scene.client("knock 192.0.2.1 7001 7002");
    daemon.wait_for("192.0.2.10: once: OPEN SESAME");
    wait_until("the line is marked", || {
        scene.read("lines") == "# used: 1,2\n#7001,7002\n 7003,7004\n"
    });
    scene.client("knock 192.0.2.1 7001 7002 7003 7004");
    daemon.wait_for_times("192.0.2.10: once: OPEN SESAME", 2);
    daemon.wait_for_error("once: no one-time sequence is left, the door is disabled");
    scene.client("knock 192.0.2.1 7001 7002 7003 7004");
    daemon.settle();
    assert_eq!(daemon.count("192.0.2.10: once: OPEN SESAME"), 2);
    assert_eq!(scene.read("lines"), "# used: 1,2\n#7001,7002\n#7003,7004\n");
}

#[test]
fn a_configuration_too_long_for_the_kernel_still_opens_all_its_doors() {
    let name = "a_configuration_too_long_for_the_kernel_still_opens_all_its_doors";
    let flags = ["syn", "syn,!ack", "!fin", "syn,!rst", "syn,!urg", "!psh"];
    let door = |number: usize| {
        let (port, flags) = (1000 + number * 17, flags[number % flags.len()]);
        format!("[d{number}]\nsequence = {port},{}\ntcpflags = {flags}\ncommand =\n", port + 5)
    };
    let doors: String = (0..3000).map(door).collect();
    let Some(scene) = Scene::new(name, &[], &doors) else { return };
    let mut injector = Injector::new(&scene);
    let daemon = scene.start("-i server");
    for number in [0, 1500, 2999] {
        let port = 1000 + number * 17;
        scene.client(&format!("knock 192.0.2.1 {port} {}", port + 5));
        daemon.wait_for(&format!("192.0.2.10: d{number}: OPEN SESAME"));
        // A filter that libpcap runs in user space would not let these pass.
        let ports = [port, port + 5].map(|port| u16::try_from(port).unwrap());
        injector.knock("192.0.2.51", "192.0.2.1", &ports, &[5]);
        daemon.wait_for(&format!("192.0.2.51: d{number}: OPEN SESAME"));
    }
    daemon.end();
}

/// Fails unless each open door was closed exactly once.
fn assert_closed(scene: &Scene) {
    let closed = scene.read("closed");
    let mut closed: Vec<&str> = closed.lines().collect();
    closed.sort_unstable();
    assert_eq!(closed, ["one 192.0.2.10", "one 2001:db8::10", "two 192.0.2.10"]);
}

/// Returns the time of day.
fn nanos_since_epoch() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// Returns the stamps of the packets in a capture of the folder, in nanoseconds since the epoch.
fn stamps(scene: &Scene, capture: &str) -> Vec<u128> {
    let path = scene.path(capture);
    let mut capture = Capture::from_file_with_precision(path, Precision::Nano).unwrap();
    let mut stamps = Vec::new();
    while let Ok(packet) = capture.next_packet() {
        // With nanosecond precision, microseconds are nanoseconds.
        let time = packet.header.ts;
        stamps.push(u128::try_from(time.tv_sec * 1_000_000_000 + time.tv_usec).unwrap());
    }
    stamps
}

/// Replays a capture of the folder, and returns the transcript.
fn replay(scene: &Scene, capture: &str) -> String {
    let path = |name: &str| scene.path(name).into_os_string();
    let args: [OsString; 5] =
        ["knock-replay".into(), path(capture), "-q".into(), "-c".into(), path("knockd.conf")];
    assert!(fs::metadata(scene.path(capture)).is_ok_and(|file| file.len() > 0));
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let mut streams = Streams::plain(&mut output, &mut errors);
    let exit = knock_replay::run(args, &mut streams);
    assert_eq!(exit, Exit::Done, "{}", String::from_utf8_lossy(&errors));
    String::from_utf8(output).unwrap()
}
