//! What is explained, in words: the same for all that print it.

use std::fmt::Write as _;
use std::net::IpAddr;

use knock_config::text::printable;
use knock_engine::Undecodable;
use knock_engine::address;
use knock_engine::{
    Door, DoorId, Doors, FlagRule, KeyNumber, Knock, Listening, PerMinute, Phase, Skip,
    SourceRefusal, Stage, TcpFlags,
};

use super::admission::{Ended, EndedBy};
use super::explanation::{Explanation, Late, Seen, SignedFault, Verdict, Why};
use super::hints::roughly;
use super::places::{ConfigLine, Places};
use crate::session::names::CaptureNames;
use knock_signed::Refusal;

/// What the words are about.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    /// The doors.
    pub doors: &'a Doors,
    /// The destinations that count.
    pub listening: &'a Listening,
    /// Where the configuration says what.
    pub places: &'a Places,
    /// The captures.
    pub captures: &'a CaptureNames,
}

impl Words<'_> {
    /// Returns the name of a door.
    #[must_use]
    pub fn door(&self, door: DoorId) -> String {
        printable(self.doors.door(door).name.as_bytes())
    }

    /// Returns what happened.
    #[must_use]
    pub fn sentence(&self, one: &Explanation) -> String {
        let of = one.of;
        match one.verdict {
            Verdict::Stage { stage, late: None, again: None } => {
                format!("Stage {} of {of}", stage.get())
            }
            Verdict::Stage { stage, late: None, again: Some(id) } => format!(
                "Stage {} of {of}, begun again: second try of the knock in {}",
                stage.get(),
                self.captures.packet(id)
            ),
            Verdict::Stage { stage, late: Some(late), again: _ } => {
                format!("Stage {} of {of}; for the attempt before, {}", stage.get(), too_late(late))
            }
            Verdict::Signed { key } => format!("signed packet{}", self.of_user(Some(key))),
            Verdict::Opened => "OPEN SESAME".to_owned(),
            Verdict::Refused => {
                "not opened: busy, too many commands and open doors are pending".to_owned()
            }
            Verdict::Skipped(why) => self.omission(one, why),
            Verdict::Admitted { lasts } => {
                format!("admit to {} for {} s", self.ports(one.door), lasts.get())
            }
            Verdict::Closing => "closing, as asked".to_owned(),
            Verdict::AdmissionEnded(ended) => self.ended(ended),
            Verdict::Command(phase) => self.command(one, phase),
            Verdict::SequenceTimedOut { stage, expected } => {
                let missing = expected
                    .map_or(String::new(), |expected| format!(": no {expected} came in time"));
                format!("sequence timeout at stage {} of {of}{missing}", stage.get())
            }
            Verdict::CommandTimedOut => "command timeout".to_owned(),
            Verdict::Evicted { stage } => format!(
                "dropped at stage {} of {of}: evicted for another attempt at the limit (see \
                 --max-attempts)",
                stage.get()
            ),
            Verdict::SequenceChanged { stage } => format!(
                "dropped at stage {} of {of}: another client used the one-time sequence",
                stage.get()
            ),
            Verdict::DoorChanged { stage } => {
                format!("dropped at stage {} of {of}: the door was changed", stage.get())
            }
            Verdict::OneTimeUsed { line } => format!("one-time sequence on line {line} is used up"),
            Verdict::Disabled => "no one-time sequence is left, the door is disabled".to_owned(),
            Verdict::Void { stage, expected, repeats, because_of } => {
                let got = one.packet.and_then(|seen| seen.knock);
                let mut text = format!("void at stage {} of {of}: ", stage.get());
                text += &wrong_port(expected, got);
                if let Some(id) = repeats {
                    let packet = self.captures.packet(id);
                    let _ = write!(
                        text,
                        ": repeats the knock in {packet} (not as a TCP retransmission)"
                    );
                } else if let Some(other) = because_of {
                    let _ = write!(text, ", which is heard because of door {}", self.door(other));
                }
                text
            }
            Verdict::VoidedOften { knock, packets, millis } => {
                let (seconds, tenths) = (millis / 1000, millis % 1000 / 100);
                format!(
                    "voided {packets} times in {seconds}.{tenths} s by packets from the client's \
                     address, the last to {knock}: forged?"
                )
            }
            Verdict::Ignored(why) => self.reason(one, why),
        }
    }

    /// Returns when an admission ended, if it was not the door that said so.
    fn ended(&self, Ended { lasted_nanos, by }: Ended) -> String {
        let lasted = lasted_nanos.map_or(String::new(), |lasted| format!(" {} s", seconds(lasted)));
        let after = if lasted.is_empty() { "" } else { " after" };
        match by {
            EndedBy::Time => "admission ended".to_owned(),
            EndedBy::Wish(id) => {
                let packet = self.captures.packet(id);
                format!("admission ended{after}{lasted}: {packet} asked for no more time")
            }
            EndedBy::Closing(id) => {
                let packet = self.captures.packet(id);
                format!("admission ended{after}{lasted}: closed by {packet}")
            }
        }
    }

    /// Returns why an opening changes nothing.
    fn omission(&self, one: &Explanation, why: Skip) -> String {
        let limits = self.door_at(one.door).opening_limits;
        let limit = |name, limit: Option<PerMinute>| {
            let number = limit.map_or(0, PerMinute::get);
            format!("limit of openings reached ({name} = {number}), ignored")
        };
        match why {
            Skip::Merged => "merged with the opening that waits for the running command",
            Skip::AlreadyOpen => "already open, ignored (On_Reknock = ignore)",
            Skip::AtMax => "already admitted for as long as Open_Max allows, ignored",
            Skip::Cooldown => "opened again too soon (Seq_Cooldown), ignored",
            Skip::PeriodUsed => "opened with this sequence already (Sequence_Period), ignored",
            Skip::ClientLimit => return limit("Client_Openings_Per_Minute", limits.client),
            Skip::DoorLimit => return limit("Openings_Per_Minute", limits.door),
        }
        .to_owned()
    }

    /// Returns why a packet did not count.
    fn reason(&self, one: &Explanation, why: Why) -> String {
        let of = one.of;
        let got = one.packet.and_then(|seen| seen.knock);
        match why {
            Why::OtherPort { stage, expected } => {
                let wrong = wrong_port(expected, got);
                format!("not heard: {wrong}; still at stage {} of {of}", stage.get())
            }
            Why::OtherProtocol { expected } => {
                let got = got.map_or(String::new(), |got| format!(", got {got}"));
                format!("not heard: wrong protocol (expected {expected}{got})")
            }
            Why::OtherFlags { rule } => {
                let flags = flags(rule, one.packet.and_then(|seen| seen.flags));
                format!("not heard: TCP flags ({flags})")
            }
            Why::OtherDestination => format!("not heard: {}", self.destination(one)),
            Why::OtherSource { refusal } => format!("not heard: {}", source_refusal(refusal)),
            Why::Retransmission { of: Some(id) } => {
                format!("ignored: TCP retransmission of {}", self.captures.packet(id))
            }
            Why::Retransmission { of: None } => {
                "ignored: TCP retransmission of an earlier knock".to_owned()
            }
            Why::SecondTry { of: Some(id) } => {
                format!("ignored: second try of the knock in {}", self.captures.packet(id))
            }
            Why::SecondTry { of: None } => "ignored: second try of the last knock".to_owned(),
            Why::Late(late) => too_late(late),
            Why::NoAttempt { place, counted_at: Some(door), .. } => format!(
                "counted at door {}; here it is knock {place} of {of}, and no attempt is under way",
                self.door(door)
            ),
            Why::NoAttempt { place, first, counted_at: None, behind } => {
                let first = first.map_or(String::new(), |first| format!(" ({first})"));
                let mut text =
                    format!("knock {place} of {of} without an attempt: knock 1{first} comes first");
                if let Some((id, knock)) = behind {
                    let _ = write!(text, "; {} went to {knock}", self.captures.packet(id));
                }
                text
            }
            Why::NotNow => {
                "begins no sequence that counts at this time, and no attempt is under way"
                    .to_owned()
            }
            Why::NotSigned(fault) => format!("ignored: {}", self.signed_fault(fault)),
            Why::OtherAttempt { door } => format!(
                "begins no attempt here: it counted for another attempt, at door {}",
                self.door(door)
            ),
            Why::Unreadable(why) => format!("no knock: {}", unreadable(why)),
        }
    }

    /// Returns ` of USER`, if the key of a signed packet is known.
    pub(super) fn of_user(&self, key: Option<KeyNumber>) -> String {
        let user = self.user(key);
        user.map_or_else(String::new, |user| format!(" of {user}"))
    }

    /// Returns whose key it is.
    pub(super) fn user(&self, key: Option<KeyNumber>) -> Option<String> {
        let of_key = key.and_then(|key| self.doors.signing()?.key(key));
        of_key.map(|of_key| printable(of_key.user.as_bytes()))
    }

    /// Returns what is wrong with a packet that may be meant as a signed one.
    pub(super) fn signed_fault(&self, fault: SignedFault) -> String {
        let SignedFault { refusal, key, ahead, repeats, named } = fault;
        let of = self.of_user(key);
        if let Some(ahead) = ahead {
            let side = if ahead < 0 { "behind" } else { "ahead" };
            let by = roughly(ahead.unsigned_abs() / 1_000_000_000);
            let whose = self.user(key).map_or("the client".to_owned(), |user| user);
            return format!(
                "signed packet{of}, but the clock of {whose} is {by} {side}, or somebody repeats what was \
                 recorded; compare the clocks of client and server"
            );
        }
        let why = match refusal {
            Refusal::HintUnknown => {
                "made with none of the keys: the key is revoked or of another server, the clock of the client is \
                 more than a day wrong, or it is no signed packet"
            }
            Refusal::OtherServer => {
                "signed for another server: its `server` is not the Server_Name of this one"
            }
            Refusal::MomentUsed => {
                let first = match repeats {
                    Some(id) => format!("of {}", self.captures.packet(id)),
                    None => "of a packet from before (--replay-state)".to_owned(),
                };
                return format!("signed packet{of}, but its moment is used: a replay {first}");
            }
            Refusal::MomentOld => {
                "older than the last packets of this key that were accepted: a late packet, or a replay"
            }
            Refusal::KeyExpired => "made with a key whose `until` is over",
            Refusal::AddressMismatch => {
                let why = match named {
                    Some(named) => {
                        format!("for {}, which is not its sender's address", address::text(named))
                    }
                    None => {
                        "without the address to admit, which `Admit = both` needs (knock --admit)"
                            .to_owned()
                    }
                };
                return format!("signed packet{of}, but {why}");
            }
            Refusal::DoorUnknown => "for a door that is not in the configuration",
            Refusal::DoorForbidden => {
                "for a door that this key may not open (Signed of the door, `doors` of the key)"
            }
            Refusal::Length => {
                "not as long as a signed packet, or cut when it was recorded (`tcpdump -s 0`)"
            }
            Refusal::Forged
            | Refusal::Version { .. }
            | Refusal::Field(_)
            | Refusal::ClockOff { .. }
            | Refusal::AddressForbidden
            | Refusal::PrefixForbidden => return format!("signed packet{of}, but {refusal}"),
        };
        let what =
            if key.is_some() { "signed packet" } else { "packet to the port of signed packets" };
        format!("{what}{of}, but {why}")
    }

    fn command(&self, one: &Explanation, phase: Phase) -> String {
        let (client, door) = (one.client, one.door);
        let mut text = b"running command: ".to_vec();
        if let Some(command) = self.door_at(door).commands.of(phase, client) {
            command.expand(client, &mut text);
        }
        printable(&text)
    }

    fn destination(&self, one: &Explanation) -> String {
        const SHOWN: usize = 4;
        let got = one.packet.and_then(|seen| seen.destination);
        let got_text = got.map_or(String::new(), |got| format!(", got {}", address::text(got)));
        if self.is_unheard_ipv6(one.packet) {
            return "IPv6 does not count with --only-ip-v4".to_owned();
        }
        if let Some(target) = self.door_at(one.door).target {
            return format!(
                "not our address (expected {}{got_text})",
                address::text(target.address)
            );
        }
        let local = self.listening.local().unwrap_or_default();
        let mut list: Vec<String> =
            local.iter().take(SHOWN).map(|&one| address::text(one)).collect();
        if local.len() > SHOWN {
            list.push(format!("{} more", local.len().saturating_sub(SHOWN)));
        }
        format!("not our address (expected {}{got_text})", list.join(" or "))
    }

    pub(super) fn is_unheard_ipv6(&self, packet: Option<Seen>) -> bool {
        let got = packet.and_then(|seen| seen.destination);
        self.listening.is_ipv4_only() && got.is_some_and(|got| got.is_ipv6())
    }

    fn door_at(&self, door: DoorId) -> &Door {
        self.doors.door(door)
    }

    /// Returns the lines of the configuration that decided.
    #[must_use]
    pub fn lines(&self, one: &Explanation) -> Vec<ConfigLine> {
        match one.verdict {
            Verdict::SequenceTimedOut { .. }
            | Verdict::Stage { late: Some(_), .. }
            | Verdict::Ignored(Why::Late(_)) => self.seq_timeout(one.door),
            Verdict::CommandTimedOut => self.cmd_timeout(one.door),
            Verdict::Admitted { .. } => self.places.open(one.door),
            Verdict::AdmissionEnded(Ended { by: EndedBy::Time, .. }) => self.open_for(one.door),
            Verdict::Void { .. }
            | Verdict::Ignored(
                Why::OtherPort { .. }
                | Why::OtherProtocol { .. }
                | Why::NoAttempt { .. }
                | Why::NotNow
                | Why::OtherAttempt { .. },
            ) => self.places.sequence(one.door, one.sequence_line),
            Verdict::Ignored(Why::OtherFlags { .. }) => self.places.flags(one.door),
            Verdict::Ignored(Why::OtherDestination) if self.is_unheard_ipv6(one.packet) => {
                Vec::new()
            }
            Verdict::Ignored(Why::OtherDestination) => self.target(one.door),
            Verdict::Ignored(Why::OtherSource { .. }) => self.sources(one.door, one.client),
            Verdict::Skipped(why @ (Skip::ClientLimit | Skip::DoorLimit)) => {
                self.places.opening_limit(one.door, why)
            }
            Verdict::Stage { late: None, .. }
            | Verdict::Signed { .. }
            | Verdict::Opened
            | Verdict::Closing
            | Verdict::AdmissionEnded(Ended {
                by: EndedBy::Wish(_) | EndedBy::Closing(_), ..
            })
            | Verdict::Refused
            | Verdict::Skipped(_)
            | Verdict::Command(_)
            | Verdict::Evicted { .. }
            | Verdict::SequenceChanged { .. }
            | Verdict::DoorChanged { .. }
            | Verdict::OneTimeUsed { .. }
            | Verdict::Disabled
            | Verdict::VoidedOften { .. }
            | Verdict::Ignored(
                Why::Retransmission { .. }
                | Why::SecondTry { .. }
                | Why::NotSigned(_)
                | Why::Unreadable(_),
            ) => Vec::new(),
        }
    }

    /// Returns the ports that a door opens.
    pub(crate) fn ports(&self, door: DoorId) -> String {
        let admission = self.door_at(door).admission.as_ref();
        admission.map_or_else(String::new, |admission| admission.ports.to_string())
    }

    /// Returns the line of `Open_For`, and that of `Open_Max`, if there is one.
    pub(crate) fn open_for(&self, door: DoorId) -> Vec<ConfigLine> {
        let lasts = self.door_at(door).admission.as_ref().map_or(0, |one| one.lasts.get());
        self.places.open_for(door, format!("no open_for: {lasts} seconds by default"))
    }

    /// Returns the line of `Cmd_Timeout`.
    pub(crate) fn cmd_timeout(&self, door: DoorId) -> Vec<ConfigLine> {
        let seconds = self.door_at(door).cmd_timeout.get();
        self.places.cmd_timeout(door, format!("no cmd_timeout: {seconds} by default"))
    }

    /// Returns the line of `Seq_Timeout`.
    pub(crate) fn seq_timeout(&self, door: DoorId) -> Vec<ConfigLine> {
        let seconds = self.door_at(door).seq_timeout.get();
        self.places.seq_timeout(door, format!("no seq_timeout: {seconds} by default"))
    }

    /// Returns the lines that keep a client out.
    pub(super) fn sources(&self, door: DoorId, client: IpAddr) -> Vec<ConfigLine> {
        let refusal = self.door_at(door).sources.refusal(client);
        refusal.map_or_else(Vec::new, |refusal| self.places.sources(door, refusal))
    }

    pub(super) fn target(&self, door: DoorId) -> Vec<ConfigLine> {
        self.places.target(door, "no target: the local addresses count".to_owned())
    }
}

/// Returns why a door does not hear a client.
pub(super) fn source_refusal(refusal: SourceRefusal) -> String {
    match refusal {
        SourceRefusal::Denied(prefix) => format!("refused by Deny = {prefix}"),
        SourceRefusal::NotAllowed => "Allow does not have this client".to_owned(),
    }
}

fn wrong_port(expected: Option<Knock>, got: Option<Knock>) -> String {
    let side = |word, knock: Option<Knock>| knock.map(|knock| format!("{word} {knock}"));
    let sides: Vec<String> =
        [side("expected", expected), side("got", got)].into_iter().flatten().collect();
    format!("wrong port ({})", sides.join(", "))
}

fn too_late(late: Late) -> String {
    format!(
        "expired {} s before: knock {} came {} s after the first (would have needed seq_timeout {})",
        seconds(late.by_nanos),
        late.stage.get().saturating_add(1),
        seconds(late.after_nanos),
        late.needed_seconds
    )
}

/// Returns which flags are wanted and which were seen.
pub(super) fn flags(rule: FlagRule, seen: Option<TcpFlags>) -> String {
    let mut parts = Vec::new();
    if rule.wanted() != TcpFlags::default() {
        parts.push(format!("{} wanted", rule.wanted()));
    }
    if rule.refused() != TcpFlags::default() {
        parts.push(format!("{} refused", rule.refused()));
    }
    parts.push(seen.map_or("cut before them".to_owned(), |seen| format!("{seen} seen")));
    parts.join(", ")
}

pub(super) fn unreadable(why: Undecodable) -> String {
    let advice = match why {
        Undecodable::Cut { .. } => "; was it captured with too small a snaplen (tcpdump -s)?",
        Undecodable::LinkType(_)
        | Undecodable::NotIp(_)
        | Undecodable::WrongVersion { .. }
        | Undecodable::BadHeaderLength { .. }
        | Undecodable::LaterFragment
        | Undecodable::NotTcpOrUdp(_)
        | Undecodable::NoHost(_) => "",
    };
    format!("{why}{advice}")
}

/// Returns what a packet knocks at, as far as that is known, with its VLAN.
pub(super) fn knock_of(seen: Seen) -> String {
    let knock = seen.knock.map_or("-".to_owned(), |knock| knock.to_string());
    seen.vlan.map_or(knock.clone(), |vlan| format!("{knock} VLAN {vlan}"))
}

/// Returns nanoseconds in seconds, exactly and without needless zeros.
pub(super) fn seconds(nanos: u64) -> String {
    let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Returns how often something happened.
pub(super) fn times(count: u64) -> String {
    const WORDS: [&str; 10] =
        ["once", "twice", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    let word = usize::try_from(count).ok().and_then(|at| WORDS.get(at.checked_sub(1)?));
    match (word, count) {
        (Some(word), 1 | 2) => (*word).to_owned(),
        (Some(word), _) => format!("{word} times"),
        (None, _) => format!("{count} times"),
    }
}

/// Returns the place of a knock in its sequence.
pub(super) fn ordinal(stage: Stage) -> String {
    const WORDS: [&str; 10] = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
        "tenth",
    ];
    let number = stage.get().saturating_add(1);
    let word = WORDS.get(usize::from(stage.get()));
    let ending = match number {
        21 | 31 => "st",
        22 | 32 => "nd",
        23 => "rd",
        _ => "th",
    };
    word.map_or(format!("{number}{ending}"), |word| (*word).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact_and_short() {
        let all = [0, 5_000_000_000, 400_000_000, 1, 5_000_001_000].map(seconds);
        assert_eq!(all, ["0", "5", "0.4", "0.000000001", "5.000001"]);
    }

    #[test]
    fn counts_and_places_are_words_while_they_are_small() {
        assert_eq!(
            [1, 2, 3, 10, 11].map(times),
            ["once", "twice", "three times", "ten times", "11 times"]
        );
        let places =
            [0, 2, 9, 10, 20, 21, 22, 31].map(|knocks| ordinal(Stage::new(knocks).unwrap()));
        assert_eq!(places, ["first", "third", "tenth", "11th", "21st", "22nd", "23rd", "32nd"]);
    }

    #[test]
    fn flags_are_said_as_wanted_refused_and_seen() {
        let rule = FlagRule::default().want(TcpFlags::SYN).refuse(TcpFlags::ACK);
        assert_eq!(flags(rule, Some(TcpFlags(0x12))), "SYN wanted, ACK refused, SYN+ACK seen");
        assert_eq!(flags(rule.want(TcpFlags::ACK), None), "SYN+ACK wanted, cut before them");
    }
}
