//! A door whose sequence is in a file of its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::common::capture_builder::knocks_pcap;
use crate::common::{CONFIG, CaseRunner, OPENED};

/// The usual door, with its sequence in a file.
fn desk() -> CaseRunner {
    let desk = CaseRunner::with(knocks_pcap());
    assert!(CONFIG.contains("sequence = 7000,8000,9000\n"));
    let config = CONFIG.replace("sequence = 7000,8000,9000\n", "sequence_file = ssh.sequence\n");
    desk.write("knockd.conf", config);
    desk.write("other.conf", CONFIG.replace("9000", "9001"));
    write(&desk, "7000,8000,9000\n", 0o600);
    desk
}

fn write(desk: &CaseRunner, text: &str, mode: u32) {
    desk.write("ssh.sequence", text);
    fs::set_permissions(desk.path("ssh.sequence"), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_door_opens_by_the_sequence_in_its_file() {
    let desk = desk();
    let outcome = desk.run("knocks.pcap -c knockd.conf");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), OPENED), "{outcome:?}");
    let compared = desk.run("diff knocks.pcap -c knockd.conf --new other.conf -q");
    assert_eq!(compared.status, Some(1), "{compared:?}");
    assert!(compared.stdout.contains("OPEN SESAME"), "{}", compared.stdout);
    assert_eq!(desk.run("diff knocks.pcap -c knockd.conf --rules -q").status, Some(0));
    let checked = desk.run("check knockd.conf");
    assert_eq!(checked.status, Some(0), "{checked:?}");
    write(&desk, "7000,8000,9001\n", 0o600);
    let explained = desk.run("explain knocks.pcap -c knockd.conf");
    let named = "wrong port (expected 9001/tcp, got 9000/tcp)";
    assert!(explained.stdout.contains(named), "{}", explained.stdout);
    let place = "knockd.conf:2: sequence_file = ssh.sequence\n";
    assert!(explained.stdout.contains(place), "{}", explained.stdout);
}

#[test]
fn a_file_with_a_sequence_is_not_written_over() {
    let desk = desk();
    let outcome = desk.run("report knocks.pcap -c knockd.conf -o ssh.sequence");
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.contains("would write over ssh.sequence, which is read"), "{outcome:?}");
    assert_eq!(fs::read_to_string(desk.path("ssh.sequence")).unwrap(), "7000,8000,9000\n");
}

#[test]
fn no_command_reads_a_sequence_that_others_can_read() {
    let desk = desk();
    for command in [
        "knocks.pcap -c knockd.conf",
        "explain knocks.pcap -c knockd.conf",
        "diff knocks.pcap -c knockd.conf --rules",
        "diff knocks.pcap -c other.conf --new knockd.conf",
        "check knockd.conf",
        "report knocks.pcap -c knockd.conf -o page.html",
        "init tests -c knockd.conf",
    ] {
        write(&desk, "7000,8000,9000\n", 0o604);
        let outcome = desk.run(command);
        let all = outcome.stdout + &outcome.stderr;
        assert_eq!(outcome.status, Some(2), "{command}: {all}");
        let message = "error: cannot read `ssh.sequence`: it has a sequence, and other users may read it (mode 0604)\n";
        assert!(all.contains(message), "{command}: {all}");
        assert!(!all.contains("8000"), "{command}: {all}");
    }
}
