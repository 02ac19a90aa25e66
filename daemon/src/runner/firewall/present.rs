//! Who is connected to ports of this machine, as `/proc/net/tcp` says.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use knock_engine::{Port, PortRange, Protocol};

/// The state of a connection that is open, in the file.
const ESTABLISHED: &str = "01";

/// Returns the clients that are connected to some of these ports from other machines, each with its port. `local`
/// are the addresses of this one.
pub(super) fn clients(ports: &[PortRange], local: &BTreeSet<IpAddr>) -> Vec<(IpAddr, PortRange)> {
    let mut clients = Vec::new();
    for file in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // Without the file, nothing can be said.
        let text = std::fs::read_to_string(file).unwrap_or_default();
        clients.extend(text.lines().skip(1).filter_map(|line| connected(line, ports)));
    }
    clients.retain(|(client, _)| !local.contains(client));
    clients.sort_unstable();
    clients.dedup();
    clients
}

/// Returns words for how many there are besides the first.
pub(super) fn more_than_one(clients: &[(IpAddr, PortRange)]) -> String {
    match clients.len() {
        0 | 1 => String::new(),
        count => format!(" and {} more", count.saturating_sub(1)),
    }
}

/// Reads a line: the number, the local end, the other end, the state.
fn connected(line: &str, ports: &[PortRange]) -> Option<(IpAddr, PortRange)> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, other, state) = (words.next()?, words.next()?, words.next()?);
    if state != ESTABLISHED {
        return None;
    }
    let (_, local) = end(local)?;
    let (client, _) = end(other)?;
    let port = PortRange::new(Protocol::Tcp, local, local)?;
    let is_guarded = ports.iter().any(|range| range.overlaps(port));
    (is_guarded && !client.is_loopback()).then_some((client, port))
}

/// Reads an end of a connection: an address in words of the machine's order, and a port.
fn end(text: &str) -> Option<(IpAddr, Port)> {
    let (address, port) = text.split_once(':')?;
    let port = Port(u16::from_str_radix(port, 16).ok()?);
    let words = address.as_bytes().chunks(8).map(|word| {
        let word = std::str::from_utf8(word).ok()?;
        Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
    });
    let bytes: Vec<u8> = words.collect::<Option<Vec<[u8; 4]>>>()?.concat();
    let address = match *bytes.as_slice() {
        [a, b, c, d] => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        _ => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)).to_canonical(),
    };
    Some((address, port))
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    const V4: &str =
        "   1: 0A00000A:0016 0502000A:C350 01 00000000:00000000 00:00000000 00000000 0";
    const V6: &str =
        "   0: B80D0120000000000000000001000000:0016 B80D0120000000000000000005000000:9C40 01";

    #[test]
    fn connections_to_guarded_ports_are_found() {
        let ssh = PortRange::new(Protocol::Tcp, Port(22), Port(22)).unwrap();
        let found = |line: &str| connected(line, &[ssh]);
        assert_eq!(found(V4), Some(("10.0.2.5".parse().unwrap(), ssh)));
        assert_eq!(found(V6), Some(("2001:db8::5".parse().unwrap(), ssh)));
        assert_eq!(found(&V4.replace(" 01 ", " 0A ")), None);
        assert_eq!(found(&V4.replace(":0016", ":0017")), None);
        assert_eq!(found(&V4.replace("0502000A", "0100007F")), None);
        assert_eq!(found("  sl  local_address rem_address"), None);
        assert_eq!(found(""), None);
    }
}
