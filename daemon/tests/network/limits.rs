//! Doors that hear only some clients, and that open only so often in a minute.

use crate::common::{Scene, wait_until};

#[test]
fn a_client_that_a_door_denies_opens_it_by_no_family_and_others_do() {
    let name = "a_client_that_a_door_denies_opens_it_by_no_family_and_others_do";
    let config = "
[door]
    sequence = 7001
    seq_timeout = 100
    tcpflags = syn
    allow = 192.0.2.0/24, 2001:db8::/64
    deny = 192.0.2.11
    deny = 2001:db8::11
    command = touch DIR/opened-%IP%
[any]
    sequence = 7002
    seq_timeout = 100
    tcpflags = syn
    command = touch DIR/any-%IP%
";
    let Some(scene) = Scene::new(name, &[], config) else { return };
    scene.client("ip address add 2001:db8::11/64 nodad preferred_lft 0 dev client");
    let daemon = scene.start("-i server");
    scene.client("nc -z 198.51.100.1 7001; nc -z 198.51.100.1 7002");
    daemon.wait_for("198.51.100.10: any: OPEN SESAME");
    for (denied, allowed, host) in
        [("192.0.2.11", "192.0.2.10", "192.0.2.1"), ("2001:db8::11", "2001:db8::10", "2001:db8::1")]
    {
        scene.knock_from(denied, host, "7001 7002");
        daemon.wait_for(&format!("{denied}: any: OPEN SESAME"));
        scene.knock_from(allowed, host, "7001");
        daemon.wait_for(&format!("{allowed}: door: OPEN SESAME"));
    }
    // A reload changes who may knock.
    let changed = config.replace("deny = 192.0.2.11", "deny = 192.0.2.10");
    scene.configure(&format!("{changed}[new]\n\tsequence = 7003\n\tcommand = true\n"));
    daemon.signal("HUP");
    daemon.knock_until("192.0.2.11: new: OPEN SESAME", 1, || {
        scene.knock_from("192.0.2.11", "192.0.2.1", "7003");
    });
    scene.knock_from("192.0.2.10", "192.0.2.1", "7001 7002");
    scene.knock_from("192.0.2.11", "192.0.2.1", "7001");
    daemon.wait_for("192.0.2.11: door: OPEN SESAME");
    let transcript = daemon.end();
    let opened = |client: &str| transcript.matches(&format!("{client}: door: OPEN")).count();
    let clients =
        ["192.0.2.10", "192.0.2.11", "2001:db8::10", "2001:db8::11", "198.51.100.10"].map(opened);
    assert_eq!(clients, [1, 1, 1, 0, 0], "{transcript}");
}

#[test]
fn openings_beyond_the_limits_run_nothing_and_are_logged_once() {
    let name = "openings_beyond_the_limits_run_nothing_and_are_logged_once";
    let config = "
[door]
    sequence = 7001
    seq_timeout = 100
    tcpflags = syn
    openings_per_minute = 3
    client_openings_per_minute = 2
    command = echo %IP% >> DIR/opened
[any]
    sequence = 7002
    seq_timeout = 100
    tcpflags = syn
    command = true
";
    let Some(scene) = Scene::new(name, &[], config) else { return };
    let daemon = scene.start("-i server");
    for (number, client) in [(1, "192.0.2.10"), (2, "192.0.2.10"), (3, "192.0.2.11")] {
        scene.knock_from(client, "192.0.2.1", "7001");
        // Openings while a command runs are merged, which is another reason for a line.
        wait_until("its command has run", || scene.read("opened").lines().count() == number);
        if number == 2 {
            scene.knock_from(client, "192.0.2.1", "7001 7001");
        }
    }
    daemon.wait_for("192.0.2.11: door: OPEN SESAME");
    scene.knock_from("192.0.2.11", "192.0.2.1", "7001 7001 7002");
    daemon.wait_for("192.0.2.11: any: OPEN SESAME");
    let openings = daemon.count("192.0.2.10: door: OPEN SESAME");
    assert_eq!((openings, daemon.count("192.0.2.11: door: OPEN SESAME")), (2, 1));
    let warnings = daemon.end_with_warnings();
    let limit_of = |client: &str, name: &str| {
        let line = format!("{client}: door: limit of openings reached ({name}), ignored\n");
        warnings.matches(&line).count()
    };
    assert_eq!(limit_of("192.0.2.10", "Client_Openings_Per_Minute"), 1, "{warnings}");
    assert_eq!(limit_of("192.0.2.11", "Openings_Per_Minute"), 1, "{warnings}");
    assert_eq!(warnings.lines().count(), 2, "{warnings}");
    let opened = scene.read("opened");
    let mut clients: Vec<&str> = opened.lines().collect();
    clients.sort_unstable();
    assert_eq!(clients, ["192.0.2.10", "192.0.2.10", "192.0.2.11"]);
}
