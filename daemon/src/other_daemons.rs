//! Other knockds that listen where this one does: whoever starts one by hand, to watch, rarely means that.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::packet_socket::EVERY;

/// The packet sockets of this network namespace, and no others.
const SOCKETS: &str = "/proc/self/net/packet";

/// What the program is called, also that of knockd 0.8.
const NAME: &str = "knockd";

/// How the names of the other processes of a daemon begin.
const OF_A_DAEMON: &[u8] = b"knockd: ";

/// A knockd that listens on some of our interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtherDaemon {
    pub(crate) process: u32,
    /// The number of one of these interfaces.
    pub(crate) interface: u32,
}

/// Returns another knockd that listens on one of these interfaces; `EVERY` means all. Who may not look into
/// other processes finds none.
pub(crate) fn on(interfaces: &BTreeSet<u32>) -> Option<OtherDaemon> {
    let sockets = fs::read_to_string(SOCKETS).ok()?;
    let sockets: Vec<Socket> = sockets.lines().skip(1).filter_map(Socket::of).collect();
    let shared = |socket: &&Socket| {
        let is_any = socket.interface == EVERY || interfaces.contains(&EVERY);
        !interfaces.is_empty() && (is_any || interfaces.contains(&socket.interface))
    };
    let shared: Vec<&Socket> = sockets.iter().filter(shared).collect();
    if shared.is_empty() {
        return None;
    }
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut ids: Vec<u32> = ids.filter(|id| *id != std::process::id()).collect();
    // The process that was started first is the one to stop.
    ids.sort_unstable();
    ids.into_iter().filter(|&id| is_knockd(id)).find_map(|process| {
        let open = descriptors(process);
        let socket = shared.iter().find(|socket| open.contains(&socket.link()))?;
        let every = interfaces.iter().next().copied().unwrap_or(EVERY);
        let interface = if socket.interface == EVERY { every } else { socket.interface };
        Some(OtherDaemon { process, interface })
    })
}

/// A packet socket.
struct Socket {
    interface: u32,
    inode: u64,
}

impl Socket {
    /// Reads a line of the kernel: `sk RefCnt Type Proto Iface R Rmem User Inode`.
    fn of(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let protocol = words.nth(3)?;
        let interface = words.next()?.parse().ok()?;
        let inode = words.nth(3)?.parse().ok()?;
        // Without a protocol, it gets no packets.
        (protocol != "0000").then_some(Self { interface, inode })
    }

    /// Returns what the link of its descriptor says.
    fn link(&self) -> String {
        format!("socket:[{}]", self.inode)
    }
}

/// Returns whether a process runs a program of this name, which may have been replaced since, and runs commands:
/// the other processes of a daemon, such as a sniffer that has lost its runner, open nothing.
fn is_knockd(process: u32) -> bool {
    let arguments = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    if arguments.starts_with(OF_A_DAEMON) {
        return false;
    }
    let program = fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default();
    let name = program.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_suffix(" (deleted)").unwrap_or(name) == NAME
}

/// Returns what the descriptors of a process are.
fn descriptors(process: u32) -> BTreeSet<String> {
    let folder = format!("/proc/{process}/fd");
    let entries = fs::read_dir(Path::new(&folder)).into_iter().flatten().flatten();
    let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    links.filter_map(|link| link.to_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_read() {
        let line = "ffff8d2f05b0c000 3      3    0003   2     1 0      0      24530";
        let socket = Socket::of(line).unwrap();
        assert_eq!((socket.interface, socket.link().as_str()), (2, "socket:[24530]"));
        assert!(Socket::of(&line.replace("0003", "0000")).is_none());
        assert!(Socket::of("sk       RefCnt Type Proto  Iface R Rmem   User   Inode").is_none());
    }
}
