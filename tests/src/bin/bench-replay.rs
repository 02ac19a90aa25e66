//! Measures knock-replay as whole processes, in pairs with other programs or itself on the same files.
//!
//! Called by `scripts/bench-replay`, which says what is measured.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and may stop at its first error"
)]

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use knock_tests::bench::{
    Captures, Kind, MIXED, MIXED_FILTER, MIXED_FILTER_OF_IPV4, cost, median, scatter,
};

const CONF: &str = "\
[openSSH]
    sequence    = 7000,8000,9000
    seq_timeout = 25
    tcpflags    = syn
    command     = /sbin/iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
[closeSSH]
    sequence    = 9000,8000,7000
    seq_timeout = 25
    tcpflags    = syn
    command     = /sbin/iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
";
/// One address and three ports, without IPv6: what an administrator may write.
const SHORT_FILTER: &str =
    "host 10.0.0.1 and tcp and (port 7000 or port 8000 or port 9000) and not ip6";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runs = words.first().map_or(7, |runs| runs.parse().expect("a number of runs"));
    let only = words.get(1).cloned().unwrap_or_default();
    let target = PathBuf::from(std::env::var_os("CARGO_TARGET_DIR").unwrap_or("target".into()));
    let folder = target.join("bench-replay");
    let replay = target.join("release/knock-replay");
    fs::create_dir_all(&folder).expect("a folder for captures");
    fs::write(folder.join("knockd.conf"), CONF).expect("room for a configuration");
    let bench = Bench { captures: Captures(folder), replay, runs };
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load: {}", load.trim());
    let parts = [
        ("mixed", Bench::mixed as fn(&Bench)),
        ("several", Bench::several),
        ("zstd", Bench::zstd),
        ("first-knocks", Bench::first_knocks),
        ("commands", Bench::commands),
        ("doors", Bench::doors),
        ("openings", Bench::both_rules),
        ("memory", Bench::memory),
    ];
    for (name, measure) in parts {
        if only.is_empty() || only == name {
            measure(&bench);
        }
    }
}

struct Bench {
    captures: Captures,
    replay: PathBuf,
    runs: usize,
}

impl Bench {
    fn mixed(&self) {
        let capture = self.captures.get(Kind::Mixed);
        let size = fs::metadata(&capture).unwrap().len() as f64 / 1e9;
        println!("\nmixed traffic: {MIXED} packets, {size:.2} GB, from a warm page cache");
        for (name, filter) in [
            ("tcpdump -nr FILE FILTER", MIXED_FILTER),
            ("tcpdump, IPv4 only", MIXED_FILTER_OF_IPV4),
            ("tcpdump, one address and three ports without IPv6", SHORT_FILTER),
        ] {
            let mut theirs = Command::new("tcpdump");
            theirs.arg("-nr").arg(&capture).arg(filter);
            self.compare(self.replay(&[&capture]), name, theirs, 0.38);
        }
        let plain = || self.replay(&[&capture]);
        let mut json = plain();
        json.args(["--format", "json"]);
        self.compare(json, "plain replay (against --format json)", plain(), 1.5);
    }

    /// The same packets in four files, which are read by threads and put in order again.
    fn several(&self) {
        let parts: Vec<PathBuf> =
            (0..4).map(|part| self.captures.get(Kind::PartOfMixed(part, 4))).collect();
        let parts: Vec<&Path> = parts.iter().map(PathBuf::as_path).collect();
        println!("\nthe mixed traffic in four captures");
        let mut theirs = Command::new("sh");
        theirs.args(["-c", "filter=$1; shift; for file; do tcpdump -nr $file \"$filter\"; done"]);
        theirs.args(["sh", MIXED_FILTER]).args(&parts);
        self.compare(self.replay(&parts), "tcpdump, one after another", theirs, 0.38);
    }

    fn zstd(&self) {
        let capture = self.captures.compressed(Kind::Mixed);
        println!("\nthe mixed traffic, compressed by zstd");
        let mut theirs = Command::new("zstd");
        theirs.arg("-dc").arg(&capture);
        self.compare(self.replay(&[&capture]), "zstd -dc", theirs, 1.15);
    }

    fn first_knocks(&self) {
        let million = self.captures.get(Kind::FirstKnocks(1_000_000));
        println!("\n1000000 packets, each a first knock from a new address; all time out");
        let mut theirs = Command::new("tcpdump");
        theirs.arg("-r").arg(&million).args(["-w", "/dev/null", MIXED_FILTER]);
        let name = "tcpdump -r FILE -w /dev/null";
        let took = self.compare(self.replay(&[&million]), name, theirs, 2.2);
        println!("  {:.0} packets a second", 1e6 / took.as_secs_f64());

        let fewer = self.captures.get(Kind::FirstKnocks(100_000));
        println!("\n1000000 against 100000 first knocks");
        let (many, few) = (self.replay(&[&million]), self.replay(&[&fewer]));
        self.compare(many, "100000 first knocks", few, 12.0);
    }

    /// What else is made of the same flood, against a plain replay of it.
    fn commands(&self) {
        let flood = self.captures.get(Kind::FirstKnocks(1_000_000));
        println!("\n1000000 first knocks: other commands against a plain replay");
        let flood = [flood.as_path()];
        let page = self.captures.0.join("report.html");
        let newer = self.captures.0.join("newer.conf");
        fs::write(&newer, CONF.replace("seq_timeout = 25", "seq_timeout = 20")).unwrap();
        let assertions = self.assertions("many.assert", 1000);
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let (page, newer, assertions) = (path(&page), path(&newer), path(&assertions));
        for (what, words, more, bar) in [
            ("--rules both", &[][..], &["--rules", "both"][..], 4.0),
            ("explain", &["explain"], &[], 1.5),
            ("diff --new", &["diff"], &["--new", &newer], 2.5),
            ("--assert, 1000 assertions", &[], &["--assert", &assertions], 2.0),
            ("--format json", &[], &["--format", "json"], 2.0),
            ("report", &["report"], &["-o", &page], 1.5),
        ] {
            println!("  {what}");
            self.compare(self.with(words, &flood, more), "plain replay", self.replay(&flood), bar);
        }
        println!("\n100000 first knocks, with assertions about 1000 networks and about one");
        let flood = self.captures.get(Kind::FirstKnocks(100_000));
        let with = |assertions: &Path| {
            let mut command = self.replay(&[&flood]);
            command.arg("--assert").arg(assertions);
            command
        };
        let one = self.assertions("one.assert", 1);
        self.compare(with(Path::new(&assertions)), "one", with(&one), 2.0);
    }

    /// Makes assertions about networks, each a part of others.
    fn assertions(&self, name: &str, lines: u32) -> PathBuf {
        let line = |number: u32| {
            let length = 8 + number % 17;
            let network = scatter(number) & 0x7fff_ffff & u32::MAX << (32 - length);
            format!("must not open any from {}/{length}\n", Ipv4Addr::from_bits(network))
        };
        let path = self.captures.0.join(name);
        fs::write(&path, (0..lines).map(line).collect::<String>()).unwrap();
        path
    }

    /// As many lines from few clients at many doors as from many clients at one.
    fn doors(&self) {
        println!("\n4000 doors with one first knock and 250 clients, against one door and 1000000");
        let door = |number: u32| {
            let (second, third) = (1000 + number, 6001 + number);
            format!(
                "[door{number}]\n\tsequence = 500,{second},{third}\n\tseq_timeout = 25\n\
                 \ttcpflags = syn\n\tcommand = true\n"
            )
        };
        let conf = |name: &str, doors: u32| {
            let path = self.captures.0.join(name);
            fs::write(&path, (0..doors).map(door).collect::<String>().replace("500,", "7000,"))
                .unwrap();
            path
        };
        let replay = |conf: &Path, capture: &Path| {
            let mut command = Command::new(&self.replay);
            command.arg(capture).arg("--config").arg(conf).args(["--quiet", "--local", "10.0.0.1"]);
            command
        };
        let (many, one) = (conf("4000-doors.conf", 4000), conf("one-of-them.conf", 1));
        let few_clients = self.captures.get(Kind::FirstKnocks(250));
        let clients = self.captures.get(Kind::FirstKnocks(1_000_000));
        self.compare(replay(&many, &few_clients), "one door", replay(&one, &clients), 1.5);
    }

    /// Both rule sets, where they do the same, against one.
    fn both_rules(&self) {
        let openings = self.captures.get(Kind::Openings(100_000));
        let (door, _) = CONF.split_once("[closeSSH]").unwrap();
        let conf = self.captures.0.join("one-door.conf");
        fs::write(&conf, door).unwrap();
        println!("\n100000 clients that open a door, `diff --rules` and a plain replay");
        let with = |words: &[&str]| {
            let mut command = Command::new(&self.replay);
            command.args(words).arg(&openings).arg("--config").arg(&conf);
            command.args(["--quiet", "--local", "10.0.0.1"]);
            command
        };
        self.compare(with(&["diff", "--rules"]), "plain replay", with(&[]), 4.0);
    }

    /// Peak memory with and without attempts. The capture comes through a pipe, so that no mapped
    /// page counts.
    fn memory(&self) {
        let capture = self.captures.get(Kind::FirstKnocks(1_000_000));
        let folder = &self.captures.0;
        let other = folder.join("other.conf");
        fs::write(&other, CONF.replace("000", "111")).unwrap();
        let peak = |conf: &Path| self.peak(&capture, conf);
        let (with, without) = (peak(&folder.join("knockd.conf")), peak(&other));
        let each = with.saturating_sub(without) as f64 / 1e6;
        println!("\npeak memory, a million live attempts: {} MB", with / 1_000_000);
        println!("  without attempts: {} MB", without / 1_000_000);
        verdict("bytes per live attempt", each, 80.0);
    }

    fn replay(&self, captures: &[&Path]) -> Command {
        self.with(&[], captures, &[])
    }

    fn with(&self, words: &[&str], captures: &[&Path], more: &[&str]) -> Command {
        let mut command = Command::new(&self.replay);
        command.args(words).args(captures).arg("--config").arg(self.captures.0.join("knockd.conf"));
        command.args(["--quiet", "--local", "10.0.0.1", "--local", "2001:db8::1"]).args(more);
        command
    }

    /// Runs two commands in turn, and prints the medians of each and of the ratios of the pairs.
    /// Returns the median of the first.
    fn compare(&self, mut ours: Command, name: &str, mut theirs: Command, bar: f64) -> Duration {
        // Where results differ, as they do in a flood by two rule sets, the status is 1.
        let mut pair = || (cost(&mut ours, &[0, 1]), cost(&mut theirs, &[0]));
        pair();
        let pairs: Vec<_> = (0..self.runs).map(|_| pair()).collect();
        let of = |part: fn(&Pair) -> f64| median(pairs.iter().map(part).collect());
        let (our_time, their_time) = (of(|(ours, _)| ours.0), of(|(_, theirs)| theirs.0));
        let (our_work, their_work) = (of(|(ours, _)| ours.1), of(|(_, theirs)| theirs.1));
        println!("  knock-replay: {our_time:.3} s, {our_work:.2} s of processors");
        println!("  {name}: {their_time:.3} s, {their_work:.2} s of processors");
        let work = of(|(ours, theirs)| ours.1 / theirs.1);
        println!("  ratio of the processors' time: {work:.2}");
        verdict("ratio", of(|(ours, theirs)| ours.0 / theirs.0), bar);
        Duration::from_secs_f64(our_time)
    }

    fn peak(&self, capture: &Path, conf: &Path) -> u64 {
        let mut feed = Command::new("cat").arg(capture).stdout(Stdio::piped()).spawn().unwrap();
        let mut child = Command::new(&self.replay)
            .args(["-", "--quiet", "--local", "10.0.0.1", "--config"])
            .arg(conf)
            .stdin(feed.stdout.take().unwrap())
            .stdout(Stdio::null())
            .spawn()
            .expect("knock-replay is built");
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0;
        while child.try_wait().unwrap().is_none() {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kilobytes = line.and_then(|rest| rest.split_whitespace().next());
            peak = kilobytes.map_or(peak, |number| number.parse::<u64>().unwrap() * 1024);
            std::thread::sleep(Duration::from_millis(2));
        }
        feed.wait().unwrap();
        peak
    }
}

/// What two runs cost: the time, and that of the processors.
type Pair = ((f64, f64), (f64, f64));

fn verdict(what: &str, value: f64, bar: f64) {
    let word = if value <= bar { "ok" } else { "MISSED" };
    println!("  {what}: {value:.2} (bar: {bar}) {word}");
}
