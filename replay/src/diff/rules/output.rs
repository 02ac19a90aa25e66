//! Lines that differ, for people and for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use knock_compat::Difference;
use knock_engine::{Counts, Timestamp};
use serde::Serialize;

use super::compare::{Differing, Side};
use crate::args::TimeFormat;
use crate::output::json::{Json, Place};
use crate::output::time::{between, stamp, utc};
use crate::output::{Output, Results};
use crate::session::names::{CaptureNames, PacketId};
use crate::session::progress::Bar;

/// The version of the format. A program that knows one may meet further fields and names in it, never
/// another meaning of those it knows.
pub(super) const VERSION: u8 = 1;

/// The lines that differ, and in the end how many there were.
pub(super) enum Lines {}

impl Results for Lines {
    type One<'a> = (&'a Differing, &'a Context<'a>);
    type End<'a> = &'a Totals;
}

/// Where in the captures a line is.
pub(super) struct Context<'a> {
    pub(super) captures: &'a CaptureNames,
    /// When the first packet came.
    pub(super) start: Timestamp,
    pub(super) place: At,
}

/// What is handled when a line is printed.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    BeforePackets,
    Packet(PacketId),
    AfterPackets,
}

impl Context<'_> {
    /// Returns the packet that is handled, in words.
    pub(super) fn words(&self) -> String {
        match self.place {
            At::BeforePackets => "before the first packet".to_owned(),
            At::Packet(id) => self.captures.packet(id),
            At::AfterPackets => "after the last packet".to_owned(),
        }
    }
}

/// The result of a comparison, in numbers.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) packets: u64,
    /// How many lines are due to each difference.
    pub(super) due_to: BTreeMap<Option<Difference>, u64>,
    pub(super) knockd_08: Counts,
    pub(super) knock: Counts,
    /// Why knockd 0.8 does not start with this configuration.
    pub(super) refusal: Option<String>,
    pub(super) warnings: Vec<String>,
}

/// How many bytes of lines are written together.
const AT_ONCE: usize = 1 << 16;

/// Text, in the manner of `diff`.
pub(super) struct Text<'a> {
    pub(super) times: Option<TimeFormat>,
    pub(super) bar: Option<Bar>,
    /// Whether each line is written at once.
    pub(super) is_live: bool,
    pub(super) out: &'a mut dyn Write,
    /// Lines that are not written yet.
    pub(super) buffer: Vec<u8>,
}

impl Output<Lines> for Text<'_> {
    fn one(&mut self, (one, context): (&Differing, &Context<'_>)) -> io::Result<()> {
        let Differing { side, line, due_to } = one;
        let sign = match side {
            Side::Knockd08 => b"- ",
            Side::Knock => b"+ ",
        };
        let Self { times, is_live, buffer, .. } = self;
        buffer.extend_from_slice(sign);
        if let Some(format) = *times {
            write!(buffer, "{} ", stamp(format, line.at, context.start))?;
        }
        buffer.extend_from_slice(&line.text);
        match due_to {
            Some(one) => write!(buffer, "  [difference {}, ", one.number())?,
            None => buffer.extend_from_slice(b"  [no known difference, "),
        }
        buffer.extend_from_slice(context.words().as_bytes());
        buffer.extend_from_slice(b"]\n");
        if *is_live || buffer.len() >= AT_ONCE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        let Self { bar, out, buffer, .. } = self;
        let mut write = || out.write_all(buffer).and_then(|()| out.flush());
        match bar {
            Some(bar) => bar.suspend(write)?,
            None => write()?,
        }
        buffer.clear();
        Ok(())
    }

    fn end(&mut self, _: &Totals) -> io::Result<()> {
        self.flush()
    }
}

/// A line that only one of the two prints.
#[derive(Serialize)]
struct Object<'a> {
    r#type: &'static str,
    by: &'static str,
    time: String,
    after_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<u8>,
    text: String,
}

#[derive(Serialize)]
struct Summary<'a> {
    r#type: &'static str,
    packets: u64,
    lines: u64,
    differences: Vec<Due>,
    openings: Openings,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    warnings: &'a [String],
}

/// How many lines are due to a difference; without one, to none that is known.
#[derive(Serialize)]
struct Due {
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    lines: u64,
}

#[derive(Serialize)]
struct Openings {
    #[serde(rename = "knockd-0.8")]
    knockd_08: u64,
    knock: u64,
}

impl Output<Lines> for Json<'_> {
    fn one(&mut self, (one, context): (&Differing, &Context<'_>)) -> io::Result<()> {
        let Differing { side, line, due_to } = one;
        self.write(&Object {
            r#type: "line",
            by: match side {
                Side::Knockd08 => "knockd-0.8",
                Side::Knock => "knock",
            },
            time: utc(line.at),
            after_seconds: between(context.start, line.at),
            packet: match context.place {
                At::Packet(id) => Some(Place::new(id, context.captures)),
                At::BeforePackets | At::AfterPackets => None,
            },
            difference: due_to.map(Difference::number),
            text: String::from_utf8_lossy(&line.text).into_owned(),
        })
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        let due = totals.due_to.iter().map(|(one, lines)| Due {
            difference: one.map(Difference::number),
            text: one.map(|one| one.to_string()),
            lines: *lines,
        });
        self.write(&Summary {
            r#type: "summary",
            packets: totals.packets,
            lines: totals.due_to.values().fold(0, |sum, &lines| sum.saturating_add(lines)),
            differences: due.collect(),
            openings: Openings { knockd_08: totals.knockd_08.opened, knock: totals.knock.opened },
            refusal: totals.refusal.as_deref(),
            warnings: &totals.warnings,
        })
    }
}
