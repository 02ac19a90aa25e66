//! Answers as text for people.

use std::fmt::Write as _;

use clap::builder::styling::{AnsiColor, Style};
use knock_config::text::{counted, printable};
use knock_control::{Attempt, Attempts, DaemonState, DoorState, OpenDoor, Status};

/// How many open doors the line of the status names.
const NAMED_MAX: usize = 3;

/// The heads of a table, and a row that needs attention.
const HEAD: Style = Style::new().bold();
const ALARM: Style = AnsiColor::Red.on_default().bold();

/// A row of a table.
struct Row {
    style: Style,
    cells: [String; 4],
}

/// The name of the total of signed packets that were accepted, and how those of refused ones begin, by reason.
const ACCEPTED: &str = "accepted_signed_packets";
const REFUSED: &str = "refused_signed_packets_";

/// Returns the state of the daemon in one line, and another about signed packets, if any came.
pub(crate) fn status(status: &Status, open: &[OpenDoor]) -> String {
    let state = match status.state {
        DaemonState::Starting => "starting",
        DaemonState::Listening => "running",
        DaemonState::Ending => "ending",
    };
    let doors = counted(usize::try_from(status.doors).unwrap_or(usize::MAX), "door");
    let mut line = format!("knockd: {state}, {doors}, {} open", open.len());
    if !open.is_empty() {
        let mut named: Vec<String> = open.iter().take(NAMED_MAX).map(named).collect();
        let more = open.len().saturating_sub(NAMED_MAX);
        if more > 0 {
            named.push(format!("{more} more"));
        }
        let _ = write!(line, " ({})", named.join("; "));
    }
    let failed = open.iter().filter(|door| door.state == DoorState::Failed).count();
    if failed > 0 {
        let _ = write!(line, "; {} cannot be closed, see 'knockctl list'", counted(failed, "door"));
    }
    line + "\n" + &signed_packets(status)
}

/// Returns how many signed packets came, and why they opened nothing: the most frequent reason first.
fn signed_packets(status: &Status) -> String {
    let accepted = status.counters.get(ACCEPTED).copied().unwrap_or(0);
    let counters = status.counters.iter();
    let reasons = counters.filter_map(|(name, count)| Some((name.strip_prefix(REFUSED)?, *count)));
    let mut reasons: Vec<(&str, u64)> = reasons.filter(|(_, count)| *count > 0).collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let refused = reasons.iter().fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
    if accepted == 0 && refused == 0 {
        return String::new();
    }
    let reasons =
        reasons.iter().map(|(why, count)| format!("{} {count}", printable(why.as_bytes())));
    let reasons = reasons.map(|reason| reason.replace('_', "-")).collect::<Vec<_>>().join(", ");
    let reasons = if refused > 0 { format!(" ({reasons})") } else { String::new() };
    format!("signed packets: {accepted} accepted, {refused} refused{reasons}\n")
}

fn named(open: &OpenDoor) -> String {
    let left = open.closes_in.filter(|_| open.state == DoorState::Open);
    let left = left.map(|left| format!(", {} left", time(left))).unwrap_or_default();
    format!("{} for {}{left}", printable(open.door.as_bytes()), open.client)
}

/// Returns the open doors as a table.
pub(crate) fn doors(open: &[OpenDoor]) -> String {
    if open.is_empty() {
        return "no door is open that knockd will close\n".to_owned();
    }
    table(["DOOR", "CLIENT", "STATE", "CLOSES"], open.iter().map(row))
}

/// Returns the attempts as a table.
pub(crate) fn attempts(Attempts { attempts, total }: &Attempts) -> String {
    if attempts.is_empty() {
        return "no client is part-way through a sequence\n".to_owned();
    }
    let row = |attempt: &Attempt| {
        let Attempt { door, client, stage, knocks, expires_in } = attempt;
        let stage = format!("{stage} of {knocks}");
        let expires = format!("in {}", time(*expires_in));
        let cells = [printable(door.as_bytes()), client.clone(), stage, expires];
        Row { style: Style::new(), cells }
    };
    let mut text = table(["DOOR", "CLIENT", "STAGE", "EXPIRES"], attempts.iter().map(row));
    let total = usize::try_from(*total).unwrap_or(usize::MAX);
    let more = total.saturating_sub(attempts.len());
    if more > 0 {
        let _ = writeln!(text, "and {}, none of which is further", counted(more, "other attempt"));
    }
    text
}

/// Returns rows under their heads, in columns.
fn table(heads: [&str; 4], rows: impl Iterator<Item = Row>) -> String {
    let head = Row { style: HEAD, cells: heads.map(str::to_owned) };
    let rows: Vec<Row> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.cells.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let [first, second, third] = [width(0), width(1), width(2)];
    rows.iter().fold(String::new(), |mut table, Row { style, cells: [a, b, c, d] }| {
        let _ = writeln!(table, "{style}{a:first$}  {b:second$}  {c:third$}  {d}{style:#}");
        table
    })
}

fn row(open: &OpenDoor) -> Row {
    let state = match open.state {
        DoorState::Opening => "opening".to_owned(),
        DoorState::Open => "open".to_owned(),
        DoorState::Closing => "closing".to_owned(),
        DoorState::Failed => format!("STAYS OPEN, {}", counted_tries(open.failures)),
    };
    let closes = match (open.state, open.closes_in) {
        (DoorState::Failed, Some(left)) => format!("next try in {}", time(left)),
        (DoorState::Opening | DoorState::Open | DoorState::Closing, Some(left)) => {
            format!("in {}", time(left))
        }
        (_, None) => "-".to_owned(),
    };
    let style = if open.state == DoorState::Failed { ALARM } else { Style::new() };
    Row { style, cells: [printable(open.door.as_bytes()), open.client.clone(), state, closes] }
}

fn counted_tries(failures: u32) -> String {
    if failures == 1 { "1 try failed".to_owned() } else { format!("{failures} tries failed") }
}

/// Returns a number of milliseconds in words.
fn time(milliseconds: u64) -> String {
    let seconds = milliseconds.div_ceil(1_000);
    match (seconds.div_ceil(60), seconds.div_ceil(3_600)) {
        _ if seconds < 120 => format!("{seconds} s"),
        (minutes @ ..120, _) => format!("{minutes} min"),
        (_, hours @ ..48) => format!("{hours} h"),
        _ => format!("{} days", seconds.div_ceil(86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(door: &str, state: DoorState, closes_in: Option<u64>, failures: u32) -> OpenDoor {
        let (door, client) = (door.to_owned(), "2001:db8::1".to_owned());
        OpenDoor { number: 1, door, client, state, closes_in, failures }
    }

    fn plain(coloured: &str) -> String {
        anstream::adapter::strip_str(coloured).to_string()
    }

    fn of(state: DaemonState) -> Status {
        Status {
            version: String::new(),
            pid: 1,
            state,
            uptime: 0,
            interfaces: Vec::new(),
            doors: 2,
            open: 0,
            commands: 0,
            counters: [].into(),
        }
    }

    #[test]
    fn the_status_is_one_line() {
        let listening = of(DaemonState::Listening);
        assert_eq!(status(&listening, &[]), "knockd: running, 2 doors, 0 open\n");
        let one = door("openSSH", DoorState::Open, Some(700_000), 0);
        assert_eq!(
            status(&listening, std::slice::from_ref(&one)),
            "knockd: running, 2 doors, 1 open (openSSH for 2001:db8::1, 12 min left)\n"
        );
        let many = vec![door("a", DoorState::Failed, Some(1), 2); 5];
        assert_eq!(
            status(&of(DaemonState::Ending), &many),
            "knockd: ending, 2 doors, 5 open (a for 2001:db8::1; a for 2001:db8::1; a for \
             2001:db8::1; 2 more); 5 doors cannot be closed, see 'knockctl list'\n"
        );
    }

    #[test]
    fn signed_packets_are_counted_by_reason() {
        let counters = [
            ("accepted_signed_packets", 2),
            ("openings", 7),
            ("refused_signed_packets_clock_off", 0),
            ("refused_signed_packets_moment_used", 1),
            ("refused_signed_packets_unknown_key", 30),
        ];
        let counters = counters.map(|(name, count)| (name.to_owned(), count)).into();
        let of_all = Status { counters, ..of(DaemonState::Listening) };
        let first = "knockd: running, 2 doors, 0 open\n";
        assert_eq!(
            status(&of_all, &[]),
            format!(
                "{first}signed packets: 2 accepted, 31 refused (unknown-key 30, moment-used 1)\n"
            )
        );
        let counters = [("accepted_signed_packets".to_owned(), 1)].into();
        let of_one = Status { counters, ..of(DaemonState::Listening) };
        assert_eq!(status(&of_one, &[]), format!("{first}signed packets: 1 accepted, 0 refused\n"));
    }

    #[test]
    fn the_table_is_aligned_and_has_no_control_characters() {
        let open = [
            door("a\u{1b}[31m", DoorState::Opening, None, 0),
            door("openSSH", DoorState::Open, Some(9_100), 0),
            door("web", DoorState::Failed, Some(600_000), 2),
        ];
        let coloured = doors(&open);
        assert_eq!(coloured.matches('\u{1b}').count(), 2 + 3, "{coloured}");
        let table = plain(&coloured);
        assert!(!table.contains('\u{1b}'), "{table}");
        let expected = [
            "DOOR         CLIENT       STATE                       CLOSES",
            "a\\u{1b}[31m  2001:db8::1  opening                     -",
            "openSSH      2001:db8::1  open                        in 10 s",
            "web          2001:db8::1  STAYS OPEN, 2 tries failed  next try in 10 min",
        ];
        assert_eq!(table.lines().collect::<Vec<_>>(), expected);
        assert_eq!(doors(&[]), "no door is open that knockd will close\n");
    }

    #[test]
    fn attempts_that_are_not_listed_are_counted() {
        let attempt = Attempt {
            door: "ssh".to_owned(),
            client: "192.0.2.7".to_owned(),
            stage: 2,
            knocks: 3,
            expires_in: 4_001,
        };
        let mut all = Attempts { attempts: vec![attempt], total: 1 };
        let expected = "DOOR  CLIENT     STAGE   EXPIRES\nssh   192.0.2.7  2 of 3  in 5 s\n";
        assert_eq!(plain(&attempts(&all)), expected);
        all.total = 3;
        let expected = format!("{expected}and 2 other attempts, none of which is further\n");
        assert_eq!(plain(&attempts(&all)), expected);
        assert_eq!(attempts(&Attempts::default()), "no client is part-way through a sequence\n");
    }

    #[test]
    fn times_are_rounded_up_and_short() {
        for (milliseconds, words) in [
            (0, "0 s"),
            (1, "1 s"),
            (119_000, "119 s"),
            (120_000, "2 min"),
            (120_001, "3 min"),
            (3_599_000, "60 min"),
            (7_140_000, "119 min"),
            (7_141_000, "2 h"),
            (172_800_000, "2 days"),
        ] {
            assert_eq!(time(milliseconds), words);
        }
    }
}
