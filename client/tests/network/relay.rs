//! A network that loses, delays and doubles packets as a test wants.
//!
//! It replaces netem, which not every kernel has and whose losses are random.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use etherparse::{PacketHeaders, TransportHeader};
use knock_tests::live::Namespace;
use pcap::{Active, Capture, Direction, Error};

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It passes at once.
    Passes,
    /// It never arrives.
    Lost,
    /// It arrives twice.
    Doubled,
    /// It arrives this long after it was sent, after all that is due before.
    Late(Duration),
}

/// A TCP segment or a datagram on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passing {
    /// To this port of the server.
    ToServer(u16),
    /// The answer of an open port of the server: a SYN+ACK.
    Accepts(u16),
    /// Another packet from the server.
    Other,
}

/// Decides what happens to packets; sees them in the order in which each side sent them.
type Rule = Box<dyn FnMut(Passing) -> Fate + Send>;

/// Carries packets between a server and a client. What is neither TCP nor UDP always passes.
pub(crate) struct Relay {
    rule: Arc<Mutex<Rule>>,
    arrived: Arc<Mutex<Vec<u16>>>,
    /// Dropping it ends the threads.
    _between: Namespace,
}

/// A frame as it was sent: when since the epoch, by the kernel's clock, by which side, and its bytes.
struct Frame {
    sent: Duration,
    is_to_server: bool,
    bytes: Vec<u8>,
}

impl Relay {
    /// Returns a relay in the middle of a cut cable, which passes everything.
    pub(crate) fn new(between: Namespace) -> Self {
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(|_| Fate::Passes)));
        let arrived = Arc::default();
        let (frames, received) = mpsc::channel();
        let [to_server, to_client] = ["to-server", "to-client"].map(|name| {
            let ear = between.open(move || open(name));
            ear.direction(Direction::In).unwrap();
            let frames = frames.clone();
            // What comes from the client goes to the server.
            thread::spawn(move || listen(ear, name == "to-client", &frames));
            between.open(move || open(name))
        });
        let carrier = Carrier {
            rule: Arc::clone(&rule),
            arrived: Arc::clone(&arrived),
            to_server,
            to_client,
            due: BTreeMap::new(),
            count: 0,
        };
        thread::spawn(move || carrier.carry(&received));
        Self { rule, arrived, _between: between }
    }

    /// Sets the rule from now on, and forgets what has arrived.
    pub(crate) fn follow(&self, rule: impl FnMut(Passing) -> Fate + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
        self.arrived.lock().unwrap().clear();
    }

    /// Returns the ports of the server at which packets have arrived, in their order.
    pub(crate) fn arrived(&self) -> Vec<u16> {
        self.arrived.lock().unwrap().clone()
    }
}

fn open(name: &'static str) -> Capture<Active> {
    let capture = Capture::from_device(name).unwrap().immediate_mode(true).promisc(true);
    // Wake up now and then to see whether the relay has ended.
    capture.timeout(100).snaplen(4096).open().unwrap()
}

/// Passes frames on until the relay has ended.
fn listen(mut ear: Capture<Active>, is_to_server: bool, frames: &Sender<Frame>) {
    loop {
        match ear.next_packet() {
            Ok(packet) => {
                let ts = packet.header.ts;
                let seconds = Duration::from_secs(ts.tv_sec.try_into().unwrap());
                let sent = seconds + Duration::from_micros(ts.tv_usec.try_into().unwrap());
                let frame = Frame { sent, is_to_server, bytes: packet.data.to_vec() };
                if frames.send(frame).is_err() {
                    return;
                }
            }
            Err(Error::TimeoutExpired) => {}
            // The network is gone.
            Err(_) => return,
        }
    }
}

/// The thread that carries frames.
struct Carrier {
    rule: Arc<Mutex<Rule>>,
    arrived: Arc<Mutex<Vec<u16>>>,
    to_server: Capture<Active>,
    to_client: Capture<Active>,
    /// Frames by the moment at which they arrive, and by number.
    due: BTreeMap<(Duration, u64), Frame>,
    count: u64,
}

impl Carrier {
    fn carry(mut self, received: &Receiver<Frame>) {
        loop {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            let next = self.due.keys().next().map(|(due, _)| due.saturating_sub(now));
            match received.recv_timeout(next.unwrap_or(Duration::from_secs(1))) {
                Ok(frame) => self.take(frame),
                Err(RecvTimeoutError::Timeout) => {
                    while let Some(entry) = self.due.first_entry().filter(|it| it.key().0 <= now) {
                        let frame = entry.remove();
                        self.deliver(&frame);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Applies the rule to a frame. Times count from when it was sent, not from when this thread sees it:
    /// packets that were sent farther apart than their delay never change places.
    fn take(&mut self, frame: Frame) {
        let fate = match passing(&frame) {
            Some(passing) => (*self.rule.lock().unwrap())(passing),
            None => Fate::Passes,
        };
        let late = match fate {
            Fate::Passes | Fate::Doubled => Duration::ZERO,
            Fate::Lost => return,
            Fate::Late(late) => late,
        };
        let Frame { sent, is_to_server, ref bytes } = frame;
        if fate == Fate::Doubled {
            self.count += 1;
            let double = Frame { sent, is_to_server, bytes: bytes.clone() };
            self.due.insert((sent + late, self.count), double);
        }
        self.count += 1;
        self.due.insert((sent + late, self.count), frame);
    }

    fn deliver(&mut self, frame: &Frame) {
        if let Some(Passing::ToServer(port)) = passing(frame) {
            self.arrived.lock().unwrap().push(port);
        }
        let side = if frame.is_to_server { &mut self.to_server } else { &mut self.to_client };
        // The other side may have ended.
        let _ = side.sendpacket(&frame.bytes[..]);
    }
}

/// Returns what a frame is; `None` if it is neither TCP nor UDP.
fn passing(frame: &Frame) -> Option<Passing> {
    let headers = PacketHeaders::from_ethernet_slice(&frame.bytes).ok()?;
    let (from, to, accepts) = match headers.transport? {
        TransportHeader::Tcp(tcp) => (tcp.source_port, tcp.destination_port, tcp.syn && tcp.ack),
        TransportHeader::Udp(udp) => (udp.source_port, udp.destination_port, false),
        TransportHeader::Icmpv4(_) | TransportHeader::Icmpv6(_) | TransportHeader::Igmp(_) => {
            return None;
        }
    };
    Some(match (frame.is_to_server, accepts) {
        (true, _) => Passing::ToServer(to),
        (false, true) => Passing::Accepts(from),
        (false, false) => Passing::Other,
    })
}
