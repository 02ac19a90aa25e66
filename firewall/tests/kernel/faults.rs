//! What the kernel refuses, and what other programs do to the ruleset.

use std::os::fd::AsFd as _;
use std::process::Stdio;
use std::time::Duration;

use caps::{CapSet, Capability};
use knock_firewall::{Condition, Error, Firewall, Refusal, Ruleset, Start, Watch};
use knock_tests::live::Namespace;
use knock_tests::process::{Live, wait_until};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::common::{address, can_run, connect, grant, nft, ports, run};

const HOUR: Duration = Duration::from_hours(1);

fn guard() -> Ruleset {
    Ruleset::guard(&ports("tcp/22 tcp/8000-8010"), Refusal::Drop)
}

fn admit() -> Ruleset {
    Ruleset::admit("inet filter".parse().unwrap(), &ports("tcp/22"))
}

#[test]
fn without_the_capability_nothing_is_done_and_the_error_names_it() {
    if !can_run("without_the_capability_nothing_is_done_and_the_error_names_it", &[]) {
        return;
    }
    let place = Namespace::new();
    let errors = place.open(|| {
        // Of this thread, which ends.
        caps::drop(None, CapSet::Effective, Capability::CAP_NET_ADMIN).unwrap();
        let mut firewall = Firewall::connect(guard()).unwrap();
        [
            firewall.start().map(drop).unwrap_err(),
            firewall.restore(&[]).unwrap_err(),
            firewall.admit(address("192.0.2.7"), &ports("tcp/22"), HOUR).unwrap_err(),
            firewall.revoke(address("192.0.2.7"), &ports("tcp/22")).unwrap_err(),
            firewall.grants().map(drop).unwrap_err(),
            firewall.remove().unwrap_err(),
        ]
    });
    for error in errors {
        assert_eq!(error, Error::NotPermitted);
        assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
    }
    assert_eq!(run(&place, "nft list ruleset"), "");
}

#[test]
fn after_a_flush_an_opening_fails_and_says_what_is_missing() {
    if !can_run("after_a_flush_an_opening_fails_and_says_what_is_missing", &[]) {
        return;
    }
    let place = Namespace::new();
    let (client, open) = (address("192.0.2.7"), ports("tcp/22"));
    let mut own = connect(&place, &guard());
    own.start().unwrap();
    nft(&place, "flush ruleset");
    let error = own.admit(client, &open, HOUR).unwrap_err();
    assert_eq!(error, Error::NoTable { place: guard().place().clone() });
    assert!(error.is_gone());
    assert!(own.grants().unwrap_err().is_gone());
    assert!(own.refused().unwrap_err().is_gone());
    assert_eq!(own.condition(), Ok(Condition::Missing));
    own.restore(&[grant("192.0.2.7", "tcp/22", 60)]).unwrap();
    own.admit(client, &open, HOUR).unwrap();
    assert_eq!(own.condition(), Ok(Condition::Intact));

    let mut other = connect(&place, &admit());
    let error = other.start().unwrap_err();
    assert_eq!(error, Error::NoTable { place: admit().place().clone() });
    assert!(error.to_string().contains("there is no table inet filter"), "{error}");
    nft(&place, "add table inet filter");
    assert_eq!(other.start(), Ok(Start::Made));
    other.admit(client, &open, HOUR).unwrap();
    nft(&place, "delete set inet filter knockd4");
    let error = other.admit(client, &open, HOUR).unwrap_err();
    assert!(matches!(error, Error::NoSet { .. }), "{error}");
    assert!(error.to_string().contains("inet filter has no set knockd4"), "{error}");
    assert_eq!(other.condition(), Ok(Condition::Missing));
}

#[test]
fn a_set_of_another_kind_is_named_with_what_it_should_be() {
    if !can_run("a_set_of_another_kind_is_named_with_what_it_should_be", &[]) {
        return;
    }
    let place = Namespace::new();
    for set in [
        "type ipv4_addr; flags timeout;",
        "type ipv4_addr . inet_proto . inet_service;",
        "type ipv4_addr . inet_proto . inet_service; flags interval, timeout;",
    ] {
        nft(
            &place,
            &format!(
                "flush ruleset\nadd table inet filter\nadd set inet filter knockd4 {{ {set} }}"
            ),
        );
        let mut firewall = connect(&place, &admit());
        let before = run(&place, "nft list ruleset");
        let error = firewall.start().unwrap_err();
        assert!(matches!(error, Error::WrongSet { .. }), "{set}: {error}");
        let needed = "type ipv4_addr . inet_proto . inet_service; size 65535; flags timeout;";
        assert!(error.to_string().contains(needed), "{error}");
        assert_eq!(run(&place, "nft list ruleset"), before);
    }
}

#[test]
fn a_table_that_another_program_owns_is_named() {
    if !can_run("a_table_that_another_program_owns_is_named", &[]) {
        return;
    }
    let place = Namespace::new();
    // It is gone when this ends.
    let mut nft = place.command("nft -i");
    let mut nft = Live::start(nft.stdin(Stdio::piped()));
    nft.send(b"add table inet filter { flags owner; }\n");
    wait_until("there is a table", || run(&place, "nft list tables") == "table inet filter\n");
    let error = connect(&place, &admit()).start().unwrap_err();
    assert_eq!(error, Error::Owned { place: admit().place().clone() });
    assert!(error.to_string().contains("belongs to another running program"), "{error}");
}

/// Each error has the message that it is about in it, and not all of them fit into the buffer.
#[test]
fn the_first_of_many_errors_is_the_one_that_counts() {
    if !can_run("the_first_of_many_errors_is_the_one_that_counts", &[]) {
        return;
    }
    let place = Namespace::new();
    let client = |number: u32| std::net::Ipv4Addr::from_bits(0x0a00_0000 | number).to_string();
    let grants: Vec<_> = (0..10_000).map(|number| grant(&client(number), "tcp/22", 3600)).collect();
    let mut firewall = connect(&place, &admit());
    let error = firewall.restore(&grants).unwrap_err();
    assert_eq!(error, Error::NoTable { place: admit().place().clone() });
    nft(&place, "add table inet filter");
    firewall.restore(&grants).unwrap();
    assert_eq!(firewall.grants().unwrap().len(), 10_000);
}

#[test]
fn a_table_of_the_same_name_that_knockd_has_not_made_stays() {
    if !can_run("a_table_of_the_same_name_that_knockd_has_not_made_stays", &[]) {
        return;
    }
    let place = Namespace::new();
    nft(&place, "table inet knockd {\nset clients { type ipv4_addr\n}\n}");
    let before = run(&place, "nft list ruleset");
    let error = connect(&place, &guard()).start().unwrap_err();
    assert_eq!(error, Error::Foreign { place: guard().place().clone() });
    assert_eq!(run(&place, "nft list ruleset"), before);
    // An empty one is nobody's.
    nft(&place, "flush ruleset\nadd table inet knockd");
    assert_eq!(connect(&place, &guard()).start(), Ok(Start::Made));
}

#[test]
fn a_client_or_a_port_that_the_table_is_not_for_is_refused() {
    if !can_run("a_client_or_a_port_that_the_table_is_not_for_is_refused", &[]) {
        return;
    }
    let place = Namespace::new();
    nft(&place, "add table ip filter");
    let ruleset = Ruleset::admit("ip filter".parse().unwrap(), &ports("tcp/22-24"));
    let mut firewall = connect(&place, &ruleset);
    firewall.start().unwrap();
    let error = firewall.admit(address("2001:db8::7"), &ports("tcp/22-24"), HOUR).unwrap_err();
    assert!(error.to_string().starts_with("the table ip filter is not for 2001:db8::7"), "{error}");
    for unknown in ["tcp/25", "udp/22", "tcp/22-25", "tcp/23"] {
        let error = firewall.admit(address("192.0.2.7"), &ports(unknown), HOUR).unwrap_err();
        assert_eq!(error, Error::UnknownPorts { ports: ports(unknown)[0] });
    }
    assert_eq!(firewall.grants(), Ok(vec![]));
}

#[test]
fn a_flush_and_every_change_by_others_is_noticed_and_clients_are_none() {
    if !can_run("a_flush_and_every_change_by_others_is_noticed_and_clients_are_none", &[]) {
        return;
    }
    let place = Namespace::new();
    let mut firewall = connect(&place, &guard());
    firewall.start().unwrap();
    let (mut firewall, watch) = place.open(move || {
        let watch = firewall.watch().unwrap();
        (firewall, watch)
    });
    let client = address("192.0.2.7");
    firewall.admit(client, &ports("tcp/22 tcp/8000-8010"), HOUR).unwrap();
    firewall.restore(&firewall_grants()).unwrap();
    nft(&place, "add table inet other\ndelete table inet other\nadd table ip knockd");
    nft(&place, "delete element inet knockd admitted4 { 192.0.2.7 . tcp . 22 }");
    assert!(can_read(&watch), "other tables make notices, too");
    assert_eq!(watch.has_changed(), Ok(false));
    assert_eq!(firewall.condition(), Ok(Condition::Intact));
    for (change, condition) in [
        ("flush ruleset", Condition::Missing),
        ("delete table inet knockd", Condition::Missing),
        ("flush chain inet knockd closed", Condition::Altered),
        ("add rule inet knockd guard accept", Condition::Altered),
        ("insert rule inet knockd guard accept", Condition::Altered),
        ("add chain inet knockd mine", Condition::Altered),
        ("add chain inet knockd guard { policy drop; }", Condition::Altered),
        ("add table inet knockd { flags dormant; }", Condition::Altered),
        ("delete element inet knockd guarded { tcp . 22 }", Condition::Altered),
        ("flush set inet knockd guarded", Condition::Altered),
    ] {
        nft(&place, change);
        assert!(can_read(&watch), "{change}");
        assert_eq!(watch.has_changed(), Ok(true), "{change}");
        assert_eq!(firewall.condition(), Ok(condition), "{change}");
        firewall.restore(&firewall_grants()).unwrap();
        assert_eq!(firewall.condition(), Ok(Condition::Intact), "{change}");
        assert_eq!(watch.has_changed(), Ok(false), "{change}: its own restoring");
        assert_eq!(firewall.grants().unwrap().len(), 1);
    }
}

fn firewall_grants() -> Vec<knock_firewall::Grant> {
    vec![grant("192.0.2.7", "tcp/22", 3600)]
}

#[test]
fn a_reloaded_ruleset_with_empty_sets_is_noticed_in_the_administrators_table() {
    if !can_run("a_reloaded_ruleset_with_empty_sets_is_noticed_in_the_administrators_table", &[]) {
        return;
    }
    let place = Namespace::new();
    let file = format!("flush ruleset\n{}", admit().nft_text());
    nft(&place, &file);
    let mut firewall = connect(&place, &admit());
    assert_eq!(firewall.start(), Ok(Start::TakenUp(vec![])));
    let (mut firewall, watch) = place.open(move || {
        let watch = firewall.watch().unwrap();
        (firewall, watch)
    });
    firewall.admit(address("192.0.2.7"), &ports("tcp/22"), HOUR).unwrap();
    assert_eq!(firewall.condition(), Ok(Condition::Intact));
    nft(&place, "add chain inet filter input");
    assert_eq!(firewall.condition(), Ok(Condition::Intact), "a rule of the administrator");
    nft(&place, &file);
    assert_eq!(watch.has_changed(), Ok(true));
    assert_eq!(firewall.condition(), Ok(Condition::Altered), "the same sets, and nobody in them");
    firewall.restore(&firewall_grants()).unwrap();
    assert_eq!(firewall.grants().unwrap().len(), 1);
    assert_eq!(firewall.condition(), Ok(Condition::Intact));
}

/// A program that flushes the ruleset without end, and openings at the same time: each one succeeds as a
/// whole, or says that the table is gone.
#[test]
fn openings_and_restoring_win_or_lose_against_flushes_as_a_whole() {
    if !can_run("openings_and_restoring_win_or_lose_against_flushes_as_a_whole", &[]) {
        return;
    }
    let place = Namespace::new();
    let mut firewall = connect(&place, &guard());
    let mut flushes = place.command("while :; do nft flush ruleset; done");
    let flushes = Live::start(flushes.stdin(Stdio::null()));
    let (mut won, mut lost) = (0, 0);
    let (client, open) = (address("192.0.2.7"), ports("tcp/22 tcp/8000-8010"));
    wait_until("it won and lost", || {
        match firewall.start() {
            Ok(_) | Err(Error::Raced) => {}
            Err(error) => panic!("{error}"),
        }
        match firewall.admit(client, &open, HOUR) {
            Ok(()) => won += 1,
            Err(error) => {
                assert!(error.is_gone(), "{error:?}");
                lost += 1;
            }
        }
        match firewall.grants() {
            Ok(grants) => assert!([0, 2].contains(&grants.len()), "{grants:?}"),
            Err(error) => assert!(error.is_gone(), "{error:?}"),
        }
        won > 20 && lost > 20
    });
    drop(flushes);
}

fn can_read(watch: &Watch) -> bool {
    let mut descriptors = [PollFd::new(watch.as_fd(), PollFlags::POLLIN)];
    poll(&mut descriptors, PollTimeout::ZERO).unwrap() == 1
}
