//! The simulated world around an engine.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::num::NonZeroU32;

use knock_engine::{CommandStatus, CommandsEnd, Event, Limits, Timestamp, transcript};
use knock_engine::{Effect, Engine};

use super::broken::{Broken, Invariant, ensure};
use super::client::{Client, Departure, MILLI, SECOND, Sight};
use super::lease::Lessee;
use super::oracle::Oracle;
use super::place::{Addresses, Joiner};
use super::queue::{Happening, HonestKnock, Queue, Sent};
use super::rng::Rng;
use super::run_parameters::{BEGINNING, RunParameters};
use super::runner::Runner;
use super::tally::Tally;
use crate::boundary;
use crate::model::{Door, Line, ModelState, Setting};

/// An event of the engine.
#[derive(Clone, Debug)]
enum Input {
    Packet(Sent),
    /// Which command ended, and its status.
    Ended(u64, u8),
    /// Which line was to be marked, and whether it is.
    Marked(u64, bool),
    /// A line that was answered already is answered.
    MarkedAgain(u64),
    /// A command that has ended already ended.
    EndedAgain(u64),
    /// The driver could not let a client in at a door, or has ended it.
    Lost(Lessee),
    Time,
    Addresses(Addresses),
    Reload(Vec<Door>),
}

/// The world: an engine, its surroundings, and the checks.
pub(super) struct World {
    rng: Rng,
    temper: RunParameters,
    clients: Vec<Client>,
    /// The addresses of the clients.
    sources: Vec<IpAddr>,
    joiner: Joiner,
    addresses: Addresses,
    queue: Queue,
    runner: Runner,
    /// The true time.
    true_ns: i64,
    /// How much the clock of the capture is ahead of the true time.
    ahead_ns: i64,
    /// For each source, the latest sending time of its delivered packets.
    latest_left_ns: BTreeMap<IpAddr, i64>,
    engine: Engine,
    model: ModelState,
    oracle: Oracle,
    lines: Vec<Line>,
    pub(super) tally: Tally,
    pub(super) step: u64,
    /// The last events of the engine, oldest first.
    recent: VecDeque<(u64, i64, Input)>,
}

const TRACE: usize = 12;

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let temper = RunParameters::random(&mut rng);
        let mut joiner = Joiner::new(&mut rng);
        let doors = joiner.doors(&mut rng);
        let addresses = Addresses::random(&mut rng);
        let count = u32::try_from(rng.between(100, 300)).expect("few clients");
        let clients: Vec<Client> = (0..count).map(|number| Client::new(number, &mut rng)).collect();
        let mut queue = Queue::default();
        let span_ns = temper.end_ns - BEGINNING;
        for number in 0..clients.len() {
            queue.put(BEGINNING + rng.between(0, span_ns / 2), Happening::Turn(number));
        }
        let rare = [(6, Happening::Reload), (3, Happening::Addresses), (5, Happening::ClockStep)];
        for (most, happening) in rare {
            for _ in 0..rng.between(0, most) {
                queue.put(BEGINNING + rng.between(0, span_ns), happening);
            }
        }
        let Addresses { local, ipv4_only } = addresses.clone();
        let total = NonZeroU32::new(temper.limit).expect("it is at least 1");
        let limits = Limits { hash_seed: seed, ..boundary::limits(total) };
        let listening = boundary::listening(local.as_deref(), ipv4_only);
        let engine = Engine::new(boundary::doors(&doors), listening, &limits);
        let limit = usize::try_from(temper.limit).expect("64 bits are enough");
        let at_once = temper.answers_at_once;
        let engine = if at_once { engine.presuming_marks() } else { engine };
        let oracle = Oracle::new(&doors, limit, at_once);
        let model = ModelState::new(&Setting { doors, local, ipv4_only }).with_limit(limit);
        let model = if at_once { model.answering_at_once() } else { model };
        Self {
            rng,
            temper,
            sources: clients.iter().map(|client| client.address).collect(),
            clients,
            joiner,
            addresses,
            queue,
            runner: Runner::default(),
            true_ns: BEGINNING,
            ahead_ns: 0,
            latest_left_ns: BTreeMap::new(),
            engine,
            model,
            oracle,
            lines: Vec::new(),
            tally: Tally { runs: 1, ..Tally::default() },
            step: 0,
            recent: VecDeque::new(),
        }
    }

    /// Runs the world to its end.
    pub(super) fn run(&mut self) -> Result<(), Broken> {
        self.oracle.learn_ids(&self.engine)?;
        loop {
            if let Some((at_ns, happening)) = self.queue.next() {
                self.true_ns = at_ns;
                self.wake()?;
                self.happen(happening)?;
            } else if let Some(deadline) = self.engine.poll_deadline() {
                let at_ns = deadline.at.as_nanos();
                self.true_ns = self.true_ns.max(at_ns - self.ahead_ns);
                self.hand_over(at_ns, Input::Time)?;
            } else {
                self.finish();
                return self.oracle.finish(&self.engine);
            }
        }
    }

    fn clock_ns(&self) -> i64 {
        self.true_ns + self.ahead_ns
    }

    fn wake(&mut self) -> Result<(), Broken> {
        while self.temper.wakes
            && let Some(deadline) = self.engine.poll_deadline()
            && deadline.at.as_nanos() <= self.clock_ns()
        {
            self.tally.deadlines += 1;
            let at_ns = deadline.at.as_nanos();
            let late_ns = self.rng.between(0, MILLI).min(self.clock_ns() - at_ns);
            let late_ns = if self.rng.percent(50) { 0 } else { late_ns };
            self.hand_over(at_ns + late_ns, Input::Time)?;
        }
        Ok(())
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Broken> {
        match happening {
            Happening::Arrival(mut sent) => {
                let lag_ns = self.rng.between(0, self.temper.lag_max_ns);
                sent.packet.at_ns = self.clock_ns() - lag_ns;
                self.tally.packets += 1;
                let latest_ns = self.latest_left_ns.entry(sent.packet.src).or_insert(sent.left_ns);
                self.tally.overtaken += u64::from(sent.left_ns < *latest_ns);
                *latest_ns = sent.left_ns.max(*latest_ns);
                self.hand_over(sent.packet.at_ns, Input::Packet(sent))
            }
            Happening::Turn(client) => {
                self.turn(client);
                Ok(())
            }
            Happening::CommandEnds(number) => {
                self.command_ends(number)?;
                self.lose()
            }
            Happening::LineMarked(number) => self.line_marked(number),
            Happening::Reload => {
                let doors = self.oracle.record.configuration();
                let doors = self.joiner.edit(&mut self.rng, &doors);
                self.tally.reloads += 1;
                self.tally.reloads_in_attempts += u64::from(self.engine.live_attempts() > 0);
                self.hand_over(self.clock_ns(), Input::Reload(doors))?;
                self.oracle.learn_ids(&self.engine)
            }
            Happening::Addresses => {
                let addresses = Addresses::random(&mut self.rng);
                self.tally.addresses += 1;
                self.hand_over(self.clock_ns(), Input::Addresses(addresses))
            }
            Happening::ClockStep => {
                let forward = self.rng.percent(50);
                let most = if self.rng.percent(10) { 86_400 * SECOND } else { 60 * SECOND };
                let by_ns = self.rng.between(1, if forward { most } else { 60 * SECOND });
                self.ahead_ns += if forward { by_ns } else { -by_ns };
                let count = if forward {
                    &mut self.tally.clock_forward
                } else {
                    &mut self.tally.clock_back
                };
                *count += 1;
                Ok(())
            }
        }
    }

    fn turn(&mut self, number: usize) {
        let doors = self.oracle.record.configuration();
        let sight = Sight { doors: &doors, addresses: &self.addresses, clients: &self.sources };
        let Self { rng, oracle, queue, tally, .. } = self;
        let client = &mut self.clients[number];
        let mut departures: Vec<(Departure, Option<HonestKnock>)> = Vec::new();
        if let Some(visit) = client.visit(rng, &sight) {
            let door = oracle.record.listed[visit.door];
            let (visits, record) = (&mut oracle.visits, &oracle.record);
            let visited = visits.announce(client.address, door, visit.knocks.len(), record);
            for (place, knocks) in visit.knocks.into_iter().enumerate() {
                tally.repeated += u64::try_from(knocks.len() - 1).expect("few");
                let knock = HonestKnock { visit: visited, place };
                departures.extend(knocks.into_iter().map(|departure| (departure, Some(knock))));
            }
        }
        let others = client.act(rng, &sight, tally);
        departures.extend(others.into_iter().map(|departure| (departure, None)));
        for ((after_ns, packet), knock) in departures {
            let sent = Sent { packet, left_ns: self.true_ns + after_ns, knock };
            self.temper.network.send(sent, client.path, rng, queue, tally);
        }
        let next_ns = self.true_ns + self.clients[number].pause(&mut self.rng);
        if next_ns < self.temper.end_ns {
            self.queue.put(next_ns, Happening::Turn(number));
        }
    }

    fn command_ends(&mut self, number: u64) -> Result<(), Broken> {
        let status = if self.rng.percent(10) { self.rng.pick(&[1, 127, 143]) } else { 0 };
        self.tally.failed += u64::from(status != 0);
        self.hand_over(self.clock_ns(), Input::Ended(number, status))?;
        if self.rng.percent(3) {
            self.tally.answered_twice += 1;
            self.hand_over(self.clock_ns(), Input::EndedAgain(number))?;
        }
        Ok(())
    }

    /// Perhaps an admission ends before its time.
    fn lose(&mut self) -> Result<(), Broken> {
        let count = self.oracle.admissions.len();
        if count == 0 || !self.rng.percent(5) {
            return Ok(());
        }
        let lost = self.oracle.losable(self.rng.below(count), self.clock_ns());
        lost.map_or(Ok(()), |lessee| self.hand_over(self.clock_ns(), Input::Lost(lessee)))
    }

    fn line_marked(&mut self, number: u64) -> Result<(), Broken> {
        let is_marked = !self.rng.percent(10);
        self.tally.sequences_not_marked += u64::from(!is_marked);
        self.hand_over(self.clock_ns(), Input::Marked(number, is_marked))?;
        if self.rng.percent(10) {
            self.hand_over(self.clock_ns(), Input::MarkedAgain(number))?;
        }
        Ok(())
    }

    // ---- one step

    /// Hands one event to the engine, the checks and the model, and compares.
    fn hand_over(&mut self, at_ns: i64, input: Input) -> Result<(), Broken> {
        self.step += 1;
        if self.recent.len() == TRACE {
            self.recent.pop_front();
        }
        self.recent.push_back((self.step, at_ns, input.clone()));
        let now_ns = self.oracle.begin(at_ns);
        let is_time = matches!(input, Input::Time);
        let event = self.prepare(now_ns, at_ns, input);
        self.drive(at_ns, event)?;
        self.oracle.end(&self.engine, is_time)?;
        self.compare()
    }

    /// Hands the event to the checks and the model. Returns it for the engine.
    fn prepare(&mut self, now_ns: i64, at_ns: i64, input: Input) -> Event {
        match input {
            Input::Packet(sent) => {
                self.tally.clamped += u64::from(at_ns < now_ns);
                self.oracle.packet(&sent, &self.addresses, &self.engine);
                self.model.packet(&sent.packet);
                let packet = boundary::packet(&sent.packet);
                if self.rng.percent(30) {
                    self.engine.anticipate([&packet]);
                }
                Event::Packet(packet)
            }
            Input::Ended(number, status) => {
                self.oracle.command_ended(now_ns, number, status, &mut self.tally);
                self.model.command_ended(at_ns, number);
                Event::CommandEnded { run: self.runner.run(number), status: CommandStatus(status) }
            }
            Input::Marked(number, is_marked) => {
                self.tally.sequences_passed += u64::from(self.oracle.marked(number, is_marked));
                self.model.one_time_marked(at_ns, number, is_marked);
                Event::Marked { mark: self.runner.mark(number), is_marked }
            }
            Input::MarkedAgain(number) => {
                self.model.time(at_ns);
                Event::Marked { mark: self.runner.mark(number), is_marked: true }
            }
            Input::EndedAgain(number) => {
                self.model.time(at_ns);
                Event::CommandEnded { run: self.runner.run(number), status: CommandStatus(9) }
            }
            Input::Lost(lessee) => {
                self.tally.admissions_lost += 1;
                self.oracle.admissions.lost(lessee);
                let (client, door) = lessee;
                self.model.admission_lost(at_ns, client, self.oracle.place_of(door));
                Event::AdmissionLost { client, door: self.oracle.id_of(door) }
            }
            Input::Time => {
                self.model.time(at_ns);
                Event::DeadlineReached
            }
            Input::Addresses(addresses) => {
                let Addresses { local, ipv4_only } = addresses.clone();
                let listening = boundary::listening(local.as_deref(), ipv4_only);
                self.addresses = addresses;
                self.model.addresses(at_ns, local, ipv4_only);
                Event::AddressesChanged(listening)
            }
            Input::Reload(doors) => {
                self.oracle.reload(&doors, &mut self.tally);
                let event = Event::Reloaded(Box::new(boundary::doors(&doors)));
                self.model.reload(at_ns, doors);
                event
            }
        }
    }

    /// Hands the event to the engine, and its effects to the judge and to those who run commands.
    fn drive(&mut self, at_ns: i64, event: Event) -> Result<(), Broken> {
        let Self { engine, oracle, lines, runner, tally, rng, queue, .. } = self;
        let (true_ns, at_once) = (self.true_ns, self.temper.answers_at_once);
        let commands = if at_once { CommandsEnd::SUCCEEDED } else { CommandsEnd::Later };
        engine.drive(Timestamp::from_nanos(at_ns), event, commands, |engine, timed| {
            let (at_ns, effect) = (timed.at.as_nanos(), timed.effect);
            let mut text = Vec::new();
            let channel = transcript::write(&effect, engine.doors(), &mut text);
            if channel == transcript::Channel::Transcript {
                lines.push(Line { at_ns, text });
            }
            let wanted = oracle.effect(at_ns, &effect, engine, tally)?;
            match (wanted, effect) {
                (Some(_), Effect::MarkOneTime { mark, .. }) => {
                    runner.ask_to_mark(mark, true_ns, rng, queue);
                }
                (Some(number), Effect::RunCommand { run, .. }) => {
                    runner.ask(run);
                    if at_once {
                        oracle.command_ended(at_ns, number, 0, tally);
                    } else {
                        Runner::start(number, true_ns, rng, queue, tally);
                    }
                }
                _ => {}
            }
            Ok(())
        })
    }

    fn compare(&mut self) -> Result<(), Broken> {
        let (said, expected) = (std::mem::take(&mut self.lines), self.model.take_lines());
        ensure(said == expected, Invariant::ModelAgrees, || {
            format!("the engine says {}\nthe model says {}", text(&said), text(&expected))
        })?;
        let (said, expected) = (self.engine.counts(), self.model.outcome().counts);
        let pairs = [
            (said.admitted, expected.admitted),
            (said.retransmissions, expected.retransmissions),
            (said.voided, expected.voided),
            (said.opened, expected.opened),
            (said.timed_out, expected.timed_out),
            (said.evicted, expected.evicted),
            (said.forgotten_knocks, expected.forgotten_knocks),
            (said.refused, expected.refused),
            (said.not_marked, expected.not_marked),
            (said.merged, expected.merged),
            (said.ignored, expected.ignored),
            (said.forgotten_cooldowns, expected.forgotten_cooldowns),
            (said.forgotten_openings, expected.forgotten_openings),
        ];
        ensure(pairs.iter().all(|(one, other)| one == other), Invariant::ModelAgrees, || {
            format!("the engine counts {said:#?}\nthe model counts {expected:#?}")
        })
    }

    fn finish(&mut self) {
        let counts = self.engine.counts();
        self.tally.admitted = counts.admitted;
        self.tally.openings = counts.opened;
        self.tally.attempts = counts.attempts;
        self.tally.timed_out = counts.timed_out;
        self.tally.voided = counts.voided;
        self.tally.retransmissions = counts.retransmissions;
        self.tally.evicted = counts.evicted;
        self.tally.forgotten = counts.forgotten_knocks;
        self.tally.refused = counts.refused;
        self.tally.merged = counts.merged;
        self.tally.ignored = counts.ignored;
        self.tally.cooldowns_forgotten = counts.forgotten_cooldowns;
        self.tally.openings_forgotten = counts.forgotten_openings;
    }

    /// Returns the last events of the engine as text.
    pub(super) fn trace(&self) -> Vec<String> {
        let line =
            |(step, at_ns, input): &(u64, i64, Input)| format!("{step:>7} {at_ns} {input:?}");
        self.recent.iter().map(line).collect()
    }
}

fn text(lines: &[Line]) -> String {
    let line = |line: &Line| format!("\n  {} {}", line.at_ns, String::from_utf8_lossy(&line.text));
    if lines.is_empty() { "nothing".into() } else { lines.iter().map(line).collect() }
}
