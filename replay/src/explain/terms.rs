//! Words that are the same whatever they are about.

use knock_engine::{FlagRule, Knock, SourceRefusal, Stage, TcpFlags, Undecodable};

use super::explanation::{Late, Seen};

/// Returns why a door does not hear a client.
pub(super) fn source_refusal(refusal: SourceRefusal) -> String {
    match refusal {
        SourceRefusal::Denied(prefix) => format!("refused by Deny = {prefix}"),
        SourceRefusal::NotAllowed => "Allow does not have this client".to_owned(),
    }
}

pub(super) fn wrong_port(expected: Option<Knock>, got: Option<Knock>) -> String {
    let side = |word, knock: Option<Knock>| knock.map(|knock| format!("{word} {knock}"));
    let sides: Vec<String> =
        [side("expected", expected), side("got", got)].into_iter().flatten().collect();
    format!("wrong port ({})", sides.join(", "))
}

pub(super) fn too_late(late: Late) -> String {
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
