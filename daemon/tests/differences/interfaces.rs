//! The interfaces on which the daemons listen.

use crate::common::{Machine, wait_until};
use crate::{OURS, THEIRS, both, can_run, end, listen, rest};

const DOORS: &str = "\
[door]
    sequence = 7000:udp
    command = touch DIR/opened
[last]
    sequence = 7001:udp
    command = touch DIR/last
";

/// A door for packets to another machine.
const ELSEWHERE: &str = "\
[door]
    sequence = 7000:udp
    target = 198.51.100.7
    command = touch DIR/opened
";

/// An interface that is up and has an address.
const ADD: &str = "ip link add name w0 type veth peer name w1; ip address add 192.0.2.1/24 dev w0; \
                   ip link set w0 up; ip link set w1 up";

#[test]
fn where_no_interface_is_named_knockd_08_wants_eth0() {
    if !can_run("where_no_interface_is_named_knockd_08_wants_eth0", &[]) {
        return;
    }
    let [theirs, ours] = both(DOORS, |machine, program| {
        machine.set_up(&format!("{ADD}; ip route add default via 192.0.2.2 dev w0"));
        let live = machine.start(&format!("exec {program} -c DIR/knockd.conf"));
        live.error_line()
    });
    assert!(theirs.starts_with("could not open eth0: "), "{theirs}");
    assert_eq!(ours, "starting up, listening on w0");
}

#[test]
fn on_any_knockd_08_hears_nothing() {
    if !can_run("on_any_knockd_08_hears_nothing", &[]) {
        return;
    }
    let outcomes = both(DOORS, |machine, program| {
        let live = machine.start(&format!("exec {program} -v -i any -c DIR/knockd.conf"));
        assert_eq!(live.line(), "listening on any...");
        rest(machine);
        machine.knock(&[7000]);
        if program == OURS {
            wait_until("the door opened", || machine.folder.path("opened").exists());
        }
        end(live, &rest(machine)).stdout.contains("Stage")
    });
    assert_eq!(outcomes, [false, true]);
}

#[test]
fn addresses_that_come_are_not_noticed_by_knockd_08() {
    if !can_run("addresses_that_come_are_not_noticed_by_knockd_08", &["nc"]) {
        return;
    }
    for program in [THEIRS, OURS] {
        let machine = Machine::with(DOORS);
        let _daemon = listen(&machine, program, "");
        machine.set_up("ip address add 192.0.2.9/32 dev lo");
        let knock = || machine.set_up("echo | nc -u -q 0 -w 1 192.0.2.9 7000");
        if program == OURS {
            wait_until("it counts", || {
                knock();
                machine.folder.path("opened").exists()
            });
        } else {
            knock();
            machine.knock(&[7001]);
            wait_until("a later knock was handled", || machine.folder.path("last").exists());
            assert!(!machine.folder.path("opened").exists());
        }
    }
}

#[test]
fn an_interface_that_is_gone_ends_knockd_08_only() {
    if !can_run("an_interface_that_is_gone_ends_knockd_08_only", &["nc"]) {
        return;
    }
    for program in [THEIRS, OURS] {
        let machine = Machine::with(ELSEWHERE);
        machine.set_up(ADD);
        let live = machine.start(&format!("exec {program} -v -i w0 -c DIR/knockd.conf"));
        assert_eq!(live.line(), "listening on w0...");
        rest(&machine);
        machine.set_up("ip link del w0");
        if program == THEIRS {
            assert_eq!(live.finish().status, Some(0));
            continue;
        }
        machine.set_up(ADD);
        knock_by_packet(&machine);
        assert_eq!(end(live, &rest(&machine)).status, Some(0));
    }
}

#[test]
fn an_interface_that_is_missing_at_the_start_is_awaited_by_us_only() {
    if !can_run("an_interface_that_is_missing_at_the_start_is_awaited_by_us_only", &["nc"]) {
        return;
    }
    for program in [THEIRS, OURS] {
        let machine = Machine::with(ELSEWHERE);
        let live = machine.start(&format!("exec {program} -v -i w0 -c DIR/knockd.conf"));
        if program == THEIRS {
            assert_eq!(live.finish().status, Some(1));
            continue;
        }
        assert_eq!(live.line(), "waiting for w0...");
        machine.set_up(ADD);
        knock_by_packet(&machine);
        assert_eq!(end(live, &rest(&machine)).status, Some(0));
    }
}

#[test]
fn an_address_of_another_interface_is_heard_by_us_only() {
    if !can_run("an_address_of_another_interface_is_heard_by_us_only", &["nc"]) {
        return;
    }
    for program in [THEIRS, OURS] {
        let machine = Machine::with(DOORS);
        machine.set_up(ADD);
        machine.set_up("ip link set lo up; ip address add 203.0.113.7/32 dev lo");
        // Packets from w1 would not leave for an address of this machine, so w1 is on another one.
        machine.set_up(
            "unshare --net sleep 1000 >/dev/null 2>&1 &
            while [ $(readlink /proc/$!/ns/net) = $(readlink /proc/$$/ns/net) ]; do :; done
            ip link set w1 netns $!
            nsenter --net=/proc/$!/ns/net sh -ec '
                ip address add 192.0.2.2/24 dev w1; ip link set w1 up
                ip route add 203.0.113.7 via 192.0.2.1'
            echo $! >other
            until ip -o link show w0 | grep -q 'state UP'; do sleep 0.01; done",
        );
        let live = machine.start(&format!("exec {program} -v -i w0 -c DIR/knockd.conf"));
        assert_eq!(live.line(), "listening on w0...");
        rest(&machine);
        let send = |address: &str, port: u16| {
            machine.set_up(&format!(
                "nsenter --net=/proc/$(cat other)/ns/net sh -ec 'echo | nc -u -q 0 -w 1 {address} {port}'"
            ));
        };
        send("203.0.113.7", 7000);
        send("192.0.2.1", 7001);
        wait_until("a later knock was handled", || machine.folder.path("last").exists());
        if program == OURS {
            wait_until("the door opened", || machine.folder.path("opened").exists());
        } else {
            assert!(!machine.folder.path("opened").exists());
        }
        let _ = end(live, &rest(&machine));
    }
}

/// Has packets arrive at `w0` from its other end until the door has opened.
fn knock_by_packet(machine: &Machine) {
    machine.set_up(
        "ip address replace 192.0.2.9/32 dev w1
        ip route replace 198.51.100.7 dev w1
        hardware=$(ip -o link show w0 | sed 's/.*ether //; s/ .*//')
        ip neigh replace 198.51.100.7 dev w1 lladdr $hardware",
    );
    wait_until("the door opened", || {
        machine.set_up("echo | nc -u -q 0 -w 1 -s 192.0.2.9 198.51.100.7 7000");
        machine.folder.path("opened").exists()
    });
}
