//! One honest client: it knocks, and then uses the port.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

/// How long a client waits until the port is open.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pause between knocks.
const PACE: Duration = Duration::from_millis(100);

/// A port of the server at which nothing listens, and no door.
const CLOSED: u16 = 9;

/// How long it may take until packets pass after a link is up again.
const PASSES_MAX: Duration = Duration::from_mins(1);

/// A door, as a client knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Door {
    /// Its rule is one of iptables.
    Ssh,
    /// Its rule is an entry of a set of nftables.
    Web,
}

enum Knock {
    Tcp(u16),
    Udp(u16),
}

impl Door {
    /// Returns its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Web => "web",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Ssh => 22,
            Self::Web => 80,
        }
    }

    /// Returns the ports of its sequence.
    pub(crate) fn knock_ports(self) -> [u16; 3] {
        self.knocks().map(|knock| match knock {
            Knock::Tcp(port) | Knock::Udp(port) => port,
        })
    }

    const fn knocks(self) -> [Knock; 3] {
        match self {
            Self::Ssh => [Knock::Tcp(7_000), Knock::Udp(8_000), Knock::Tcp(9_000)],
            Self::Web => [Knock::Udp(7_100), Knock::Tcp(8_100), Knock::Udp(9_100)],
        }
    }
}

/// Knocks from one address at another, in the network of this thread, and returns whether the port opened.
pub(crate) fn visit(door: Door, from: IpAddr, to: IpAddr) -> bool {
    for knock in door.knocks() {
        // What cannot be sent is a knock that is lost, as with a cable that is out.
        let _ = match knock {
            Knock::Tcp(port) => knock_by_tcp(from, to, port),
            Knock::Udp(port) => UdpSocket::bind((from, 0))
                .and_then(|socket| socket.send_to(b"x", (to, port)).map(drop)),
        };
        thread::sleep(PACE);
    }
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if connects(from, to, door.port()) {
            return true;
        }
        thread::sleep(PACE / 4);
    }
    false
}

fn knock_by_tcp(from: IpAddr, to: IpAddr, port: u16) -> std::io::Result<()> {
    let socket = bound(from)?;
    socket.set_nonblocking(true)?;
    // Closed at once, so that its packet is sent once. It cannot have been accepted yet.
    let _ = socket.connect(&SocketAddr::new(to, port).into());
    Ok(())
}

fn connects(from: IpAddr, to: IpAddr, port: u16) -> bool {
    let to = SocketAddr::new(to, port).into();
    bound(from).is_ok_and(|socket| socket.connect_timeout(&to, 3 * PACE).is_ok())
}

/// Waits until packets pass between two addresses in both directions, in the network of this thread.
///
/// The kernel learns again where an address is, and that takes a while if it is busy: a link that is up is not yet one
/// over which packets pass.
pub(crate) fn wait_until_reached(from: IpAddr, to: IpAddr) {
    let (begin, to) = (Instant::now(), SocketAddr::new(to, CLOSED).into());
    loop {
        let answer = bound(from).and_then(|socket| socket.connect_timeout(&to, 3 * PACE));
        if answer.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
            return;
        }
        assert!(begin.elapsed() < PASSES_MAX, "nothing passes between {from} and the server");
        thread::sleep(PACE / 4);
    }
}

fn bound(from: IpAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(SocketAddr::new(from, 0)),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    Ok(socket)
}
