//! The commands of knock-replay agree on what happens, also at doors with derived, one-time and signed knocks.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use knock_replay::Exit;
use knock_tests::in_process::{Run, knock_replay_in};
use knock_tests::model::{Derived, Protocol};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;
use serde_json::Value;
use tempfile::TempDir;

/// When scenarios begin, in seconds since 1970.
const BEGIN_S: u64 = 1_000_000_000;

/// The key of alice and of the derived sequences: 32 times the byte 7; and that of bob: 32 times the byte 8.
const KEYS: [&str; 2] = [
    "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
    "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=",
];

/// The events that are lines of the transcript.
const LINES: [&str; 10] = [
    "stage",
    "signed",
    "opened",
    "admitted",
    "closing",
    "admission-ended",
    "start-command",
    "stop-command",
    "sequence-timeout",
    "command-timeout",
];

/// What a client does next, after so many milliseconds.
#[derive(Clone, Debug)]
struct Act {
    after_ms: u64,
    client: u8,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// A signed packet: the rest of its line.
    Signed(String),
    /// The derived sequence of so many periods later, up to a knock.
    Derived { periods: i64, knocks: usize },
    /// A line of the file of one-time sequences, up to a knock.
    Once { line: usize, knocks: usize },
    /// Knocks at ports that doors share.
    Plain(Vec<u16>),
}

const ONCE: [[u16; 3]; 4] =
    [[7001, 7002, 7003], [7001, 7003, 7002], [7004, 7001, 7002], [7001, 7002, 7004]];

fn act() -> impl Strategy<Value = Act> {
    let skew = select(vec!["", "skew +40s", "skew -40s", "skew +5m", "skew -2h"]);
    let door = select(vec!["SSH", "web", "plain"]);
    let more = select(vec![
        "",
        "",
        "again 1 every 2s",
        "again 1 every 3s by 10.0.0.66",
        "repeat 2 every 1s",
        "close",
        "for 2s",
        "admit 10.0.0.9",
        "server other",
    ]);
    let signed = (select(vec!["alice", "bob"]), door, skew, more);
    let what = prop_oneof![
        4 => signed.prop_map(|(user, door, skew, more)| {
            What::Signed(format!("signed {user} door {door} from CLIENT {skew} {more}"))
        }),
        3 => (-2..=2_i64, 3..=5_usize).prop_map(|(periods, knocks)| What::Derived {
            // Most clocks are right.
            periods: if periods.abs() == 2 { 0 } else { periods },
            knocks,
        }),
        3 => (0..4_usize, 2..=3_usize).prop_map(|(line, knocks)| What::Once { line, knocks }),
        3 => vec(7000..7006_u16, 1..5).prop_map(What::Plain),
    ];
    let after_ms = select(vec![0, 100, 1000, 3000, 12_000, 61_000]);
    (after_ms, 1..4_u8, what).prop_map(|(after_ms, client, what)| Act { after_ms, client, what })
}

/// Draws a configuration.
fn config() -> impl Strategy<Value = String> {
    let on_reknock = || select(vec!["extend", "separate", "ignore"]);
    let commands = || {
        select(vec![
            "command = once %IP%",
            "start_command = open %IP%\ncmd_timeout = 4\nstop_command = close %IP%",
        ])
    };
    let opens = select(vec![
        "command = once %IP%",
        "start_command = open %IP%\ncmd_timeout = 4\nstop_command = close %IP%",
        "open = tcp/22\nopen_for = 5",
        "open = tcp/22\nopen_for = 5\nopen_max = 8",
    ]);
    let admit = select(vec!["", "admit = both\n", "admit = packet\n"]);
    let limit = select(vec!["", "", "seq_cooldown = 3\n", "client_openings_per_minute = 2\n"]);
    let all =
        (opens, admit, limit, (commands(), commands(), commands()), on_reknock(), on_reknock());
    all.prop_map(|(opens, admit, limit, (web, derived, once), first, second)| {
        let firewall = if opens.starts_with("open") { "firewall = nft\n" } else { "" };
        format!(
            "[options]\nserver_name = home\nkey_dir = keys.d\n{firewall}\
             [SSH]\nsigned = alice\n{admit}{limit}{opens}\n\
             [web]\nsigned = any\n{web}\n\
             [derived]\nsequence_key = the.key\ntcpflags = syn\nseq_timeout = 5\non_reknock = {first}\n{derived}\n\
             [once]\none_time_sequences = once.txt\nseq_timeout = 3\non_reknock = {second}\n{once}\n\
             [plain]\nsequence = 7001,7002,7005:tcp\nseq_timeout = 2\n{once}\n"
        )
    })
}

/// Returns the scenario of what clients do.
fn scenario(acts: &[Act]) -> String {
    let derived = Derived {
        key: [7; 32],
        knocks: 5,
        ports: (20_000, 59_999),
        protocol: Protocol::Tcp,
        period_s: 60,
    };
    let (mut text, mut now_ms) = (String::new(), 0);
    for Act { after_ms, client, what } in acts {
        now_ms += after_ms;
        let knock = |ports: &[u16]| {
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            format!("knock 10.0.0.{client} {}", ports.join(" "))
        };
        let line = match what {
            What::Signed(line) => line.replace("CLIENT", &format!("10.0.0.{client}")),
            What::Derived { periods, knocks } => {
                let at_ns = i64::try_from((BEGIN_S * 1000 + now_ms) * 1_000_000).unwrap();
                let period = derived.period(at_ns + periods * 60_000_000_000);
                let sequence = derived.sequence(b"derived", period);
                let ports: Vec<u16> = sequence.iter().map(|knock| knock.port).collect();
                knock(&ports[..*knocks])
            }
            What::Once { line, knocks } => knock(&ONCE[*line][..*knocks]),
            What::Plain(ports) => knock(ports),
        };
        writeln!(text, "{}.{:03} {line}", now_ms / 1000, now_ms % 1000).unwrap();
    }
    text
}

/// A folder with a configuration, twice, and a scenario.
struct Folder(TempDir);

impl Folder {
    fn new(config: &str, scenario: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        let secret = |name: &str, text: &str| {
            fs::write(at(name), text).unwrap();
            fs::set_permissions(at(name), Permissions::from_mode(0o600)).unwrap();
        };
        DirBuilder::new().mode(0o700).create(at("keys.d")).unwrap();
        secret("keys.d/alice.key", &format!("key = {}\n", KEYS[0]));
        secret("keys.d/bob.key", &format!("key = {}\n", KEYS[1]));
        secret("the.key", &format!("key = {}\n", KEYS[0]));
        let once = ONCE.map(|ports| format!(" {}\n", ports.map(|port| port.to_string()).join(",")));
        secret("once.txt", &once.concat());
        secret("knockd.conf", config);
        secret("same.conf", config);
        fs::write(at("all.scenario"), scenario).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &str) -> Run {
        knock_replay_in(self.path(), arguments.split_whitespace().map(OsString::from))
    }

    /// Runs a command that is to end well. Returns what it prints.
    fn output(&self, arguments: &str) -> String {
        let run = self.run(arguments);
        assert_eq!(run.exit, Exit::Done, "{arguments}: {}", run.errors);
        String::from_utf8(run.output).unwrap()
    }

    fn objects(&self, arguments: &str) -> Vec<Value> {
        let output = self.output(&format!("{arguments} --format json"));
        output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Returns what an object says of a line of the transcript; `None` for another one.
fn line(object: &Value, kind: &str) -> Option<[String; 5]> {
    LINES.contains(&object[kind].as_str()?).then_some(())?;
    Some([kind, "time", "client", "door", "stage"].map(|key| object[key].to_string()))
}

/// Where failing cases are stored; later runs try them first.
const REGRESSIONS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/agreement.txt");

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_command_sees_the_same_happen(config in config(), acts in vec(act(), 1..25)) {
        let folder = Folder::new(&config, &scenario(&acts));
        let replay = folder.output("all.scenario -c knockd.conf");
        let objects = folder.objects("all.scenario -c knockd.conf");
        let of_lines = || objects.iter().filter(|object| object["type"] == "line");
        let texts: Vec<&str> = of_lines().map(|object| object["text"].as_str().unwrap()).collect();
        prop_assert_eq!(replay.lines().collect::<Vec<_>>(), &texts[..]);

        let happened: Vec<_> = of_lines().filter_map(|object| line(object, "event")).collect();
        prop_assert_eq!(happened.len(), texts.len(), "an event is missing in `LINES`");
        let explained = folder.objects("explain all.scenario -c knockd.conf");
        let explained: Vec<_> =
            explained.iter().filter_map(|object| line(object, "verdict")).collect();
        prop_assert_eq!(explained, happened);

        folder.output("convert all.scenario all.pcap -c knockd.conf");
        prop_assert_eq!(&folder.output("all.pcap -c knockd.conf"), &replay);
        folder.output("extract all.pcap -c knockd.conf -o kept.pcapng");
        prop_assert_eq!(&folder.output("kept.pcapng -c knockd.conf"), &replay);

        let run = folder.run("diff all.scenario -c knockd.conf --new same.conf");
        // Where no packet is admitted, nothing was compared.
        let is_same = run.exit == Exit::Done || run.errors.contains("nothing was compared");
        prop_assert!(is_same && run.output.is_empty(), "{run:?}");
        let run = folder.run("diff all.scenario -c knockd.conf --rules");
        prop_assert!(!run.errors.contains("no known reason"), "{}", run.errors);
        prop_assert!(matches!(run.exit, Exit::Done | Exit::Differ), "{}", run.errors);
    }
}
