//! The text of a `knockd.conf` for given doors, written in many ways.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::model::{
    ACK, Door, FIN, Knock, OnReknock, PSH, Protocol, RST, SYN, Sequences, URG, text,
};

/// The files that make up a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conf {
    /// `knockd.conf`.
    pub text: Vec<u8>,
    /// The files of one-time sequences, named relative to the folder of the configuration.
    pub sequence_files: Vec<(String, Vec<u8>)>,
}

/// The style of a configuration: letter case, blanks, order, comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// The source of choices, used one by one and then from the start again. All zeros is the plain style,
    /// to which it shrinks.
    choices: Vec<u8>,
    /// Whether to leave out what knockd 0.8 refuses.
    for_08: bool,
}

impl Style {
    /// The plain style.
    #[must_use]
    pub fn plain() -> Self {
        Self { choices: vec![0], for_08: false }
    }

    /// Returns the style without what knockd 0.8 refuses: blanks between flags.
    #[must_use]
    pub fn for_08(self) -> Self {
        Self { for_08: true, ..self }
    }
}

/// Draws a style.
pub fn style() -> impl Strategy<Value = Style> {
    vec(prop_oneof![2 => Just(0), 1 => any::<u8>()], 1..80)
        .prop_map(|choices| Style { choices, for_08: false })
}

/// Writes doors as a configuration.
#[must_use]
pub fn conf(doors: &[Door], style: &Style) -> Conf {
    let mut writer = Writer { style, taken: 0, lines: vec![], sequence_files: vec![] };
    let options_last = writer.one_in(3);
    let opens = doors.iter().any(|door| door.admission.is_some());
    if !options_last {
        writer.options(opens);
    }
    for door in doors {
        writer.door(door);
    }
    if options_last {
        writer.options(opens);
    }
    let end = if writer.one_in(8) { "\r\n" } else { "\n" };
    let mut text = writer.lines.join(end.as_bytes());
    if !writer.one_in(8) {
        text.extend(end.bytes());
    }
    Conf { text, sequence_files: writer.sequence_files }
}

struct Writer<'a> {
    style: &'a Style,
    taken: usize,
    lines: Vec<Vec<u8>>,
    sequence_files: Vec<(String, Vec<u8>)>,
}

impl Writer<'_> {
    /// Returns one of the choices; the first is the plain one.
    fn pick<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        let byte = self.style.choices[self.taken % self.style.choices.len()];
        self.taken += 1;
        choices[usize::from(byte) % choices.len()]
    }

    fn one_in(&mut self, n: usize) -> bool {
        let mut choices = vec![""; n];
        choices[n - 1] = "yes";
        self.pick(&choices) == "yes"
    }

    fn cased(&mut self, word: &str) -> String {
        match self.pick(&["plain", "lower", "upper", "mixed"]) {
            "lower" => word.to_ascii_lowercase(),
            "upper" => word.to_ascii_uppercase(),
            "mixed" => {
                let mixed = word.char_indices().map(|(at, letter)| {
                    if at % 2 == 0 { letter.to_ascii_uppercase() } else { letter }
                });
                mixed.collect()
            }
            _ => word.to_owned(),
        }
    }

    fn filler(&mut self) {
        let filler = self.pick(&["none", "none", "none", "", "   ", "# [comment]", "\t#a = 1"]);
        if filler != "none" {
            self.lines.push(filler.into());
        }
    }

    fn head(&mut self, name: &[u8]) {
        let (before, after) = (self.pick(&["", " ", "\t"]), self.pick(&["", " "]));
        self.lines.push([before.as_bytes(), b"[", name, b"]", after.as_bytes()].concat());
    }

    fn put(&mut self, key: &str, value: &[u8]) {
        self.filler();
        let key = self.cased(key);
        let blanks = ["\t", "", " ", "    "];
        let (before, left) = (self.pick(&blanks), self.pick(&[" ", "", "\t", "   "]));
        let (right, after) = (self.pick(&[" ", "", "\t", "   "]), self.pick(&["", " ", "\t "]));
        let start = format!("{before}{key}{left}={right}");
        self.lines.push([start.as_bytes(), value, after.as_bytes()].concat());
    }

    fn options(&mut self, opens: bool) {
        if self.one_in(4) && !opens {
            return;
        }
        self.head(b"options");
        if opens {
            let firewall = self.pick(&["nft", "nft inet filter"]);
            self.put("Firewall", firewall.as_bytes());
        }
        if self.one_in(3) {
            self.put("Interface", b"eth7");
        }
        if self.one_in(5) {
            self.put("PidFile", b"/nonexistent/knockd.pid");
        }
        if self.one_in(3) {
            let key = self.cased("UseSyslog");
            self.lines.push(key.into_bytes());
        }
    }

    fn door(&mut self, door: &Door) {
        self.filler();
        self.head(&door.name);
        let mut items: Vec<(&str, Vec<u8>)> = vec![match &door.sequences {
            Sequences::Fixed(knocks) => ("Sequence", self.sequence(knocks)),
            Sequences::OneTime(lines) => ("One_Time_Sequences", self.sequence_file(lines)),
            Sequences::Derived(_) => unreachable!("no door of these derives sequences"),
        }];
        if door.seq_timeout_s != 25 || self.one_in(2) {
            let key = self.pick(&["Seq_Timeout", "Timeout"]);
            items.push((key, door.seq_timeout_s.to_string().into()));
        }
        if let Some(target) = door.target {
            items.push(("Target", self.target(target).into()));
        }
        if let Some(start) = &door.start {
            items.push((self.pick(&["Start_Command", "Command"]), start.clone()));
        }
        if let Some(start_6) = &door.start_6 {
            items.push((self.pick(&["Start_Command_6", "Command_6"]), start_6.clone()));
        }
        items.extend(door.stop.iter().map(|stop| ("Stop_Command", stop.clone())));
        items.extend(door.stop_6.iter().map(|stop_6| ("Stop_Command_6", stop_6.clone())));
        if door.cmd_timeout_s != 10 || self.one_in(2) {
            items.push(("Cmd_Timeout", door.cmd_timeout_s.to_string().into()));
        }
        if let Some(admission) = &door.admission {
            items.push(("Open", text::ports(&admission.ports).into()));
            items.push(("Open_For", duration(admission.lasts_s).into()));
            items.extend(admission.max_s.map(|max_s| ("Open_Max", duration(max_s).into())));
        }
        items.extend(on_reknock(door).map(|word| ("On_Reknock", word.into())));
        if let Some(seconds) = door.seq_cooldown_s {
            items.push(("Seq_Cooldown", seconds.to_string().into()));
        }
        items.extend(prefixes("Allow", &door.allow));
        items.extend(prefixes("Deny", &door.deny));
        let number = |number: u16| number.to_string().into();
        let most = door.openings_per_minute.map(number);
        items.extend(most.map(|most| ("Openings_Per_Minute", most)));
        let most = door.client_openings_per_minute.map(number);
        items.extend(most.map(|most| ("Client_Openings_Per_Minute", most)));
        match self.pick(&["plain", "reversed", "rotated"]) {
            "reversed" => items.reverse(),
            "rotated" => items.rotate_left(1),
            _ => {}
        }
        if matches!(door.sequences, Sequences::Fixed(_)) && self.one_in(16) {
            // Without effect, as the last line of a kind counts.
            self.put("Sequence", b"1,2,3:udp");
        }
        self.flag_lines(door);
        for (key, value) in items {
            self.put(key, &value);
        }
    }

    /// Writes an address, sometimes in a spelling other than that of `inet_ntop`.
    fn target(&mut self, target: IpAddr) -> String {
        match (target, self.pick(&["plain", "plain", "plain", "plain", "upper", "exploded"])) {
            (IpAddr::V6(target), "upper") => target.to_string().to_uppercase(),
            (IpAddr::V6(target), "exploded") => {
                let groups = target.segments().map(|group| format!("{group:04x}"));
                groups.join(":")
            }
            _ => target.to_string(),
        }
    }

    fn sequence(&mut self, knocks: &[Knock]) -> Vec<u8> {
        let mut parts = Vec::new();
        for knock in knocks {
            let (before, after) = (self.pick(&["", " ", "0"]), self.pick(&["", "", " "]));
            let protocol = match knock.protocol {
                Protocol::Tcp if !self.one_in(3) => None,
                Protocol::Tcp => Some(self.cased("tcp")),
                Protocol::Udp => Some(self.cased("udp")),
            };
            let protocol = protocol.map(|protocol| {
                format!(":{}{protocol}{}", self.pick(&["", " "]), self.pick(&["", " "]))
            });
            let port = knock.port;
            parts.push(format!("{before}{port}{after}{}", protocol.unwrap_or_default()));
        }
        parts.join(",").trim().into()
    }

    /// Writes a file of one-time sequences; returns its name.
    fn sequence_file(&mut self, lines: &[Vec<Knock>]) -> Vec<u8> {
        let mut text = Vec::new();
        for line in lines {
            let filler =
                self.pick(&["", "", "# one a line\n", "\n", "#9000,8000\n", "  \n", " # 1,2\n"]);
            text.extend(filler.bytes());
            text.extend(self.pick(&[" ", "", "\t", "  "]).bytes());
            text.extend(self.sequence(line));
            text.extend(self.pick(&["", "", " ", "\r"]).bytes());
            text.push(b'\n');
        }
        if self.one_in(4) {
            text.pop();
        }
        let name = format!("sequences-{}.txt", self.sequence_files.len());
        self.sequence_files.push((name.clone(), text));
        name.into()
    }

    /// Writes the flags that the door asks for, on one line or two, as lines add up.
    fn flag_lines(&mut self, door: &Door) {
        let words =
            [(SYN, "syn"), (ACK, "ack"), (FIN, "fin"), (RST, "rst"), (PSH, "psh"), (URG, "urg")];
        let mut parts = Vec::new();
        for (bit, word) in words {
            let is_wanted = door.wanted & bit != 0;
            if !is_wanted && door.refused & bit == 0 {
                continue;
            }
            let word = self.cased(word);
            let (meant, opposite) = if is_wanted { ("", "!") } else { ("!", "") };
            if self.one_in(16) {
                // Without effect, as the last mention of a flag counts.
                parts.push(format!("{opposite}{word}"));
            }
            parts.push(format!("{meant}{word}"));
        }
        let comma = if self.style.for_08 { "," } else { self.pick(&[",", ",", ", "]) };
        let behind_first = usize::from(self.one_in(6)).min(parts.len());
        let (first, rest) = parts.split_at(behind_first);
        for line in [first, rest].iter().filter(|line| !line.is_empty()) {
            self.put("TCPFlags", line.join(comma).as_bytes());
        }
    }
}

/// Returns a directive with prefixes, if there are any.
fn prefixes(key: &'static str, list: &[(IpAddr, u8)]) -> Option<(&'static str, Vec<u8>)> {
    let text = |(first, length): &(IpAddr, u8)| format!("{}/{length}", text::address(*first));
    let all: Vec<String> = list.iter().map(text).collect();
    (!all.is_empty()).then(|| (key, all.join(",").into_bytes()))
}

/// Returns a duration, with a unit if it is one of minutes.
fn duration(seconds: u32) -> String {
    if seconds.is_multiple_of(60) { format!("{}m", seconds / 60) } else { seconds.to_string() }
}

/// Returns the word for what an opening of an open door does, if it is not the default.
const fn on_reknock(door: &Door) -> Option<&'static str> {
    match door.on_reknock {
        OnReknock::Extend => None,
        OnReknock::Separate => Some("separate"),
        OnReknock::Ignore => Some("ignore"),
    }
}
