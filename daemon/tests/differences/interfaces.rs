//! The interfaces on which the daemons listen.

use crate::common::{Machine, wait_until};
use crate::{OURS, THEIRS, both, can_run, listen, rest};
use nix::sys::signal::Signal;

const DOORS: &str = "\
[door]
    sequence = 7000:udp
    command = touch DIR/opened
[last]
    sequence = 7001:udp
    command = touch DIR/last
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
        rest(machine).signal(Signal::SIGTERM);
        live.finish().stdout.contains("Stage")
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
fn an_interface_that_is_gone_is_a_failure_for_us_only() {
    if !can_run("an_interface_that_is_gone_is_a_failure_for_us_only", &[]) {
        return;
    }
    let statuses = both(DOORS, |machine, program| {
        machine.set_up(ADD);
        let live = machine.start(&format!("exec {program} -v -i w0 -c DIR/knockd.conf"));
        assert_eq!(live.line(), "listening on w0...");
        rest(machine);
        machine.set_up("ip link del w0");
        live.finish().status
    });
    assert_eq!(statuses, [Some(0), Some(1)]);
}
