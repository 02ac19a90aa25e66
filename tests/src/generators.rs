//! Generators: doors, their configuration, and traffic at them.
//!
//! A case is drawn as a plan, small lists of small choices, and then expanded. So a failing case
//! shrinks to few doors, few visits and plain packets, and stays sensible on the way.

mod conf;
mod doors;
pub mod frames;
mod honest_run;
pub mod knockd_08;
#[cfg(test)]
mod tests;
mod traffic;

use std::io;
use std::net::IpAddr;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};

pub use conf::{Conf, Style, conf, style};
pub use doors::{doors, knock};
pub use traffic::Sight;
use traffic::shape;

use crate::capture_builder::{Capture, Format, Link, Record, visible};
use crate::model::{self, Outcome, Packet, Setting};

/// The shortest time between different stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// A microsecond, as in a common pcap file.
    Micro,
    /// A nanosecond.
    Nano,
}

impl Resolution {
    fn tick_ns(self) -> i64 {
        match self {
            Self::Micro => 1_000,
            Self::Nano => 1,
        }
    }
}

/// Doors and their traffic, in the forms that the tests of the layers need.
#[derive(Clone, Debug)]
pub struct Case {
    /// The doors, the local addresses and whether there is IPv6.
    pub setting: Setting,
    /// The same doors as files.
    pub conf: Conf,
    /// The captured packets, in the order of the capture.
    pub sights: Vec<Sight>,
    /// The link layer of the frames.
    pub link: Link,
    /// The format of the capture, which stores all stamps exactly.
    pub format: Format,
}

impl Case {
    /// Returns the packets that the rules see.
    #[must_use]
    pub fn packets(&self) -> Vec<Packet> {
        let seen = |sight: &Sight| visible(&sight.packet, &sight.shape, self.link);
        self.sights.iter().filter_map(seen).collect()
    }

    /// Returns the outcome of the model.
    #[must_use]
    pub fn expected(&self) -> Outcome {
        model::replay(&self.setting, &self.packets())
    }

    /// Cuts the packets into one part more than there are cuts. Some parts may be empty.
    #[must_use]
    pub fn parts(&self, cuts: &[Index]) -> Vec<Self> {
        let mut parts = vec![self.clone()];
        for cut in cuts {
            let last = parts.last_mut().unwrap();
            let rest = last.sights.split_off(cut.index(last.sights.len() + 1));
            parts.push(Self { sights: rest, ..self.clone() });
        }
        parts
    }

    /// Returns the capture file.
    #[must_use]
    pub fn capture(&self) -> Capture {
        let record = |sight: &Sight| {
            let big_endian = self.format.is_big_endian();
            let (frame, kept) = sight.shape.frame(&sight.packet, self.link, big_endian);
            Record::of(sight.packet.at_ns, &frame, kept)
        };
        let records = self.sights.iter().map(record).collect();
        Capture { format: self.format, ..Capture::new(self.link, records) }
    }

    /// Returns the arguments that a replay of the case needs besides its files.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let local = self.setting.local.iter().flatten();
        let mut out: Vec<String> =
            local.flat_map(|address| ["--local".to_owned(), address.to_string()]).collect();
        if self.setting.ipv4_only {
            out.push("--only-ip-v4".into());
        }
        out
    }

    /// Writes `knockd.conf`, its sequence files and the capture, named as
    /// [`Capture::file_name`] says. The configuration names its files relative to `folder`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_to(&self, folder: &Path) -> io::Result<()> {
        std::fs::write(folder.join("knockd.conf"), &self.conf.text)?;
        for (name, text) in &self.conf.sequence_files {
            std::fs::write(folder.join(name), text)?;
        }
        let capture = self.capture();
        std::fs::write(folder.join(capture.file_name()), capture.to_bytes())
    }
}

/// Draws a case whose stamps are multiples of the resolution.
pub fn case(resolution: Resolution) -> impl Strategy<Value = Case> {
    let capture = (link(), any::<Index>());
    (setting(), style(), traffic::plan(), capture).prop_map(
        move |(setting, style, plan, (link, format))| {
            let mut sights = traffic::sights(&plan, &setting, resolution);
            traffic::keep_unseen_stamps_unimportant(&mut sights, link);
            let conf = conf(&setting.doors, &style);
            Case { setting, conf, sights, link, format: *format.get(formats(resolution)) }
        },
    )
}

/// Draws doors, local addresses and whether there is IPv6.
pub fn setting() -> impl Strategy<Value = Setting> {
    (doors(), local_addresses(), prop::bool::weighted(0.05))
        .prop_map(|(doors, local, ipv4_only)| Setting { doors, local, ipv4_only })
}

fn formats(resolution: Resolution) -> &'static [Format] {
    match resolution {
        Resolution::Micro => &[
            Format::Pcap { big_endian: false },
            Format::Pcap { big_endian: true },
            Format::Pcapng { big_endian: false },
        ],
        Resolution::Nano => &[
            Format::PcapNanos { big_endian: false },
            Format::PcapNanos { big_endian: true },
            Format::Pcapng { big_endian: false },
            Format::Pcapng { big_endian: true },
        ],
    }
}

fn link() -> impl Strategy<Value = Link> {
    let others =
        vec![Link::Sll, Link::Sll2, Link::Raw, Link::RawBsd, Link::Null, Link::Loop, Link::Ppp];
    prop_oneof![3 => Just(Link::Ethernet), 2 => select(others)]
}

fn local_addresses() -> impl Strategy<Value = Option<Vec<IpAddr>>> {
    let list = |texts: &[&str]| Some(texts.iter().map(|text| address(text)).collect());
    prop_oneof![
        3 => Just(None),
        3 => Just(list(&["10.0.0.1", "2001:db8::1"])),
        2 => Just(list(&["10.0.0.1"])),
        1 => Just(list(&["10.0.0.1", "10.0.0.2", "2001:db8::1", "fe80::1"])),
        1 => Just(list(&["2001:db8::1"])),
    ]
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("the addresses here are well-formed")
}
