//! Recognizes what is not a capture.

use std::fmt;

/// What something that is not a capture looks like, by its first bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looks {
    /// A file of a kind that is known by its magic bytes.
    Known(Kind),
    /// Text.
    Text,
    /// Something else, with up to 4 first bytes.
    Unknown(Vec<u8>),
}

/// A kind of file that people mistake for a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A snoop file of Solaris.
    Snoop,
    /// A capture of Microsoft Network Monitor.
    NetworkMonitor,
    /// A capture of an NAI Sniffer.
    Sniffer,
    /// Data compressed by a program other than gzip and zstd, or compressed twice.
    Compressed(&'static str),
    /// A program or core dump.
    Elf,
}

/// No magic is longer than 4 bytes: a live stream may have no more for a long time.
const KINDS: [(&[u8], Kind); 11] = [
    (b"snoo", Kind::Snoop),
    (b"GMBU", Kind::NetworkMonitor),
    (b"RTSS", Kind::NetworkMonitor),
    (b"TRSN", Kind::Sniffer),
    (b"XCP\0", Kind::Sniffer),
    (b"BZh", Kind::Compressed("bzip2")),
    (b"\xfd7zX", Kind::Compressed("xz")),
    (b"\x04\x22\x4d\x18", Kind::Compressed("lz4")),
    (b"PK\x03\x04", Kind::Compressed("zip")),
    (b"7z\xbc\xaf", Kind::Compressed("7z")),
    (b"\x7fELF", Kind::Elf),
];

impl Looks {
    /// Recognizes the kind by at most the first 64 bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let bytes = bytes.get(..64).unwrap_or(bytes);
        if let Some((_, kind)) = KINDS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return Self::Known(*kind);
        }
        if bytes.starts_with(&[0x1f, 0x8b]) {
            return Self::Known(Kind::Compressed("gzip, twice"));
        }
        if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return Self::Known(Kind::Compressed("zstd, twice"));
        }
        if is_text(bytes) {
            return Self::Text;
        }
        Self::Unknown(bytes.iter().copied().take(4).collect())
    }
}

/// Returns whether these are the first bytes of a text, the last of which may be part of a character.
fn is_text(bytes: &[u8]) -> bool {
    let whole = bytes.utf8_chunks().next();
    let Some(whole) = whole else { return true };
    let cut = bytes.len().saturating_sub(whole.valid().len());
    let is_cut_character =
        whole.invalid().len() == cut && cut < 4 && [4, 64].contains(&bytes.len());
    let is_shown = |character: char| !character.is_control() || character.is_ascii_whitespace();
    (cut == 0 || is_cut_character) && whole.valid().chars().all(is_shown)
}

impl fmt::Display for Looks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let write_instead = "save packets with `tcpdump -w`";
        match self {
            Self::Known(Kind::Snoop) => convert("a snoop file", out),
            Self::Known(Kind::NetworkMonitor) => convert("a Network Monitor capture", out),
            Self::Known(Kind::Sniffer) => convert("a Sniffer capture", out),
            Self::Known(Kind::Compressed(how)) => {
                write!(out, "is not a capture but compressed ({how}); decompress it first")
            }
            Self::Known(Kind::Elf) => {
                write!(out, "is not a capture but an ELF file; {write_instead}")
            }
            Self::Text => {
                write!(out, "is neither a capture nor a scenario, but other text; {write_instead}")
            }
            Self::Unknown(bytes) => {
                write!(out, "is not a pcap or pcapng capture, beginning with")?;
                for byte in bytes {
                    write!(out, " {byte:02x}")?;
                }
                write!(out, "; {write_instead}")
            }
        }
    }
}

fn convert(what: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(out, "is {what}, not pcap or pcapng; convert it with Wireshark's `editcap`")
}
