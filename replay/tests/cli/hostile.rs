//! Files that no one should name, but someone will.

use std::fs::File;
use std::io::{Read as _, Write as _};

use crate::common::capture_builder::{first_knocks_pcap, knocks_pcap, pcap_header};
use crate::common::{CaseRunner, Live};

#[test]
fn a_configuration_without_end_is_status_2() {
    let outcome = CaseRunner::with(knocks_pcap()).run("knocks.pcap -c /dev/zero");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn a_configuration_of_one_very_long_line_is_status_2() {
    let desk = CaseRunner::with(knocks_pcap());
    for line in [format!("sequence = {}", "7000,".repeat(200_000)), "x".repeat(1 << 20)] {
        desk.write("knockd.conf", format!("[ssh]\n{}\n", &line[..1_000_000]));
        let outcome = desk.run("knocks.pcap -c knockd.conf");
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
        let errors = outcome.stderr;
        assert!(errors.len() < 10_000, "{} bytes of errors", errors.len());
        assert!(errors.contains("4095"), "{errors}");
    }
}

#[test]
fn devices_are_no_captures() {
    let desk = CaseRunner::new();
    let outcome = desk.run("/dev/zero -c knockd.conf");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""));
    insta::assert_snapshot!(outcome.stderr);
    let outcome = desk.run("/dev/null -c knockd.conf");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""));
    assert!(outcome.stderr.contains("/dev/null: is empty"), "{}", outcome.stderr);
}

#[test]
fn noise_after_a_header_ends_the_replay() {
    // Xorshift: no two runs of the test differ.
    let mut word = 88_172_645_463_325_252_u64;
    let mut noise = || {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word.to_le_bytes()
    };
    for _ in 0..20 {
        let bytes: Vec<u8> = (0..5000).flat_map(|_| noise()).collect();
        let outcome =
            CaseRunner::with([pcap_header(), bytes].concat()).run("knocks.pcap -c knockd.conf");
        assert_eq!(outcome.status, Some(3), "{}", outcome.stderr);
    }
}

#[test]
fn a_named_pipe_that_is_closed_without_a_byte_is_status_3() {
    let desk = CaseRunner::new();
    let pipe = desk.pipe("pipe");
    let live = Live::start(&mut desk.command("pipe -c knockd.conf"));
    drop(File::options().write(true).open(pipe).unwrap());
    let outcome = live.finish();
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""));
    assert!(outcome.stderr.contains("pipe: is empty"), "{}", outcome.stderr);
}

#[test]
fn a_capture_that_is_truncated_while_it_is_read_is_status_3() {
    // The program waits for its reader somewhere between the two lengths.
    let causes = [
        (0, "a capture file was truncated, or could not be read from its disk"),
        (2 << 20, "long.pcap: was truncated from 7000024 to 2097152 bytes while it was read"),
    ];
    for (length, cause) in causes {
        let desk = CaseRunner::new();
        desk.write("long.pcap", first_knocks_pcap(100_000));
        let (mut reader, writer) = std::io::pipe().unwrap();
        let live = Live::start_with_output(&mut desk.command("long.pcap -c knockd.conf"), writer);
        // More than a pipe holds is to be printed: the program waits for its reader.
        reader.read_exact(&mut [0]).unwrap();
        File::options().write(true).open(desk.path("long.pcap")).unwrap().set_len(length).unwrap();
        std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
        let outcome = live.finish();
        assert_eq!(outcome.status, Some(3), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(cause), "{}", outcome.stderr);
    }
}

#[test]
fn the_configuration_can_be_a_pipe() {
    let desk = CaseRunner::with(knocks_pcap());
    let pipe = desk.pipe("pipe");
    let live = Live::start(&mut desk.command("knocks.pcap -c pipe"));
    let mut pipe = File::options().write(true).open(pipe).unwrap();
    pipe.write_all(crate::common::CONFIG.as_bytes()).unwrap();
    drop(pipe);
    let outcome = live.finish();
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), crate::common::OPENED));
}
