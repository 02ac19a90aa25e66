//! One-time sequences, in network namespaces.

use std::process::Command;

use knock_tests::live::Namespace;
use knock_tests::process::{Live, Outcome, finish, wait_until};
use knock_tests::require::{Need, require};

use crate::case_runner::CaseRunner;

const PROFILES: &str = "\
Host plain
    HostName 127.0.0.1
    OneTimeSequences sequences
    Delay 0

Host door
    HostName 127.0.0.1
    Config ../../knockd.conf
    Door once
    Delay 20
";

const SEQUENCES: &str = "# mine\n 7000,8000:udp\n7001\n\n 7002\n7003\n7004\n";

/// A desk in a network namespace that has only a loopback interface.
struct Site {
    desk: CaseRunner,
    network: Namespace,
}

impl Site {
    /// Makes one; `None` if this machine cannot.
    fn new(name: &str, programs: &[&str]) -> Option<Self> {
        if !require(name, &[programs, &["ip", "unshare", "nsenter"]].concat(), Need::Namespaces) {
            return None;
        }
        let desk = CaseRunner::new(PROFILES);
        desk.write("config/knock/sequences", SEQUENCES);
        let network = Namespace::new();
        network.set_up("ip link set lo up");
        Some(Self { desk, network })
    }

    /// Returns a line for the shell, to be run at the desk; `knock` is the program.
    fn command(&self, line: &str) -> Command {
        let program = env!("CARGO_BIN_EXE_knock");
        let folder = self.desk.path("");
        let folder = folder.display();
        let line =
            format!("cd {folder}; PROGRAM={program}; knock() {{ $PROGRAM \"$@\"; }}; {line}");
        let mut command = self.network.command(&line);
        self.desk.set(&mut command);
        command
    }

    fn run(&self, line: &str) -> Outcome {
        self.desk.finish(&mut self.command(line))
    }

    fn sequences(&self) -> String {
        self.desk.read("config/knock/sequences")
    }
}

#[test]
fn a_sequence_is_marked_once_its_knocks_have_left_and_the_next_one_follows() {
    let name = "a_sequence_is_marked_once_its_knocks_have_left_and_the_next_one_follows";
    let Some(site) = Site::new(name, &[]) else { return };
    let outcome = site.run("knock -v plain");
    assert_eq!(outcome.stdout, "hitting tcp 127.0.0.1:7000\nhitting udp 127.0.0.1:8000\n");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(site.sequences(), "# mine\n#7000,8000:udp\n7001\n\n 7002\n7003\n7004\n");
    let outcome = site.run("knock -v plain");
    assert_eq!(outcome.stdout, "hitting tcp 127.0.0.1:7001\n");
    assert_eq!(site.sequences(), "# mine\n#7000,8000:udp\n#001\n\n 7002\n7003\n7004\n");
}

#[test]
fn few_sequences_give_a_warning_and_none_is_an_error() {
    let Some(site) = Site::new("few_sequences_give_a_warning_and_none_is_an_error", &[]) else {
        return;
    };
    let printed: Vec<String> = (0..6)
        .map(|_| {
            let Outcome { status, stdout, stderr } = site.run("knock plain");
            format!("{status:?} {stdout}{stderr}\n")
        })
        .collect();
    insta::assert_snapshot!(printed.concat());
}

#[test]
fn what_does_not_leave_is_not_marked() {
    let Some(site) = Site::new("what_does_not_leave_is_not_marked", &["nft"]) else { return };
    site.desk.write("knockd.conf", "[once]\none_time_sequences = config/knock/sequences\n");
    for line in ["knock --dry-run plain", "knock --write k.pcap plain", "knock --list"] {
        assert_eq!(site.run(line).status, Some(0), "{line}");
        assert_eq!(site.sequences(), SEQUENCES, "{line}");
    }
    site.network.set_up(
        "nft 'add table ip t; add chain ip t o { type filter hook output priority 0; }; \
                         add rule ip t o udp dport 8000 drop'",
    );
    let outcome = site.run("knock plain");
    assert_eq!(outcome.status, Some(1), "{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(site.sequences(), SEQUENCES);
}

#[test]
fn a_port_that_stays_shut_leaves_the_sequence_for_the_next_time() {
    let name = "a_port_that_stays_shut_leaves_the_sequence_for_the_next_time";
    let Some(site) = Site::new(name, &[]) else { return };
    let outcome = site.run("knock --then 22 --wait 50ms --retry 1 -v plain");
    assert_eq!(outcome.status, Some(4));
    assert_eq!(outcome.stdout.matches("hitting tcp 127.0.0.1:7000\n").count(), 2);
    insta::assert_snapshot!(outcome.stderr);
    assert_eq!(site.sequences(), SEQUENCES);
}

#[test]
fn a_port_that_opens_uses_up_the_sequence() {
    let Some(site) = Site::new("a_port_that_opens_uses_up_the_sequence", &["nc"]) else { return };
    let _listener = Live::start(&mut site.network.command("exec nc -lk 127.0.0.1 22"));
    let outcome = site.run("knock --then 22 plain");
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    assert!(site.sequences().starts_with("# mine\n#7000"));
}

#[test]
fn two_clients_at_once_use_two_sequences() {
    let Some(site) = Site::new("two_clients_at_once_use_two_sequences", &[]) else { return };
    let clients = (0..5).map(|_| Live::start(&mut site.command("knock -v plain")));
    let clients: Vec<Live> = clients.collect();
    let mut hits: Vec<String> = clients
        .into_iter()
        .flat_map(|client| {
            let outcome = client.finish();
            assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
            outcome.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    hits.sort();
    let expected: Vec<String> =
        (7000..=7004).map(|port| format!("hitting tcp 127.0.0.1:{port}")).collect();
    assert_eq!(hits[..5], expected);
    assert_eq!(hits[5..], ["hitting udp 127.0.0.1:8000"]);
    assert_eq!(site.sequences(), "# mine\n#7000,8000:udp\n#001\n\n#7002\n#003\n#004\n");
}

#[test]
fn a_file_that_cannot_be_marked_is_reported_before_the_first_knock() {
    let name = "a_file_that_cannot_be_marked_is_reported_before_the_first_knock";
    let Some(site) = Site::new(name, &["setpriv"]) else { return };
    for folder in ["", "config", "config/knock"] {
        site.desk.permit(folder, 0o755);
    }
    for file in ["config/knock/config", "config/knock/sequences"] {
        site.desk.permit(file, 0o644);
    }
    site.desk.copy_program();
    let run = |arguments: &str| {
        let unprivileged = "setpriv --reuid=65534 --regid=65534 --clear-groups";
        site.run(&format!("{unprivileged} ./program {arguments}"))
    };
    assert_eq!(run("--dry-run plain").status, Some(0));
    let outcome = run("-v plain");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{}", outcome.stderr);
    insta::assert_snapshot!(outcome.stderr);
    assert_eq!(site.sequences(), SEQUENCES);
}

#[test]
fn a_sequence_that_could_not_be_marked_in_the_end_is_status_1() {
    let name = "a_sequence_that_could_not_be_marked_in_the_end_is_status_1";
    let Some(site) = Site::new(name, &[]) else { return };
    let client = Live::start(&mut site.command("exec $PROGRAM -v -d 300 plain"));
    assert_eq!(client.line(), "hitting tcp 127.0.0.1:7000");
    site.desk.write("config/knock/sequences", "# others\n 1\n 2\n");
    let outcome = client.finish();
    assert_eq!(outcome.status, Some(1));
    let folder = site.desk.path("");
    let printed = outcome.stderr.replace(folder.to_str().unwrap(), "DIR/");
    insta::assert_snapshot!(printed, @r"
    knock: error: cannot mark the sequence of line 2 as used: DIR/config/knock/sequences has changed since it was read, and lacks the line
      help: the knocks were sent: put a `#` in front of the line, or the client will use it again in vain
    ");
    assert_eq!(site.sequences(), "# others\n 1\n 2\n");
}

/// Each has a copy of the file, as on two machines.
#[test]
fn client_and_knockd_08_mark_the_same_lines_in_the_same_way() {
    let name = "client_and_knockd_08_mark_the_same_lines_in_the_same_way";
    let Some(site) = Site::new(name, &["/usr/sbin/knockd"]) else { return };
    let sequences = " 7000,8000:udp,7001\n7002,7003\n\n 7004\n";
    let conf = |file: &str| {
        let file = site.desk.path(file);
        let file = file.display();
        format!("[once]\none_time_sequences = {file}\ntcpflags = syn\ncommand = true\n")
    };
    for file in ["ours", "theirs"] {
        site.desk.write(file, sequences);
    }
    site.desk.write("knockd.conf", &conf("ours"));
    site.desk.write("server.conf", &conf("theirs"));
    let server = Live::start(&mut site.command("exec /usr/sbin/knockd -v -i lo -c server.conf"));
    assert_eq!(server.line(), "listening on lo...");
    for lines in 1..=2 {
        let outcome = site.run("knock door");
        assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
        while !server.line().contains("OPEN SESAME") {}
        assert_eq!(site.desk.read("ours").matches('#').count(), lines);
        // The daemon prints that it opens before it marks.
        wait_until("the server has marked it, too", || {
            site.desk.read("theirs") == site.desk.read("ours")
        });
    }
}

/// The replay reads the file as the daemon does, and knows which sequence is next.
#[test]
fn a_sequence_marked_by_the_client_is_used_for_the_server() {
    let Some(site) = Site::new("a_sequence_marked_by_the_client_is_used_for_the_server", &[])
    else {
        return;
    };
    site.desk.write(
        "knockd.conf",
        "[once]\none_time_sequences = config/knock/sequences\ntcpflags = fin\ncommand = true\n",
    );
    for _ in 0..4 {
        let written = site.run("knock --write k.pcap door");
        assert_eq!(written.status, Some(0), "{}", written.stderr);
        assert_eq!(opened(&site), "OPEN SESAME");
        assert_eq!(site.run("knock door").status, Some(0));
        assert_eq!(opened(&site), "");
    }
}

/// Returns what the capture `k.pcap` opens now.
fn opened(site: &Site) -> &'static str {
    let mut output = Vec::new();
    let mut errors = Vec::new();
    let mut streams = knock_replay::Streams::plain(&mut output, &mut errors);
    let path = |name: &str| site.desk.path(name).into_os_string();
    // This process is not in the folder that the file is named from.
    let conf = site.desk.read("knockd.conf");
    let whole = site.desk.path("config/knock/sequences");
    site.desk
        .write("replayed.conf", &conf.replace("config/knock/sequences", whole.to_str().unwrap()));
    let args = ["knock-replay".into(), path("k.pcap"), "-c".into(), path("replayed.conf")];
    let exit = knock_replay::run(args, &mut streams);
    let errors = String::from_utf8(errors).unwrap();
    assert_eq!(exit, knock_replay::Exit::Done, "{errors}");
    if String::from_utf8(output).unwrap().contains("OPEN SESAME") { "OPEN SESAME" } else { "" }
}

#[test]
fn a_pipe_is_not_a_file_of_sequences() {
    if !require("a_pipe_is_not_a_file_of_sequences", &["mkfifo"], Need::Programs) {
        return;
    }
    let desk = CaseRunner::new(PROFILES);
    let made = finish(Command::new("mkfifo").arg(desk.path("config/knock/sequences")));
    assert_eq!(made.status, Some(0));
    let outcome = desk.run("plain");
    assert_eq!(outcome.status, Some(2));
    insta::assert_snapshot!(outcome.stderr);
}
