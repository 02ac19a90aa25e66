//! The daemon: starting, killing and asking it.

use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use knock_tests::process::Outcome;

use crate::history::History;
use crate::outages::Outages;
use crate::world::World;

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the daemon logs when it listens, at its start and after a process was replaced.
const LISTENS: &str = "starting up, listening on ";

/// A daemon, and its successors.
pub(crate) struct Daemon {
    world: Arc<World>,
    program: PathBuf,
    running: Mutex<Running>,
    /// What all of them have written to standard error.
    lines: Arc<Mutex<Vec<String>>>,
    /// The total of lost lines, as the daemons themselves have counted them.
    lost_lines: Mutex<u64>,
    /// When knocks could not be heard.
    pub(crate) outages: Outages,
    /// What was done to them.
    pub(crate) history: History,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// The exit statuses of those that were asked to end.
    pub(crate) statuses: Vec<Option<i32>>,
    /// What was written to standard error.
    pub(crate) lines: Vec<String>,
    /// How many lines were lost, by their own count.
    pub(crate) lost_lines: u64,
}

struct Running {
    child: Child,
    /// The process that was started, as it is numbered in its namespace.
    runner: u32,
    statuses: Vec<Option<i32>>,
}

impl Daemon {
    /// Starts one, and waits until it listens.
    pub(crate) fn start(world: Arc<World>, program: PathBuf) -> Self {
        let lines = Arc::default();
        let (child, runner) = spawn(&world, &program, &lines);
        let running = Mutex::new(Running { child, runner, statuses: Vec::new() });
        let this = Self {
            world,
            program,
            running,
            lines,
            lost_lines: Mutex::new(0),
            outages: Outages::default(),
            history: History::default(),
        };
        this.wait_until_it_listens(0);
        this
    }

    /// Returns the process that was started.
    pub(crate) fn runner(&self) -> u32 {
        lock(&self.running).runner
    }

    /// Returns the process that reads packets; `None` while there is none.
    pub(crate) fn sniffer(&self) -> Option<u32> {
        let found = self.world.run("pgrep -f '^knockd: sniffer'").stdout;
        found.lines().next()?.parse().ok()
    }

    /// Sends a signal to the process that was started.
    pub(crate) fn signal(&self, signal: &str) {
        self.world.must(&format!("kill -{signal} {}", self.runner()));
    }

    /// Runs knockctl.
    pub(crate) fn ask(&self, arguments: &str) -> Outcome {
        let program = self.program.with_file_name("knockctl");
        self.world.run(&format!("exec {} {arguments}", program.display()))
    }

    /// Kills the process that reads packets, and waits until another one does.
    pub(crate) fn kill_sniffer(&self) {
        let Some(sniffer) = self.sniffer() else { return };
        self.outages.during("the sniffer is killed", false, || {
            let before = self.times_listened();
            self.world.must(&format!("kill -9 {sniffer}"));
            self.wait_until_it_listens(before);
        });
    }

    /// Kills the process that was started, and the other one as well if asked for; then starts again, as a
    /// service manager does.
    pub(crate) fn kill(&self, both: bool) {
        let why = if both { "both processes are killed" } else { "the runner is killed" };
        let sniffer = self.sniffer().filter(|_| both);
        self.outages.during(why, true, || {
            let before = self.times_listened();
            let others = sniffer.map(|sniffer| sniffer.to_string()).unwrap_or_default();
            self.world.must(&format!("kill -9 {} {others}", self.runner()));
            let mut running = lock(&self.running);
            running.child.wait().unwrap();
            (running.child, running.runner) = spawn(&self.world, &self.program, &self.lines);
            drop(running);
            self.wait_until_it_listens(before);
        });
    }

    /// Has it end, and starts another one.
    pub(crate) fn restart(&self) {
        self.outages.during("a restart", false, || {
            let before = self.times_listened();
            self.stop();
            let mut running = lock(&self.running);
            (running.child, running.runner) = spawn(&self.world, &self.program, &self.lines);
            drop(running);
            self.wait_until_it_listens(before);
        });
    }

    /// Ends it.
    pub(crate) fn end(&self) -> Ended {
        self.stop();
        // What is still in the pipe.
        thread::sleep(Duration::from_secs(1));
        let statuses = lock(&self.running).statuses.clone();
        let lines = lock(&self.lines).clone();
        Ended { statuses, lines, lost_lines: *lock(&self.lost_lines) }
    }

    /// Adds the lines that this daemon has lost to the total.
    fn count_lost_lines(&self) {
        let metrics = self.ask("metrics").stdout;
        let lost = metrics.lines().find_map(|line| line.strip_prefix("knockd_lost_lines_total "));
        let lost: u64 =
            lost.unwrap_or_else(|| panic!("no such number: {metrics}")).parse().unwrap();
        *lock(&self.lost_lines) += lost;
    }

    fn stop(&self) {
        self.count_lost_lines();
        self.signal("TERM");
        let begin = Instant::now();
        let mut running = lock(&self.running);
        while running.child.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < 2 * PATIENCE, "knockd does not end");
            thread::sleep(Duration::from_millis(5));
        }
        let status = running.child.wait().unwrap().code();
        running.statuses.push(status);
    }

    fn times_listened(&self) -> usize {
        lock(&self.lines).iter().filter(|line| line.starts_with(LISTENS)).count()
    }

    fn wait_until_it_listens(&self, before: usize) {
        let begin = Instant::now();
        while self.times_listened() <= before {
            let is_in_time = begin.elapsed() < PATIENCE;
            assert!(is_in_time, "knockd does not listen: {:#?}", lock(&self.lines));
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until it has written a line with this text after those that there were.
    pub(crate) fn wait_for(&self, text: &str, before: usize) -> bool {
        let begin = Instant::now();
        while !lock(&self.lines).iter().skip(before).any(|line| line.contains(text)) {
            if begin.elapsed() > PATIENCE {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Returns how many lines it has written to standard error.
    pub(crate) fn line_count(&self) -> usize {
        lock(&self.lines).len()
    }
}

fn spawn(
    world: &World,
    program: &std::path::Path,
    lines: &Arc<Mutex<Vec<String>>>,
) -> (Child, u32) {
    let line =
        format!("echo $$ && exec {} -c {}", program.display(), world.path("knockd.conf").display());
    let mut command = world.server().command(&line);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    output.read_line(&mut first).unwrap();
    thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    let errors = child.stderr.take().unwrap();
    let lines = Arc::clone(lines);
    thread::spawn(move || keep_lines(errors, &lines));
    (child, first.trim().parse().unwrap())
}

fn keep_lines(from: impl Read, lines: &Mutex<Vec<String>>) {
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        lock(lines).push(String::from_utf8_lossy(&line).into_owned());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}
