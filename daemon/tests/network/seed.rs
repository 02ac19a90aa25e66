//! The original scenario.

use crate::common::{Scene, wait_until};

const RULE: &str = "-A INPUT -s 127.0.0.1/32 -p tcp -m tcp --dport 22 -j ACCEPT\n";

#[test]
fn the_seed_scenario_prints_its_transcript_and_opens_and_closes_the_door() {
    let name = "the_seed_scenario_prints_its_transcript_and_opens_and_closes_the_door";
    let Some(scene) = Scene::new(name, &["iptables"], "") else { return };
    let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/captures/seed");
    let has_rule = || scene.ask_server("iptables -S").contains(RULE);
    // Otherwise `knock` might prefer the IPv6 address of localhost.
    scene.server("echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6");

    let daemon = scene.start_with(&format!("-i lo -c '{seed}/knockd.conf'"));
    scene.server("knock -v localhost 7000 8000 9000");
    wait_until("the door is open", has_rule);
    scene.server("knock -v localhost 9000 8000 7000");
    wait_until("the door is closed", || !has_rule());
    daemon.signal("TERM");
    let ended = daemon.finish();

    assert_eq!((ended.status, ended.errors.as_str()), (Some(0), ""), "{}", ended.output);
    let expected = std::fs::read_to_string(format!("{seed}/expected")).unwrap();
    // The rule is gone a moment before the command has ended.
    let output = ended.output.replace("waiting for child processes...\n", "");
    assert_eq!(output, format!("listening on lo...\n{expected}closing...\n"));
}
