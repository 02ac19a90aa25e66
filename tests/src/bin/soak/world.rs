//! The server and its clients.

use std::fs;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use knock_tests::live::{Cable, Namespace};
use knock_tests::process::{Outcome, finish};
use tempfile::TempDir;

/// For how many seconds a door is open.
pub(crate) const OPEN_SECONDS: u64 = 5;

/// The address of the server.
pub(crate) const SERVER: [u8; 4] = [192, 0, 2, 1];

/// Its other address.
pub(crate) const SERVER_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// The address of the server's interface on the cable.
pub(crate) const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// How many addresses of each family honest clients have: from 192.0.2.20 and `2001:db8::5:14` on.
pub(crate) const CLIENTS: u8 = 200;

/// The firewall of the server: a rule for each client of one door, an entry of a set for each of the other.
const FIREWALL: &str = "
# A link that goes down keeps its IPv6 addresses, as it does those of IPv4.
echo 1 > /proc/sys/net/ipv6/conf/all/keep_addr_on_down
echo 0 > /proc/sys/net/ipv6/conf/server/accept_dad
iptables -A INPUT -p tcp --dport 22 -j DROP
ip6tables -A INPUT -p tcp --dport 22 -j DROP
nft 'table inet knock {
    set web { type ipv4_addr; }
    set web6 { type ipv6_addr; }
    chain input {
        type filter hook input priority 0
        tcp dport 80 ip saddr @web accept
        tcp dport 80 ip6 saddr @web6 accept
        tcp dport 80 drop
    }
}'";

/// Two doors, one of them with commands that fail if they are repeated, and one that reloads change.
const CONFIG: &str = "\
[options]
    Interface = server
    LogFile   = DIR/knockd.log
    StateDir  = DIR/state

[ssh]
    Sequence      = 7000,8000:udp,9000
    Seq_Timeout   = 10
    TCPFlags      = syn
    Start_Command = iptables -w -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
    Stop_Command  = iptables -w -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
    Start_Command_6 = ip6tables -w -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
    Stop_Command_6  = ip6tables -w -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
    Cmd_Timeout   = SECONDS

[web]
    Sequence      = 7100:udp,8100,9100:udp
    Seq_Timeout   = 10
    TCPFlags      = syn
    Start_Command = nft add element inet knock web { %IP% }
    Stop_Command  = nft delete element inet knock web { %IP% }
    Start_Command_6 = nft add element inet knock web6 { %IP% }
    Stop_Command_6  = nft delete element inet knock web6 { %IP% }
    Cmd_Timeout   = SECONDS

[changing]
    Sequence = 7200,CHANGING:udp
    Command  =
";

/// A server and its clients on a cable, and a folder for files.
pub(crate) struct World {
    // Ended before the folder goes.
    cable: Cable,
    folder: TempDir,
}

impl World {
    /// Makes the network, the firewall and the configuration.
    pub(crate) fn new() -> Self {
        let world = Self { cable: Cable::new(), folder: TempDir::new().unwrap() };
        let mac = SERVER_MAC.map(|byte| format!("{byte:02x}")).join(":");
        world.cable.server.set_up(&format!("ip link set server address {mac}\n{FIREWALL}"));
        let address = |number: u8| {
            let (v4, v6) = (client(number), client_6(number));
            format!(
                "ip address replace {v4}/24 dev client\n\
                 ip address replace {v6}/64 nodad preferred_lft 0 dev client\n"
            )
        };
        let addresses: String = (0..CLIENTS).map(address).collect();
        world.cable.client.set_up(&addresses);
        world.configure(8_200);
        world
    }

    /// Returns the namespace of the server.
    pub(crate) const fn server(&self) -> &Namespace {
        &self.cable.server
    }

    /// Returns the namespace of the clients.
    pub(crate) const fn client(&self) -> &Namespace {
        &self.cable.client
    }

    /// Returns how many packets of clients the cable has dropped: those for which there was no room in a queue of the
    /// kernel's when the server's interface was to get them, and those that came while that was down.
    pub(crate) fn dropped(&self) -> u64 {
        let path = format!("/proc/{}/net/dev", self.client().id());
        let counters = fs::read_to_string(path).unwrap();
        let of_cable = counters.lines().find_map(|line| line.trim().strip_prefix("client:"));
        // Eight of what was received, then bytes, packets, errors and drops of what was sent.
        of_cable.unwrap().split_whitespace().nth(11).unwrap().parse().unwrap()
    }

    /// Writes the configuration, with this port in the door that changes.
    pub(crate) fn configure(&self, port: u16) {
        let config = CONFIG.replace("SECONDS", &OPEN_SECONDS.to_string());
        let config = config.replace("CHANGING", &port.to_string());
        let config = config.replace("DIR", self.folder.path().to_str().unwrap());
        fs::write(self.path("knockd.conf"), config).unwrap();
    }

    /// Returns the path of a file.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a line for the shell on the server.
    pub(crate) fn run(&self, line: &str) -> Outcome {
        finish(&mut self.server().command(line))
    }

    /// Runs a line for the shell on the server, which must succeed.
    pub(crate) fn must(&self, line: &str) {
        let outcome = self.run(line);
        assert_eq!(outcome.status, Some(0), "{line}: {}", outcome.stderr);
    }
}

/// Returns the address of an honest client.
pub(crate) fn client(number: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, 20 + number])
}

/// Returns its other address.
pub(crate) fn client_6(number: u8) -> IpAddr {
    let number = u16::from(number) + 20;
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 5, number).into()
}

/// Returns the address of the server for a client.
pub(crate) fn server_for(client: IpAddr) -> IpAddr {
    if client.is_ipv6() { SERVER_6.into() } else { SERVER.into() }
}
