//! What holds of a test that may be made.

use std::io::Cursor;
use std::net::IpAddr;

use knock_compat::Rules;
use knock_config::diagnostics::Source;
use knock_engine::{Doors, Limits};

use super::draft::Draft;
use crate::explain::Places;
use crate::session::load;
use crate::session::reader::Reader;
use crate::test::assert::{self, Trial};
use knock_capture::scenario::{self, Signers};
use knock_capture::{Capture, Merge};

/// The file name used in messages that are not shown.
const NAME: &str = "draft";

/// A test that passes.
#[derive(Debug)]
pub(super) struct Proven {
    pub(super) scenario: Vec<u8>,
    pub(super) assertions: Vec<u8>,
}

/// Keeps of a test what holds, if what it is for does.
///
/// # Errors
/// Why the test cannot be made.
pub(super) fn prove(
    draft: Draft,
    doors: &Doors,
    places: &Places,
    local: &[IpAddr],
) -> Result<Proven, String> {
    let Draft { name: _, scenario, mut assertions, heading, shows: _ } = draft;
    // A line can be too long, and knocks that nothing admits need one more.
    for _ in 0..3 {
        let text = text_of(heading.iter().chain(&assertions));
        let above = heading.len();
        let faulty = match judged(&scenario, &text, doors, places, local)? {
            Verdict::Holds => return Ok(Proven { scenario, assertions: text }),
            Verdict::ProvesNothing => {
                assertions.push(b"nothing is admitted".to_vec());
                continue;
            }
            Verdict::Faulty(source) => source,
        };
        let lines = faulty.findings.iter().filter_map(|finding| {
            let line = usize::try_from(finding.span?.line).ok()?.checked_sub(above)?.checked_sub(1);
            line.map(|line| (line, finding))
        });
        let mut lines: Vec<_> = lines.collect();
        if let Some((_, first)) = lines.iter().find(|(line, _)| *line == 0) {
            let note = first.wording.note.as_deref().unwrap_or(&first.wording.label);
            return Err(format!(
                "{}: {}",
                first.wording.message,
                note.lines().next().unwrap_or(note)
            ));
        }
        lines.sort_by_key(|(line, _)| std::cmp::Reverse(*line));
        for (line, _) in lines {
            if line < assertions.len() {
                assertions.remove(line);
            }
        }
    }
    Err("what it should do cannot be asserted".to_owned())
}

/// What became of a draft.
enum Verdict {
    Holds,
    ProvesNothing,
    /// Assertions fail, or cannot be read.
    Faulty(Box<Source>),
}

fn judged(
    scenario: &[u8],
    text: &[u8],
    doors: &Doors,
    places: &Places,
    local: &[IpAddr],
) -> Result<Verdict, String> {
    let first = |source: &Source| {
        let finding = source.findings.first();
        finding.map(|finding| finding.wording.message.clone()).unwrap_or_default()
    };
    let bytes = scenario::capture(NAME, scenario, Signers::of(&[doors]))
        .map_err(|source| first(&source))?;
    let capture = Capture::from_stream(NAME.to_owned(), Box::new(Cursor::new(bytes)));
    let capture = capture.map_err(|error| error.to_string())?;
    let assertions = match assert::read(NAME, text, Some(doors)) {
        Ok(assertions) => [assertions],
        Err(source) => return Ok(Verdict::Faulty(source)),
    };
    let mut reader = Reader::at(local, false, Merge::new(vec![capture]));
    let limits = load::limits(Limits::DEFAULT_ATTEMPTS);
    let about = (doors.clone(), places);
    let mut trial = Trial::new(&assertions, Rules::Knock, about, &reader, limits);
    let (playing, _) = trial.run(&mut reader, |_| Ok(()));
    let judgement = trial.judge(&playing, "knock-replay explain");
    Ok(match judgement.failed.into_iter().next() {
        Some(source) => Verdict::Faulty(Box::new(source)),
        None if judgement.proves_nothing => Verdict::ProvesNothing,
        None => Verdict::Holds,
    })
}

fn text_of<'l>(lines: impl Iterator<Item = &'l Vec<u8>>) -> Vec<u8> {
    lines.flat_map(|line| line.iter().chain(b"\n")).copied().collect()
}
