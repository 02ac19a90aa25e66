//! A server whose firewall drops everything, and a door in it.

use std::process::Stdio;

use knock_tests::process::Live;

use crate::common::{Scene, wait_until};

/// The commands of one firewall program.
struct Wall {
    program: &'static str,
    /// Sets it up to drop what is not allowed.
    set_up: &'static str,
    /// The commands that open and close port 22 for a client, for IPv4 and for IPv6.
    open: [&'static str; 2],
    shut: [&'static str; 2],
    /// Prints the rules.
    list: &'static str,
}

const IPTABLES: Wall = Wall {
    program: "iptables",
    set_up: "for tables in iptables ip6tables; do
            $tables -P INPUT DROP
            $tables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
        done
        ip6tables -A INPUT -p ipv6-icmp -j ACCEPT",
    open: [
        "iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT",
        "ip6tables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT",
    ],
    shut: [
        "iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT",
        "ip6tables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT",
    ],
    list: "iptables -S; ip6tables -S",
};

const NFTABLES: Wall = Wall {
    program: "nft",
    set_up: "nft -f - <<END
        table inet wall {
            set clients { type ipv4_addr; }
            set clients_6 { type ipv6_addr; }
            chain input {
                type filter hook input priority filter; policy drop;
                ct state established accept
                meta l4proto ipv6-icmp accept
                ip saddr @clients tcp dport 22 accept
                ip6 saddr @clients_6 tcp dport 22 accept
            }
        }\nEND\n",
    open: [
        "nft add element inet wall clients { %IP% }",
        "nft add element inet wall clients_6 { %IP% }",
    ],
    shut: [
        "nft delete element inet wall clients { %IP% }",
        "nft delete element inet wall clients_6 { %IP% }",
    ],
    list: "nft list ruleset",
};

/// The addresses of a family.
struct Family {
    /// The option with which programs choose the family.
    option: &'static str,
    server: &'static str,
    client: &'static str,
    /// Another address of the client.
    stranger: &'static str,
}

const IPV4: Family =
    Family { option: "-4", server: "192.0.2.1", client: "192.0.2.10", stranger: "192.0.2.11" };
const IPV6: Family = Family {
    option: "-6",
    server: "2001:db8::1",
    client: "2001:db8::10",
    stranger: "2001:db8::11",
};

#[test]
fn a_knock_opens_iptables_for_its_client_for_a_while() {
    check("a_knock_opens_iptables_for_its_client_for_a_while", &IPTABLES, &IPV4);
}

#[test]
fn a_knock_opens_iptables_for_its_client_for_a_while_with_ipv6() {
    check("a_knock_opens_iptables_for_its_client_for_a_while_with_ipv6", &IPTABLES, &IPV6);
}

#[test]
fn a_knock_opens_nftables_for_its_client_for_a_while() {
    check("a_knock_opens_nftables_for_its_client_for_a_while", &NFTABLES, &IPV4);
}

#[test]
fn a_knock_opens_nftables_for_its_client_for_a_while_with_ipv6() {
    check("a_knock_opens_nftables_for_its_client_for_a_while_with_ipv6", &NFTABLES, &IPV6);
}

fn check(name: &str, wall: &Wall, family: &Family) {
    let Some(scene) = Scene::new(name, &[wall.program], &config(wall)) else { return };
    let &Family { option, server, client, stranger } = family;
    // Used as a source only if a program asks for it.
    scene.client("ip address add 2001:db8::11/64 nodad preferred_lft 0 dev client");
    let ssh = scene
        .cable
        .server
        .command(&scene.placed(&format!("exec nc {option} -l -k {server} 22 >DIR/received")));
    let _ssh = Live::start(&mut { ssh });
    wait_until("there is a server", || scene.client_can(&format!("nc -z {server} 22")));
    scene.server(wall.set_up);
    let rules = scene.ask_server(wall.list);
    let can_connect = |source| scene.client_can(&format!("nc -z -w 1 -s {source} {server} 22"));
    let daemon = scene.start("-i server");

    assert!(!can_connect(client));
    scene.client(&format!("knock {option} {server} 7000 8000:udp 9000"));
    wait_until("the client gets in", || can_connect(client));
    assert!(!can_connect(stranger));
    let mut command = scene.cable.client.command(&format!("exec nc {server} 22"));
    let mut connection = Live::start(command.stdin(Stdio::piped()));
    connection.send(b"early\n");
    wait_until("the client's text arrives", || scene.read("received") == "early\n");

    daemon.wait_for(&format!("{client}: ssh: command timeout"));
    scene.write("shut", "");
    wait_until("all is as before", || scene.ask_server(wall.list) == rules);
    assert!(!can_connect(client));
    connection.send(b"late\n");
    wait_until("the connection stays open", || scene.read("received") == "early\nlate\n");

    let at = usize::from(server == IPV6.server);
    let [open, shut] = [wall.open, wall.shut].map(|both| both[at].replace("%IP%", client));
    let expected = format!(
        "{client}: ssh: Stage 1\n{client}: ssh: Stage 2\n{client}: ssh: Stage 3\n\
         {client}: ssh: OPEN SESAME\nssh: running command: {open}\n\
         {client}: ssh: command timeout\nssh: running command: {WAIT}{shut}\n"
    );
    assert_eq!(daemon.end(), scene.placed(&expected));
}

/// Keeps the door from being shut before the test has looked.
const WAIT: &str = "until test -e DIR/shut; do sleep 0.01; done; ";

fn config(wall: &Wall) -> String {
    let Wall { open: [open, open_6], shut: [shut, shut_6], .. } = wall;
    format!(
        "[ssh]
    sequence = 7000,8000:udp,9000
    seq_timeout = 100
    tcpflags = syn
    start_command = {open}
    start_command_6 = {open_6}
    cmd_timeout = 1
    stop_command = {WAIT}{shut}
    stop_command_6 = {WAIT}{shut_6}
"
    )
}
