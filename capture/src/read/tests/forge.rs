//! Bytes of captures.

/// A byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Big,
    Little,
}

impl End {
    pub(super) fn u16(self, number: u16) -> [u8; 2] {
        match self {
            Self::Big => number.to_be_bytes(),
            Self::Little => number.to_le_bytes(),
        }
    }

    pub(super) fn u32(self, number: u32) -> [u8; 4] {
        match self {
            Self::Big => number.to_be_bytes(),
            Self::Little => number.to_le_bytes(),
        }
    }

    pub(super) fn u64(self, number: u64) -> [u8; 8] {
        match self {
            Self::Big => number.to_be_bytes(),
            Self::Little => number.to_le_bytes(),
        }
    }
}

pub(super) const MICROS: u32 = 0xa1b2_c3d4;
pub(super) const NANOS: u32 = 0xa1b2_3c4d;
pub(super) const MODIFIED: u32 = 0xa1b2_cd34;

/// The header of a pcap file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) end: End,
    pub(super) magic: u32,
    pub(super) version: (u16, u16),
    pub(super) link: u32,
}

impl Header {
    pub(super) const ETHERNET: Self =
        Self { end: End::Little, magic: MICROS, version: (2, 4), link: 1 };

    pub(super) fn bytes(self) -> Vec<u8> {
        let Self { end, magic, version: (major, minor), link } = self;
        let mut bytes = end.u32(magic).to_vec();
        bytes.extend(end.u16(major));
        bytes.extend(end.u16(minor));
        bytes.extend([0; 8]);
        bytes.extend(end.u32(65_535));
        bytes.extend(end.u32(link));
        bytes
    }

    /// Returns a record with the two lengths in the order of the file's version.
    pub(super) fn record(self, (seconds, fraction): (u32, u32), frame: &[u8]) -> Vec<u8> {
        let captured = frame.len() as u32;
        let wire = captured + 100;
        let lengths = if self.version.1 < 3 { [wire, captured] } else { [captured, wire] };
        let mut bytes = self.record_head(seconds, fraction, lengths);
        bytes.extend(frame);
        bytes
    }

    pub(super) fn record_head(self, seconds: u32, fraction: u32, lengths: [u32; 2]) -> Vec<u8> {
        let mut bytes: Vec<u8> = [seconds, fraction, lengths[0], lengths[1]]
            .into_iter()
            .flat_map(|n| self.end.u32(n))
            .collect();
        if self.magic == MODIFIED {
            bytes.extend([9; 8]);
        }
        bytes
    }
}

/// A pcap file of Ethernet frames, at one second after another from 100 on.
pub(super) fn pcap(frames: &[&[u8]]) -> Vec<u8> {
    let header = Header::ETHERNET;
    let mut bytes = header.bytes();
    for (second, frame) in (100..).zip(frames) {
        bytes.extend(header.record((second, 0), frame));
    }
    bytes
}

/// A pcapng block.
pub(super) fn block(end: End, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = end.u32(padded as u32 + 12);
    let padding = vec![0; padded - body.len()];
    [&end.u32(kind)[..], &length, body, &padding, &length].concat()
}

pub(super) fn section(end: End) -> Vec<u8> {
    section_of_version(end, 1, 0)
}

pub(super) fn section_of_version(end: End, major: u16, minor: u16) -> Vec<u8> {
    let mut body = end.u32(0x1a2b_3c4d).to_vec();
    body.extend(end.u16(major));
    body.extend(end.u16(minor));
    body.extend([0xff; 8]);
    block(end, 0x0a0d_0d0a, &body)
}

pub(super) fn interface(end: End, link: u16, snap_length: u32, options: &[u8]) -> Vec<u8> {
    let mut body = end.u16(link).to_vec();
    body.extend([0; 2]);
    body.extend(end.u32(snap_length));
    body.extend(options);
    block(end, 1, &body)
}

pub(super) fn option(end: End, code: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = end.u16(code).to_vec();
    bytes.extend(end.u16(value.len() as u16));
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

pub(super) fn enhanced(end: End, interface: u32, units: u64, frame: &[u8]) -> Vec<u8> {
    let mut body = end.u32(interface).to_vec();
    body.extend(times_and_lengths(end, units, frame));
    block(end, 6, &body)
}

pub(super) fn obsolete(end: End, interface: u16, units: u64, frame: &[u8]) -> Vec<u8> {
    let mut body = end.u16(interface).to_vec();
    body.extend(end.u16(3));
    body.extend(times_and_lengths(end, units, frame));
    block(end, 2, &body)
}

pub(super) fn simple(end: End, wire: u32, frame: &[u8]) -> Vec<u8> {
    block(end, 3, &[&end.u32(wire)[..], frame].concat())
}

fn times_and_lengths(end: End, units: u64, frame: &[u8]) -> Vec<u8> {
    let mut bytes = end.u32((units >> 32) as u32).to_vec();
    bytes.extend(end.u32(units as u32));
    bytes.extend(end.u32(frame.len() as u32));
    bytes.extend(end.u32(frame.len() as u32 + 100));
    bytes.extend(frame);
    bytes
}

/// A pcapng file with everything that the reader supports.
pub(super) fn pcapng() -> Vec<u8> {
    let (big, little) = (End::Big, End::Little);
    [
        section(little),
        interface(little, 1, 0, &option(little, 9, &[9])),
        interface(little, 113, 3, &option(little, 4, &[192, 0, 2, 9, 255, 255, 255, 0])),
        enhanced(little, 0, 1_000_000_000, b"first"),
        block(little, 4, b"names"),
        enhanced(little, 1, 2_000_000, b"second"),
        obsolete(little, 0, 3_000_000_000, b"third"),
        section(big),
        interface(big, 276, 4, &[]),
        enhanced(big, 0, 4_000_000, b"fourth"),
        simple(big, 50, b"fifth"),
    ]
    .concat()
}

/// Captures of every flavour.
pub(super) fn all() -> Vec<Vec<u8>> {
    let mut all = vec![pcapng(), pcap(&[b"one", b"", b"three"])];
    for end in [End::Big, End::Little] {
        for magic in [MICROS, NANOS, MODIFIED] {
            for version in [(2, 4), (2, 3), (2, 1)] {
                let header = Header { end, magic, version, link: 1 };
                let records = [header.record((5, 6), b"frame"), header.record((7, 8), b"two")];
                all.push([header.bytes(), records.concat()].concat());
            }
        }
    }
    all
}
