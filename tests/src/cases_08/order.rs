//! The order in which stop commands are printed.

use std::collections::{BTreeMap, VecDeque};

/// What ends a line that a stop command follows.
const COMMAND_TIMEOUT: &[u8] = b": command timeout\n";

/// What ends a line that a start command may follow.
const OPEN_SESAME: &[u8] = b": OPEN SESAME\n";

/// Moves the lines of every stop command, `CLIENT: DOOR: command timeout` and the command itself,
/// after the start command of that client at that door, the first to the first. The oracle prints them
/// there, because it does not sleep.
#[must_use]
pub fn stops_after_starts(transcript: &[u8]) -> Vec<u8> {
    let mut stops: BTreeMap<&[u8], VecDeque<[&[u8]; 2]>> = BTreeMap::new();
    let mut others: Vec<&[u8]> = Vec::new();
    let mut lines = transcript.split_inclusive(|byte| *byte == b'\n');
    while let Some(line) = lines.next() {
        match line.strip_suffix(COMMAND_TIMEOUT) {
            Some(opening) => {
                let command = lines.next().unwrap_or_default();
                stops.entry(opening).or_default().push_back([line, command]);
            }
            None => others.push(line),
        }
    }
    let mut out = Vec::new();
    let mut others = others.into_iter().peekable();
    while let Some(line) = others.next() {
        out.extend_from_slice(line);
        let Some(opening) = line.strip_suffix(OPEN_SESAME) else { continue };
        // `DOOR` of `CLIENT: DOOR`; addresses contain no blank.
        let door =
            opening.iter().position(|byte| *byte == b' ').map_or(opening, |at| &opening[at + 1..]);
        let start = [door, b": running command: "].concat();
        let Some(command) = others.next_if(|line| line.starts_with(&start)) else { continue };
        out.extend_from_slice(command);
        let stop = stops.get_mut(opening).and_then(VecDeque::pop_front);
        stop.into_iter().flatten().for_each(|line| out.extend_from_slice(line));
    }
    // A stop command without a start command should not happen; it must not get lost.
    for line in stops.into_values().flatten().flatten() {
        out.extend_from_slice(line);
    }
    out
}
