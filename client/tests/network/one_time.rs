//! A one-time sequence that both sides mark.

use std::fs;

use knock_tests::process::wait_until;

use crate::daemon::{self, Program};
use crate::scene::{KNOCK, Scene};

/// Each has a copy of the file, as on two machines.
#[test]
fn client_and_our_daemon_mark_the_same_lines_in_the_same_way() {
    let name = "client_and_our_daemon_mark_the_same_lines_in_the_same_way";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let sequences = "# of both\n 7000,8000:udp,7001\n7002,7003\n\n\t7004\n 7005,7006:udp\n";
    let config = |file: &str| {
        let file = scene.path(file);
        fs::write(&file, sequences).unwrap();
        format!("[once]\none_time_sequences = {file}\ntcpflags = syn\ncommand = true\n")
    };
    fs::write(scene.path("client.conf"), config("ours")).unwrap();
    let daemon = daemon::start(&scene, Program::Ours, &config("theirs"));
    let door = format!("--config {} --door once", scene.path("client.conf"));
    let read = |file: &str| fs::read_to_string(scene.path(file)).unwrap();
    for marks in 2..=4 {
        let outcome = scene.client(&format!("{KNOCK} {door} 192.0.2.1"));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        while !daemon.line().contains("OPEN SESAME") {}
        assert_eq!(read("ours").matches('#').count(), marks);
        // The daemon prints that it opens before it marks.
        wait_until("the daemon has marked it, too", || read("theirs") == read("ours"));
    }
    let marked = "# of both\n#7000,8000:udp,7001\n#002,7003\n\n#7004\n 7005,7006:udp\n";
    assert_eq!(read("ours"), marked);
}
