//! What a file of profiles means.

use std::path::PathBuf;
use std::time::Duration;

use knock::profile::{Base, Knocks, Profiles, parse};
use knock::{Awaited, Family, Hit};
use knock_config::diagnostics::{Style, render};
use knock_engine::{DoorName, Port};

#[test]
fn the_first_value_that_is_found_counts() {
    let profiles = profiles(
        "Then 80\n\
         Host home\n  HostName home.example.com\n  Knocks 7000 8000:udp\n  Delay 200\n\
         Host h*\n  HostName other.example.com\n  Delay 300ms\n  Wait 2\n\
         Host *\n  Wait 9s\n  Then 22\n  Retry 2\n  AddressFamily inet6\n",
    );
    let request = profiles.settings("home").request("home");
    assert_eq!(request.host, "home.example.com");
    assert_eq!(request.hits, ["7000", "8000:udp"].map(|hit| hit.parse::<Hit>().unwrap()));
    assert_eq!(request.delay, Some(Duration::from_millis(200)));
    assert_eq!(request.wait, Some(Duration::from_secs(2)));
    assert_eq!(request.then, Some(Awaited::Port(Port(80))));
    assert_eq!(request.retry, Some(2));
    assert_eq!(request.family, Some(Family::V6));
    let request = profiles.settings("work").request("work");
    assert_eq!((request.host.as_str(), request.hits.len()), ("work", 0));
    assert_eq!(request.wait, Some(Duration::from_secs(9)));
}

#[test]
fn any_family_is_a_value_that_later_ones_do_not_change() {
    let profiles = profiles("Host a\n  AddressFamily any\nHost *\n  AddressFamily inet\n");
    assert_eq!(profiles.settings("a").request("a").family, None);
    assert_eq!(profiles.settings("b").request("b").family, Some(Family::V4));
}

#[test]
fn a_port_that_is_waited_for_everywhere_can_be_left_out_for_some() {
    let profiles = profiles("Host a\n  Then NONE\nHost *\n  Then 22\n");
    assert_eq!(profiles.settings("a").request("a").then, Some(Awaited::Nothing));
    assert_eq!(profiles.settings("b").request("b").then, Some(Awaited::Port(Port(22))));
}

#[test]
fn of_several_places_of_knocks_the_first_counts_and_a_configuration_may_be_shared() {
    let profiles = profiles(
        "Host a\n  Knocks 1\nHost b\n  OneTimeSequences seqs\nHost *\n  Config ~/knockd.conf\n  \
         Door openSSH\n",
    );
    let knocks = |host| profiles.settings(host).knocks.unwrap();
    assert_eq!(knocks("a"), Knocks::Here(vec!["1".parse().unwrap()]));
    assert_eq!(knocks("b"), Knocks::OneTime(PathBuf::from("/etc/knock/seqs")));
    assert_eq!(knocks("c"), Knocks::Door(DoorName::new(b"openSSH")));
    assert_eq!(profiles.settings("c").config, Some(PathBuf::from("/home/ada/knockd.conf")));
}

#[test]
fn a_host_name_can_be_made_of_the_name_that_was_asked_for() {
    let profiles = profiles("Host *.lan\n  HostName %h.example.com\n");
    assert_eq!(profiles.settings("a.lan").host("a.lan"), "a.lan.example.com");
    assert_eq!(profiles.settings("a").host("a"), "a");
}

#[test]
fn the_hosts_that_are_named_are_listed_once_in_the_order_of_the_file() {
    let profiles = profiles(
        "Host work home\n  Knocks 1\nHost * !never ?x\nHost b !b\nHost home zoo\n  Knocks 2\n",
    );
    assert_eq!(profiles.hosts(), ["work", "home", "zoo"]);
}

#[test]
fn windows_line_ends_a_byte_order_mark_and_an_empty_file_are_read() {
    let marked = profiles("\u{feff}Host home\r\n  HostName \"a\"\r\n");
    assert_eq!(marked.settings("home").host("home"), "a");
    assert_eq!(profiles(""), Profiles::default());
    assert_eq!(profiles("# nothing\n\n"), Profiles::default());
}

fn profiles(text: &str) -> Profiles {
    let base = Base { folder: "/etc/knock".into(), home: Some("/home/ada".into()) };
    let parsed = parse("config".to_owned(), text.as_bytes(), &base);
    let report = render(&[parsed.source], Style::Plain);
    parsed.profiles.unwrap_or_else(|| panic!("{report}"))
}
