//! A transaction does the same as text for nft and as messages for the kernel.

use std::time::Duration;

use knock_firewall::{Grant, Refusal, Revocation, Ruleset, Transaction};
use knock_tests::live::Namespace;

use crate::common::{address, can_run, connect, grant, nft, ports, run};

/// Ports with and without ranges, and clients that are admitted to them.
fn samples() -> Vec<(&'static str, Vec<Grant>)> {
    vec![
        ("tcp/22", vec![]),
        ("tcp/22", vec![grant("192.0.2.7", "tcp/22", 3600), grant("2001:db8::7", "tcp/22", 60)]),
        (
            "tcp/22 udp/51820 tcp/8000-8010 tcp/8005 udp/60000-61000",
            vec![
                grant("192.0.2.7", "tcp/8000-8010", 3600),
                Grant {
                    since: Some(Duration::from_millis(5_123_250)),
                    ..grant("192.0.2.7", "udp/51820", 3600)
                },
                grant("192.0.2.255", "udp/60000-61000", 86_400),
                grant("2001:db8::7", "tcp/8000-8010", 7200),
                grant("::ffff:1.2.3.4", "tcp/22", 7200),
            ],
        ),
    ]
}

#[test]
fn a_guard_is_the_same_by_nft_and_by_netlink() {
    if !can_run("a_guard_is_the_same_by_nft_and_by_netlink", &[]) {
        return;
    }
    let (by_text, by_netlink) = (Namespace::new(), Namespace::new());
    for (open, grants) in samples() {
        for refusal in [Refusal::Drop, Refusal::Reject, Refusal::CountOnly] {
            let ruleset = Ruleset::guard(&ports(open), refusal);
            compare(&by_text, &by_netlink, &ruleset, &grants, "");
        }
    }
}

#[test]
fn the_sets_in_an_administrators_table_are_the_same_by_nft_and_by_netlink() {
    if !can_run("the_sets_in_an_administrators_table_are_the_same_by_nft_and_by_netlink", &[]) {
        return;
    }
    let (by_text, by_netlink) = (Namespace::new(), Namespace::new());
    for place in ["inet filter", "ip filter", "ip6 wall-1"] {
        for (open, grants) in samples() {
            let ruleset = Ruleset::admit(place.parse().unwrap(), &ports(open));
            let table = format!("flush ruleset\nadd table {place}");
            compare(&by_text, &by_netlink, &ruleset, &grants, &table);
        }
    }
}

#[test]
fn the_lines_to_add_make_the_sets_that_are_used() {
    if !can_run("the_lines_to_add_make_the_sets_that_are_used", &[]) {
        return;
    }
    let (by_text, by_netlink) = (Namespace::new(), Namespace::new());
    for place in ["inet filter", "ip filter", "ip6 filter"] {
        for open in ["tcp/22", "tcp/22 tcp/8000-8010"] {
            let ruleset = Ruleset::admit(place.parse().unwrap(), &ports(open));
            nft(&by_text, &format!("flush ruleset\n{}", ruleset.nft_text()));
            nft(&by_netlink, &format!("flush ruleset\nadd table {place}"));
            connect(&by_netlink, &ruleset).start().unwrap();
            assert_eq!(listed(&by_text), listed(&by_netlink));
            // The rules that it recommends are rules.
            let rules = ruleset.nft_text();
            let rules = rules.lines().filter_map(|line| line.strip_prefix("    #     "));
            let rules: Vec<String> =
                rules.map(|rule| format!("add rule {place} input {rule}")).collect();
            assert!(!rules.is_empty());
            nft(&by_text, &format!("add chain {place} input\n{}", rules.join("\n")));
            let mut firewall = connect(&by_text, &ruleset);
            for set in firewall.sets() {
                assert_eq!(firewall.users(set).unwrap(), ["input"]);
            }
        }
    }
}

#[test]
fn an_opening_is_the_same_by_nft_and_by_netlink() {
    if !can_run("an_opening_is_the_same_by_nft_and_by_netlink", &[]) {
        return;
    }
    let (by_text, by_netlink) = (Namespace::new(), Namespace::new());
    let hour = std::time::Duration::from_hours(1);
    for open in ["tcp/22 udp/53", "tcp/22-25 tcp/23"] {
        let ruleset = Ruleset::guard(&ports(open), Refusal::Drop);
        compare(&by_text, &by_netlink, &ruleset, &[], "");
        let mut firewall = connect(&by_netlink, &ruleset);
        for client in ["192.0.2.7", "2001:db8::7"].map(address) {
            let transaction = ruleset.admission(client, &ports(open), hour.into()).unwrap();
            checked(&by_text, &transaction);
            firewall.admit(client, &ports(open), hour).unwrap();
            assert_eq!(listed(&by_text), listed(&by_netlink));
            let open = &ports(open)[..1];
            let revocations = ruleset.revocations(client, open).unwrap();
            let each = |way: fn(&Revocation) -> &Transaction| {
                for one in &revocations {
                    checked(&by_text, way(one));
                }
                listed(&by_text)
            };
            let revoked = each(|one| &one.sure);
            // Nothing is there any more, and nothing has to be.
            assert_eq!(each(|one| &one.sure), revoked);
            firewall.revoke(client, open).unwrap();
            assert_eq!(listed(&by_netlink), revoked);
            firewall.revoke(client, open).unwrap();
            assert_eq!(listed(&by_netlink), revoked);
            checked(&by_text, &transaction);
            assert_eq!(each(|one| &one.plain), revoked);
        }
    }
}

/// Writes a ruleset in both ways and compares what the kernel then has.
fn compare(
    by_text: &Namespace,
    by_netlink: &Namespace,
    ruleset: &Ruleset,
    grants: &[Grant],
    before: &str,
) {
    if !before.is_empty() {
        nft(by_text, before);
        nft(by_netlink, before);
    }
    let transaction = ruleset.build(grants);
    checked(by_text, &transaction);
    connect(by_netlink, ruleset).restore(grants).unwrap();
    let (text, netlink) = (listed(by_text), listed(by_netlink));
    assert_eq!(text, netlink, "{transaction}");
    assert!(text.contains(if ruleset.is_guard() { "chain guard" } else { "set knockd" }), "{text}");
}

/// Lets nft check a transaction, and make it.
fn checked(place: &Namespace, transaction: &Transaction) {
    run(place, &format!("nft -c -f - <<'END'\n{transaction}END"));
    nft(place, &transaction.to_string());
}

/// Returns the ruleset, without the times that are left.
fn listed(place: &Namespace) -> String {
    let text = run(place, "nft list ruleset");
    let mut words: Vec<&str> = Vec::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let is_time = words.last().is_some_and(|before| before.trim() == "expires");
        words.push(if is_time { "TIME " } else { word });
    }
    words.concat()
}
