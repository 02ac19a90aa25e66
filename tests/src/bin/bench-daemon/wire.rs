//! Two network namespaces joined by a veth pair: a server, and a client that sends raw frames.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, IoSlice};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use etherparse::PacketBuilder;
use knock_tests::live::{Namespace, frame_socket};
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, send, sendmmsg};
use tempfile::TempDir;

pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);

/// The knocks of the door.
pub(crate) const SEQUENCE: [u16; 3] = [7000, 8000, 9000];

const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// A wire with a place for a daemon at one end.
pub(crate) struct Wire {
    /// When commands started, and for which clients.
    starts: Receiver<(Instant, String)>,
    socket: OwnedFd,
    server: Namespace,
    _client: Namespace,
    folder: TempDir,
    /// Makes every packet different, so that no daemon takes one for a retransmission.
    serial: Cell<u32>,
}

impl Wire {
    /// Makes the wire, and the configuration of a daemon whose command reports that it started.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("there is room for a temporary folder");
        let (server, client) = (Namespace::new(), Namespace::new());
        join(&server, &client);
        let socket = frame_socket(&client, "client");
        let pipe = folder.path().join("starts");
        let made = Command::new("mkfifo").arg(&pipe).status().expect("there is a mkfifo");
        assert!(made.success(), "mkfifo: {made}");
        let config = format!(
            "[door]\n\tsequence = {}\n\tseq_timeout = 15\n\ttcpflags = syn\n\tcommand = {}\n",
            SEQUENCE.map(|port| port.to_string()).join(","),
            stamp(&pipe, "%IP%")
        );
        fs::write(folder.path().join("knockd.conf"), config).expect("there is room for a file");
        // Open for writing as well, so that the pipe has no end.
        let pipe = OpenOptions::new().read(true).write(true).open(pipe).expect("the pipe is there");
        let starts = listen(pipe);
        Self { starts, socket, server, _client: client, folder, serial: Cell::new(0) }
    }

    /// Writes another configuration, for a daemon that is started after this.
    pub(crate) fn configure(&self, config: &str) {
        fs::write(self.path("knockd.conf"), config).expect("there is room for a file");
    }

    /// Runs a script at the server's end.
    pub(crate) fn set_up_server(&self, script: &str) {
        self.server.set_up(script);
    }

    /// Opens something that belongs to the server's end.
    pub(crate) fn open_at_server<T: Send + 'static>(
        &self,
        open: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.server.open(open)
    }

    /// Returns the place of a file.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns a command that runs a program at the server's end. It ends with this program.
    pub(crate) fn at_server(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.server.id()));
        command.args(["setpriv", "--pdeathsig", "KILL"]);
        command
    }

    /// Sends a packet that begins a connection.
    pub(crate) fn syn(&self, from: Ipv4Addr, port: u16) {
        self.serial.update(|serial| serial + 1);
        self.send(&syn(from, port, self.serial.get()));
    }

    /// Sends a frame.
    pub(crate) fn send(&self, frame: &[u8]) {
        let sent = send(self.socket.as_raw_fd(), frame, MsgFlags::empty());
        assert_eq!(sent, Ok(frame.len()), "a frame is sent");
    }

    /// Sends many frames at once.
    pub(crate) fn send_all(&self, frames: &[Vec<u8>]) {
        let slices: Vec<[IoSlice<'_>; 1]> =
            frames.iter().map(|frame| [IoSlice::new(frame)]).collect();
        let none: [ControlMessage<'_>; 0] = [];
        let mut headers = MultiHeaders::<()>::preallocate(frames.len(), None);
        let addresses = vec![None; frames.len()];
        let (socket, flags) = (self.socket.as_raw_fd(), MsgFlags::empty());
        let sent = sendmmsg(socket, &mut headers, &slices, addresses, none, flags);
        let sent = sent.expect("frames are sent").count();
        assert_eq!(sent, frames.len(), "all are sent");
    }

    /// Returns when the next command started, and for whom, if there is one in time.
    pub(crate) fn next_start(&self, patience: Duration) -> Option<(Instant, String)> {
        self.starts.recv_timeout(patience).ok()
    }

    /// Returns when the command for a client started, if it does so in time.
    pub(crate) fn started(&self, client: &str, patience: Duration) -> Option<Instant> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (at, who) = self.next_start(left)?;
            if who == client {
                return Some(at);
            }
        }
    }

    /// Returns the line for the shell that reports that a client's command started.
    pub(crate) fn stamp(&self, client: &str) -> String {
        stamp(&self.path("starts"), client)
    }
}

fn stamp(pipe: &Path, client: &str) -> String {
    format!("echo {client} >{}", pipe.display())
}

/// Reads the pipe. The time of a line is when this function has read it.
fn listen(pipe: File) -> Receiver<(Instant, String)> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let at = Instant::now();
            if sender.send((at, line.expect("the pipe can be read"))).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Returns a frame that begins a TCP connection to the server.
pub(crate) fn syn(from: Ipv4Addr, port: u16, sequence_number: u32) -> Vec<u8> {
    let ip = PacketBuilder::ethernet2(CLIENT_MAC, SERVER_MAC);
    let tcp = ip.ipv4(from.octets(), SERVER.octets(), 64);
    let mut frame = Vec::with_capacity(64);
    let tcp = tcp.tcp(40_000, port, sequence_number, 64_240).syn();
    tcp.write(&mut frame, &[]).expect("it has no payload that could be too long");
    frame
}

/// Returns a datagram to the server.
pub(crate) fn datagram(from: Ipv4Addr, port: u16, payload: &[u8]) -> Vec<u8> {
    let ip = PacketBuilder::ethernet2(CLIENT_MAC, SERVER_MAC);
    let udp = ip.ipv4(from.octets(), SERVER.octets(), 64).udp(53, port);
    let mut frame = Vec::with_capacity(64 + payload.len());
    udp.write(&mut frame, payload).expect("the payload is not too long");
    frame
}

/// Returns an IPv6 datagram to the server.
pub(crate) fn datagram_v6(from: Ipv6Addr, port: u16, payload: &[u8]) -> Vec<u8> {
    let ip = PacketBuilder::ethernet2(CLIENT_MAC, SERVER_MAC);
    let udp = ip.ipv6(from.octets(), SERVER_V6.octets(), 64).udp(53, port);
    let mut frame = Vec::with_capacity(64 + payload.len());
    udp.write(&mut frame, payload).expect("the payload is not too long");
    frame
}

/// Joins two namespaces. No end has an address but for those named here, nor a route elsewhere.
fn join(server: &Namespace, client: &Namespace) {
    let mac = |mac: [u8; 6]| mac.map(|byte| format!("{byte:02x}")).join(":");
    let up = |name: &str, address: Ipv4Addr| {
        format!(
            "ip link set {name} addrgenmode none\nip address add {address}/24 dev {name}\n\
             ip link set {name} up\nip link set lo up\n"
        )
    };
    server.set_up(&format!(
        "ip link add name server address {} type veth peer name client address {} netns {}",
        mac(SERVER_MAC),
        mac(CLIENT_MAC),
        client.id()
    ));
    client.set_up(&up("client", CLIENT));
    let ready = "until ip -o link show server | grep -q 'state UP'; do sleep 0.01; done\n";
    let server_v6 = format!("ip address add {SERVER_V6}/64 nodad dev server\n");
    server.set_up(&[&up("server", SERVER), &server_v6, ready].concat());
}
