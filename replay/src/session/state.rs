//! What a daemon had used before the packets came: its file `used`.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::Path;

use knock_config::text::{Cause, shown};
use knock_engine::{Doors, PeriodOfDoor};
use knock_signed::{KeyId, Moment, SequenceId};

use super::exit::Exit;
use super::terminal::Streams;

/// The largest file, in bytes.
const BYTES_MAX: u64 = 64 << 20;

/// What was used.
#[derive(Debug, Default, PartialEq, Eq)]
struct State {
    periods: Vec<(PeriodOfDoor, Option<IpAddr>)>,
    moments: Vec<(KeyId, Moment)>,
    /// No moment up to it counts.
    floor: u64,
}

/// Returns the doors as they were for a daemon with this file.
///
/// # Errors
/// The exit status, if the file cannot be read.
pub(super) fn restore(doors: Doors, path: &Path, streams: &mut Streams<'_>) -> Result<Doors, Exit> {
    let mut refuse = |why: &dyn std::fmt::Display| {
        streams.error(&format!("cannot read the state in {}{why}", shown(path)));
        Exit::Config
    };
    let text = read(path).map_err(|error| {
        let help = if error.kind() == io::ErrorKind::PermissionDenied {
            "run as a user who may read it, or name a copy"
        } else {
            "name the file `used` in the StateDir of knockd (/var/lib/knockd), or a copy of it"
        };
        refuse(&format_args!(": {}; {help}", Cause(&error)))
    })?;
    if u64::try_from(text.len()).is_ok_and(|length| length > BYTES_MAX) {
        return Err(refuse(
            &": it has more than 64 MiB; name the file `used` in the StateDir of knockd",
        ));
    }
    let state = State::parse(&text).map_err(|line| {
        let help = "this is no line of the file `used` in the StateDir of knockd";
        refuse(&format_args!(", line {line}: {help}; name that file, or a copy without this line"))
    })?;
    Ok(state.restore(doors))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(BYTES_MAX.saturating_add(1)).read_to_end(&mut text)?;
    Ok(text)
}

impl State {
    /// Reads a file, or returns the number of a line that cannot be read.
    fn parse(text: &[u8]) -> Result<Self, usize> {
        let mut state = Self::default();
        for (number, line) in (1_usize..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
            if !line.starts_with(b"#") {
                state.line(line).ok_or(number)?;
            }
        }
        Ok(state)
    }

    fn line(&mut self, line: &[u8]) -> Option<()> {
        let line = std::str::from_utf8(line).ok()?;
        let words: Vec<&str> = line.strip_suffix('\n').unwrap_or(line).split(' ').collect();
        let bits = |word: &str| u64::from_str_radix(word, 16).ok();
        let of = |sequence, period: &str| {
            let sequence = SequenceId::from_bits(bits(sequence)?);
            Some(PeriodOfDoor { sequence, period: period.parse().ok()? })
        };
        match words[..] {
            ["used", sequence, period, client] => {
                self.periods.push((of(sequence, period)?, Some(client.parse().ok()?)));
            }
            ["forgotten", sequence, period] => self.periods.push((of(sequence, period)?, None)),
            ["moment", key, moment] => {
                let key = KeyId(bits(key)?.to_be_bytes());
                self.moments.push((key, Moment(moment.parse().ok()?)));
            }
            ["floor", floor] => self.floor = self.floor.max(floor.parse().ok()?),
            _ => return None,
        }
        Some(())
    }

    fn restore(self, doors: Doors) -> Doors {
        let Self { periods, moments, floor } = self;
        doors.with_used_periods(periods).with_used_moments(Moment(floor), moments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_daemon_are_read() {
        let text =
            b"# derived sequences and signed packets that were used; knockd writes this file\n\
                     floor 7\n\
                     used 00000000000000ab 7 192.0.2.1\nforgotten 00000000000000ab 6\n\
                     moment 00000000000000ff 1764806430000000001\n";
        let of = |period| PeriodOfDoor { sequence: SequenceId::from_bits(0xab), period };
        let expected = State {
            periods: vec![(of(7), Some([192, 0, 2, 1].into())), (of(6), None)],
            moments: vec![(KeyId([0, 0, 0, 0, 0, 0, 0, 255]), Moment(1_764_806_430_000_000_001))],
            floor: 7,
        };
        assert_eq!(State::parse(text), Ok(expected));
    }

    #[test]
    fn a_line_that_is_none_of_the_daemon_is_found() {
        for line in [
            "used ab 7",
            "moment ab",
            "moment xy 5",
            "moment ab -1",
            "floor",
            "[options]",
            "",
            "used ab 7 x",
            "\u{ff}",
        ] {
            assert_eq!(State::parse(format!("# comment\n{line}\n").as_bytes()), Err(2), "{line}");
        }
    }
}
