//! The order of commands, and their environment.

use crate::common::{Scene, wait_until};

/// A door whose start command writes when it begins and ends, and ends when a file is there.
const GATED: &str = "
[door]
    sequence = 7001
    seq_timeout = 100
    tcpflags = syn
    start_command = echo begin >> DIR/log; until test -e DIR/go; do sleep 0.01; done; \
                     echo end >> DIR/log
    cmd_timeout = 1
    stop_command = echo stop >> DIR/log
[quick]
    sequence = 7002
    seq_timeout = 100
    tcpflags = syn
    command = touch DIR/quick
";

#[test]
fn commands_for_one_client_and_door_run_one_after_the_other() {
    let name = "commands_for_one_client_and_door_run_one_after_the_other";
    let Some(scene) = Scene::new(name, &[], GATED) else { return };
    let daemon = scene.start("-i server");
    scene.knock_from("192.0.2.10", "192.0.2.1", "7001 7001");
    daemon.wait_for_times("192.0.2.10: door: OPEN SESAME", 2);
    // Another door of the same client does not wait.
    scene.knock_from("192.0.2.10", "192.0.2.1", "7002");
    wait_until("the other door is open", || scene.path("quick").exists());
    assert_eq!(scene.read("log"), "begin\n");
    scene.write("go", "");
    wait_until("the door was shut twice", || scene.read("log").matches("stop").count() == 2);
    let log = scene.read("log");
    assert!(log.starts_with("begin\nend\nbegin\nend\n"), "{log}");
    daemon.end();
}

#[test]
fn commands_for_different_clients_run_at_once() {
    let name = "commands_for_different_clients_run_at_once";
    // Each command ends only when all have begun.
    let config = "
[door]
    sequence = 7001
    seq_timeout = 100
    tcpflags = syn
    command = touch DIR/begun-%IP%; until test $(ls DIR | grep -c ^begun-) = 5; do sleep 0.01; \
               done; touch DIR/done-%IP%
";
    let Some(scene) = Scene::new(name, &[], config) else { return };
    let daemon = scene.start("-i server");
    let clients = ["192.0.2.10", "192.0.2.11", "192.0.2.99"];
    for client in clients {
        scene.knock_from(client, "192.0.2.1", "7001");
    }
    scene.client("nc -z 198.51.100.1 7001; nc -z 2001:db8::1 7001");
    for client in clients.into_iter().chain(["198.51.100.10", "2001:db8::10"]) {
        let done = scene.path(&format!("done-{client}"));
        wait_until(client, || done.exists());
    }
    daemon.end();
}

#[test]
fn commands_get_client_door_and_phase() {
    let config = "
[the door]
    sequence = 7001
    seq_timeout = 100
    tcpflags = syn
    start_command = env | grep ^KNOCK_ | sort > DIR/start-%IP%
    cmd_timeout = 1
    stop_command = env | grep ^KNOCK_ | sort > DIR/stop-%IP%
";
    let name = "commands_get_client_door_and_phase";
    let Some(scene) = Scene::new(name, &[], config) else { return };
    let daemon = scene.start("-i server");
    scene.client("nc -z -s 192.0.2.10 192.0.2.1 7001; nc -z 2001:db8::1 7001");
    for client in ["192.0.2.10", "2001:db8::10"] {
        let mut leases = Vec::new();
        for phase in ["start", "stop"] {
            let begin = format!("KNOCK_CLIENT={client}\nKNOCK_DOOR=the door\nKNOCK_LEASE=");
            let end = format!("\nKNOCK_PHASE={phase}\n");
            let file = format!("{phase}-{client}");
            wait_until(&file, || scene.read(&file).ends_with(&end));
            let text = scene.read(&file);
            let lease = text.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(&end)).unwrap();
            leases.push(lease.parse::<u64>().unwrap());
        }
        assert_eq!(leases[0], leases[1]);
    }
    daemon.end();
}

/// A door that one datagram opens, with commands that take two seconds.
const WAKE: &str = "
[wake]
    sequence = 7001:udp
    start_command = echo start >> DIR/log; sleep 2
    cmd_timeout = 1
    stop_command = echo stop >> DIR/log
";

#[test]
fn of_200_datagrams_two_commands_are_left_and_the_stop_commands_run() {
    let name = "of_200_datagrams_two_commands_are_left_and_the_stop_commands_run";
    let Some(scene) = Scene::new(name, &[], WAKE) else { return };
    let daemon = scene.start("-i server");
    scene.client("for one in $(seq 200); do printf x | nc -u -q 0 192.0.2.1 7001 & done; wait");
    let stages = || daemon.output().matches(": wake: Stage 1\n").count();
    wait_until("all datagrams were heard", || stages() >= 200);
    let starts = || scene.read("log").matches("start").count();
    let begun = starts();
    wait_until("the door is shut", || scene.read("log").contains("stop"));
    wait_until("every start has its stop", || {
        scene.read("log").matches("stop").count() == starts()
    });
    assert!(starts() <= begun + 1, "{begun}: {}", scene.read("log"));
    assert!(starts() >= 2 && starts() < 10, "{}", scene.read("log"));
    let merged = "wake: merged with the opening that waits for the running command";
    assert!(daemon.errors().contains(merged), "{}", daemon.errors());
    assert!(daemon.errors().matches(merged).count() <= starts(), "{}", daemon.errors());
    daemon.signal("TERM");
    assert_eq!(daemon.finish().status, Some(0));
}
