//! Cases for the rule set `knockd-0.8`, to compare with the real knockd.
//!
//! They are wider than [`super::case`], because no model has to follow: frames may be odd in any way,
//! destinations and links are all that knockd 0.8 supports, and there are reloads. Left out is only what
//! has no definite outcome:
//!
//! - a frame that ends between the ports and the flags of TCP, while doors that ask for different
//!   flags name its port: whether it passes depends on how libpcap happens to arrange the tests (see
//!   [`undecided`]);
//! - a frame with an Ethernet type for one version of IP and a header of the other, which the filter
//!   and the daemon read differently; without a filter there is only the daemon, and they are in;
//! - what knockd 0.8 does after it has used freed memory. When the last one-time sequence of a file
//!   is used it crashes, at once on a host with an IPv4 address; cases may contain this, and a
//!   comparison must end there;
//! - two doors with the same file of one-time sequences.

mod frames;
pub mod undecided;

use std::io;
use std::net::IpAddr;
use std::path::Path;

use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::Union;

use self::frames::{FramePlan, frame_plan};
use super::traffic::{self, START_NS, Sight};
use super::{Conf, Resolution, Style, address, conf, doors, formats, style};
use crate::capture_builder::{Capture, Format, Link, Record};
use crate::model::{Door, OnReknock, Setting};
use crate::oracle;

/// Doors, their traffic, and maybe a reload.
#[derive(Clone, Debug)]
pub struct Case {
    /// The doors and the local addresses.
    pub setting: Setting,
    /// The same doors as files.
    pub conf: Conf,
    /// A reload while packets come in.
    pub reload: Option<Reload>,
    /// The captured frames.
    pub capture: Capture,
}

/// A SIGHUP.
#[derive(Clone, Debug)]
pub struct Reload {
    /// How many frames come before it.
    pub frames_before: usize,
    /// The configuration from then on; `None`: the files as they are at that time.
    pub changed: Option<(Vec<Door>, Conf)>,
}

impl Case {
    /// The name of the configuration among the files of a case.
    pub const CONF: &'static str = "knockd.conf";

    /// Returns the local addresses.
    #[must_use]
    pub fn local(&self) -> &[IpAddr] {
        self.setting.local.as_deref().unwrap_or_default()
    }

    /// Returns the arguments that both knockd and a replay need besides files and addresses.
    #[must_use]
    pub fn options(&self) -> Vec<String> {
        if self.setting.ipv4_only { vec!["-4".into()] } else { vec![] }
    }

    /// Writes the configuration, its sequence files and the capture. The files of a changed
    /// configuration get [`NEW`] before their names.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_to(&self, folder: &Path) -> io::Result<()> {
        let changed = self.reload.iter().filter_map(|reload| reload.changed.as_ref());
        let changed = changed.map(|(_, conf)| (NEW, conf));
        for (prefix, conf) in changed.chain([("", &self.conf)]) {
            for (name, text) in conf_files(conf) {
                std::fs::write(folder.join(format!("{prefix}{name}")), text)?;
            }
        }
        std::fs::write(folder.join(self.capture.file_name()), self.capture.to_bytes())
    }

    /// Returns how to run the real knockd in a folder with the files.
    #[must_use]
    pub fn oracle_run(&self, folder: &Path) -> oracle::Run {
        let reload = |reload: &Reload| {
            let files = reload.changed.iter().flat_map(|(_, conf)| conf_files(conf));
            let renames = files.map(|(name, _)| (format!("{NEW}{name}"), name.to_owned()));
            oracle::Reload { frames_before: reload.frames_before, renames: renames.collect() }
        };
        oracle::Run {
            folder: folder.to_owned(),
            conf: Self::CONF.into(),
            capture: self.capture.file_name(),
            local: self.local().to_vec(),
            args: self.options(),
            hosts: vec![],
            reloads: self.reload.iter().map(reload).collect(),
        }
    }
}

/// The prefix of the names of files that take effect at a reload.
pub const NEW: &str = "new-";

/// Returns the names and texts of all files of a configuration.
fn conf_files(conf: &Conf) -> impl Iterator<Item = (&str, &[u8])> {
    let sequences = conf.sequence_files.iter().map(|(name, text)| (name.as_str(), &text[..]));
    sequences.chain([(Case::CONF, &conf.text[..])])
}

/// Draws a case.
pub fn case() -> impl Strategy<Value = Case> {
    let setting = (old_doors(), local_addresses(), prop::bool::weighted(0.08))
        .prop_map(|(doors, local, ipv4_only)| Setting { doors, local: Some(local), ipv4_only });
    let reload = option::weighted(0.2, reload_plan());
    let capture = (link(), any::<bool>(), any::<Index>());
    (setting, style(), traffic::plan(), frame_plan(), reload, capture).prop_map(
        |(setting, style, traffic, frames, reload, (link, fine, format))| {
            let resolution = if fine { Resolution::Nano } else { Resolution::Micro };
            let format = *format.get(formats(resolution));
            let sights = traffic::sights(&traffic, &setting, resolution);
            Draft { setting, style, sights, frames, resolution, link, format }.case(reload)
        },
    )
}

/// Draws doors without the directives that knockd 0.8 does not know.
fn old_doors() -> impl Strategy<Value = Vec<Door>> {
    let old = |door| Door {
        admission: None,
        on_reknock: OnReknock::Extend,
        seq_cooldown_s: None,
        allow: Vec::new(),
        deny: Vec::new(),
        openings_per_minute: None,
        client_openings_per_minute: None,
        ..door
    };
    doors().prop_map(move |doors| doors.into_iter().map(old).collect())
}

/// The plan that a case is made from.
struct Draft {
    setting: Setting,
    style: Style,
    sights: Vec<Sight>,
    frames: FramePlan,
    resolution: Resolution,
    link: Link,
    format: Format,
}

impl Draft {
    fn case(mut self, reload: Option<ReloadPlan>) -> Case {
        let changed = reload.as_ref().and_then(|plan| self.change(plan));
        let mut doors = self.setting.doors.clone();
        doors.extend(changed.iter().flat_map(|(doors, _)| doors.clone()));
        let undecided = undecided::Ports::of(&doors);
        let big_endian = self.format.is_big_endian();
        let mut records = self.frames.records(&self.sights, self.link, big_endian);
        let mut local = self.setting.local.iter().flatten();
        // Where there is no address, knockd 0.8 sets no filter.
        let is_filtered = local.any(|local| local.is_ipv4() || !self.setting.ipv4_only);
        records.retain(|Record { data, .. }| {
            let is_undecided = undecided.matter_to(self.link, data)
                || undecided::contradicts_itself(self.link, data);
            !(is_filtered && is_undecided)
        });
        let reload =
            reload.map(|plan| Reload { frames_before: plan.at.index(records.len() + 1), changed });
        let mut capture = Capture::new(self.link, records);
        capture.format = self.format;
        let conf = conf(&self.setting.doors, &self.style.for_08());
        Case { setting: self.setting, conf, reload, capture }
    }

    /// Makes the configuration after the reload and adds the traffic for it.
    fn change(&mut self, plan: &ReloadPlan) -> Option<(Vec<Door>, Conf)> {
        let mut doors = self.setting.doors.clone();
        match &plan.change {
            Change::None => return None,
            Change::Reversed => doors.reverse(),
            Change::OneLess(which) => drop(doors.remove(which.index(doors.len()))),
            Change::Others(others) => doors.clone_from(others),
        }
        if !doors.is_empty() {
            let setting = Setting { doors: doors.clone(), ..self.setting.clone() };
            let later = traffic::sights(&plan.traffic, &setting, self.resolution);
            let later = later.into_iter().map(|mut sight| {
                sight.packet.at_ns += plan.later_ms * 1_000_000;
                sight
            });
            let earlier = std::mem::take(&mut self.sights);
            self.sights = merged(earlier, later.collect(), |sight| sight.packet.at_ns);
        }
        let conf = conf(&doors, &plan.style.clone().for_08());
        Some((doors, conf))
    }
}

/// Merges two lists by time. A stamp that goes back stays after its predecessor.
fn merged<T>(one: Vec<T>, other: Vec<T>, at_ns: impl Fn(&T) -> i64) -> Vec<T> {
    let mut keyed: Vec<(i64, T)> = Vec::new();
    for list in [one, other] {
        let mut latest_ns = i64::MIN;
        for item in list {
            latest_ns = latest_ns.max(at_ns(&item));
            keyed.push((latest_ns, item));
        }
    }
    keyed.sort_by_key(|(latest_ns, _)| *latest_ns);
    keyed.into_iter().map(|(_, item)| item).collect()
}

#[derive(Clone, Debug)]
struct ReloadPlan {
    at: Index,
    change: Change,
    style: Style,
    /// More traffic, at the doors of the changed configuration.
    traffic: traffic::Plan,
    later_ms: i64,
}

#[derive(Clone, Debug)]
enum Change {
    None,
    Reversed,
    OneLess(Index),
    Others(Vec<Door>),
}

fn reload_plan() -> impl Strategy<Value = ReloadPlan> {
    let change = prop_oneof![
        2 => Just(Change::None),
        1 => Just(Change::Reversed),
        1 => any::<Index>().prop_map(Change::OneLess),
        2 => old_doors().prop_map(Change::Others),
    ];
    (any::<Index>(), change, style(), traffic::plan(), 0..60_000_i64).prop_map(
        |(at, change, style, traffic, later_ms)| ReloadPlan {
            at,
            change,
            style,
            traffic,
            later_ms,
        },
    )
}

/// knockd 0.8 knows only these.
fn link() -> impl Strategy<Value = Link> {
    prop_oneof![5 => Just(Link::Ethernet), 1 => Just(Link::Sll), 1 => Just(Link::Raw)]
}

fn local_addresses() -> impl Strategy<Value = Vec<IpAddr>> {
    let lists: [(u32, &[&str]); 6] = [
        (4, &["10.0.0.1"]),
        (4, &["10.0.0.1", "2001:db8::1"]),
        (2, &["2001:db8::1", "10.0.0.2", "10.0.0.1"]),
        (2, &["10.0.0.1", "10.0.0.2", "2001:db8::1", "fe80::1"]),
        (1, &["2001:db8::1"]),
        (1, &["fe80::a00:27ff:fe00:1", "2001:db8::1"]),
    ];
    let lists = lists.map(|(weight, list)| {
        let addresses: Vec<IpAddr> = list.iter().map(|text| address(text)).collect();
        (weight, Just(addresses).boxed())
    });
    Union::new_weighted(lists.into())
}
