//! What filters of usual configurations say.

use std::path::Path;

use insta::assert_snapshot;
use knock_config as config;
use knock_engine::{Door, DoorSequence, Doors, LinkType, Listening};

use super::{compiled, filter};

const DEBIAN: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/configs/good/debian-default.conf");

fn doors(text: &str) -> Doors {
    let config = config::parse(text.as_bytes()).config.unwrap();
    Doors::new(config.doors.into_iter().map(|door| door.door()).collect()).unwrap()
}

/// Returns all filters for Ethernet, a line each.
fn all(doors: &Doors, local: &[&str]) -> String {
    let listening = Listening::at(local.iter().map(|address| address.parse().unwrap()));
    let texts = filter::expressions(doors, &listening, LinkType::Ethernet);
    texts.map(|text| text + "\n").collect()
}

/// Returns the exact filter.
fn exact(doors: &Doors, listening: &Listening, link: LinkType) -> String {
    filter::expressions(doors, listening, link).next().unwrap()
}

#[test]
fn the_file_that_debian_ships() {
    let text = std::fs::read_to_string(Path::new(DEBIAN)).unwrap();
    assert_snapshot!(all(&doors(&text), &["192.0.2.1", "2001:db8::1", "fe80::1"]));
}

#[test]
fn doors_with_targets_flags_and_both_protocols() {
    let doors = doors(
        "[a]\nsequence = 7000,8000:udp,9000\ntcpflags = syn,!ack\ncommand = a\n\
         [b]\nsequence = 7000,7001,7002\ncommand = b\n\
         [c]\nsequence = 22\ntarget = 198.51.100.7\ntcpflags = fin,psh,urg\ncommand = c\n",
    );
    assert_snapshot!(all(&doors, &["192.0.2.1", "198.51.100.7"]));
}

#[test]
fn every_destination_on_every_link() {
    let doors = doors("[a]\nsequence = 7000,8000:udp\ntcpflags = syn\ncommand = a\n");
    let line = |link: LinkType| {
        let text = exact(&doors, &Listening::everywhere(), link);
        format!("{link}: {text}\n")
    };
    assert_snapshot!(LinkType::SUPPORTED.map(line).concat());
}

#[test]
fn without_ipv6_nothing_is_said_of_it() {
    let doors = doors(
        "[a]\nsequence = 7000\ncommand = a\n[b]\nsequence = 7\ntarget = 2001:db8::9\ncommand = b\n",
    );
    let listening = Listening::everywhere().with_ipv4_only(true);
    assert_snapshot!(
        exact(&doors, &listening, LinkType::Raw),
        @"ip and tcp dst port 7000"
    );
}

#[test]
fn where_nothing_is_wanted_nothing_passes() {
    let door = "[a]\nsequence = 7000\ncommand = a\n";
    let elsewhere = "[a]\nsequence = 7\ntarget = 2001:db8::9\ncommand = a\n";
    let ipv4_only = Listening::everywhere().with_ipv4_only(true);
    let cases = [
        (doors(""), Listening::everywhere(), LinkType::Ethernet),
        (doors(door), Listening::at([]), LinkType::Ethernet),
        (doors(door), Listening::at(["::1".parse().unwrap()]), LinkType::Ipv4),
        (doors(elsewhere), ipv4_only, LinkType::Ethernet),
        (one_time(""), Listening::everywhere(), LinkType::Ethernet),
    ];
    for (doors, listening, link) in cases {
        let texts: Vec<String> = filter::expressions(&doors, &listening, link).collect();
        assert_eq!(texts, ["len = 4294967295", ""]);
        assert!(!compiled(1, &texts[0]).filter(b"a frame"));
    }
}

#[test]
fn the_next_64_one_time_sequences_pass() {
    let lines = (1..=70).map(|line| format!("{}", line * 10)).collect::<Vec<_>>().join("\n");
    let text = exact(&one_time(&lines), &Listening::everywhere(), LinkType::Ipv4);
    let ports: Vec<&str> = text.trim_start_matches("ip and (tcp dst port ").split(" or ").collect();
    assert_eq!((ports[0], ports[63], ports.len()), ("10", "640)", 64));
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
