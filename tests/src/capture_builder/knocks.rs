//! `knocks.txt`: a capture that people can read and write.
//!
//! ```text
//! # Settings for the whole file come first; these are the defaults.
//! link=ethernet format=pcap compress=none start=1700000000 missing=0
//! # link: ethernet sll sll2 raw raw-bsd ipv4 ipv6 null loop ppp, or a number
//! # format: pcap pcap-ns pcapng, each with -be for big-endian; compress: none gz zst
//! # address=ADDR: an address of the interface, for pcapng; may come more than once
//! # missing: this many bytes are cut off the end of the file
//!
//! # seconds after the start, source, destination, protocol, TCP flags, options
//! 0        192.0.2.10 > 10.0.0.1:7000 tcp
//! 0.5      192.0.2.10:40001 > 10.0.0.1:7000 tcp S seq=77
//! 0.500001 [2001:db8::1]:40000 > [2001:db8::2]:53 udp payload=20
//! 1        192.0.2.10 > 10.0.0.1:7000 tcp FSRPAUEC vlan=5,7
//! 2        192.0.2.10 > 10.0.0.1:7000 tcp . frag=185+
//! 3        raw 0102 03ff
//! ```
//!
//! Flags are the first letters of their names (C is CWR), `.` is none, and `S` is the default. The
//! source port is 40000 by default. The sequence number is by default the number of the line, so
//! that no line is a retransmission of another unless it says so.
//!
//! Options are `seq=N`; `payload=N`, this many bytes of data; `vlan=ID,..`, outermost first;
//! `frag=OFFSET`, in units of 8 bytes, with a `+` if more follow; `options`, an IP option or
//! extension header; `tcpoptions`; `len=N`, a wrong IP length; `badsum`; `ihl=N`, an IPv4 header
//! length of 0 to 4 words; `ipproto=N`, another protocol in the IP header; `cut=N`, only this many bytes
//! of the frame are captured; `keep=N`, only this many bytes from the start of the transport header are
//! captured.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Capture, Compression, Format, Link, Oddity, Record, Shape};
use crate::model::{ACK, CWR, ECE, FIN, PSH, Packet, RST, SYN, Transport, URG};

/// What is wrong with a `knocks.txt`, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnocksError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what is allowed.
    pub problem: String,
}

impl fmt::Display for KnocksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.problem)
    }
}

impl std::error::Error for KnocksError {}

/// Reads the text of a `knocks.txt`; `file` is only for messages.
///
/// # Errors
/// [`KnocksError`] at the first invalid line.
pub fn parse(file: &Path, text: &str) -> Result<Capture, KnocksError> {
    let mut reader = Reader {
        capture: Capture::new(Link::Ethernet, vec![]),
        start_ns: 1_700_000_000_000_000_000,
    };
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() || words[0].starts_with('#') {
            continue;
        }
        let done = if words[0].contains('=') {
            reader.settings(&words)
        } else {
            reader.packet(number, &words)
        };
        done.map_err(|problem| KnocksError { file: file.into(), line: number, problem })?;
    }
    Ok(reader.capture)
}

struct Reader {
    capture: Capture,
    start_ns: i64,
}

impl Reader {
    fn settings(&mut self, words: &[&str]) -> Result<(), String> {
        if !self.capture.records.is_empty() {
            return Err("settings must come before the first packet".into());
        }
        for word in words {
            let Some((key, value)) = word.split_once('=') else {
                return Err(format!("\"{word}\" is not KEY=VALUE"));
            };
            let unknown = || format!("unknown {key} \"{value}\"");
            match key {
                "link" => self.capture.link = Link::named(value).ok_or_else(unknown)?,
                "format" => self.capture.format = Format::named(value).ok_or_else(unknown)?,
                "compress" => {
                    self.capture.compression = match value {
                        "none" => Compression::None,
                        "gz" => Compression::Gzip,
                        "zst" => Compression::Zstd,
                        _ => return Err(unknown()),
                    }
                }
                "start" => self.start_ns = nanoseconds(value)?,
                "address" => self.capture.addresses.push(number(value, "an address")?),
                "missing" => self.capture.missing_tail = number(value, "a number of bytes")?,
                _ => {
                    return Err(format!(
                        "unknown setting \"{key}\"; there are link, format, compress, start, \
                         address and missing"
                    ));
                }
            }
        }
        Ok(())
    }

    fn packet(&mut self, line: usize, words: &[&str]) -> Result<(), String> {
        let at_ns = self.start_ns + nanoseconds(words[0])?;
        let record = match words[1..] {
            ["raw", ref hex @ ..] => {
                let frame = bytes(&hex.concat())?;
                Record::of(at_ns, &frame, frame.len())
            }
            [src, ">", dst, protocol, ref rest @ ..] => {
                let (packet, shape) = knock(at_ns, line, src, dst, protocol, rest)?;
                if let Link::Other(number) = self.capture.link {
                    return Err(format!("frames of link type {number} can only be given raw"));
                }
                let big_endian = self.capture.format.is_big_endian();
                let (frame, kept) = shape.frame(&packet, self.capture.link, big_endian);
                Record::of(at_ns, &frame, kept)
            }
            _ => {
                return Err("expected TIME SOURCE > DESTINATION:PORT tcp|udp, or TIME raw HEX; \
                            settings are KEY=VALUE"
                    .into());
            }
        };
        self.capture.records.push(record);
        Ok(())
    }
}

fn knock(
    at_ns: i64,
    line: usize,
    src: &str,
    dst: &str,
    protocol: &str,
    rest: &[&str],
) -> Result<(Packet, Shape), String> {
    let src = source(src)?;
    let dst: SocketAddr = number(dst, "an address and a port, such as 10.0.0.1:7000")?;
    if src.is_ipv4() != dst.is_ipv4() {
        return Err("source and destination are not of the same address family".into());
    }
    let mut shape = Shape::default();
    let mut seq = u32::try_from(line).unwrap_or(u32::MAX);
    let mut flags = None;
    for word in rest {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "seq" => seq = number(value, "a sequence number")?,
            "payload" => shape.payload = vec![0; number(value, "a number of bytes")?],
            "vlan" => {
                let tag = |tag| number(tag, "VLAN tags, such as 5,7");
                shape.vlan = value.split(',').map(tag).collect::<Result<_, _>>()?;
            }
            "frag" => shape.oddity = fragment(value)?,
            "options" => shape.oddity = Oddity::Options,
            "tcpoptions" => shape.tcp_options = true,
            "len" => shape.oddity = Oddity::WrongLength(number(value, "an IP length")?),
            "badsum" => shape.oddity = Oddity::WrongChecksums,
            "ipproto" => shape.oddity = Oddity::OtherProtocol(number(value, "an IP protocol")?),
            "ihl" => shape.oddity = Oddity::ShortHeader(number(value, "a number of words")?),
            "cut" => shape.kept_of_frame = Some(number(value, "a number of bytes")?),
            "keep" => shape.kept_of_transport = Some(number(value, "a number of bytes")?),
            _ if flags.is_none() && !word.contains('=') => flags = Some(flag_bits(word)?),
            _ => return Err(format!("\"{word}\" is unknown")),
        }
    }
    let transport = match protocol {
        "tcp" => Transport::Tcp { seq: Some(seq), flags: Some(flags.unwrap_or(SYN)) },
        "udp" if flags.is_some() => return Err("UDP has no flags".into()),
        "udp" => Transport::Udp,
        _ => return Err(format!("protocol \"{protocol}\" is neither tcp nor udp")),
    };
    let packet = Packet {
        at_ns,
        src: src.ip(),
        dst: dst.ip(),
        sport: src.port(),
        dport: dst.port(),
        transport,
    };
    Ok((packet, shape))
}

fn source(word: &str) -> Result<SocketAddr, String> {
    match word.parse::<IpAddr>() {
        Ok(address) => Ok(SocketAddr::new(address, 40_000)),
        Err(_) => number(word, "an address, with or without a port"),
    }
}

fn fragment(value: &str) -> Result<Oddity, String> {
    let (offset, more) = match value.strip_suffix('+') {
        Some(offset) => (offset, true),
        None => (value, false),
    };
    match (number(offset, "a fragment offset")?, more) {
        (0, true) => Ok(Oddity::FirstFragment),
        (offset @ 1..=8_191, more) => Ok(Oddity::LaterFragment { offset, more }),
        (0, false) => Err("a fragment at 0 without more to follow is not a fragment".into()),
        (_, _) => Err("fragment offsets end at 8191".into()),
    }
}

fn flag_bits(letters: &str) -> Result<u8, String> {
    if letters == "." {
        return Ok(0);
    }
    letters.chars().try_fold(0, |bits, letter| {
        let bit = match letter {
            'F' => FIN,
            'S' => SYN,
            'R' => RST,
            'P' => PSH,
            'A' => ACK,
            'U' => URG,
            'E' => ECE,
            'C' => CWR,
            _ => return Err(format!("\"{letters}\" is neither FSRPAUEC nor a known word")),
        };
        Ok(bits | bit)
    })
}

/// Reads decimal seconds with up to nine digits after the point.
fn nanoseconds(word: &str) -> Result<i64, String> {
    let problem = || format!("\"{word}\" is not a time in seconds, such as 0.500");
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || fraction.len() > 9 {
        return Err(problem());
    }
    let whole: i64 = whole.parse().map_err(|_| problem())?;
    let fraction: i64 = format!("{fraction:0<9}").parse().map_err(|_| problem())?;
    let total = whole.checked_mul(1_000_000_000).and_then(|ns| ns.checked_add(fraction));
    total.map(|ns| if negative { -ns } else { ns }).ok_or_else(problem)
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u32>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
    let pair = |pair: &[u32]| match *pair {
        [high, low] => u8::try_from(16 * high + low).ok(),
        _ => None,
    };
    let bytes = digits.and_then(|digits| digits.chunks(2).map(pair).collect());
    bytes.ok_or_else(|| format!("\"{hex}\" is not an even number of hexadecimal digits"))
}

fn number<T: FromStr>(word: &str, what: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("\"{word}\" is not {what}"))
}
