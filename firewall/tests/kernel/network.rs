//! A server with services, and clients.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use knock_tests::live::{Cable, Namespace};
use socket2::{Domain, Protocol, Socket, Type};

/// How long what should happen may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long what should not happen is waited for. If it is too short, a fault is missed, and no test fails.
const GLANCE: Duration = Duration::from_millis(300);

/// The server, the client, and the addresses of both.
pub(crate) const SERVERS: [&str; 2] = ["192.0.2.1", "2001:db8::1"];
pub(crate) const CLIENTS: [&str; 2] = ["192.0.2.10", "2001:db8::10"];

/// Makes a server and a client, and gives the server services.
pub(crate) fn served(ports: &[u16]) -> Cable {
    let cable = Cable::new();
    // For a stranger.
    cable.client.set_up("ip address add 2001:db8::11/64 dev client nodad");
    for port in ports {
        serve(&cable.server, *port);
    }
    cable
}

/// Answers each connection and each datagram at a port with what it gets. Threads do it until the test
/// program ends.
pub(crate) fn serve(place: &Namespace, port: u16) {
    let (listener, socket) = place.open(move || {
        let any = SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), port);
        (TcpListener::bind(any).unwrap(), UdpSocket::bind(any).unwrap())
    });
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            thread::spawn(move || {
                let mut byte = [0];
                while connection.read(&mut byte).is_ok_and(|length| length == 1) {
                    if connection.write_all(&byte).is_err() {
                        break;
                    }
                }
            });
        }
    });
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
            let _ = socket.send_to(&buffer[..length], from);
        }
    });
}

/// What came of trying to reach a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    Yes,
    /// The other side said no.
    Refused,
    /// Nothing came back.
    Silence,
}

/// Tries to connect by TCP and to get an answer. `expected` says how long to wait for it.
pub(crate) fn tcp(
    place: &Namespace,
    from: &str,
    to: &str,
    port: u16,
    expected: Reached,
) -> Reached {
    match connection(place, from, to, port, expected) {
        Ok(mut connection) => {
            if answers(&mut connection) {
                Reached::Yes
            } else {
                Reached::Silence
            }
        }
        Err(reached) => reached,
    }
}

/// Connects by TCP.
pub(crate) fn connection(
    place: &Namespace,
    from: &str,
    to: &str,
    port: u16,
    expected: Reached,
) -> Result<TcpStream, Reached> {
    let (from, to) = ends(from, to, port);
    let patience = if expected == Reached::Silence { GLANCE } else { PATIENCE };
    place.open(move || {
        let socket =
            Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.bind(&from.into()).unwrap();
        match socket.connect_timeout(&to.into(), patience) {
            Ok(()) => {
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                Ok(socket.into())
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                Err(Reached::Refused)
            }
            Err(_) => Err(Reached::Silence),
        }
    })
}

/// Returns whether a connection still answers.
pub(crate) fn answers(connection: &mut TcpStream) -> bool {
    let mut byte = [0];
    connection.write_all(b"x").is_ok() && connection.read(&mut byte).is_ok_and(|length| length == 1)
}

/// Sends datagrams of this many bytes until one is answered.
pub(crate) fn udp(
    place: &Namespace,
    from: &str,
    to: &str,
    port: u16,
    (length, expected): (usize, Reached),
) -> Reached {
    let (from, to) = ends(from, to, port);
    let tries = if expected == Reached::Silence { 3 } else { 200 };
    place.open(move || {
        let socket = UdpSocket::bind(from).unwrap();
        socket.connect(to).unwrap();
        socket.set_read_timeout(Some(GLANCE / 3)).unwrap();
        let mut buffer = vec![0; 1 << 16];
        for _ in 0..tries {
            let result = socket.send(&vec![7; length]).and_then(|_| socket.recv(&mut buffer));
            match result {
                Ok(received) => {
                    assert_eq!(received, length);
                    return Reached::Yes;
                }
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    return Reached::Refused;
                }
                Err(_) => {}
            }
        }
        Reached::Silence
    })
}

fn ends(from: &str, to: &str, port: u16) -> (SocketAddr, SocketAddr) {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    (SocketAddr::new(address(from), 0), SocketAddr::new(address(to), port))
}
