//! Networks that reorder, lose and double packets.

use std::collections::VecDeque;
use std::time::Duration;

use knock_tests::process::{Live, wait_until};

use crate::daemon::{self, BOTH, Program};
use crate::relay::{Fate, Passing, Relay};
use crate::scene::{KNOCK, Scene};

/// A door for port 22, and one whose knock comes last, after all others were handled.
const DOORS: &str = "
[ssh]
    sequence = 7000,8000,9000
    seq_timeout = 100
    tcpflags = syn
    command = iptables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
[last]
    sequence = 10000:udp
    command =
";

/// How much later than others a packet may come.
const JITTER: Duration = Duration::from_millis(50);

/// A daemon on the server, whose port 22 is shut, behind a relay.
fn scene(name: &str, program: Program) -> Option<(Scene, Relay, Live)> {
    let (scene, relay) = Scene::relayed(name, &["knock", "/usr/sbin/knockd", "iptables", "ping"])?;
    scene.server("iptables -A INPUT -p tcp --dport 22 -j DROP");
    // Both know the address of the other.
    assert_eq!(scene.client("ping -c 1 -W 20 192.0.2.1").status, Some(0));
    let daemon = daemon::start(&scene, program, DOORS);
    Some((scene, relay, daemon))
}

/// Returns what a daemon prints until it has handled all earlier packets.
fn said(scene: &Scene, relay: &Relay, daemon: &Live) -> Vec<String> {
    relay.follow(|_| Fate::Passes);
    // The first knock ends an attempt; during an attempt, knockd 0.8 hears no other door.
    assert_eq!(scene.client("command knock -d 20 192.0.2.1 9000 10000:udp").status, Some(0));
    let mut said = vec![];
    loop {
        let Some(line) = daemon.line_if_any() else { panic!("after {said:?}") };
        if line.ends_with("last: OPEN SESAME") {
            said.pop();
            return said;
        }
        said.push(line);
    }
}

/// Waits until this many knocks have arrived, and returns their ports.
fn arrived(relay: &Relay, count: usize) -> Vec<u16> {
    wait_until("all knocks have arrived", || relay.arrived().len() >= count);
    relay.arrived()
}

/// Delays each knock by the next of these times.
fn jitter(late: [bool; 3]) -> impl FnMut(Passing) -> Fate + Send + 'static {
    let mut late = VecDeque::from(late);
    move |passing| match passing {
        Passing::ToServer(_) if late.pop_front() == Some(true) => Fate::Late(JITTER),
        Passing::ToServer(_) | Passing::Accepts(_) | Passing::Other => Fate::Passes,
    }
}

fn opened(said: &[String]) -> bool {
    said.iter().any(|line| line.ends_with("ssh: OPEN SESAME"))
}

#[test]
fn the_default_pace_opens_where_packets_overtake_one_another_and_none_does_not() {
    let name = "the_default_pace_opens_where_packets_overtake_one_another_and_none_does_not";
    for program in BOTH {
        let Some((scene, relay, daemon)) = scene(name, program) else { return };
        for late in [[true, false, false], [false, true, false], [true, true, false]] {
            relay.follow(jitter(late));
            let outcome = scene.knock("192.0.2.1 7000 8000 9000");
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
            assert_eq!(arrived(&relay, 3), [7000, 8000, 9000], "{program:?} {late:?}");
            let said = said(&scene, &relay, &daemon);
            assert!(opened(&said), "{program:?} {late:?}: {said:?}");
        }
        for knock in [&format!("{KNOCK} --delay 0"), "command knock"] {
            // The second knock arrives first, unless the machine delayed the client between them.
            let is_overtaken = (0..50).any(|_| {
                relay.follow(jitter([true, false, false]));
                let outcome = scene.client(&format!("{knock} 192.0.2.1 7000 8000 9000"));
                assert_eq!(outcome.status, Some(0), "{outcome:?}");
                let order = arrived(&relay, 3);
                let said = said(&scene, &relay, &daemon);
                assert_eq!(opened(&said), order == [7000, 8000, 9000], "{program:?} {said:?}");
                order[0] != 7000
            });
            assert!(is_overtaken, "{program:?} {knock}");
        }
    }
}

#[test]
fn a_retry_makes_up_for_a_lost_knock() {
    for program in BOTH {
        let Some((scene, relay, _daemon)) = scene("a_retry_makes_up_for_a_lost_knock", program)
        else {
            return;
        };
        let _ssh = scene.listener("192.0.2.1", 22);
        let mut lost = false;
        relay.follow(move |passing| {
            if passing == Passing::ToServer(8000) && !lost {
                lost = true;
                return Fate::Lost;
            }
            Fate::Passes
        });
        let outcome = scene.knock("--then 22 --wait 3 --retry 1 192.0.2.1 7000 8000 9000");
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{program:?}");
        assert!(outcome.stdout.contains("knocking again\n22/tcp is open"), "{outcome:?}");
        let mut ports = relay.arrived();
        ports.retain(|&port| port != 22);
        assert_eq!(ports, [7000, 9000, 7000, 8000, 9000], "{program:?}");
    }
}

#[test]
fn where_all_knocks_are_lost_the_status_is_4() {
    let name = "where_all_knocks_are_lost_the_status_is_4";
    let Some((scene, relay, daemon)) = scene(name, Program::Ours) else { return };
    let _ssh = scene.listener("192.0.2.1", 22);
    relay.follow(|passing| match passing {
        Passing::ToServer(7000..=9000) => Fate::Lost,
        Passing::ToServer(_) | Passing::Accepts(_) | Passing::Other => Fate::Passes,
    });
    let outcome = scene.knock("--then 22 --wait 0.5 --retry 1 192.0.2.1 7000 8000 9000");
    assert_eq!(outcome.status, Some(4), "{outcome:?}");
    assert!(said(&scene, &relay, &daemon).is_empty());
}

#[test]
fn a_lost_answer_of_the_open_port_is_requested_again() {
    let name = "a_lost_answer_of_the_open_port_is_requested_again";
    let Some((scene, relay, _daemon)) = scene(name, Program::Ours) else { return };
    let _ssh = scene.listener("192.0.2.1", 22);
    let mut left = 3;
    relay.follow(move |passing| {
        if passing == Passing::Accepts(22) && left > 0 {
            left -= 1;
            return Fate::Lost;
        }
        Fate::Passes
    });
    let outcome = scene.knock("--then 22 --wait 20 192.0.2.1 7000 8000 9000");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    let tries = relay.arrived().iter().filter(|&&port| port == 22).count();
    assert!(tries > 3, "{:?}", relay.arrived());
}

#[test]
fn answers_of_a_far_host_get_an_rst_only_after_all_knocks() {
    let name = "answers_of_a_far_host_get_an_rst_only_after_all_knocks";
    let Some((scene, relay)) = Scene::relayed(name, &[]) else { return };
    let _listeners = [7000, 8000].map(|port| scene.listener("192.0.2.1", port));
    relay.follow(|passing| match passing {
        Passing::Accepts(_) => Fate::Late(Duration::from_millis(700)),
        Passing::ToServer(_) | Passing::Other => Fate::Passes,
    });
    // The first answer comes before the second knock, and the second one when the client has ended.
    assert_eq!(scene.knock("-d 1s 192.0.2.1 7000 8000").status, Some(0));
    assert_eq!(arrived(&relay, 3)[..2], [7000, 8000]);
}

#[test]
fn knocks_that_the_network_doubles_open_a_door_of_our_daemon_only() {
    let name = "knocks_that_the_network_doubles_open_a_door_of_our_daemon_only";
    for program in BOTH {
        let Some((scene, relay, daemon)) = scene(name, program) else { return };
        relay.follow(|_| Fate::Doubled);
        assert_eq!(scene.knock("192.0.2.1 7000 8000 9000").status, Some(0));
        assert_eq!(arrived(&relay, 6), [7000, 7000, 8000, 8000, 9000, 9000]);
        let said = said(&scene, &relay, &daemon);
        assert_eq!(opened(&said), program == Program::Ours, "{said:?}");
    }
}
