//! Records as lines, and back.

use std::collections::BTreeMap;
use std::time::Duration;

use knock_engine::address;

use super::checksum::checksum;
use super::{Due, Group, Place, Record, StoredLease};

/// What the first line begins with, before the version.
pub const HEADER: &[u8] = b"knockd leases ";

/// The version of the format. A record's checksum covers it.
const VERSION: &[u8] = b"1";

/// The length of a checksum in a line, in bytes.
const DIGITS: usize = 16;

/// For a value that there is not.
const NONE: &[u8] = b"-";

/// Returns the first line.
#[must_use]
pub fn header() -> Vec<u8> {
    [HEADER, VERSION, b"\n"].concat()
}

/// Returns a file with these leases.
#[must_use]
pub fn snapshot<'a>(leases: impl IntoIterator<Item = &'a StoredLease>) -> Vec<u8> {
    let mut text = header();
    for lease in leases {
        encode(&Record::Open(lease.clone()), &mut text);
        if let Some(group) = lease.group {
            encode(&Record::Runs(lease.number, group), &mut text);
        }
        if let Some(due) = &lease.due {
            encode(&Record::Due(lease.number, due.clone()), &mut text);
        }
        if lease.is_closing {
            encode(&Record::Closing(lease.number), &mut text);
        }
    }
    text
}

/// Appends the line of a record.
pub fn encode(record: &Record, text: &mut Vec<u8>) {
    let mut line = Vec::new();
    match record {
        Record::Open(lease) => open(lease, &mut line),
        Record::Runs(number, Group { leader, started }) => {
            line.extend(format!("runs {number} {leader} {started}").into_bytes());
        }
        Record::Due(number, Due { place, since_boot, wall }) => {
            let (since_boot, wall) = (since_boot.as_millis(), wall.as_millis());
            line.extend(format!("due {number} {} {since_boot} {wall}", place.0).into_bytes());
        }
        Record::Closing(number) => line.extend(format!("closing {number}").into_bytes()),
        Record::Closed(number) => line.extend(format!("closed {number}").into_bytes()),
    }
    seal(&line, text);
}

/// Appends a line with its checksum.
pub fn seal(line: &[u8], text: &mut Vec<u8>) {
    text.extend(format!("{:0DIGITS$x} ", sum(line)).into_bytes());
    text.extend(line);
    text.push(b'\n');
}

fn open(lease: &StoredLease, line: &mut Vec<u8>) {
    let StoredLease { number, door_name, client, stop, closes_after, place, .. } = lease;
    line.extend(format!("open {number} ").into_bytes());
    address::write(*client, line);
    match closes_after {
        Some(after) => line.extend(format!(" {} ", after.as_millis()).into_bytes()),
        None => line.extend([b" ", NONE, b" "].concat()),
    }
    line.extend(place.0.as_bytes());
    line.push(b' ');
    for &byte in door_name {
        if byte.is_ascii_graphic() && byte != b'%' {
            line.push(byte);
        } else {
            line.extend(format!("%{byte:02x}").into_bytes());
        }
    }
    line.push(b' ');
    line.extend(stop);
}

fn sum(line: &[u8]) -> u64 {
    checksum(&[VERSION, b" ", line])
}

/// What a file has.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The doors that are open, by number.
    pub open: BTreeMap<u64, StoredLease>,
    /// How many lines are no records, or damaged ones.
    pub damaged: usize,
    /// Whether anything in it shows that a knockd has written it. So does an empty file.
    pub is_ours: bool,
}

/// Reads a file. Records are used whose checksum is right, wherever they are.
#[must_use]
pub fn parse(text: &[u8]) -> Records {
    let mut records =
        Records { is_ours: text.is_empty() || text.starts_with(HEADER), ..Records::default() };
    let Some(text) = text.strip_suffix(b"\n") else {
        // The last line is incomplete.
        let whole =
            text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at.saturating_add(1));
        let whole = text.get(..whole).unwrap_or_default();
        if !text.is_empty() {
            records = if whole.is_empty() { records } else { parse(whole) };
            records.is_ours |= text.starts_with(HEADER);
            records.damaged = records.damaged.saturating_add(1);
        }
        return records;
    };
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        if index == 0 && line.strip_prefix(HEADER) == Some(VERSION) {
            continue;
        }
        match record(line) {
            Some(record) => {
                records.is_ours = true;
                apply(&mut records.open, record);
            }
            None => records.damaged = records.damaged.saturating_add(1),
        }
    }
    records
}

/// Changes what is open. A record about a lease that is not there changes nothing: its first record may
/// be damaged.
pub fn apply(open: &mut BTreeMap<u64, StoredLease>, record: Record) {
    match record {
        Record::Open(lease) => drop(open.insert(lease.number, lease)),
        Record::Runs(number, group) => {
            if let Some(lease) = open.get_mut(&number).filter(|lease| lease.due.is_none()) {
                lease.group = Some(group);
            }
        }
        Record::Due(number, due) => {
            if let Some(lease) = open.get_mut(&number) {
                (lease.due, lease.group, lease.is_closing) = (Some(due), None, false);
            }
        }
        Record::Closing(number) => {
            if let Some(lease) = open.get_mut(&number) {
                lease.is_closing = true;
            }
        }
        Record::Closed(number) => drop(open.remove(&number)),
    }
}

fn record(line: &[u8]) -> Option<Record> {
    let (digits, rest) = line.split_at_checked(DIGITS)?;
    let rest = rest.strip_prefix(b" ")?;
    let digits = std::str::from_utf8(digits).ok()?;
    // What can be parsed, but was not written by `encode`, is no record.
    if format!("{:0DIGITS$x}", sum(rest)) != digits {
        return None;
    }
    let mut fields = rest.splitn(2, |&byte| byte == b' ');
    let kind = fields.next()?;
    let rest = fields.next()?;
    match kind {
        b"open" => Some(Record::Open(opened(rest)?)),
        b"runs" => {
            let [number, leader, started] = split(rest)?;
            let group = Group { leader: parsed(leader)?, started: parsed(started)? };
            Some(Record::Runs(parsed(number)?, group))
        }
        b"due" => {
            let [number, place, since_boot, wall] = split(rest)?;
            let due = Due {
                place: place_of(place)?,
                since_boot: millis(since_boot)?,
                wall: millis(wall)?,
            };
            Some(Record::Due(parsed(number)?, due))
        }
        b"closing" => Some(Record::Closing(parsed(rest)?)),
        b"closed" => Some(Record::Closed(parsed(rest)?)),
        _ => None,
    }
}

fn opened(fields: &[u8]) -> Option<StoredLease> {
    let [number, client, after, place, name, stop] = split(fields)?;
    let closes_after = if after == NONE { None } else { Some(millis(after)?) };
    Some(StoredLease {
        number: parsed(number)?,
        door_name: unescaped(name)?,
        client: parsed(client)?,
        stop: stop.to_vec(),
        closes_after,
        place: place_of(place)?,
        group: None,
        due: None,
        is_closing: false,
    })
}

/// Splits at blanks; the last field may have more of them.
fn split<const N: usize>(fields: &[u8]) -> Option<[&[u8]; N]> {
    let fields: Vec<&[u8]> = fields.splitn(N, |&byte| byte == b' ').collect();
    fields.try_into().ok()
}

fn parsed<T: std::str::FromStr>(field: &[u8]) -> Option<T> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn millis(field: &[u8]) -> Option<Duration> {
    parsed(field).map(Duration::from_millis)
}

fn place_of(field: &[u8]) -> Option<Place> {
    Place::from_text(std::str::from_utf8(field).ok()?)
}

fn unescaped(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    while let Some((&first, rest)) = text.split_first() {
        if first == b'%' {
            let (digits, rest) = rest.split_at_checked(2)?;
            name.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            text = rest;
        } else {
            name.push(first);
            text = rest;
        }
    }
    Some(name)
}
