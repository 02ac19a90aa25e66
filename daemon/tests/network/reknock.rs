//! Knocking again at a door that is open, with commands that stack and such that do not, beside
//! knockd 0.8.

use std::thread::sleep;
use std::time::{Duration, Instant};

use knock_tests::process::Live;

use crate::common::{Scene, wait_until};

/// The commands of a door, for the address `%IP%`.
struct Wall {
    program: &'static str,
    set_up: &'static str,
    open: &'static str,
    shut: &'static str,
    /// Prints something if the door is open.
    is_open: &'static str,
}

/// Rules that stack: what was added twice is there until it is deleted twice.
const IPTABLES: Wall = Wall {
    program: "iptables",
    set_up: "true",
    open: "iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT",
    shut: "iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT",
    is_open: "iptables -S INPUT | grep -e '--dport 22' || true",
};

/// Elements that do not stack.
const NFT: Wall = Wall {
    program: "nft",
    set_up: "nft 'add table inet wall; add set inet wall in { type ipv4_addr; }'",
    open: "nft add element inet wall in { %IP% }",
    shut: "nft delete element inet wall in { %IP% }",
    is_open: "nft list set inet wall in | grep elements || true",
};

/// Entries that do not stack.
const IPSET: Wall = Wall {
    program: "ipset",
    set_up: "ipset create in hash:ip",
    open: "ipset -exist add in %IP%",
    shut: "ipset -exist del in %IP%",
    is_open: "ipset list in | grep '^[0-9]' || true",
};

/// Commands that say nothing if there is nothing to do, as those of ufw do.
const LIKE_UFW: Wall = Wall {
    program: "touch",
    set_up: "true",
    open: "touch DIR/allowed-%IP%",
    shut: "rm -f DIR/allowed-%IP%",
    is_open: "ls DIR | grep allowed- || true",
};

/// The program of Debian's knockd 0.8.
const THEIRS: &str = "/usr/sbin/knockd";

impl Wall {
    fn config(&self, cmd_timeout: u32) -> String {
        format!(
            "[door]\n\tsequence = 7001:udp\n\tstart_command = {}\n\tcmd_timeout = {cmd_timeout}\n\
             \tstop_command = {}\n",
            self.open, self.shut
        )
    }

    fn is_open(&self, scene: &Scene) -> bool {
        !scene.ask_server(&scene.placed(self.is_open)).is_empty()
    }
}

fn knock(scene: &Scene) {
    scene.client("printf x | nc -u -q 0 -s 192.0.2.10 192.0.2.1 7001");
}

/// Knocks at 0 and at 3 s; the deadlines are 4 s after each. Returns how long after the second knock the
/// door was shut: a second if that of the first one counts, and not less than 4 s if that of the second does.
fn knock_twice(scene: &Scene, wall: &Wall) -> Duration {
    knock(scene);
    wait_until("the door is open", || wall.is_open(scene));
    sleep(Duration::from_secs(3));
    let second = Instant::now();
    knock(scene);
    wait_until("the door is shut", || !wall.is_open(scene));
    second.elapsed()
}

/// What decides which deadline it was, with room for a busy machine.
const BETWEEN: Duration = Duration::from_millis(3500);

fn check(name: &str, wall: &Wall) {
    let Some(scene) = Scene::new(name, &[wall.program], &wall.config(4)) else { return };
    scene.server(wall.set_up);
    let daemon = scene.start("-i server");
    let shut_after = knock_twice(&scene, wall);
    assert!(shut_after > BETWEEN, "{shut_after:?}: {}", daemon.output());
    wait_until("both openings have ended", || {
        daemon.count("192.0.2.10: door: command timeout") == 2
    });
    daemon.signal("TERM");
    let ended = daemon.finish();
    assert_eq!(ended.status, Some(0), "{ended:?}");
}

#[test]
fn a_second_knock_keeps_a_rule_of_iptables() {
    check("a_second_knock_keeps_a_rule_of_iptables", &IPTABLES);
}

#[test]
fn a_second_knock_keeps_an_element_of_nft() {
    check("a_second_knock_keeps_an_element_of_nft", &NFT);
}

#[test]
fn a_second_knock_keeps_an_entry_of_ipset() {
    check("a_second_knock_keeps_an_entry_of_ipset", &IPSET);
}

#[test]
fn a_second_knock_keeps_what_commands_like_those_of_ufw_allow() {
    check("a_second_knock_keeps_what_commands_like_those_of_ufw_allow", &LIKE_UFW);
}

/// Flushes the firewall while the door is open, as its service does when it is restarted, and knocks again.
fn check_after_flush(name: &str, wall: &Wall, flush: &str) {
    let Some(scene) = Scene::new(name, &[wall.program], &wall.config(600)) else { return };
    scene.server(wall.set_up);
    let daemon = scene.start("-i server");
    knock(&scene);
    wait_until("the door is open", || wall.is_open(&scene));
    scene.server(flush);
    scene.server(wall.set_up);
    assert!(!wall.is_open(&scene));
    knock(&scene);
    wait_until("the door is open again", || wall.is_open(&scene));
    assert_eq!(daemon.count("192.0.2.10: door: OPEN SESAME"), 2);
    assert_eq!(daemon.count("192.0.2.10: door: command timeout"), 0);
    daemon.signal("TERM");
    let ended = daemon.finish();
    assert!(!wall.is_open(&scene), "{ended:?}");
}

#[test]
fn a_knock_after_a_flush_adds_the_rule_of_iptables_again() {
    let name = "a_knock_after_a_flush_adds_the_rule_of_iptables_again";
    check_after_flush(name, &IPTABLES, "iptables -F INPUT");
}

#[test]
fn a_knock_after_a_flush_adds_the_element_of_nft_again() {
    let name = "a_knock_after_a_flush_adds_the_element_of_nft_again";
    check_after_flush(name, &NFT, "nft flush ruleset");
}

#[test]
fn knockd_08_closes_what_does_not_stack_at_the_first_deadline() {
    let name = "knockd_08_closes_what_does_not_stack_at_the_first_deadline";
    for wall in [&NFT, &IPSET, &LIKE_UFW] {
        let Some(scene) = Scene::new(name, &[wall.program, THEIRS], &wall.config(4)) else {
            return;
        };
        scene.server(wall.set_up);
        let start = format!("exec {THEIRS} -v -i server -c DIR/knockd.conf");
        let live = Live::start(&mut scene.cable.server.command(&scene.placed(&start)));
        assert_eq!(live.line(), "listening on server...");
        let shut_after = knock_twice(&scene, wall);
        assert!(shut_after < BETWEEN, "{shut_after:?}");
    }
}
