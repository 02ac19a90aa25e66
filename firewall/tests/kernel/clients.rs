//! Clients in sets: added, renewed, removed, read back; and sets that are full.

use std::time::{Duration, Instant};

use knock_firewall::{Error, Grant, Refusal, Ruleset, Start, Stay};
use knock_tests::live::Namespace;
use knock_tests::process::wait_until;

use crate::common::{address, can_run, connect, grant, nft, ports, run};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

#[test]
fn a_grant_is_read_back_with_the_time_that_is_left() {
    if !can_run("a_grant_is_read_back_with_the_time_that_is_left", &[]) {
        return;
    }
    let place = Namespace::new();
    for open in ["tcp/22 udp/53", "tcp/22 udp/53-60"] {
        let mut firewall = connect(&place, &Ruleset::guard(&ports(open), Refusal::Drop));
        assert!(matches!(firewall.start(), Ok(Start::Made | Start::TakenUp(_))));
        for client in ["192.0.2.7", "2001:db8::7"] {
            firewall.admit(address(client), &ports(open), HOUR).unwrap();
        }
        let grants = firewall.grants().unwrap();
        let what: Vec<_> = grants.iter().map(|one| (one.client, one.ports)).collect();
        let mut expected = Vec::new();
        for client in ["192.0.2.7", "2001:db8::7"] {
            expected.extend(ports(open).iter().map(|ports| (address(client), *ports)));
        }
        assert_eq!(what, expected);
        let least = HOUR.saturating_sub(Duration::from_mins(1));
        assert!(
            grants.iter().all(|one| one.time_left > least && one.time_left <= HOUR),
            "{grants:?}"
        );
        firewall.remove().unwrap();
    }
}

#[test]
fn since_when_a_client_is_let_in_is_read_back_and_kept_with_other_clients() {
    if !can_run("since_when_a_client_is_let_in_is_read_back_and_kept_with_other_clients", &[]) {
        return;
    }
    let place = Namespace::new();
    let ruleset = Ruleset::guard(&ports("tcp/22 udp/53-60"), Refusal::Drop);
    let mut firewall = connect(&place, &ruleset);
    firewall.start().unwrap();
    let since = Some(Duration::from_millis(5_123_250));
    let open = ports("tcp/22 udp/53-60");
    for time in [HOUR, HOUR * 2] {
        firewall.admit(address("192.0.2.7"), &open, Stay { time, since }).unwrap();
    }
    firewall.admit(address("192.0.2.8"), &open, HOUR).unwrap();
    // A comment of somebody else is none of knockd's.
    let by_hand = "192.0.2.9 . tcp . 22 timeout 1h comment \"the office\"";
    nft(&place, &format!("add element inet knockd admitted4 {{ {by_hand} }}"));
    let mut next = connect(&place, &ruleset);
    let Start::TakenUp(grants) = next.start().unwrap() else { panic!("nothing is there") };
    for grants in [grants, next.grants().unwrap()] {
        let found = |last: u8| {
            let of_client =
                grants.iter().filter(|one| one.client == address(&format!("192.0.2.{last}")));
            of_client.map(|one| one.since).collect::<Vec<_>>()
        };
        assert_eq!(found(7), [since, since]);
        assert_eq!(found(8), [None, None]);
        assert_eq!(found(9), [None]);
    }
}

/// What crowdsec's bouncer and others fell into.
#[test]
fn nft_alone_does_not_renew_an_element() {
    if !can_run("nft_alone_does_not_renew_an_element", &[]) {
        return;
    }
    let place = Namespace::new();
    let mut firewall = connect(&place, &Ruleset::guard(&ports("tcp/22"), Refusal::Drop));
    firewall.start().unwrap();
    firewall.admit(address("192.0.2.7"), &ports("tcp/22"), HOUR).unwrap();
    let before = firewall.grants().unwrap()[0].time_left;
    wait_until("some time is over", || firewall.grants().unwrap()[0].time_left < before);
    nft(&place, "add element inet knockd admitted4 { 192.0.2.7 . tcp . 22 timeout 1h }");
    assert!(firewall.grants().unwrap()[0].time_left < before, "it was renewed by adding it");
}

#[test]
fn an_opening_sets_the_time_whatever_it_was() {
    if !can_run("an_opening_sets_the_time_whatever_it_was", &[]) {
        return;
    }
    let place = Namespace::new();
    for open in ["tcp/22", "tcp/22-23"] {
        let mut firewall = connect(&place, &Ruleset::guard(&ports(open), Refusal::Drop));
        firewall.start().unwrap();
        let client = address("192.0.2.7");
        firewall.admit(client, &ports(open), HOUR).unwrap();
        let first = firewall.grants().unwrap()[0].time_left;
        wait_until("some time is over", || {
            firewall.grants().unwrap()[0].time_left < first.saturating_sub(SECOND)
        });
        for time in [HOUR, HOUR * 2, HOUR] {
            let begin = Instant::now();
            firewall.admit(client, &ports(open), time).unwrap();
            let grants = firewall.grants().unwrap();
            let since = begin.elapsed();
            assert_eq!(grants.len(), 1);
            let left = grants[0].time_left;
            // The kernel counts in steps of some milliseconds.
            assert!(left + since + SECOND / 2 > time, "{left:?} of {time:?} after {since:?}");
            assert!(left <= time, "{left:?} of {time:?}");
        }
        firewall.remove().unwrap();
    }
}

#[test]
fn the_kernel_removes_a_client_at_its_time() {
    if !can_run("the_kernel_removes_a_client_at_its_time", &[]) {
        return;
    }
    let place = Namespace::new();
    for open in ["tcp/22", "tcp/22-23"] {
        let mut firewall = connect(&place, &Ruleset::guard(&ports(open), Refusal::Drop));
        firewall.start().unwrap();
        firewall.admit(address("192.0.2.7"), &ports(open), SECOND).unwrap();
        let begin = Instant::now();
        assert_eq!(firewall.grants().unwrap().len(), 1);
        wait_until("it is gone", || firewall.grants().unwrap().is_empty());
        assert!(begin.elapsed() > Duration::from_millis(900), "{:?}", begin.elapsed());
        // A time of 0 would be for ever.
        firewall.admit(address("192.0.2.7"), &ports(open), Duration::ZERO).unwrap();
        wait_until("it is gone", || firewall.grants().unwrap().is_empty());
        // The longest times are none for the clock of the kernel.
        firewall.admit(address("192.0.2.7"), &ports(open), Duration::MAX).unwrap();
        assert!(firewall.grants().unwrap()[0].time_left > HOUR);
        firewall.remove().unwrap();
    }
}

#[test]
fn a_client_that_is_gone_can_be_removed_and_others_stay() {
    if !can_run("a_client_that_is_gone_can_be_removed_and_others_stay", &[]) {
        return;
    }
    let place = Namespace::new();
    let open = ports("tcp/22 tcp/8000-8010 tcp/8005");
    let mut firewall = connect(&place, &Ruleset::guard(&open, Refusal::Drop));
    firewall.start().unwrap();
    let (one, other) = (address("192.0.2.7"), address("192.0.2.8"));
    firewall.admit(one, &open, HOUR).unwrap();
    firewall.admit(other, &open, HOUR).unwrap();
    firewall.revoke(one, &ports("tcp/8005")).unwrap();
    firewall.revoke(one, &open).unwrap();
    firewall.revoke(one, &open).unwrap();
    let grants = firewall.grants().unwrap();
    assert!(grants.iter().all(|grant| grant.client == other), "{grants:?}");
    assert_eq!(grants.len(), 4, "22, and three pieces");
    // Without its table, nobody is admitted either.
    nft(&place, "flush ruleset");
    firewall.revoke(other, &open).unwrap();
}

#[test]
fn a_full_set_refuses_a_client_and_renews_others() {
    if !can_run("a_full_set_refuses_a_client_and_renews_others", &[]) {
        return;
    }
    let place = Namespace::new();
    for (open, name) in [("tcp/22", "knockd4"), ("tcp/22-23", "knockd4_tcp_22_23")] {
        let key =
            if open == "tcp/22" { "ipv4_addr . inet_proto . inet_service" } else { "ipv4_addr" };
        nft(
            &place,
            &format!(
                "flush ruleset
                table inet filter {{
                    set {name} {{ type {key}; size 2; flags timeout; }}
                }}"
            ),
        );
        let ruleset = Ruleset::admit("inet filter".parse().unwrap(), &ports(open));
        let mut firewall = connect(&place, &ruleset);
        assert_eq!(firewall.start(), Ok(Start::TakenUp(vec![])));
        let open = ports(open);
        let clients = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(address);
        firewall.admit(clients[0], &open, HOUR).unwrap();
        firewall.admit(clients[1], &open, HOUR).unwrap();
        let error = firewall.admit(clients[2], &open, HOUR).unwrap_err();
        assert!(matches!(error, Error::Full { .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("inet filter {name} is full")), "{error}");
        assert_eq!(firewall.grants().unwrap().len(), 2);
        // One that is not in it has nothing to lose.
        firewall.revoke(clients[2], &open).unwrap();
        assert_eq!(firewall.grants().unwrap().len(), 2);
        // Those that are in it can be renewed, and make room.
        firewall.admit(clients[1], &open, HOUR * 2).unwrap();
        assert!(firewall.grants().unwrap()[1].time_left > HOUR);
        firewall.revoke(clients[0], &open).unwrap();
        firewall.admit(clients[2], &open, HOUR).unwrap();
    }
}

#[test]
fn ten_thousand_clients_are_admitted_and_taken_up() {
    if !can_run("ten_thousand_clients_are_admitted_and_taken_up", &[]) {
        return;
    }
    let place = Namespace::new();
    for open in ["tcp/22", "tcp/22-23"] {
        let open = ports(open);
        let ruleset = Ruleset::guard(&open, Refusal::Drop);
        let mut firewall = connect(&place, &ruleset);
        firewall.start().unwrap();
        for number in 0..10_000_u32 {
            let client = std::net::Ipv4Addr::from_bits(0x0a00_0000 | number);
            firewall.admit(client.into(), &open, HOUR).unwrap();
        }
        let grants = firewall.grants().unwrap();
        assert_eq!(grants.len(), 10_000);
        let mut next = connect(&place, &ruleset);
        let Ok(Start::TakenUp(taken)) = next.start() else { panic!("nothing was found") };
        let clients = |grants: &[Grant]| {
            grants.iter().map(|grant| grant.client).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(clients(&taken), clients(&grants));
        assert_eq!(clients(&next.grants().unwrap()), clients(&grants));
        assert!(next.grants().unwrap().iter().all(|grant| grant.time_left > HOUR / 2));
        next.remove().unwrap();
    }
}

#[test]
fn the_next_daemon_takes_up_what_is_there() {
    if !can_run("the_next_daemon_takes_up_what_is_there", &[]) {
        return;
    }
    let place = Namespace::new();
    let ruleset = Ruleset::guard(&ports("tcp/22 tcp/80"), Refusal::Drop);
    let mut firewall = connect(&place, &ruleset);
    assert_eq!(firewall.start(), Ok(Start::Made));
    firewall.admit(address("192.0.2.7"), &ports("tcp/22 tcp/80"), HOUR).unwrap();
    drop(firewall);
    // With another configuration, which opens more in one door, and no port 80.
    let mut next = connect(&place, &ruleset);
    let Ok(Start::TakenUp(taken)) = next.start() else { panic!("nothing was found") };
    assert_eq!(taken.len(), 2);
    let other = Ruleset::guard(&ports("tcp/22 udp/60000-61000"), Refusal::Reject);
    assert!(matches!(next.replace(other), Ok(Start::TakenUp(_))));
    let grants = next.grants().unwrap();
    assert_eq!(grants.len(), 1);
    assert_eq!((grants[0].client, grants[0].ports), (address("192.0.2.7"), ports("tcp/22")[0]));
    assert!(grants[0].time_left > HOUR / 2);
    // A single port of a range, and the range again.
    next.admit(address("192.0.2.7"), &ports("tcp/22 udp/60000-61000"), HOUR).unwrap();
    next.replace(Ruleset::guard(&ports("udp/60000 udp/60005"), Refusal::Drop)).unwrap();
    let grants = next.grants().unwrap();
    let what: Vec<_> = grants.iter().map(|grant| grant.ports).collect();
    assert_eq!(what, ports("udp/60000 udp/60005"));
    next.replace(Ruleset::guard(&ports("tcp/22"), Refusal::Drop)).unwrap();
    next.admit(address("192.0.2.7"), &ports("tcp/22"), HOUR).unwrap();
    // To the sets of an administrator and back.
    nft(&place, "add table inet filter");
    let admit = Ruleset::admit("inet filter".parse().unwrap(), &ports("tcp/22"));
    assert_eq!(next.replace(admit), Ok(Start::Made));
    assert!(!run(&place, "nft list ruleset").contains("inet knockd"));
    let elements = [grant("192.0.2.7", "tcp/22", 60)];
    next.restore(&elements).unwrap();
    assert_eq!(next.grants().unwrap().len(), 1);
    // Sets for ranges that no door has any more are empty.
    let with_range = Ruleset::admit("inet filter".parse().unwrap(), &ports("tcp/22-23"));
    next.replace(with_range).unwrap();
    next.admit(address("192.0.2.7"), &ports("tcp/22-23"), HOUR).unwrap();
    next.replace(Ruleset::admit("inet filter".parse().unwrap(), &ports("tcp/22"))).unwrap();
    assert_eq!(next.grants().unwrap().len(), 1);
    let before = run(&place, "nft list set inet filter knockd4_tcp_22_23");
    assert!(!before.contains("elements"), "{before}");
    assert_eq!(next.replace(ruleset), Ok(Start::Made));
    assert!(!run(&place, "nft list set inet filter knockd4").contains("elements"));
    // A reload that fails changes nothing.
    let before = run(&place, "nft list ruleset");
    let nowhere = Ruleset::admit("inet nowhere".parse().unwrap(), &ports("tcp/22"));
    assert!(matches!(next.replace(nowhere), Err(Error::NoTable { .. })));
    assert_eq!(run(&place, "nft list ruleset"), before);
    assert!(next.ruleset().is_guard());
}
