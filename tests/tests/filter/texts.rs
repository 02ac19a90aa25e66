//! The programs for usual configurations.

use std::path::Path;

use insta::assert_snapshot;
use knock_config as config;
use knock_engine::filter::{self, Framing};
use knock_engine::{Door, DoorSequence, Doors, Listening};

use super::interpreter::{passes, text};

const DEBIAN: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/configs/good/debian-default.conf");

fn doors(text: &str) -> Doors {
    let config = config::parse(text.as_bytes()).config.unwrap();
    Doors::new(config.doors.into_iter().map(|door| door.door()).collect()).unwrap()
}

/// Returns all filters for Ethernet, one after the other.
fn all(doors: &Doors, local: &[&str]) -> String {
    let listening = Listening::at(local.iter().map(|address| address.parse().unwrap()));
    let programs = filter::programs(doors, &listening, Framing::Ethernet);
    programs.map(|program| text(&program)).collect::<Vec<_>>().join("\n")
}

/// Returns the exact filter for packets without link headers.
fn exact(doors: &Doors, listening: &Listening) -> String {
    text(&filter::programs(doors, listening, Framing::Cooked).next().unwrap())
}

#[test]
fn the_file_that_debian_ships() {
    let text = std::fs::read_to_string(Path::new(DEBIAN)).unwrap();
    assert_snapshot!(all(&doors(&text), &["192.0.2.1", "2001:db8::1"]));
}

#[test]
fn doors_with_targets_flags_and_both_protocols() {
    let doors = doors(
        "[a]\nsequence = 7000,8000:udp,9000\ntcpflags = syn,!ack\ncommand = a\n\
         [b]\nsequence = 7000,7001,7002\ncommand = b\n\
         [c]\nsequence = 22\ntarget = 198.51.100.7\ntcpflags = fin,psh,urg\ncommand = c\n",
    );
    let listening = Listening::at(["192.0.2.1", "198.51.100.7"].map(|one| one.parse().unwrap()));
    assert_snapshot!(exact(&doors, &listening));
}

#[test]
fn every_destination() {
    let doors = doors("[a]\nsequence = 7000,8000:udp\ntcpflags = syn\ncommand = a\n");
    assert_snapshot!(exact(&doors, &Listening::everywhere()));
}

#[test]
fn without_ipv6_the_filter_does_not_mention_it() {
    let doors = doors(
        "[a]\nsequence = 7000\ncommand = a\n[b]\nsequence = 7\ntarget = 2001:db8::9\ncommand = b\n",
    );
    let listening = Listening::everywhere().with_ipv4_only(true);
    assert_snapshot!(exact(&doors, &listening));
}

#[test]
fn without_wanted_packets_nothing_passes() {
    let door = "[a]\nsequence = 7000\ncommand = a\n";
    let elsewhere = "[a]\nsequence = 7\ntarget = 2001:db8::9\ncommand = a\n";
    let ipv4_only = Listening::everywhere().with_ipv4_only(true);
    let cases = [
        (doors(""), Listening::everywhere()),
        (doors(door), Listening::at([])),
        (doors(elsewhere), ipv4_only),
        (one_time(""), Listening::everywhere()),
    ];
    for (doors, listening) in cases {
        let mut programs: Vec<String> = filter::programs(&doors, &listening, Framing::Ethernet)
            .map(|program| text(&program))
            .collect();
        assert_eq!(programs.pop().unwrap(), "0: pass\n");
        assert_eq!(programs, ["0: drop\n"; 5]);
    }
}

#[test]
fn the_next_64_one_time_sequences_pass() {
    let lines = (1..=70).map(|line| format!("{}", line * 10)).collect::<Vec<_>>().join("\n");
    let (doors, listening) = (one_time(&lines), Listening::everywhere());
    let program = filter::programs(&doors, &listening, Framing::Cooked).next().unwrap();
    let is_let_through = |port: &u16| {
        let mut packet = [0; 24];
        (packet[0], packet[9]) = (0x45, 6);
        packet[22..].copy_from_slice(&port.to_be_bytes());
        passes(&program, 0x0800, &packet)
    };
    let ports: Vec<u16> = (1..=u16::MAX).filter(is_let_through).collect();
    assert_eq!((ports[0], ports[63], ports.len()), (10, 640, 64));
    assert_eq!(filter::ONE_TIME_LINES, 64);
}

/// Returns one door with one-time sequences.
fn one_time(lines: &str) -> Doors {
    let text = b"[a]\nsequence = 7\ncommand = a\n";
    let mut door: Door = config::parse(text).config.unwrap().doors.remove(0).door();
    door.sequence =
        DoorSequence::OneTime(knock_config::parse_one_time(lines.as_bytes()).0.unwrap());
    Doors::new(vec![door]).unwrap()
}
