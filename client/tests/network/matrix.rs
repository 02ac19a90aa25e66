//! Both clients with both daemons.

use crate::daemon::{self, BOTH};
use crate::scene::{KNOCK, Scene};

const DOORS: &str = "
[tcp]
    sequence = 7000,8000,9000
    seq_timeout = 100
    tcpflags = syn
    command = true %IP%
[mixed]
    sequence = 7100:udp,8100,9100:udp,9100
    seq_timeout = 100
    tcpflags = syn
    command = true %IP%
";

/// Debian's knock opens both doors only if it is paced: it has no pace of its own, and what it sends
/// back to back is in order on a cable, but not on a network.
const CLIENTS: [&str; 2] = [KNOCK, "command knock -d 20"];

/// The server's address, options that both clients know, and the address that the server sees.
const FAMILIES: [(&str, &str, &str); 2] =
    [("-4", "192.0.2.1", "192.0.2.10"), ("-6", "2001:db8::1", "2001:db8::10")];

const SEQUENCES: [(&str, &str, usize); 2] =
    [("tcp", "7000 8000 9000", 3), ("mixed", "7100:udp 8100:tcp 9100:udp 9100", 4)];

#[test]
fn each_client_opens_each_kind_of_door_of_each_daemon_for_both_families() {
    let name = "each_client_opens_each_kind_of_door_of_each_daemon_for_both_families";
    let Some(scene) = Scene::new(name, &["knock", "/usr/sbin/knockd"]) else { return };
    for program in BOTH {
        let daemon = daemon::start(&scene, program, DOORS);
        for knock in CLIENTS {
            for (family, server, client) in FAMILIES {
                for (door, knocks, stages) in SEQUENCES {
                    let outcome = scene.client(&format!("{knock} {family} {server} {knocks}"));
                    let what = format!("{knock} {family} {door} {program:?}: {outcome:?}");
                    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{what}");
                    for stage in 1..=stages {
                        let line = format!("{client}: {door}: Stage {stage}");
                        assert_eq!(daemon.line_if_any(), Some(line), "{what}");
                    }
                    let lines = [
                        format!("{client}: {door}: OPEN SESAME"),
                        format!("{door}: running command: true {client}"),
                    ];
                    assert_eq!(lines.clone().map(|_| daemon.line()), lines, "{what}");
                }
            }
        }
    }
}
