//! Somebody who does what a guide says.

use std::fs;
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use knock_tests::guide::{self, Step};
use knock_tests::live::{Cable, Namespace};
use knock_tests::process::{Live, finish};
use knock_tests::require::{Need, require};
use tempfile::TempDir;

use crate::programs;

/// The programs that every journey needs.
const PROGRAMS: [&str; 7] = ["unshare", "nsenter", "taskset", "ip", "mount", "sed", "tcpdump"];

/// The beginnings of commands that change nothing. They are run again until they print what the guide
/// says, because what they look at takes a moment.
const LOOKS: [&str; 11] = [
    "iptables -S",
    "ip6tables -S",
    "nft list",
    "nft -s list",
    "cat ",
    "grep ",
    "tail ",
    "journalctl ",
    "knockctl status",
    "knockctl list",
    "knockctl explain",
];

/// How long that may take: longer than a door of a guide is open.
const PATIENCE: Duration = Duration::from_secs(40);

/// A server and a client, each with an `/etc`, a `/run` and a `/var/log` of its own, and a folder in which
/// commands run.
pub(crate) struct Journey {
    /// Programs that still run, the last one being the one whose lines a guide shows.
    running: Vec<Running>,
    // Ended before the folder goes.
    cable: Cable,
    folder: TempDir,
}

struct Running {
    /// The number in its namespace.
    id: String,
    live: Live,
}

impl Journey {
    /// Follows a guide, after other preparations. Does nothing where one of these programs is missing.
    pub(crate) fn follow(guide: &str, programs: &[&str], prepare: impl FnOnce(&Self)) {
        if !require(guide, &[&PROGRAMS, programs].concat(), Need::Namespaces) {
            return;
        }
        let mut journey = Self::new();
        prepare(&journey);
        let steps = guide::read(guide);
        let commands = steps.iter().filter(|step| matches!(step, Step::Command { .. }));
        assert!(commands.count() >= 5, "{steps:?}");
        for step in steps {
            match step {
                Step::File(name, text) => journey.write(&name, &text),
                Step::Command { place, line, output } if goes_on(&line) => {
                    journey.start(&place, &line);
                    journey.expect_lines(&output);
                }
                Step::Command { place, line, output } => journey.run(&place, &line, &output),
                Step::Lines(lines) => journey.expect_lines(&lines),
            }
        }
    }

    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["bin", "sbin", "work"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        programs::install(&folder.path().join("bin"), &folder.path().join("sbin"));
        let journey = Self { running: Vec::new(), cable: Cable::new(), folder };
        for (place, end) in [("server", "server"), ("client", "client")] {
            journey.set_up(
                place,
                &format!(
                    "ip link set {end} name eth0
                    cp -a /etc FOLDER/etc-{end}
                    mount --bind FOLDER/etc-{end} /etc
                    mount --bind FOLDER/bin /usr/local/bin
                    mount --bind FOLDER/sbin /usr/local/sbin
                    mount -t tmpfs -o mode=755 tmpfs /run
                    mount -t tmpfs -o mode=755 tmpfs /var/log
                    mount -t tmpfs -o mode=755 tmpfs /var/lib
                    rm -f /etc/knockd.conf /etc/default/knockd"
                ),
            );
        }
        journey.set_up("server", "ip route add default via 192.0.2.10");
        // An SSH server, as far as it matters to knocks.
        let listener = journey.cable.server.open(|| TcpListener::bind("[::]:22").unwrap());
        thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let _ = connection.write_all(b"SSH-2.0-test\r\n");
                let _ = io::copy(&mut connection, &mut io::sink());
            }
        });
        journey
    }

    /// Runs a script that must succeed. `FOLDER` is the folder of this journey.
    pub(crate) fn set_up(&self, place: &str, script: &str) {
        let script = script.replace("FOLDER", self.folder.path().to_str().unwrap());
        let outcome = finish(&mut self.namespace(place).command(&format!("set -e; {script}")));
        assert_eq!(outcome.status, Some(0), "{script}: {outcome:?}");
    }

    /// Installs the daemon as a service, as the guide for beginners does.
    pub(crate) fn install_service(&self) {
        let unit = "[Service]\nExecStart=/usr/local/sbin/knockd\n";
        self.write("/etc/systemd/system/knockd.service", unit);
    }

    fn namespace(&self, place: &str) -> &Namespace {
        match place {
            "client" | "cliente" => &self.cable.client,
            "" | "server" | "servidor" => &self.cable.server,
            other => panic!("{other} is no place"),
        }
    }

    /// Writes a file on the server.
    fn write(&self, name: &str, text: &str) {
        let path = match name.strip_prefix("/etc/") {
            Some(name) => self.folder.path().join("etc-server").join(name),
            None => self.folder.path().join("work").join(name),
        };
        assert!(Path::new(name).is_relative() || name.starts_with("/etc/"), "{name}");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        if name.ends_with(".service") {
            self.set_up("server", &format!("systemd-analyze verify {name}"));
        }
    }

    fn command(&self, place: &str, line: &str) -> std::process::Command {
        let work = self.folder.path().join("work");
        let line = format!("cd {} && {{ {line}\n}} 2>&1", work.display());
        let mut command = self.namespace(place).command(&line);
        command.env("HOME", &work).env_remove("XDG_CONFIG_HOME");
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// Runs a command that must print what the guide says.
    fn run(&self, place: &str, line: &str, expected: &str) {
        let begin = Instant::now();
        loop {
            let printed = finish(&mut self.command(place, line)).stdout;
            if is_as_said(&printed, expected) {
                return;
            }
            let again = LOOKS.iter().any(|look| line.starts_with(look));
            assert!(
                again && begin.elapsed() < PATIENCE,
                "{place}$ {line}\n{printed}\ninstead of\n{expected}"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts a program that goes on.
    fn start(&mut self, place: &str, program: &str) {
        let mut command = self.command(place, &format!("echo $$; exec {program}"));
        let live = Live::start(&mut command);
        self.running.push(Running { id: live.line(), live });
    }

    /// Checks that the program that was started last prints lines; `^C` ends it.
    fn expect_lines(&mut self, lines: &str) {
        for line in lines.lines() {
            if line == "^C" {
                let running = self.running.last().unwrap();
                // Whoever reads the lines takes longer than the commands do that they are about.
                thread::sleep(Duration::from_secs(1));
                self.set_up("server", &format!("kill -INT {}", running.id));
                continue;
            }
            let running = self.running.last().expect("a program that still runs");
            assert_eq!(at_any_time(&running.live.line()), at_any_time(line));
        }
        if lines.contains("^C") {
            let outcome = self.running.pop().unwrap().live.finish();
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
        }
    }
}

/// Whether a command is one that goes on, and is shown in a terminal of its own.
fn goes_on(line: &str) -> bool {
    line.starts_with("knockd -v") || line.starts_with("tcpdump -i")
}

/// Whether a command has printed what the guide says. `...` in a line of its own is any more lines.
fn is_as_said(printed: &str, expected: &str) -> bool {
    let (printed, expected) = (at_any_time(printed), at_any_time(expected));
    match expected.strip_suffix("...\n") {
        Some(beginning) => printed.starts_with(beginning),
        None => printed == expected,
    }
}

/// Returns a text with `TIME` for every day and time of day, and for every number of seconds with a
/// fraction. Lines with one have single blanks, as columns are as wide as the numbers in them.
fn at_any_time(text: &str) -> String {
    text.lines().map(|line| line_at_any_time(line) + "\n").collect()
}

fn line_at_any_time(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let nexts = words.iter().skip(1).copied().chain([""]);
    let is_time = |(word, next): (&&str, &str)| {
        let word = word.trim_matches(['[', ']']);
        let is_seconds = word.contains('.') && word.parse::<f64>().is_ok();
        let is_of_seconds = is_seconds && next.trim_end_matches([',', ':']) == "s";
        is_of_seconds || is_day(word) || is_time_of_day(word)
    };
    let times: Vec<bool> = words.iter().zip(nexts).map(is_time).collect();
    if !times.contains(&true) {
        return line.to_owned();
    }
    let words = words.iter().zip(times).map(|(word, is_time)| if is_time { "TIME" } else { word });
    words.collect::<Vec<&str>>().join(" ")
}

/// Whether a word begins like `2026-03-09`.
fn is_day(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() >= 10
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes[7] == b'-'
}

/// Whether a word begins like `08:07`.
fn is_time_of_day(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() >= 5
        && bytes[2] == b':'
        && [0, 1, 3, 4].iter().all(|&at| bytes[at].is_ascii_digit())
}

#[test]
fn times_are_all_the_same() {
    for (text, expected) in [
        ("22/tcp  is open after 0.03 s\n", "22/tcp is open after TIME s\n"),
        ("[2026-03-09 08:07] 192.0.2.7: x 1.5\n", "TIME TIME 192.0.2.7: x 1.5\n"),
        ("from 2023-11-14T22:13:20.000000Z\n", "from TIME\n"),
        (
            "hitting tcp  127.0.0.1:7000\n2001:db8::10: x\n",
            "hitting tcp  127.0.0.1:7000\n2001:db8::10: x\n",
        ),
    ] {
        assert_eq!(at_any_time(text), expected);
    }
}
