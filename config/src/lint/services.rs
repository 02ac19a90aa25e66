//! Ports that services usually listen on.

use knock_engine::{Knock, Port, Protocol};

const TCP: [(u16, &str); 52] = [
    (20, "ftp-data"),
    (21, "ftp"),
    (22, "ssh"),
    (23, "telnet"),
    (25, "smtp"),
    (53, "domain"),
    (80, "http"),
    (88, "kerberos"),
    (110, "pop3"),
    (111, "sunrpc"),
    (119, "nntp"),
    (135, "epmap"),
    (139, "netbios-ssn"),
    (143, "imap2"),
    (179, "bgp"),
    (389, "ldap"),
    (443, "https"),
    (445, "microsoft-ds"),
    (465, "submissions"),
    (514, "shell"),
    (515, "printer"),
    (548, "afpovertcp"),
    (554, "rtsp"),
    (587, "submission"),
    (631, "ipp"),
    (636, "ldaps"),
    (853, "domain-s"),
    (873, "rsync"),
    (990, "ftps"),
    (993, "imaps"),
    (995, "pop3s"),
    (1080, "socks"),
    (1433, "ms-sql-s"),
    (1521, "oracle"),
    (1723, "pptp"),
    (1883, "mqtt"),
    (2049, "nfs"),
    (3128, "squid"),
    (3306, "mysql"),
    (3389, "rdp"),
    (5060, "sip"),
    (5222, "xmpp-client"),
    (5432, "postgresql"),
    (5900, "vnc"),
    (6379, "redis"),
    (6443, "kubernetes"),
    (8080, "http-alt"),
    (8443, "https-alt"),
    (9100, "jetdirect"),
    (9200, "elasticsearch"),
    (11_211, "memcached"),
    (27_017, "mongodb"),
];

const UDP: [(u16, &str); 16] = [
    (53, "domain"),
    (67, "bootps"),
    (68, "bootpc"),
    (69, "tftp"),
    (111, "sunrpc"),
    (123, "ntp"),
    (137, "netbios-ns"),
    (138, "netbios-dgm"),
    (161, "snmp"),
    (443, "https"),
    (500, "isakmp"),
    (514, "syslog"),
    (1194, "openvpn"),
    (4500, "ipsec-nat-t"),
    (5353, "mdns"),
    (51_820, "wireguard"),
];

/// Returns the service that usually listens where the knock goes.
pub(super) fn at(knock: Knock) -> Option<&'static str> {
    let services: &[(u16, &str)] = match knock.protocol {
        Protocol::Tcp => &TCP,
        Protocol::Udp => &UDP,
    };
    let Port(port) = knock.port;
    let at = services.binary_search_by_key(&port, |(number, _)| *number).ok()?;
    services.get(at).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_in_the_order_of_their_ports() {
        for services in [&TCP[..], &UDP] {
            assert!(services.is_sorted_by(|one, next| one.0 < next.0));
        }
        let at = |port, protocol| at(Knock { port: Port(port), protocol });
        assert_eq!(at(22, Protocol::Tcp), Some("ssh"));
        assert_eq!(at(22, Protocol::Udp), None);
        assert_eq!(at(51_820, Protocol::Udp), Some("wireguard"));
        assert_eq!(at(7000, Protocol::Tcp), None);
    }
}
