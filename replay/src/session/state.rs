//! What a daemon had used before the packets came: its file `used`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use knock_config::file_faults::ReadFault;
use knock_config::text::shown;
use knock_config::used::{BYTES_MAX, Use, parse};
use knock_engine::Doors;
use knock_signed::Moment;

use super::exit::Exit;
use super::terminal::Streams;

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
        let wanted = "the file `used` in the StateDir of knockd (/var/lib/knockd), or a copy of it";
        refuse(&format_args!(": {}", ReadFault { error: &error, wanted }))
    })?;
    if u64::try_from(text.len()).is_ok_and(|length| length > BYTES_MAX) {
        return Err(refuse(
            &": it has more than 64 MiB; name the file `used` in the StateDir of knockd",
        ));
    }
    let (uses, damaged) = parse(&text);
    if let Some(line) = damaged.first() {
        let help = "this is no whole line of the file `used` in the StateDir of knockd";
        let way_out = "name that file, or a copy without this line";
        return Err(refuse(&format_args!(", line {line}: {help}; {way_out}")));
    }
    Ok(with_uses(doors, uses))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(BYTES_MAX.saturating_add(1)).read_to_end(&mut text)?;
    Ok(text)
}

/// Returns the same doors, of which this was used before.
fn with_uses(doors: Doors, uses: Vec<Use>) -> Doors {
    let (mut periods, mut moments, mut last) = (Vec::new(), Vec::new(), Moment(0));
    for one in uses {
        match one {
            Use::Period(period, client) => periods.push((period, client)),
            Use::Moment(key, moment) => moments.push((key, moment)),
            Use::Floor(floor) => last = last.max(floor),
        }
    }
    doors.with_used_periods(periods).with_used_moments(last, moments)
}
