//! Signed packets: whose open doors, and that each does so once, whichever process is killed.

use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;

use knock_signed::{Key, PACKET_BYTES, Packet, PacketKey, Verb};
use knock_tests::signed::{self, sealed};
use nix::sys::signal::Signal;

use crate::common::{Daemon, Machine, Need, PROGRAMS, require, wait_until};

const CONFIG: &str = "\
[options]
    Server_Name = home.example.com
    Key_Dir = DIR/keys
[SSH]
    Signed = alice,bob
    command = echo %IP% >> DIR/opened
[after]
    sequence = 7009:udp
    command = echo >> DIR/after
";

/// The key of alice, as it is in her file, and that of bob.
const ALICE: &str = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=";
const BOB: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

pub(crate) fn alice() -> PacketKey {
    Key::take(&mut b"secret secret secret secret secr".to_owned()).for_packets()
}

fn bob() -> PacketKey {
    Key::take(&mut [7; 32]).for_packets()
}

pub(crate) struct Case {
    pub(crate) machine: Machine,
    v4: UdpSocket,
    v6: UdpSocket,
}

impl Case {
    fn new(name: &str) -> Option<Self> {
        Self::with(name, CONFIG)
    }

    pub(crate) fn with(name: &str, config: &str) -> Option<Self> {
        if !require(name, PROGRAMS, Need::Namespaces) {
            return None;
        }
        let machine = Machine::with(config);
        fs::create_dir(machine.folder.path("keys")).unwrap();
        let v4 = machine.on_network(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let v6 = machine.on_network(|| UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap());
        let case = Self { machine, v4, v6 };
        case.key("alice.key", ALICE, "");
        Some(case)
    }

    fn key(&self, file: &str, key: &str, more: &str) {
        let path = self.machine.folder.path(&format!("keys/{file}"));
        fs::write(&path, format!("key = {key}\n{more}")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn send(&self, packet: &[u8; PACKET_BYTES]) {
        let to = (IpAddr::from(Ipv4Addr::LOCALHOST), 62_201);
        self.v4.send_to(packet, to).unwrap();
    }

    /// Waits until the daemon has handled everything so far.
    pub(crate) fn settle(&self) {
        let before = self.machine.folder.read("after").len();
        wait_until("the last door opens", || {
            self.machine.knock(&[7009]);
            self.machine.folder.read("after").len() > before
        });
    }

    /// Fails unless the door was opened so many times.
    fn has_opened(&self, times: usize) {
        self.settle();
        assert_eq!(self.machine.folder.read("opened").lines().count(), times);
    }
}

/// Makes a packet of now for a server.
fn packet_for(key: &PacketKey, server: &str) -> [u8; PACKET_BYTES] {
    packet_to(Verb::Open, key, server)
}

fn packet_to(verb: Verb, key: &PacketKey, server: &str) -> [u8; PACKET_BYTES] {
    sealed(key, &Packet { verb, ..request(server) })
}

/// Returns what a packet of now for a server says.
pub(crate) fn request(server: &str) -> Packet {
    signed::request(server, "SSH")
}

fn packet(key: &PacketKey) -> [u8; PACKET_BYTES] {
    packet_for(key, "home.example.com")
}

#[test]
fn a_signed_packet_opens_once_whichever_process_is_killed() {
    let Some(case) = Case::new("a_signed_packet_opens_once_whichever_process_is_killed") else {
        return;
    };
    let replay = "127.0.0.1: signed packet of alice ignored: a replay of an accepted packet";
    let daemon = Daemon::start(&case.machine, "-v");
    let first = packet(&alice());
    case.send(&first);
    daemon.wait_for("127.0.0.1: SSH: signed packet of alice");
    daemon.wait_for("127.0.0.1: SSH: OPEN SESAME");
    case.machine.wait_for_lines("opened", 1);
    let used = case.machine.folder.read("state/used");
    assert!(used.contains(&format!("moment {} ", alice().id())), "{used}");
    assert!(!used.contains(ALICE), "{used}");
    case.send(&first);
    daemon.wait_for_error(replay);
    daemon.sniffer.signal(Signal::SIGKILL);
    daemon.wait_for_error_beginning("knockd: error: the process that reads packets has died");
    daemon.wait_for("listening on lo...");
    case.settle();
    case.send(&first);
    daemon.wait_for_error(replay);
    daemon.runner.signal(Signal::SIGKILL);
    let outcome = daemon.live.finish();
    assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains(ALICE));
    case.machine.wait_for_no_process();
    let daemon = Daemon::start(&case.machine, "-v");
    case.send(&first);
    daemon.wait_for_error(replay);
    case.has_opened(1);
    let six = packet(&alice());
    case.v6.send_to(&six, (IpAddr::from(Ipv6Addr::LOCALHOST), 62_201)).unwrap();
    daemon.wait_for("::1: SSH: signed packet of alice");
    case.machine.wait_for_lines("opened", 2);
    assert_eq!(case.machine.folder.read("opened"), "127.0.0.1\n::1\n");
    assert_eq!(daemon.end().status, Some(0));
    // Where the file is lost, nothing from before the start counts.
    fs::remove_file(case.machine.folder.path("state/used")).unwrap();
    let daemon = Daemon::start(&case.machine, "-v");
    case.send(&six);
    daemon.wait_for_error(
        "127.0.0.1: signed packet of alice ignored: older than the packets that are remembered",
    );
    case.has_opened(2);
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_packet_of_an_expired_or_removed_key_or_for_another_server_opens_nothing() {
    let name = "a_packet_of_an_expired_or_removed_key_or_for_another_server_opens_nothing";
    let Some(case) = Case::new(name) else { return };
    case.key("bob.key", BOB, "until = 2020-01-31\n");
    let daemon = Daemon::start(&case.machine, "-v");
    case.send(&packet(&bob()));
    daemon.wait_for_error(
        "127.0.0.1: signed packet of bob ignored: made with a key that has expired",
    );
    case.send(&packet_for(&alice(), "other.example.com"));
    daemon.wait_for_error("127.0.0.1: signed packet of alice ignored: made for another server");
    let mut changed = packet(&alice());
    changed[50] ^= 1;
    case.send(&changed);
    case.has_opened(0);
    // Without its file, a key opens nothing after a reload; another one of the same user does.
    case.key("bob.key", BOB, "");
    fs::remove_file(case.machine.folder.path("keys/alice.key")).unwrap();
    daemon.runner.signal(Signal::SIGHUP);
    daemon.wait_for_beginning("re-reading config file: ");
    wait_until("the key of bob opens the door", || {
        case.send(&packet(&bob()));
        case.machine.folder.read("opened").lines().count() > 0
    });
    case.send(&packet(&alice()));
    case.settle();
    let outcome = daemon.end();
    assert!(outcome.stdout.contains(": SSH: signed packet of bob\n"), "{outcome:?}");
    let printed = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!printed.contains("alice"), "{printed}");
    assert!(!printed.contains(ALICE) && !printed.contains(BOB), "{printed}");
    assert_eq!(outcome.status, Some(0));
}

#[test]
fn a_packet_that_cannot_be_written_down_opens_nothing_unless_the_administrator_wants_it_open() {
    let name =
        "a_packet_that_cannot_be_written_down_opens_nothing_unless_the_administrator_wants_it_open";
    for (option, opens) in [("", false), ("    OnStateError = open\n", true)] {
        let config = CONFIG.replace("[options]\n", &format!("[options]\n{option}"));
        let Some(case) = Case::with(name, &config) else { return };
        let daemon = Daemon::start(&case.machine, "-v");
        case.settle();
        let read_only =
            "mkdir -p state && mount --bind state state && mount -o remount,ro,bind state";
        case.machine.set_up(read_only);
        let first = packet(&alice());
        case.send(&first);
        daemon.wait_for_error_beginning(if opens {
            "127.0.0.1: SSH: opens, though it cannot be remembered that its packet is used: cannot write "
        } else {
            "127.0.0.1: SSH: not opened: cannot remember that its packet is used: cannot write "
        });
        case.machine.wait_for_lines("opened", usize::from(opens));
        case.has_opened(usize::from(opens));
        case.machine.set_up("umount state");
        // It is used all the same, and written down with the next one.
        case.send(&first);
        daemon.wait_for_error(
            "127.0.0.1: signed packet of alice ignored: a replay of an accepted packet",
        );
        case.send(&packet(&alice()));
        case.machine.wait_for_lines("opened", 1 + usize::from(opens));
        let used = case.machine.folder.read("state/used");
        assert_eq!(used.matches(&format!("moment {} ", alice().id())).count(), 2, "{used}");
        assert_eq!(daemon.end().status, Some(0));
    }
}

#[test]
fn a_packet_stays_used_where_a_reload_brings_the_first_door_for_signed_packets() {
    let name = "a_packet_stays_used_where_a_reload_brings_the_first_door_for_signed_packets";
    let Some(case) = Case::new(name) else { return };
    let daemon = Daemon::start(&case.machine, "-v");
    let first = packet(&alice());
    case.send(&first);
    daemon.wait_for("127.0.0.1: SSH: signed packet of alice");
    case.machine.wait_for_lines("opened", 1);
    assert_eq!(daemon.end().status, Some(0));
    let after = CONFIG.find("[after]").unwrap();
    case.machine.folder.write("knockd.conf", &CONFIG[after..]);
    let daemon = Daemon::start(&case.machine, "-v");
    case.machine.folder.write("knockd.conf", CONFIG);
    daemon.runner.signal(Signal::SIGHUP);
    daemon.wait_for_beginning("re-reading config file: ");
    wait_until("the door is there", || {
        case.send(&packet(&alice()));
        case.machine.folder.read("opened").lines().count() > 1
    });
    case.send(&first);
    let replay = "127.0.0.1: signed packet of alice ignored: ";
    let line = loop {
        let line = daemon.live.error_line();
        if line.starts_with(replay) {
            break line;
        }
    };
    // If many packets were sent meanwhile, it is older than those that are remembered.
    let whys = ["a replay of an accepted packet", "older than the packets that are remembered"];
    assert!(whys.iter().any(|why| line.ends_with(why)), "{line}");
    assert_eq!(daemon.end().status, Some(0));
}

/// Returns the configuration with a stop command, which runs when a packet asks for it.
fn with_stop_command(options: &str) -> String {
    let config = CONFIG.replace("[options]\n", &format!("[options]\n{options}"));
    config.replace(
        "    command = echo %IP% >> DIR/opened\n",
        "    start_command = echo %IP% >> DIR/opened\n    stop_command = echo %IP% >> DIR/closed\n    \
         cmd_timeout = 4000\n",
    )
}

#[test]
fn a_door_closes_though_it_cannot_be_written_down_and_the_log_does_not_say_that_it_opens() {
    let name =
        "a_door_closes_though_it_cannot_be_written_down_and_the_log_does_not_say_that_it_opens";
    for option in ["", "    OnStateError = open\n"] {
        let Some(case) = Case::with(name, &with_stop_command(option)) else { return };
        let daemon = Daemon::start(&case.machine, "-v");
        case.send(&packet(&alice()));
        case.machine.wait_for_lines("opened", 1);
        case.settle();
        case.machine.set_up("mount -t tmpfs -o ro tmpfs state");
        case.send(&packet_to(Verb::Close, &alice(), "home.example.com"));
        daemon.wait_for_error_beginning(
            "127.0.0.1: SSH: closes, though it cannot be remembered that its packet is used: cannot write ",
        );
        case.machine.wait_for_lines("closed", 1);
        case.machine.set_up("umount state");
        assert_eq!(daemon.end().status, Some(0));
    }
}

#[test]
fn a_signed_packet_closes_what_an_earlier_engine_opened_before_the_door_was_changed() {
    let name = "a_signed_packet_closes_what_an_earlier_engine_opened_before_the_door_was_changed";
    let Some(case) = Case::with(name, &with_stop_command("")) else { return };
    let daemon = Daemon::start(&case.machine, "-v");
    case.send(&packet(&alice()));
    case.machine.wait_for_lines("opened", 1);
    case.settle();
    daemon.sniffer.signal(Signal::SIGKILL);
    daemon.wait_for_error_beginning("knockd: error: the process that reads packets has died");
    case.settle();
    let changed = with_stop_command("").replace("4000", "5000");
    case.machine.folder.write("knockd.conf", &changed);
    daemon.runner.signal(Signal::SIGHUP);
    daemon.wait_for_beginning("re-reading config file: ");
    case.settle();
    case.send(&packet_to(Verb::Close, &alice(), "home.example.com"));
    daemon.wait_for("127.0.0.1: SSH: closing, as asked");
    case.machine.wait_for_lines("closed", 1);
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(case.machine.folder.read("closed").lines().count(), 1);
}

#[test]
fn a_signed_packet_closes_the_door_whichever_process_was_killed() {
    let name = "a_signed_packet_closes_the_door_whichever_process_was_killed";
    let Some(case) = Case::with(name, &with_stop_command("")) else { return };
    let close = || packet_to(Verb::Close, &alice(), "home.example.com");
    let daemon = Daemon::start(&case.machine, "-v");
    let has = |opened, closed| {
        case.machine.wait_for_lines("opened", opened);
        case.machine.wait_for_lines("closed", closed);
        case.settle();
        let lines = |file| case.machine.folder.read(file).lines().count();
        assert_eq!((lines("opened"), lines("closed")), (opened, closed));
    };
    case.send(&packet(&alice()));
    case.machine.wait_for_lines("opened", 1);
    case.settle();
    case.send(&close());
    daemon.wait_for("127.0.0.1: SSH: closing, as asked");
    has(1, 1);
    // The engine that has opened the door is gone, and then the whole daemon.
    case.send(&packet(&alice()));
    case.machine.wait_for_lines("opened", 2);
    case.settle();
    daemon.sniffer.signal(Signal::SIGKILL);
    daemon.wait_for_error_beginning("knockd: error: the process that reads packets has died");
    daemon.wait_for("listening on lo...");
    case.settle();
    case.send(&close());
    has(2, 2);
    case.send(&packet(&alice()));
    case.machine.wait_for_lines("opened", 3);
    case.settle();
    daemon.runner.signal(Signal::SIGKILL);
    drop(daemon.live.finish());
    case.machine.wait_for_no_process();
    let daemon = Daemon::start(&case.machine, "-v");
    case.settle();
    case.send(&close());
    has(3, 3);
    // Whoever has no key of the door closes nothing, nor does a packet that was used.
    let last = close();
    case.send(&packet(&alice()));
    case.machine.wait_for_lines("opened", 4);
    case.send(&packet_to(Verb::Close, &bob(), "home.example.com"));
    case.settle();
    case.send(&last);
    case.send(&last);
    daemon.wait_for_error(
        "127.0.0.1: signed packet of alice ignored: a replay of an accepted packet",
    );
    has(4, 4);
    assert_eq!(daemon.end().status, Some(0));
}
