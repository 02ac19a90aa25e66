//! A server and a client, and a cable between them.

use std::fs;
use std::process::{Command, Stdio};

use super::namespace::Namespace;
use crate::process::finish;

/// The addresses of the server's end, which is called `server`.
pub const SERVER: [&str; 4] = ["192.0.2.1", "198.51.100.1", "2001:db8::1", "fe80::1"];

/// The addresses of the client's end, which is called `client`. By default, it uses the first to talk to
/// the first address of the server, and the last ones to talk to the others.
pub const CLIENTS: [&str; 5] =
    ["192.0.2.10", "192.0.2.11", "198.51.100.10", "2001:db8::10", "fe80::10"];

/// One more address of the client's end, for the last knock.
pub(super) const LAST: &str = "192.0.2.99";

/// Two namespaces that are joined by a veth pair. Nothing leaves them.
pub struct Cable {
    /// Where the server is.
    pub server: Namespace,
    /// Where clients are.
    pub client: Namespace,
}

impl Cable {
    /// Makes both, and waits until packets pass.
    ///
    /// # Panics
    /// If they cannot be made; `Need::Namespaces` asks before.
    #[expect(clippy::new_without_default, reason = "it starts processes")]
    #[must_use]
    pub fn new() -> Self {
        let cable = Self { server: Namespace::new(), client: Namespace::new() };
        let pair = "ip link add name server type veth peer name client netns";
        cable.server.set_up(&format!("{pair} {}", cable.client.id()));
        cable.join();
        cable
    }

    /// Makes both with a third namespace between them, in which the cable is cut: what comes to its
    /// interface `to-server` or `to-client` passes only if a program carries it to the other one.
    ///
    /// Both ends compute checksums, unlike on a whole cable. Needs `ethtool`.
    ///
    /// # Panics
    /// If they cannot be made; `Need::Namespaces` asks before.
    #[must_use]
    pub fn cut() -> (Self, Namespace) {
        let cable = Self { server: Namespace::new(), client: Namespace::new() };
        let between = Namespace::new();
        for (namespace, end) in [(&cable.server, "server"), (&cable.client, "client")] {
            between.set_up(&format!(
                "ip link add name to-{end} type veth peer name {end} netns {}
                ip link set to-{end} addrgenmode none up",
                namespace.id()
            ));
            namespace.set_up(&format!("ethtool --offload {end} tx off >/dev/null"));
        }
        cable.join();
        (cable, between)
    }

    /// Runs a line for the shell on the server, to its end.
    ///
    /// # Panics
    /// If it does not succeed.
    pub fn on_server(&self, line: &str) {
        let outcome = finish(&mut bound(&self.server.command(line)));
        assert_eq!(outcome.status, Some(0), "{line}: {}", outcome.stderr);
    }

    /// Runs a line for the shell on the client, to its end. It may fail, as programs do when ports are
    /// closed.
    ///
    /// # Panics
    /// If a program of the line is missing, or does not end.
    pub fn on_client(&self, line: &str) {
        let outcome = finish(&mut bound(&self.client.command(line)));
        assert!(!matches!(outcome.status, None | Some(126 | 127)), "{line}: {outcome:?}");
    }

    fn join(&self) {
        let address = |address: &str| {
            let rest = if address.contains(':') { "/64 nodad" } else { "/24" };
            [address, rest].concat()
        };
        let addresses = |device: &str, addresses: &[&str]| {
            let add = |each: &&str| format!("ip address add {} dev {device}\n", address(each));
            // Without addresses from the kernel: these are the only ones.
            let device_up =
                format!("ip link set {device} addrgenmode none up\nip link set lo up\n");
            addresses.iter().map(add).collect::<String>() + &device_up
        };
        self.client.set_up(&addresses("client", &[&CLIENTS[..], &[LAST]].concat()));
        let ready = "until ip -o link show server | grep -q 'state UP'; do sleep 0.01; done\n";
        // Some programs wait for an answer to each UDP packet, and the kernel would answer only a few.
        let answers = "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit || true\n";
        self.server.set_up(&[&addresses("server", &SERVER), ready, answers].concat());
    }
}

/// Binds a command to one processor, so that all it sends arrives in the order in which it was sent: a
/// packet on a veth pair or the loopback interface arrives on the processor that sent it.
fn bound(inside: &Command) -> Command {
    let mut bound = Command::new("taskset");
    bound.args(["--cpu-list", &processor()]).arg(inside.get_program()).args(inside.get_args());
    bound.stdin(Stdio::null());
    bound
}

/// Returns a processor on which this process may run.
fn processor() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.unwrap().trim().chars().take_while(char::is_ascii_digit).collect()
}
