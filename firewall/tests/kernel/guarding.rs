//! What passes a guard.

use std::time::{Duration, Instant};

use knock_firewall::{Counter, Firewall, Refusal, Ruleset};
use knock_tests::live::{Cable, Namespace};
use knock_tests::process::wait_until;

use crate::common::{address, can_run, connect, nft, ports, run};
use crate::network::{CLIENTS, Reached, SERVERS, answers, connection, serve, served, tcp, udp};

const HOUR: Duration = Duration::from_hours(1);
const STRANGERS: [&str; 2] = ["192.0.2.11", "2001:db8::11"];

fn guard(cable: &Cable, open: &str, refusal: Refusal) -> Firewall {
    let mut firewall = connect(&cable.server, &Ruleset::guard(&ports(open), refusal));
    firewall.start().unwrap();
    firewall
}

fn packets(firewall: &mut Firewall) -> u64 {
    firewall.refused().unwrap().unwrap().packets
}

#[test]
fn only_an_admitted_client_reaches_a_guarded_port() {
    if !can_run("only_an_admitted_client_reaches_a_guarded_port", &[]) {
        return;
    }
    let cable = served(&[22, 80, 8005]);
    let open = "tcp/22 tcp/8000-8010 udp/22 udp/8000-8010";
    for (refusal, closed) in
        [(Refusal::Drop, Reached::Silence), (Refusal::Reject, Reached::Refused)]
    {
        let mut firewall = guard(&cable, open, refusal);
        for (client, (stranger, server)) in CLIENTS.iter().zip(STRANGERS.iter().zip(SERVERS)) {
            let try_tcp = |port, from, expected| tcp(&cable.client, from, server, port, expected);
            let try_udp =
                |port, from, expected| udp(&cable.client, from, server, port, (9, expected));
            for port in [22, 8005] {
                let before = packets(&mut firewall);
                assert_eq!(try_tcp(port, client, closed), closed);
                assert_eq!(try_udp(port, client, closed), closed);
                assert!(packets(&mut firewall) >= before + 2);
            }
            firewall.admit(address(client), &ports(open), HOUR).unwrap();
            for port in [22, 8005] {
                assert_eq!(try_tcp(port, client, Reached::Yes), Reached::Yes);
                assert_eq!(try_udp(port, client, Reached::Yes), Reached::Yes);
                assert_eq!(try_tcp(port, stranger, closed), closed);
                assert_eq!(try_udp(port, stranger, closed), closed);
            }
            // A port that nobody guards.
            assert_eq!(try_tcp(80, stranger, Reached::Yes), Reached::Yes);
            assert_eq!(try_udp(80, stranger, Reached::Yes), Reached::Yes);
            firewall.revoke(address(client), &ports(open)).unwrap();
            assert_eq!(try_tcp(22, client, closed), closed);
            assert_eq!(try_tcp(8005, client, closed), closed);
        }
        firewall.remove().unwrap();
        assert_eq!(tcp(&cable.client, CLIENTS[0], SERVERS[0], 22, Reached::Yes), Reached::Yes);
    }
}

#[test]
fn a_dry_run_lets_pass_what_it_counts() {
    if !can_run("a_dry_run_lets_pass_what_it_counts", &[]) {
        return;
    }
    let cable = served(&[22]);
    let mut firewall = guard(&cable, "tcp/22", Refusal::CountOnly);
    assert_eq!(firewall.refused(), Ok(Some(Counter::default())));
    for (client, server) in CLIENTS.into_iter().zip(SERVERS) {
        let before = packets(&mut firewall);
        assert_eq!(tcp(&cable.client, client, server, 22, Reached::Yes), Reached::Yes);
        let after = packets(&mut firewall);
        assert!(after > before);
        firewall.admit(address(client), &ports("tcp/22"), HOUR).unwrap();
        assert_eq!(tcp(&cable.client, client, server, 22, Reached::Yes), Reached::Yes);
        assert_eq!(packets(&mut firewall), after, "an admitted client is not counted");
    }
}

/// The firewall is gone, as after kill -9 of every process of knockd.
#[test]
fn the_kernel_closes_when_nobody_is_left() {
    if !can_run("the_kernel_closes_when_nobody_is_left", &[]) {
        return;
    }
    let cable = served(&[22]);
    let mut firewall = guard(&cable, "tcp/22", Refusal::Reject);
    let time = Duration::from_secs(2);
    let begin = Instant::now();
    firewall.admit(address(CLIENTS[0]), &ports("tcp/22"), time).unwrap();
    drop(firewall);
    let mut kept = connection(&cable.client, CLIENTS[0], SERVERS[0], 22, Reached::Yes).unwrap();
    let mut last_open = begin;
    let mut closed = begin;
    wait_until("the port is closed", || {
        let now = Instant::now();
        match tcp(&cable.client, CLIENTS[0], SERVERS[0], 22, Reached::Refused) {
            Reached::Yes => last_open = now,
            Reached::Refused | Reached::Silence => closed = Instant::now(),
        }
        closed > begin
    });
    assert!(last_open < begin + time + Duration::from_secs(1), "{:?}", last_open - begin);
    assert!(closed + Duration::from_millis(100) > begin + time, "{:?}", closed - begin);
    assert!(answers(&mut kept), "connections stay");
}

#[test]
fn connections_survive_the_closing_and_a_new_table() {
    if !can_run("connections_survive_the_closing_and_a_new_table", &[]) {
        return;
    }
    let cable = served(&[22]);
    let mut firewall = guard(&cable, "tcp/22", Refusal::Drop);
    for (client, server) in CLIENTS.into_iter().zip(SERVERS) {
        firewall.admit(address(client), &ports("tcp/22"), HOUR).unwrap();
        let mut kept = connection(&cable.client, client, server, 22, Reached::Yes).unwrap();
        assert!(answers(&mut kept));
        firewall.revoke(address(client), &ports("tcp/22")).unwrap();
        assert!(answers(&mut kept));
        firewall.start().unwrap();
        firewall.restore(&[]).unwrap();
        assert!(answers(&mut kept));
        let again = tcp(&cable.client, client, server, 22, Reached::Silence);
        assert_eq!(again, Reached::Silence);
    }
}

/// On a machine without any firewall, the kernel tracks no connections. The first packet of an administrator's
/// session that it sees then looks like a new connection.
#[test]
fn connections_from_before_the_guard_survive_its_start() {
    if !can_run("connections_from_before_the_guard_survive_its_start", &[]) {
        return;
    }
    let cable = served(&[22]);
    let connect = |server: usize| {
        connection(&cable.client, CLIENTS[server], SERVERS[server], 22, Reached::Yes).unwrap()
    };
    let mut before = [connect(0), connect(1)];
    assert!(before.iter_mut().all(answers));
    let mut firewall = guard(&cable, "tcp/22", Refusal::Drop);
    // The client speaks first.
    assert!(before.iter_mut().all(answers));
    let new = tcp(&cable.client, CLIENTS[0], SERVERS[0], 22, Reached::Silence);
    assert_eq!(new, Reached::Silence);
    assert!(packets(&mut firewall) > 0);
}

#[test]
fn other_protocols_and_the_machine_itself_are_none_of_its_business() {
    if !can_run("other_protocols_and_the_machine_itself_are_none_of_its_business", &["ping"]) {
        return;
    }
    let cable = served(&[22]);
    let mut firewall = guard(&cable, "tcp/1-65535 udp/1-65535", Refusal::Drop);
    for server in SERVERS {
        run(&cable.client, &format!("ping -c 1 -W 20 {server}"));
        let itself = tcp(&cable.server, server, server, 22, Reached::Yes);
        assert_eq!(itself, Reached::Yes);
    }
    assert_eq!(tcp(&cable.server, "127.0.0.1", "127.0.0.1", 22, Reached::Yes), Reached::Yes);
    // Its own connections go out and are answered.
    serve(&cable.client, 22);
    for (server, client) in SERVERS.into_iter().zip(CLIENTS) {
        assert_eq!(tcp(&cable.server, server, client, 22, Reached::Yes), Reached::Yes);
    }
    // Of IPv4 only: the client may answer with another of its IPv6 addresses.
    let udp = udp(&cable.server, SERVERS[0], CLIENTS[0], 22, (9, Reached::Yes));
    assert_eq!(udp, Reached::Yes);
    assert_eq!(packets(&mut firewall), 0);
}

#[test]
fn fragments_and_broadcasts_do_not_slip_through() {
    if !can_run("fragments_and_broadcasts_do_not_slip_through", &[]) {
        return;
    }
    let cable = served(&[53]);
    let mut firewall = guard(&cable, "udp/53", Refusal::Drop);
    for (client, server) in CLIENTS.into_iter().zip(SERVERS) {
        let large = |expected| udp(&cable.client, client, server, 53, (5_000, expected));
        assert_eq!(large(Reached::Silence), Reached::Silence);
        firewall.admit(address(client), &ports("udp/53"), HOUR).unwrap();
        assert_eq!(large(Reached::Yes), Reached::Yes);
    }
    let before = packets(&mut firewall);
    cable.client.open(|| {
        let socket = std::net::UdpSocket::bind("192.0.2.11:0").unwrap();
        socket.set_broadcast(true).unwrap();
        socket.send_to(b"x", "192.0.2.255:53").unwrap();
    });
    wait_until("the broadcast is refused", || packets(&mut firewall) > before);
}

/// As Docker publishes a port: by translation of the address, before the routing.
#[test]
fn a_published_port_of_a_container_is_guarded_and_other_hosts_are_not() {
    if !can_run("a_published_port_of_a_container_is_guarded_and_other_hosts_are_not", &[]) {
        return;
    }
    let cable = served(&[]);
    let container = container(&cable);
    serve(&container, 80);
    let via_host = |expected| tcp(&cable.client, CLIENTS[0], SERVERS[0], 8080, expected);
    let via_host_6 = |expected| tcp(&cable.client, CLIENTS[1], SERVERS[1], 8080, expected);
    let direct = |expected| tcp(&cable.client, CLIENTS[0], "172.17.0.2", 80, expected);
    assert_eq!(via_host(Reached::Yes), Reached::Yes);
    assert_eq!(via_host_6(Reached::Yes), Reached::Yes);
    let mut firewall = guard(&cable, "tcp/8080 tcp/80", Refusal::Drop);
    assert_eq!(via_host(Reached::Silence), Reached::Silence);
    assert_eq!(via_host_6(Reached::Silence), Reached::Silence);
    // Through the server, but to another host.
    assert_eq!(direct(Reached::Yes), Reached::Yes);
    for client in CLIENTS {
        firewall.admit(address(client), &ports("tcp/8080"), HOUR).unwrap();
    }
    assert_eq!(via_host(Reached::Yes), Reached::Yes);
    assert_eq!(via_host_6(Reached::Yes), Reached::Yes);
    let mut kept = connection(&cable.client, CLIENTS[0], SERVERS[0], 8080, Reached::Yes).unwrap();
    firewall.revoke(address(CLIENTS[0]), &ports("tcp/8080")).unwrap();
    assert_eq!(via_host(Reached::Silence), Reached::Silence);
    assert!(answers(&mut kept));
}

/// Makes a container with an address of its own, whose port 80 the server publishes as 8080.
pub(crate) fn container(cable: &Cable) -> Namespace {
    let container = Namespace::new();
    cable.server.set_up(&format!(
        "ip link add name docker0 type veth peer name eth0 netns {}
        ip address add 172.17.0.1/16 dev docker0
        ip address add fd00:17::1/64 dev docker0 nodad
        ip link set docker0 up
        echo 1 > /proc/sys/net/ipv4/ip_forward
        echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
        container.id()
    ));
    container.set_up(
        "ip link set lo up
        ip address add 172.17.0.2/16 dev eth0
        ip address add fd00:17::2/64 dev eth0 nodad
        ip link set eth0 up
        ip route add default via 172.17.0.1
        ip -6 route add default via fd00:17::1",
    );
    cable.client.set_up("ip route add 172.17.0.0/16 via 192.0.2.1");
    nft(
        &cable.server,
        "table ip nat {
            chain PREROUTING {
                type nat hook prerouting priority dstnat; policy accept;
                fib daddr type local tcp dport 8080 dnat to 172.17.0.2:80
            }
        }
        table ip6 nat {
            chain PREROUTING {
                type nat hook prerouting priority dstnat; policy accept;
                fib daddr type local tcp dport 8080 dnat to [fd00:17::2]:80
            }
        }",
    );
    container
}
