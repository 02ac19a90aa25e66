//! The interfaces that are listened on, and those that are awaited.
//!
//! An interface may come late, go, come back as another one, or get another name. This process follows all
//! of that: it opens a packet socket for each interface that is wanted and there, and passes it to the
//! sniffer.

mod names;
mod news;
mod rings;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use std::{fs, io};

use knock_engine::filter::Framing;

use self::names::Wanted;
use self::news::News;
pub(crate) use self::news::missing;
use self::rings::Rings;
use super::output::Kind;
use super::sniffer_process::SnifferProcess;
use super::starter::Starter;
use super::{Runner, State};
use crate::links::{Link, Links, Watch};
use crate::packet_socket::{self, EVERY};
use crate::wire::{CaptureNumber, NewCapture, Order};

/// How many interfaces are listened on at the most: each has a ring of 2 MiB or more.
const OPEN_MAX: usize = 256;

/// How long after a failure an interface is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The interfaces that are wanted, and the captures of those that are there.
pub(super) struct Interfaces {
    wanted: Vec<Wanted>,
    rings: Rings,
    open: BTreeMap<CaptureNumber, Open>,
    /// The number of the next capture.
    next: CaptureNumber,
    /// What is awaited, as last reported.
    awaited: BTreeSet<Wanted>,
    /// The interfaces that cannot be opened, as last reported.
    failed: BTreeSet<u32>,
    /// Whether it was reported that there are too many.
    too_many: bool,
    /// Whether the daemon starts, so that everything is new.
    is_start: bool,
    /// When to try again what has failed.
    retry: Option<Instant>,
    /// What is reported once the sniffer has followed, too, each with the number of that.
    unreported: VecDeque<(u32, Vec<News>)>,
    /// The number of the next of these.
    next_report: u32,
}

/// An interface that is listened on.
struct Open {
    index: u32,
    /// Its present name.
    name: Vec<u8>,
    /// What it was opened for. It is kept if it gets another name.
    wanted: Wanted,
    /// The sniffer reads the socket. Here it shows whether the interface is still there.
    socket: OwnedFd,
    /// As last reported.
    is_up: bool,
    has_address: bool,
}

/// An interface that is to be listened on.
struct Target {
    index: u32,
    name: Vec<u8>,
    framing: Framing,
    wanted: Wanted,
    is_up: bool,
    has_address: bool,
}

impl Interfaces {
    pub(super) fn new(names: &[Vec<u8>]) -> Self {
        let meminfo = fs::read_to_string("/proc/meminfo").ok();
        let mut interfaces = Self {
            wanted: Vec::new(),
            rings: Rings::for_machine(meminfo.as_deref()),
            open: BTreeMap::new(),
            next: CaptureNumber(0),
            awaited: BTreeSet::new(),
            failed: BTreeSet::new(),
            too_many: false,
            is_start: true,
            retry: None,
            unreported: VecDeque::new(),
            next_report: 0,
        };
        interfaces.want(names);
        interfaces
    }

    /// Wants these interfaces, and no others.
    pub(super) fn want(&mut self, names: &[Vec<u8>]) {
        self.wanted = Wanted::all(names);
        let Self { wanted, awaited, .. } = self;
        awaited.retain(|one| wanted.contains(one));
    }

    /// Forgets all captures, because another sniffer takes the place of the one that has them.
    pub(super) fn forget_captures(&mut self) {
        self.open.clear();
    }

    /// Returns when to try again what has failed.
    pub(super) const fn retry(&self) -> Option<Instant> {
        self.retry
    }

    /// Returns the numbers of the interfaces that are listened on.
    pub(super) fn numbers(&self) -> BTreeSet<u32> {
        self.open.values().map(|open| open.index).collect()
    }

    /// Returns the sockets that the sniffer reads, which show whether packets wait for it.
    pub(super) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.open.values().map(|open| open.socket.as_fd())
    }

    /// Returns the interfaces that are listened on, as the administrator knows them.
    pub(super) fn listened_on(&self) -> Vec<String> {
        self.open.values().map(Open::title).collect()
    }

    /// Returns what is to be listened on, by name where it has one.
    pub(super) fn wanted_names(&self) -> Vec<String> {
        if self.wanted == [Wanted::DefaultRoute] {
            return self.listened_on();
        }
        self.wanted.iter().map(ToString::to_string).collect()
    }

    /// Returns the names for which there is no interface.
    pub(super) fn awaited(&self) -> Vec<String> {
        let awaited = self.wanted.iter().filter(|wanted| !self.has(wanted));
        awaited.map(ToString::to_string).collect()
    }

    fn has(&self, wanted: &Wanted) -> bool {
        self.open.values().any(|open| open.wanted == *wanted || wanted.matches(&open.name))
    }

    /// Opens what is wanted and there, ends what is not, and returns what has changed.
    fn follow(
        &mut self,
        links: &Links,
        starter: &Starter,
        sniffer: &mut SnifferProcess,
    ) -> Vec<News> {
        self.retry = None;
        let gone = self.end_gone(links, sniffer);
        let mut news = self.rename(links);
        let targets = self.targets(links);
        self.end_unwanted(&targets, sniffer, &mut news);
        self.open_targets(targets, starter, sniffer, &mut news);
        self.is_start = false;
        self.report_states(links, &mut news);
        let gone = gone.iter().map(|open| self.report_gone(open));
        let mut all: Vec<News> = gone.collect();
        all.extend(news);
        self.report_awaited(links, &mut all);
        all
    }

    /// Ends the captures of interfaces that are gone, even if others have their numbers by now.
    fn end_gone(&mut self, links: &Links, sniffer: &mut SnifferProcess) -> Vec<Open> {
        let is_gone = |open: &Open| {
            open.index != EVERY
                && (links.numbered(open.index).is_none()
                    || packet_socket::bound_to(open.socket.as_fd()) != Some(open.index))
        };
        self.failed.retain(|&index| links.numbered(index).is_some());
        self.end_where(sniffer, is_gone)
    }

    fn end_where(
        &mut self,
        sniffer: &mut SnifferProcess,
        mut is_to_end: impl FnMut(&Open) -> bool,
    ) -> Vec<Open> {
        let ended = self.open.extract_if(.., |_, open| is_to_end(open));
        let ended = ended.map(|(number, open)| {
            sniffer.queue(&Order::EndCapture(number));
            open
        });
        ended.collect()
    }

    /// Notes new names.
    fn rename(&mut self, links: &Links) -> Vec<News> {
        let mut news = Vec::new();
        for open in self.open.values_mut() {
            let Some(link) = links.numbered(open.index) else { continue };
            if link.name != open.name {
                let old = std::mem::replace(&mut open.name, link.name.clone());
                // If another one has its old name, that is listened on.
                if open.wanted.may_be_named(&link.name) || links.named(&old).is_none() {
                    news.push(News::renamed(&old, &link.name, &open.wanted));
                }
            }
        }
        news
    }

    /// Returns the interfaces that are to be listened on, each once.
    fn targets(&self, links: &Links) -> Vec<Target> {
        let mut targets: BTreeMap<u32, Target> = BTreeMap::new();
        let mut order = Vec::new();
        let mut add = |target: Target| {
            let index = target.index;
            targets.entry(index).or_insert_with(|| {
                order.push(index);
                target
            });
        };
        for wanted in &self.wanted {
            if *wanted == Wanted::Any {
                let (name, framing) = (b"any".to_vec(), Framing::Cooked);
                let (is_up, has_address) = (true, true);
                let wanted = wanted.clone();
                add(Target { index: EVERY, name, framing, wanted, is_up, has_address });
                continue;
            }
            let is_there = |link: &&Link| wanted.is_there(&link.name, links);
            let mut found = links.all.iter().filter(is_there).peekable();
            let is_there = found.peek().is_some();
            // What has another name by now is kept: it is the interface that was meant, unless another
            // one has its name. So is what had the default route: knocks may still arrive there.
            let keeps = wanted.is_pattern() || *wanted == Wanted::DefaultRoute;
            let is_kept = |open: &&Open| open.wanted == *wanted && (!is_there || keeps);
            let kept = self.open.values().filter(is_kept);
            let kept = kept.filter_map(|open| links.numbered(open.index));
            for link in found.chain(kept.collect::<Vec<_>>()) {
                let (index, name, framing) = (link.index, link.name.clone(), link.framing);
                let (is_up, has_address) = (link.is_up, !link.addresses.is_empty());
                let wanted = wanted.clone();
                add(Target { index, name, framing, wanted, is_up, has_address });
            }
        }
        order.into_iter().filter_map(|index| targets.remove(&index)).collect()
    }

    /// Ends the captures of interfaces that are not wanted.
    fn end_unwanted(
        &mut self,
        targets: &[Target],
        sniffer: &mut SnifferProcess,
        news: &mut Vec<News>,
    ) {
        let is_unwanted = |open: &Open| !targets.iter().any(|target| target.index == open.index);
        for open in self.end_where(sniffer, is_unwanted) {
            news.push(News::ended(&open.name));
        }
    }

    /// Opens the targets that are not open.
    fn open_targets(
        &mut self,
        targets: Vec<Target>,
        starter: &Starter,
        sniffer: &mut SnifferProcess,
        news: &mut Vec<News>,
    ) {
        let too_many = targets.len() > OPEN_MAX;
        if too_many && !self.too_many {
            news.push(News::too_many(targets.len(), OPEN_MAX));
        }
        self.too_many = too_many;
        for target in targets {
            if let Some(open) = self.open.values_mut().find(|open| open.index == target.index) {
                open.wanted = target.wanted;
                continue;
            }
            if self.open.len() >= OPEN_MAX {
                return;
            }
            let (index, name) = (target.index, target.name.clone());
            let (is_up, has_address) = (target.is_up, target.has_address);
            match self.open(target, starter, sniffer) {
                Ok(title) => {
                    self.failed.remove(&index);
                    news.push(News::began(&title, is_up, has_address));
                }
                // It went away at this moment, which is about to be notified.
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
                Err(error) => {
                    self.try_again();
                    if self.failed.insert(index) {
                        news.push(News::failed(&name, &error));
                    }
                }
            }
        }
    }

    fn open(
        &mut self,
        target: Target,
        starter: &Starter,
        sniffer: &mut SnifferProcess,
    ) -> io::Result<String> {
        let Target { index, name, framing, wanted, is_up, has_address } = target;
        let named = self.wanted.iter().filter(|wanted| !wanted.is_pattern()).count();
        let blocks =
            if wanted.is_pattern() { Rings::of_pattern() } else { self.rings.of_named(named) };
        let (socket, blocks) = starter.open(index, framing, blocks)?;
        let number = self.next;
        let order = NewCapture { number, name: name.clone(), framing, blocks };
        sniffer.queue_with(&Order::Capture(order), socket.try_clone()?);
        self.next = CaptureNumber(number.0.saturating_add(1));
        // Later, the line that it is listened on says the rest, too.
        let (is_up, has_address) = (is_up || self.is_start, has_address || self.is_start);
        let open = Open { index, name, wanted, socket, is_up, has_address };
        let title = open.title();
        self.open.insert(number, open);
        Ok(title)
    }

    fn try_again(&mut self) {
        self.retry = Instant::now().checked_add(RETRY);
    }

    /// Reports interfaces that went down or up, or whose first address has come or last one gone.
    fn report_states(&mut self, links: &Links, news: &mut Vec<News>) {
        for open in self.open.values_mut() {
            let Some(link) = links.numbered(open.index) else { continue };
            if open.is_up != link.is_up {
                open.is_up = link.is_up;
                news.push(News::up_or_down(&open.title(), link.is_up));
            }
            // One that is down often has no addresses, which need not be said as well.
            let has_address = !link.addresses.is_empty();
            if link.is_up && open.has_address != has_address {
                open.has_address = has_address;
                news.push(News::addresses(&open.title(), &link.addresses));
            }
        }
    }

    fn report_gone(&mut self, open: &Open) -> News {
        let Open { wanted, .. } = open;
        let is_awaited = !self.has(wanted) && self.wanted.contains(wanted);
        if is_awaited {
            self.awaited.insert(wanted.clone());
        }
        News::gone(&open.title(), is_awaited.then_some(wanted))
    }

    /// Reports names for which there is no interface.
    fn report_awaited(&mut self, links: &Links, news: &mut Vec<News>) {
        let awaited = self.wanted.iter().filter(|wanted| !self.has(wanted));
        let awaited: BTreeSet<Wanted> = awaited.cloned().collect();
        for wanted in awaited.difference(&self.awaited) {
            news.push(News::awaited(wanted, &links.names()));
        }
        self.awaited = awaited;
    }

    /// Notes that the sniffer cannot read an interface.
    fn capture_failed(&mut self, number: CaptureNumber) {
        if self.open.remove(&number).is_some() {
            self.try_again();
        }
    }
}

impl Open {
    /// Returns the name by which the administrator knows the interface.
    fn title(&self) -> String {
        match &self.wanted {
            // Such as eth0:1, an alias.
            Wanted::Name(name) if self.wanted.matches(&self.name) => {
                String::from_utf8_lossy(name).into_owned()
            }
            Wanted::Any | Wanted::DefaultRoute | Wanted::Name(_) | Wanted::Pattern(_) => {
                String::from_utf8_lossy(&self.name).into_owned()
            }
        }
    }
}

impl Runner {
    /// Follows the interfaces and the addresses of this machine.
    pub(super) fn follow_interfaces(&mut self) {
        let links = match Links::look() {
            Ok(links) => links,
            Err(error) => {
                self.interfaces.try_again();
                let text = format!(
                    "knockd: warning: cannot read the interfaces of this machine: {error}; knocks at new \
                     ones, or at new addresses, are not heard"
                );
                self.output.text(Kind::Notice, text);
                return;
            }
        };
        let news = self.interfaces.follow(&links, &self.starter, &mut self.sniffer);
        if links.addresses != self.local {
            let local = links.addresses.iter().copied().collect();
            self.sniffer.queue(&Order::Addresses(local));
            self.local = links.addresses;
        }
        if matches!(self.state, State::Starting) {
            // One line will name all interfaces.
            self.report(news.into_iter().filter(|one| one.kind != Kind::Opening));
        } else if !news.is_empty() {
            // A knock that comes after the line must be heard.
            let number = self.interfaces.next_report;
            self.sniffer.queue(&Order::Settle(number));
            self.interfaces.next_report = number.wrapping_add(1);
            self.interfaces.unreported.push_back((number, news));
        }
    }

    /// Reports what has changed up to the time when the sniffer got an order to settle.
    pub(super) fn report_settled(&mut self, number: u32) {
        let unreported = &mut self.interfaces.unreported;
        let settled = unreported.iter().position(|&(one, _)| one == number);
        let settled = settled.map_or(0, |place| place.saturating_add(1));
        let news: Vec<News> = unreported.drain(..settled).flat_map(|(_, news)| news).collect();
        self.report(news);
    }

    fn report(&mut self, news: impl IntoIterator<Item = News>) {
        for News { kind, text } in news {
            self.output.text(kind, text);
        }
    }

    /// Watches what matters for the interfaces that are wanted now.
    pub(super) fn watch_anew(&mut self) {
        match Watch::new(self.settings.interfaces.is_empty()) {
            Ok(watch) => self.watch = watch,
            Err(error) => {
                let text = format!(
                    "knockd: warning: cannot watch for changes of routes: {error}; after such a change, \
                     reload again"
                );
                self.output.text(Kind::Notice, text);
            }
        }
    }

    /// Follows the interfaces if something has changed or is to be tried again.
    pub(super) fn take_changes(&mut self) {
        let is_due = self.interfaces.retry().is_some_and(|at| at <= Instant::now());
        if self.watch.take() || is_due {
            self.follow_interfaces();
        }
    }

    /// Handles a capture that the sniffer cannot read. It has reported why.
    pub(super) fn capture_failed(&mut self, number: CaptureNumber) {
        self.interfaces.capture_failed(number);
    }
}
