//! Measures knock-replay as whole processes, in pairs with tcpdump or itself on the same files.
//!
//! Called by `scripts/bench-replay`, which says what is measured.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and may stop at its first error"
)]

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use etherparse::PacketBuilder;

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
/// A filter with which tcpdump looks at the same packets.
const FILTER: &str = "(ip and dst host 10.0.0.1 and (tcp dst port 7000 or 8000 or 9000) and \
                      tcp[13] & 2 != 0) or (ip6 and dst host 2001:db8::1 and \
                      (tcp dst port 7000 or 8000 or 9000) and ip6[53] & 2 != 0)";
/// The same for IPv4 only, which is less work for tcpdump.
const FILTER_OF_IPV4: &str = "ip and dst host 10.0.0.1 and (tcp dst port 7000 or 8000 or 9000) and \
                              tcp[13] & 2 != 0";
const MIXED: u32 = 1_500_000;

fn main() {
    let runs = std::env::args().nth(1).map_or(7, |runs| runs.parse().expect("a number of runs"));
    let target = PathBuf::from(std::env::var_os("CARGO_TARGET_DIR").unwrap_or("target".into()));
    let folder = target.join("bench-replay");
    let replay = target.join("release/knock-replay");
    fs::create_dir_all(&folder).expect("a folder for captures");
    let bench = Bench { folder, replay, runs };
    fs::write(bench.folder.join("knockd.conf"), CONF).expect("room for a configuration");
    bench.mixed();
    bench.first_knocks();
    bench.assertions();
    bench.both_rules();
    bench.memory();
}

struct Bench {
    folder: PathBuf,
    replay: PathBuf,
    runs: usize,
}

impl Bench {
    fn mixed(&self) {
        let capture = self.capture("mixed-from-hosts.pcap", MIXED, mixed_traffic);
        let size = fs::metadata(&capture).unwrap().len() as f64 / 1e9;
        println!("\nmixed traffic: {MIXED} packets, {size:.2} GB, from a warm page cache");
        for (name, filter) in [
            ("tcpdump -nr FILE FILTER", FILTER),
            ("tcpdump -nr FILE FILTER, for IPv4 only", FILTER_OF_IPV4),
        ] {
            let mut theirs = Command::new("tcpdump");
            theirs.arg("-nr").arg(&capture).arg(filter);
            self.compare(self.replay(&capture), name, theirs, 0.38);
        }
    }

    fn first_knocks(&self) {
        let million = self.capture("first-knocks-from-hosts-1000000.pcap", 1_000_000, first_knock);
        println!("\n1000000 packets, each a first knock from a new address; all time out");
        let mut theirs = Command::new("tcpdump");
        theirs.arg("-r").arg(&million).args(["-w", "/dev/null", FILTER]);
        let took = self.compare(self.replay(&million), "tcpdump -r FILE -w /dev/null", theirs, 3.0);
        println!("  {:.0} packets a second", 1e6 / took.as_secs_f64());

        let fewer = self.capture("first-knocks-from-hosts-100000.pcap", 100_000, first_knock);
        println!("\n1000000 against 100000 first knocks");
        self.compare(self.replay(&million), "100000 first knocks", self.replay(&fewer), 12.0);
    }

    /// What assertions cost in a flood: those about a thousand networks, each a part of others.
    fn assertions(&self) {
        let flood = self.capture("first-knocks-from-hosts-100000.pcap", 100_000, first_knock);
        println!("\n100000 first knocks, with assertions about 1000 networks and about one");
        let line = |number: u32| {
            let length = 8 + number % 17;
            let network = scatter(number) & 0x7fff_ffff & u32::MAX << (32 - length);
            format!("must not open any from {}/{length}\n", Ipv4Addr::from_bits(network))
        };
        let with = |name: &str, lines: u32| {
            let path = self.folder.join(name);
            fs::write(&path, (0..lines).map(line).collect::<String>()).unwrap();
            let mut command = self.replay(&flood);
            command.arg("--assert").arg(path);
            command
        };
        self.compare(with("many.assert", 1000), "one", with("one.assert", 1), 2.0);
    }

    /// Both rule sets, where they do the same, against one.
    fn both_rules(&self) {
        let openings = self.capture("openings-100000.pcap", 300_000, knock_of_an_opening);
        let (door, _) = CONF.split_once("[closeSSH]").unwrap();
        let conf = self.folder.join("one-door.conf");
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
        let capture = self.folder.join("first-knocks-from-hosts-1000000.pcap");
        let other = self.folder.join("other.conf");
        fs::write(&other, CONF.replace("000", "111")).unwrap();
        let (with, without) =
            (self.peak(&capture, &self.folder.join("knockd.conf")), self.peak(&capture, &other));
        let each = with.saturating_sub(without) as f64 / 1e6;
        println!("\npeak memory, a million live attempts: {} MB", with / 1_000_000);
        println!("  without attempts: {} MB", without / 1_000_000);
        verdict("bytes per live attempt", each, 200.0);
    }

    fn replay(&self, capture: &Path) -> Command {
        let mut command = Command::new(&self.replay);
        command.arg(capture).arg("--config").arg(self.folder.join("knockd.conf"));
        command.args(["--quiet", "--local", "10.0.0.1", "--local", "2001:db8::1"]);
        command
    }

    /// Runs two commands in turn, and prints the medians of each and of the ratios of the pairs.
    /// Returns the median of the first.
    fn compare(&self, mut ours: Command, name: &str, mut theirs: Command, bar: f64) -> Duration {
        time(&mut ours);
        time(&mut theirs);
        let pairs: Vec<_> = (0..self.runs).map(|_| (time(&mut ours), time(&mut theirs))).collect();
        let median_of = |times: Vec<Duration>| {
            let mut times = times;
            times.sort();
            times[times.len() / 2]
        };
        let our_median = median_of(pairs.iter().map(|pair| pair.0).collect());
        let their_median = median_of(pairs.iter().map(|pair| pair.1).collect());
        let mut ratios: Vec<f64> =
            pairs.iter().map(|(ours, theirs)| ours.as_secs_f64() / theirs.as_secs_f64()).collect();
        ratios.sort_by(f64::total_cmp);
        println!("  knock-replay: {our_median:.3?} (median of {})", self.runs);
        println!("  {name}: {their_median:.3?}");
        verdict("ratio (median of pairs)", ratios[ratios.len() / 2], bar);
        our_median
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

    fn capture(&self, name: &str, packets: u32, frame: impl Fn(u32) -> Vec<u8>) -> PathBuf {
        let path = self.folder.join(name);
        if path.exists() {
            return path;
        }
        println!("making {}", path.display());
        let part = path.with_extension("part");
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&part).unwrap());
        let header = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1];
        for word in header {
            out.write_all(&word.to_le_bytes()).unwrap();
        }
        for number in 0..packets {
            let frame = frame(number);
            let length = u32::try_from(frame.len()).unwrap();
            let micros = u64::from(number) * 5;
            let seconds = 1_700_000_000 + u32::try_from(micros / 1_000_000).unwrap();
            let fraction = u32::try_from(micros % 1_000_000).unwrap();
            for word in [seconds, fraction, length, length] {
                out.write_all(&word.to_le_bytes()).unwrap();
            }
            out.write_all(&frame).unwrap();
        }
        out.flush().unwrap();
        fs::rename(part, &path).unwrap();
        path
    }
}

/// Whole processes: their output goes to `/dev/null`, or to a pipe that discards it.
fn time(command: &mut Command) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
    start.elapsed()
}

fn verdict(what: &str, value: f64, bar: f64) {
    let word = if value <= bar { "ok" } else { "MISSED" };
    println!("  {what}: {value:.2} (bar: {bar}) {word}");
}

/// Scattered numbers, the same in every run.
fn scatter(number: u32) -> u32 {
    let mixed = number.wrapping_mul(0x9e37_79b1);
    (mixed ^ (mixed >> 15)).wrapping_mul(0x85eb_ca6b)
}

fn first_knock(number: u32) -> Vec<u8> {
    // The lower half of the addresses has no multicast, and 0.0.0.0 is left out: packets from those do
    // not count.
    let source = (number.wrapping_add(1).wrapping_mul(0x9e37_79b1) & 0x7fff_ffff).to_be_bytes();
    tcp(PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(source, [10, 0, 0, 1], 64), number, 7000, 0)
}

/// Three knocks of each client, one after another.
fn knock_of_an_opening(number: u32) -> Vec<u8> {
    let source = ((number / 3 + 1).wrapping_mul(0x9e37_79b1) & 0x7fff_ffff).to_be_bytes();
    let port = 7000 + 1000 * (number % 3) as u16;
    tcp(PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(source, [10, 0, 0, 1], 64), number, port, 0)
}

/// Frames of 40 to 1,514 bytes, a third of them IPv6, two thirds TCP; one in a hundred is a knock.
fn mixed_traffic(number: u32) -> Vec<u8> {
    let dice = scatter(number);
    let client = (scatter(number / 3 % 5000) & 0x7fff_ffff | 1).to_be_bytes();
    let ports = [7000, 8000, 9000];
    let knocks = dice.is_multiple_of(100);
    let port = if knocks { ports[number as usize % 3] } else { (dice >> 9) as u16 };
    let small = dice >> 28 < 3;
    let length = if knocks || small { 0 } else { (dice >> 3) as usize % 1461 };
    let link = PacketBuilder::ethernet2([2; 6], [4; 6]);
    let ip = if dice & 3 == 3 {
        let mut source = [0x20, 1, 0xd, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        source[12..].copy_from_slice(&client);
        let mut local = [0; 16];
        local[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
        local[15] = 1;
        link.ipv6(source, local, 64)
    } else {
        link.ipv4(client, [10, 0, 0, 1], 64)
    };
    let mut frame = if knocks || dice >> 5 & 3 != 0 {
        tcp(ip, dice, port, length.min(1440))
    } else {
        let mut out = Vec::new();
        ip.udp(53, port).write(&mut out, &vec![0; length.min(1452)]).unwrap();
        out
    };
    if !knocks && (dice >> 20).is_multiple_of(64) {
        frame.truncate(40);
    }
    frame
}

fn tcp(
    ip: etherparse::PacketBuilderStep<etherparse::IpHeaders>,
    sequence_number: u32,
    port: u16,
    length: usize,
) -> Vec<u8> {
    let mut out = Vec::new();
    let segment = ip.tcp(40_000, port, sequence_number | 1, 64_240);
    let segment = if length == 0 { segment.syn() } else { segment.ack(1) };
    segment.write(&mut out, &vec![0; length]).unwrap();
    out
}
