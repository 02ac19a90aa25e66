//! Why a packet did not count, in words.

use std::fmt::Write as _;

use knock_config::text::printable;
use knock_engine::{KeyNumber, address};
use knock_signed::Refusal;

use super::explanation::{Explanation, Seen, SignedFault, Why};
use super::hints::roughly;
use super::terms::{flags, source_refusal, too_late, unreadable, wrong_port};
use super::words::Words;

impl Words<'_> {
    /// Returns why a packet did not count.
    pub(super) fn reason(&self, one: &Explanation, why: Why) -> String {
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
}
