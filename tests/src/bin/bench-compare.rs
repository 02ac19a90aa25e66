//! Reads one capture with knock-replay and with the programs that are used for the same, and prints a table.
//!
//! Called by `scripts/bench-compare`, which says what is measured.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and may stop at its first error"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use knock_tests::bench::{Captures, MIXED, MIXED_FILTER, cost, median};

const KNOCKD_CONF: &str = "\
[openSSH]
    sequence    = 7000,8000,9000
    seq_timeout = 25
    tcpflags    = syn
    command     = /sbin/iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
";
/// The packets of the door, for tshark.
const DISPLAY_FILTER: &str = "(ip.dst == 10.0.0.1 or ipv6.dst == 2001:db8::1) and \
                              tcp.dstport in {7000, 8000, 9000} and tcp.flags.syn == 1";
/// A key of fwknop's manual, and no pause between packets.
const ACCESS_CONF: &str = "SOURCE ANY\nKEY fwknop\n";
const FWKNOPD_CONF: &str = "PCAP_LOOP_SLEEP 1;\nPCAP_DISPATCH_COUNT 1000000;\n";

/// A program, and what it does with the capture.
struct Reader {
    name: &'static str,
    what: &'static str,
    command: Command,
    /// The statuses with which it may end.
    statuses: &'static [i32],
}

fn main() {
    let runs = std::env::args().nth(1).map_or(3, |runs| runs.parse().expect("a number of runs"));
    let target = PathBuf::from(std::env::var_os("CARGO_TARGET_DIR").unwrap_or("target".into()));
    let folder = target.join("bench-replay");
    fs::create_dir_all(&folder).expect("a folder for captures");
    let capture = Captures(folder.clone()).mixed_with_a_datagram();
    let size = fs::metadata(&capture).unwrap().len();
    println!("{MIXED} packets, {} MB, on {}\n", size / 1_000_000, machine());
    let mut rows = Vec::new();
    for mut reader in readers(&target, &folder, &capture) {
        if !is_there(&reader.command) {
            rows.push((reader, None));
            continue;
        }
        eprintln!("{}", reader.name);
        let costs: Vec<_> = (0..runs).map(|_| cost(&mut reader.command, reader.statuses)).collect();
        let of = |part: fn(&(f64, f64)) -> f64| median(costs.iter().map(part).collect());
        rows.push((reader, Some((of(|cost| cost.0), of(|cost| cost.1)))));
    }
    let (_, ours) = rows[0].1.expect("knock-replay is built");
    println!("| program | what it does | time | processor time | times ours |");
    println!("|---|---|---|---|---|");
    for (Reader { name, what, .. }, cost) in rows {
        match cost {
            Some((time, processors)) => println!(
                "| {name} | {what} | {time:.2} s | {processors:.2} s | {:.1} |",
                processors / ours
            ),
            None => println!("| {name} | {what} | not installed | | |"),
        }
    }
}

fn readers(target: &Path, folder: &Path, capture: &Path) -> Vec<Reader> {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).expect("room for a file");
        path
    };
    let mut ours = Command::new(target.join("release/knock-replay"));
    ours.arg(capture).arg("-c").arg(file("compare.conf", KNOCKD_CONF));
    ours.args(["--quiet", "--local", "10.0.0.1", "--local", "2001:db8::1"]);
    let mut tcpdump = Command::new("tcpdump");
    tcpdump.arg("-nr").arg(capture).arg(MIXED_FILTER);
    let mut tshark = Command::new("tshark");
    tshark.arg("-nr").arg(capture).args(["-Y", DISPLAY_FILTER]);
    let mut zeek = Command::new("zeek");
    // It writes its logs into the folder in which it runs.
    zeek.args(["-b", "-C", "-r"]).arg(fs::canonicalize(capture).unwrap()).current_dir(folder);
    let mut fwknopd = Command::new("fwknopd");
    // It ends with the last packet only if that is one that it looks at, and the only one.
    fwknopd.args(["--foreground", "--test", "--packet-limit", "1"]);
    fwknopd.args(["--pcap-filter", "udp and src host 192.0.2.9", "--pcap-file"]).arg(capture);
    fwknopd.arg("--config-file").arg(file("fwknopd.conf", FWKNOPD_CONF));
    fwknopd.arg("--access-file").arg(file("access.conf", ACCESS_CONF));
    fwknopd.arg("--pid-file").arg(folder.join("fwknopd.pid"));
    vec![
        Reader { name: "knock-replay", what: "what the door does", command: ours, statuses: &[0] },
        Reader {
            name: "tcpdump",
            what: "the knocks, by a filter",
            command: tcpdump,
            statuses: &[0],
        },
        Reader { name: "tshark", what: "the knocks, by a filter", command: tshark, statuses: &[0] },
        Reader { name: "zeek -b", what: "connections", command: zeek, statuses: &[0] },
        Reader {
            name: "fwknopd --pcap-file",
            what: "looks for signed packets (SPA)",
            command: fwknopd,
            statuses: &[0],
        },
    ]
}

/// Returns whether a program can be run.
fn is_there(command: &Command) -> bool {
    let mut probe = Command::new(command.get_program());
    probe.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok()
}

/// Returns what machine this is.
fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let names: Vec<&str> = cpu
        .lines()
        .filter_map(|line| line.strip_prefix("model name"))
        .map(|rest| rest.trim_start_matches([' ', '\t', ':']))
        .collect();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("?").to_owned();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let name = names.first().unwrap_or(&"an unknown processor");
    format!("{} of {name}, Linux {}, load {load}", names.len(), kernel.trim())
}
