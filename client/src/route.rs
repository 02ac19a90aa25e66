//! Finds the host, and the address of this machine that reaches it.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use dns_lookup::{AddrInfoHints, getaddrinfo};
use knock_capture::hit::{self, Hit};
use knock_config::InterfaceName;
use knock_config::text::Cause;
use knock_engine::Protocol;
use nix::net::if_::{if_indextoname, if_nametoindex};
use socket2::{Domain, Socket, Type};

use crate::request::{Family, Request};

/// A host and the address to knock from. Both ports are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The address of the host; for IPv6 it may have an interface.
    pub destination: SocketAddr,
    /// The address of this machine.
    pub source: SocketAddr,
    /// Whether there is a route. If not, the source is made up.
    pub exists: bool,
}

/// An address without brackets, with its interface if it needs one, as knock 0.8 prints it.
pub(crate) struct Address(pub(crate) SocketAddr);

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.ip().fmt(out)?;
        let SocketAddr::V6(address) = self.0 else { return Ok(()) };
        if address.scope_id() == 0 {
            return Ok(());
        }
        let name = if_indextoname(address.scope_id()).ok().and_then(|name| name.into_string().ok());
        match name {
            Some(name) => write!(out, "%{name}"),
            None => write!(out, "%{}", address.scope_id()),
        }
    }
}

/// Why the client cannot knock at a host.
#[derive(Debug)]
pub enum RouteError {
    /// The name has no address.
    Unknown {
        /// The name.
        host: String,
        /// The family that the user asked for.
        family: Option<Family>,
        /// What the system says.
        cause: io::Error,
    },
    /// The first argument is a port, not a host.
    Port {
        /// The argument in the place of the host.
        host: String,
    },
    /// A port follows the host.
    WithPort {
        /// The argument in the place of the host.
        host: String,
        /// The host without the port.
        alone: String,
    },
    /// The address is in brackets, as before a port.
    Brackets {
        /// The argument in the place of the host.
        host: String,
        /// The address without them.
        alone: String,
    },
    /// The address means any address.
    AnyAddress {
        /// The address.
        host: IpAddr,
    },
    /// The address of the source means any address.
    AnySource {
        /// The address.
        source: IpAddr,
    },
    /// The address is not of the family that the user asked for.
    OtherFamily {
        /// The address, as it was given.
        host: IpAddr,
        /// The family that the user asked for.
        family: Family,
    },
    /// The source is not of the family that the user asked for.
    SourceOfOtherFamily {
        /// The address of the source, as it was given.
        source: IpAddr,
    },
    /// The source is no address of this machine.
    Source {
        /// The address.
        source: IpAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// The interface cannot be used.
    Interface {
        /// Its name.
        name: InterfaceName,
        /// What the system says.
        cause: io::Error,
    },
    /// The address of the host is on another interface than the one that the user asked for.
    OtherInterface {
        /// The address.
        host: SocketAddr,
        /// The name of the interface that the user asked for.
        name: InterfaceName,
    },
    /// A part of the address has a leading zero, which the resolver takes for octal: 010 is 8.
    Octal {
        /// What was written.
        host: String,
        /// The same without these zeros.
        decimal: String,
    },
    /// The address means another host on each interface, and no interface is given.
    NoInterface {
        /// The address.
        host: IpAddr,
    },
    /// The address is a multicast address, which TCP cannot use.
    Multicast {
        /// The address.
        host: IpAddr,
    },
    /// The network is not reachable.
    Unreachable {
        /// The address.
        host: IpAddr,
        /// What the system says.
        cause: io::Error,
    },
}

impl fmt::Display for RouteError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { host, family, cause } => {
                let host = host.escape_debug();
                let kind = match family {
                    None => "an address",
                    Some(Family::V4) => "an IPv4 address",
                    Some(Family::V6) => "an IPv6 address",
                };
                write!(out, "cannot find {kind} of host `{host}`: {}", Resolving(cause))
            }
            Self::Port { host } => {
                write!(out, "`{host}` is a port: the host comes before the ports")
            }
            Self::WithPort { host, .. } => {
                write!(out, "`{}` is a host with a port", host.escape_debug())
            }
            Self::Brackets { host, .. } => {
                write!(out, "`{}` is an address in brackets", host.escape_debug())
            }
            Self::Octal { host, .. } => write!(
                out,
                "`{host}` has a part with a leading zero, which counts as octal for some programs and as \
                 decimal for others"
            ),
            Self::AnyAddress { host } => {
                write!(out, "cannot knock at {host}, which means any address")
            }
            Self::AnySource { source } => {
                write!(out, "cannot knock from {source}, which means any address")
            }
            Self::OtherFamily { host, family } => {
                let family = match family {
                    Family::V4 => "IPv4",
                    Family::V6 => "IPv6",
                };
                write!(out, "{} is not an {family} address", Meant(*host))
            }
            Self::SourceOfOtherFamily { source } => {
                let source = Meant(*source);
                write!(out, "the source {source} is not of the requested IP version")
            }
            Self::Source { source, cause } => {
                write!(out, "cannot knock from {source}: {}", Cause(cause))
            }
            Self::Interface { name, cause } => {
                write!(out, "cannot knock through interface `{name}`: {}", Cause(cause))
            }
            Self::NoInterface { host } => write!(
                out,
                "{host} is a link-local address: name the interface, as in {host}%eth0 or with \
                 --interface"
            ),
            Self::OtherInterface { host, name } => {
                write!(out, "{} is not on interface `{name}`", Address(*host))
            }
            Self::Multicast { host } => {
                write!(out, "cannot reach {host}: it is a multicast address, which TCP cannot use")
            }
            Self::Unreachable { host, cause } => {
                write!(out, "cannot reach {host}: {}", Cause(cause))
            }
        }
    }
}

impl RouteError {
    /// Returns whether the name has no address.
    pub(crate) const fn is_unknown_host(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// Returns what the user can do, if there is something.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            Self::WithPort { alone, .. } => Some(format!(
                "write `{}`: the ports to knock at come after it, and the port of the service comes \
                 after `--then`",
                alone.escape_debug()
            )),
            Self::Octal { decimal, .. } => Some(format!("write `{decimal}` if you mean that")),
            Self::Brackets { alone, .. } => Some(format!("write `{}`", alone.escape_debug())),
            Self::AnyAddress { host } => {
                let loopback = match host {
                    IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                    IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
                };
                Some(format!("give one address of the host; {loopback} is this machine itself"))
            }
            Self::AnySource { .. } => Some(
                "leave it out: the kernel then chooses the address that reaches the host".into(),
            ),
            Self::Source { .. } => {
                Some("`ip address` lists the addresses of this machine".to_owned())
            }
            Self::Interface { .. } => {
                Some("`ip link` lists the interfaces of this machine".to_owned())
            }
            Self::Unknown { .. }
            | Self::Port { .. }
            | Self::OtherFamily { .. }
            | Self::SourceOfOtherFamily { .. }
            | Self::OtherInterface { .. }
            | Self::NoInterface { .. }
            | Self::Multicast { .. }
            | Self::Unreachable { .. } => None,
        }
    }
}

/// An address as the user gave it, with the one that it means.
struct Meant(IpAddr);

impl fmt::Display for Meant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (given, meant) = (self.0, self.0.to_canonical());
        if given == meant { given.fmt(out) } else { write!(out, "{given}, which is {meant},") }
    }
}

/// An error of the resolver, without the words that all its errors begin with.
struct Resolving<'a>(&'a io::Error);

impl fmt::Display for Resolving<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Cause(self.0).to_string();
        let cause = text.strip_prefix("failed to lookup address information: ");
        out.write_str(cause.unwrap_or(&text))
    }
}

impl std::error::Error for RouteError {}

/// Finds the host, once, and the address to knock from. Only the resolver may send packets.
///
/// Of several addresses, takes the first that has a route.
///
/// # Errors
/// [`RouteError`] if there is none.
pub(crate) fn find(request: &Request) -> Result<Route, RouteError> {
    let mut first_error = None;
    for destination in addresses(request)? {
        match route(request, destination) {
            Ok(route) => return Ok(route),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| no_answer(request)))
}

/// Finds the host, and the address to knock from as [`find`] does; without a network, makes one up.
///
/// # Errors
/// [`RouteError`] if the host is not known, or if the request contradicts itself.
pub(crate) fn find_or_make_up(request: &Request) -> Result<Route, RouteError> {
    let found = find(request);
    let Err(RouteError::Unreachable { host, .. }) = found else { return found };
    made_up(request, host)
}

/// Makes up an address to knock from.
fn made_up(request: &Request, host: IpAddr) -> Result<Route, RouteError> {
    let made_up = match host {
        IpAddr::V4(_) => IpAddr::V4(MADE_UP_V4),
        IpAddr::V6(_) => IpAddr::V6(MADE_UP_V6),
    };
    let source = source(request)?.unwrap_or(made_up);
    let (destination, source) = (SocketAddr::new(host, 0), SocketAddr::new(source, 0));
    Ok(Route { destination, source, exists: false })
}

/// Finds the host, and takes the source that the user asked for, even if this machine does not have it;
/// without one, does as [`find_or_make_up`]. For knocks that are written to a file.
///
/// # Errors
/// [`RouteError`] if the host is not known, or if the request contradicts itself.
pub(crate) fn find_or_believe(request: &Request) -> Result<Route, RouteError> {
    let Some(source) = source(request)? else { return find_or_make_up(request) };
    let found = addresses(request)?.into_iter().next();
    let destination = found.ok_or_else(|| no_answer(request))?;
    Ok(Route { destination, source: SocketAddr::new(source, 0), exists: true })
}

/// What routes are needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To send packets.
    Send,
    /// To show what would be sent.
    Show,
    /// To write it to a file: a source that this machine does not have will do.
    Write,
}

/// The most addresses of a host that are used.
const ADDRESSES_MAX: usize = 16;

/// Finds all addresses of the host, and the addresses to knock from, as [`find`] does for one. Those without a
/// route are left out; if none has one, sources are made up, but not for sending.
///
/// # Errors
/// [`RouteError`] if there is none.
pub(crate) fn find_all(request: &Request, purpose: Purpose) -> Result<Vec<Route>, RouteError> {
    let mut destinations: Vec<SocketAddr> = Vec::new();
    for destination in addresses(request)? {
        if !destinations.contains(&destination) && destinations.len() < ADDRESSES_MAX {
            destinations.push(destination);
        }
    }
    if let (Purpose::Write, Some(source)) = (purpose, source(request)?) {
        let source = SocketAddr::new(source, 0);
        let believed = |destination| Route { destination, source, exists: true };
        return Ok(destinations.into_iter().map(believed).collect());
    }
    let (mut routes, mut unreachable, mut first_error) = (Vec::new(), Vec::new(), None);
    for destination in destinations {
        match route(request, destination) {
            Ok(route) => routes.push(route),
            Err(error) => {
                if matches!(error, RouteError::Unreachable { .. }) {
                    unreachable.push(made_up(request, destination.ip())?);
                }
                first_error = first_error.or(Some(error));
            }
        }
    }
    if routes.is_empty() && purpose != Purpose::Send {
        routes = unreachable;
    }
    match first_error {
        Some(error) if routes.is_empty() => Err(error),
        None if routes.is_empty() => Err(no_answer(request)),
        Some(_) | None => Ok(routes),
    }
}

fn no_answer(request: &Request) -> RouteError {
    RouteError::Unknown {
        host: request.host.clone(),
        family: request.family,
        cause: io::Error::other("the resolver has no answer"),
    }
}

/// Addresses reserved for examples (RFC 5737, RFC 3849).
const MADE_UP_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const MADE_UP_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// Returns the source that the user asked for; of an IPv4-mapped address, the IPv4 one.
fn source(request: &Request) -> Result<Option<IpAddr>, RouteError> {
    let source = request.source.map(|source| source.to_canonical());
    match source.filter(IpAddr::is_unspecified) {
        Some(source) => Err(RouteError::AnySource { source }),
        None => Ok(source),
    }
}

/// Returns the addresses of the host, in the order of the resolver; of IPv4-mapped ones, the IPv4 ones,
/// so that the kernel translates nothing and the printed address is the one on the wire.
fn addresses(request: &Request) -> Result<Vec<SocketAddr>, RouteError> {
    let wanted = source(request)?.map(Family::of);
    if let (Some(source), Some(family), Some(wanted)) = (request.source, request.family, wanted)
        && wanted != family
    {
        return Err(RouteError::SourceOfOtherFamily { source });
    }
    let family = request.family.or(wanted);
    let is_wanted = |address: IpAddr| family.is_none_or(|family| Family::of(address) == family);
    if let Ok(given) = request.host.parse::<IpAddr>() {
        let host = given.to_canonical();
        return match family {
            _ if host.is_unspecified() => Err(RouteError::AnyAddress { host }),
            Some(family) if !is_wanted(host) => {
                Err(RouteError::OtherFamily { host: given, family })
            }
            Some(_) | None => Ok(vec![SocketAddr::new(host, 0)]),
        };
    }
    check_name(&request.host)?;
    let mut found = resolved(request, family)?;
    found.retain(|address| is_wanted(address.ip()));
    let any = found.iter().map(SocketAddr::ip).find(IpAddr::is_unspecified);
    found.retain(|address| !address.ip().is_unspecified());
    match any {
        Some(host) if found.is_empty() => Err(RouteError::AnyAddress { host }),
        Some(_) | None => Ok(found),
    }
}

/// Refuses what is not a host but easily written in its place.
fn check_name(name: &str) -> Result<(), RouteError> {
    let host = || name.to_owned();
    // The resolver would read 7000 as the address 0.0.27.88.
    if hit::port(name).is_ok() {
        return Err(RouteError::Port { host: host() });
    }
    if let Some(decimal) = decimal(name) {
        return Err(RouteError::Octal { host: host(), decimal });
    }
    let unbracketed = |text: &str| {
        let alone = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        alone.map(str::to_owned)
    };
    if let Some(alone) = unbracketed(name) {
        return Err(RouteError::Brackets { host: host(), alone });
    }
    let Some((alone, port)) = name.rsplit_once(':') else { return Ok(()) };
    let bracketed = unbracketed(alone);
    // Colons without brackets may be an IPv6 address with its interface.
    let is_one = bracketed.is_some() || !alone.contains(':');
    if is_one && port.parse::<Hit>().is_ok() {
        let alone = bracketed.unwrap_or_else(|| alone.to_owned());
        return Err(RouteError::WithPort { host: host(), alone });
    }
    Ok(())
}

/// Returns an IPv4 address without the zeros that its parts begin with, if any does.
fn decimal(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let is_number =
        |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if parts.len() != 4 || !parts.iter().all(is_number) {
        return None;
    }
    let part = |part: &&str| match part.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => digits.to_owned(),
    };
    let decimal = parts.iter().map(part).collect::<Vec<_>>().join(".");
    (decimal != name && decimal.parse::<Ipv4Addr>().is_ok()).then_some(decimal)
}

/// Returns the name of the interface that an IPv6 address names.
fn zone(host: &str) -> Option<InterfaceName> {
    let (address, zone) = host.split_once('%')?;
    let is_address = address.parse::<Ipv6Addr>().is_ok();
    InterfaceName::new(zone.as_bytes()).filter(|_| is_address)
}

/// Asks the resolver for the addresses of a name.
fn resolved(request: &Request, family: Option<Family>) -> Result<Vec<SocketAddr>, RouteError> {
    let hints = AddrInfoHints {
        socktype: libc::SOCK_STREAM,
        address: match family {
            None => libc::AF_UNSPEC,
            Some(Family::V4) => libc::AF_INET,
            Some(Family::V6) => libc::AF_INET6,
        },
        ..AddrInfoHints::default()
    };
    let unknown = |cause| RouteError::Unknown { host: request.host.clone(), family, cause };
    let found = getaddrinfo(Some(&request.host), None, Some(hints));
    let found = found.map_err(|error| match zone(&request.host) {
        // The resolver only says that it does not know the name.
        Some(name) => {
            let cause = io::Error::from_raw_os_error(libc::ENODEV);
            RouteError::Interface { name, cause }
        }
        None => unknown(io::Error::from(error)),
    })?;
    // An answer that cannot be read is of a family that was not requested.
    Ok(found.filter_map(Result::ok).map(|answer| canonical(answer.sockaddr)).collect())
}

fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(host) => SocketAddr::new(IpAddr::V4(host), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// Finds the address to knock from, as the kernel would choose it.
fn route(request: &Request, mut destination: SocketAddr) -> Result<Route, RouteError> {
    let host = destination.ip();
    let by_tcp = |hit: &Hit| hit.knock.protocol == Protocol::Tcp;
    // Connecting a datagram socket succeeds for a multicast address, so check it here.
    if host.is_multicast() && request.hits.iter().any(by_tcp) {
        return Err(RouteError::Multicast { host });
    }
    if let SocketAddr::V6(address) = &mut destination {
        address.set_scope_id(scope_id(request, *address)?);
    }
    let unreachable = |cause| RouteError::Unreachable { host, cause };
    let socket = Socket::new(Domain::for_address(destination), Type::DGRAM, None);
    let socket = socket.map_err(unreachable)?;
    if let Some(name) = &request.interface {
        let bound = socket.bind_device(Some(name.as_bytes()));
        bound.map_err(|cause| RouteError::Interface { name: name.clone(), cause })?;
    }
    if let Some(source) = source(request)? {
        let address = source_address(source, destination);
        let bound = socket.bind(&address.into());
        bound.map_err(|cause| RouteError::Source { source, cause })?;
    }
    // Connecting a datagram socket picks the source and sends nothing.
    let mut somewhere = destination;
    somewhere.set_port(9);
    socket.connect(&somewhere.into()).map_err(unreachable)?;
    let source = socket.local_addr().map_err(unreachable)?.as_socket();
    let mut source = source.ok_or_else(|| unreachable(io::Error::other("no source address")))?;
    source.set_port(0);
    Ok(Route { destination, source, exists: true })
}

/// Returns the index of the interface that an address of the host is on; 0 if it means the same host
/// on all.
fn scope_id(request: &Request, address: SocketAddrV6) -> Result<u32, RouteError> {
    let is_local = address.ip().is_unicast_link_local();
    let (Some(name), true) = (&request.interface, is_local || address.scope_id() != 0) else {
        if is_local && address.scope_id() == 0 {
            return Err(RouteError::NoInterface { host: IpAddr::V6(*address.ip()) });
        }
        return Ok(address.scope_id());
    };
    let index = if_nametoindex(name.as_bytes());
    let index = index.map_err(|error| RouteError::Interface {
        name: name.clone(),
        cause: io::Error::from(error),
    })?;
    if ![0, index].contains(&address.scope_id()) {
        return Err(RouteError::OtherInterface { host: address.into(), name: name.clone() });
    }
    Ok(index)
}

/// Returns the address of a source, on the interface of the destination if it needs one.
fn source_address(source: IpAddr, destination: SocketAddr) -> SocketAddr {
    let mut address = SocketAddr::new(source, 0);
    if let (SocketAddr::V6(source), SocketAddr::V6(destination)) = (&mut address, destination)
        && source.ip().is_unicast_link_local()
    {
        source.set_scope_id(destination.scope_id());
    }
    address
}
