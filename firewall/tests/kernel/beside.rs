//! A guard beside other firewalls, all of which leave the port open; and what they close stays closed.

use std::time::Duration;

use knock_firewall::{Refusal, Ruleset};
use knock_tests::live::Cable;

use crate::common::{address, can_run, connect, nft, ports, run};
use crate::guarding::container;
use crate::network::{CLIENTS, Reached, SERVERS, answers, connection, serve, served, tcp};

const HOUR: Duration = Duration::from_hours(1);

/// Closes port 22 and opens it for a client, on a server where it was open.
fn guarded(cable: &Cable, list: &str) {
    let try_from = |client: usize, expected| {
        tcp(&cable.client, CLIENTS[client], SERVERS[client], 22, expected)
    };
    for client in [0, 1] {
        assert_eq!(try_from(client, Reached::Yes), Reached::Yes, "it is open");
    }
    let others = run(&cable.server, list);
    let mut firewall = connect(&cable.server, &Ruleset::guard(&ports("tcp/22"), Refusal::Drop));
    firewall.start().unwrap();
    for client in [0, 1] {
        assert_eq!(try_from(client, Reached::Silence), Reached::Silence);
        firewall.admit(address(CLIENTS[client]), &ports("tcp/22"), HOUR).unwrap();
        assert_eq!(try_from(client, Reached::Yes), Reached::Yes);
        run(&cable.client, &format!("ping -c 1 -W 20 {}", SERVERS[client]));
        let (from, to) = (CLIENTS[client], SERVERS[client]);
        let mut kept = connection(&cable.client, from, to, 22, Reached::Yes).unwrap();
        firewall.revoke(address(CLIENTS[client]), &ports("tcp/22")).unwrap();
        assert_eq!(try_from(client, Reached::Silence), Reached::Silence);
        assert!(answers(&mut kept));
    }
    assert_eq!(run(&cable.server, list), others, "the other firewall is as it was");
    firewall.remove().unwrap();
    assert_eq!(try_from(0, Reached::Yes), Reached::Yes, "open again");
}

#[test]
fn beside_rules_as_ufw_makes_them() {
    if !can_run(
        "beside_rules_as_ufw_makes_them",
        &["iptables-restore", "ip6tables-restore", "ping"],
    ) {
        return;
    }
    let cable = served(&[22]);
    let rules = |icmp: &str, user: &str| {
        format!(
            "*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:{user}-before-input - [0:0]
:{user}-user-input - [0:0]
:{user}-not-local - [0:0]
-A INPUT -j {user}-before-input
-A {user}-before-input -i lo -j ACCEPT
-A {user}-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A {user}-before-input -m conntrack --ctstate INVALID -j DROP
-A {user}-before-input {icmp} -j ACCEPT
-A {user}-before-input -j {user}-not-local
-A {user}-before-input -j {user}-user-input
-A {user}-not-local -m addrtype --dst-type LOCAL -j RETURN
-A {user}-not-local -m addrtype --dst-type MULTICAST -j RETURN
-A {user}-not-local -j DROP
-A {user}-user-input -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT"
        )
    };
    let (four, six) = (rules("-p icmp", "ufw"), rules("-p ipv6-icmp", "ufw6"));
    run(&cable.server, &format!("iptables-restore <<'END'\n{four}\nEND"));
    run(&cable.server, &format!("ip6tables-restore <<'END'\n{six}\nEND"));
    guarded(&cable, "iptables -S; ip6tables -S");
}

#[test]
fn beside_rules_as_firewalld_makes_them() {
    if !can_run("beside_rules_as_firewalld_makes_them", &["ping"]) {
        return;
    }
    let cable = served(&[22]);
    nft(
        &cable.server,
        "table inet firewalld {
            chain mangle_PREROUTING {
                type filter hook prerouting priority mangle + 10; policy accept;
                jump mangle_PREROUTING_ZONES
            }
            chain mangle_PREROUTING_ZONES { goto mangle_PRE_public
            }
            chain mangle_PRE_public { return
            }
            chain filter_PREROUTING {
                type filter hook prerouting priority filter + 10; policy accept;
                icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
                meta nfproto ipv6 fib saddr . mark . iif oif missing drop
            }
            chain filter_INPUT {
                type filter hook input priority filter + 10; policy accept;
                ct state { established, related } accept
                ct status dnat accept
                iifname \"lo\" accept
                ct state invalid drop
                jump filter_INPUT_ZONES
                reject with icmpx admin-prohibited
            }
            chain filter_INPUT_ZONES { goto filter_IN_public
            }
            chain filter_IN_public {
                jump filter_IN_public_allow
                meta l4proto { icmp, ipv6-icmp } accept
                reject with icmpx admin-prohibited
            }
            chain filter_IN_public_allow { tcp dport 22 accept
            }
        }",
    );
    guarded(&cable, "nft list table inet firewalld");
}

#[test]
fn beside_iptables_over_nftables() {
    if !can_run("beside_iptables_over_nftables", &["iptables-nft", "ip6tables-nft", "ping"]) {
        return;
    }
    let cable = served(&[22]);
    run(&cable.server, &plain("nft"));
    guarded(&cable, "iptables-nft -S; ip6tables-nft -S");
}

#[test]
fn beside_the_old_iptables() {
    let programs = ["iptables-legacy", "ip6tables-legacy", "ping"];
    if !can_run("beside_the_old_iptables", &programs) {
        return;
    }
    let cable = served(&[22]);
    run(&cable.server, &plain("legacy"));
    guarded(&cable, "iptables-legacy -S; ip6tables-legacy -S");
}

/// Rules as many a server has them.
fn plain(kind: &str) -> String {
    format!(
        "set -e
        for tables in iptables-{kind} ip6tables-{kind}; do
            $tables -P INPUT DROP
            $tables -A INPUT -i lo -j ACCEPT
            $tables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
            $tables -A INPUT -p tcp --dport 22 -j ACCEPT
        done
        iptables-{kind} -A INPUT -p icmp -j ACCEPT
        ip6tables-{kind} -A INPUT -p ipv6-icmp -j ACCEPT"
    )
}

/// With the rules of Docker, which let in what is translated, before those of the administrator.
#[test]
fn beside_rules_as_docker_makes_them() {
    if !can_run("beside_rules_as_docker_makes_them", &["iptables"]) {
        return;
    }
    let cable = served(&[]);
    let container = container(&cable);
    serve(&container, 80);
    nft(&cable.server, "flush ruleset");
    run(
        &cable.server,
        "set -e
        iptables -t nat -N DOCKER
        iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
        iptables -t nat -A DOCKER -p tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
        iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
        iptables -P FORWARD DROP
        iptables -P INPUT DROP
        iptables -N DOCKER
        iptables -N DOCKER-USER
        iptables -A DOCKER-USER -j RETURN
        iptables -A FORWARD -j DOCKER-USER
        iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        iptables -A FORWARD -o docker0 -j DOCKER
        iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
        iptables -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp --dport 80 -j ACCEPT",
    );
    let published = |expected| tcp(&cable.client, CLIENTS[0], SERVERS[0], 8080, expected);
    assert_eq!(published(Reached::Yes), Reached::Yes, "the famous hole in INPUT -P DROP");
    let mut firewall = connect(&cable.server, &Ruleset::guard(&ports("tcp/8080"), Refusal::Drop));
    firewall.start().unwrap();
    assert_eq!(published(Reached::Silence), Reached::Silence);
    firewall.admit(address(CLIENTS[0]), &ports("tcp/8080"), HOUR).unwrap();
    assert_eq!(published(Reached::Yes), Reached::Yes);
    firewall.revoke(address(CLIENTS[0]), &ports("tcp/8080")).unwrap();
    assert_eq!(published(Reached::Silence), Reached::Silence);
    // The container's own connections go out.
    serve(&cable.client, 443);
    let out = tcp(&container, "172.17.0.2", CLIENTS[0], 443, Reached::Yes);
    assert_eq!(out, Reached::Yes);
}

#[test]
fn a_guard_opens_nothing_that_another_firewall_closes() {
    if !can_run("a_guard_opens_nothing_that_another_firewall_closes", &[]) {
        return;
    }
    let cable = served(&[22]);
    nft(
        &cable.server,
        "table inet filter {
            chain input {
                type filter hook input priority filter; policy drop;
                ct state established accept
                meta l4proto ipv6-icmp accept
            }
        }",
    );
    let mut firewall = connect(&cable.server, &Ruleset::guard(&ports("tcp/22"), Refusal::Drop));
    firewall.start().unwrap();
    firewall.admit(address(CLIENTS[0]), &ports("tcp/22"), HOUR).unwrap();
    let closed = tcp(&cable.client, CLIENTS[0], SERVERS[0], 22, Reached::Silence);
    assert_eq!(closed, Reached::Silence);
}

/// The other mode: the administrator's own ruleset closes, and its rules with the sets of knockd open.
#[test]
fn the_sets_open_where_the_administrator_uses_them() {
    if !can_run("the_sets_open_where_the_administrator_uses_them", &[]) {
        return;
    }
    let cable = served(&[22, 60_005]);
    let ruleset = Ruleset::admit("inet filter".parse().unwrap(), &ports("tcp/22 tcp/60000-61000"));
    let text = ruleset.nft_text();
    let rules: Vec<&str> =
        text.lines().filter_map(|line| line.trim().strip_prefix("#     ")).collect();
    let file = format!(
        "flush ruleset
        {text}
        table inet filter {{
            chain input {{
                type filter hook input priority filter; policy drop;
                ct state established,related accept
                meta l4proto {{ icmp, ipv6-icmp }} accept
                {}
            }}
        }}",
        rules.join("\n")
    );
    nft(&cable.server, &file);
    let mut firewall = connect(&cable.server, &ruleset);
    firewall.start().unwrap();
    assert!(firewall.sets().iter().all(|set| firewall.users(*set).unwrap() == ["input"]));
    for (client, server) in CLIENTS.into_iter().zip(SERVERS) {
        let try_port = |port, expected| tcp(&cable.client, client, server, port, expected);
        for (port, open) in [(22, "tcp/22"), (60_005, "tcp/60000-61000")] {
            assert_eq!(try_port(port, Reached::Silence), Reached::Silence);
            firewall.admit(address(client), &ports(open), HOUR).unwrap();
            assert_eq!(try_port(port, Reached::Yes), Reached::Yes);
            firewall.revoke(address(client), &ports(open)).unwrap();
            assert_eq!(try_port(port, Reached::Silence), Reached::Silence);
        }
    }
    // It fails closed: the same file again, and nobody is in.
    firewall.admit(address(CLIENTS[0]), &ports("tcp/22"), HOUR).unwrap();
    nft(&cable.server, &file);
    let closed = tcp(&cable.client, CLIENTS[0], SERVERS[0], 22, Reached::Silence);
    assert_eq!(closed, Reached::Silence);
}
