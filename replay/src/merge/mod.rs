//! `merge`: one output of those of all shards.

mod file;
mod fit;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

use knock_engine::{EffectKind, Limits, VoidReports};

use self::file::{Damage, Object, ShardFile};
use self::fit::fit;
use crate::args::MergeArgs;
use crate::output::buffered;
use crate::output::json::Json;
use crate::output::transcript::{VERSION, write_totals};
use crate::session::exit::Exit;
use crate::session::summary::Totals;
use crate::session::terminal::Streams;

/// Why the merge ended early.
enum Failure {
    Damaged(Damage),
    NotWritten(io::Error),
}

/// Merges the outputs of shards, of which it keeps a line each.
pub(crate) fn run(args: &MergeArgs, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
    let (mut files, mut summaries) = (Vec::new(), Vec::new());
    for path in &args.files {
        match ShardFile::open(path) {
            Ok((file, summary)) => {
                summaries.push((file.name().to_owned(), summary));
                files.push(file);
            }
            Err(damage) => streams.error(&damage.to_string()),
        }
    }
    if files.len() < args.files.len() {
        return Err(Exit::Capture);
    }
    let totals = fit(&summaries).map_err(|why| {
        streams.error(&why);
        Exit::Config
    })?;
    let mut failure = None;
    let ((), written) = buffered(streams.output, |out| {
        let written = match merge(&mut files, totals, out) {
            Ok(()) => Ok(()),
            Err(Failure::NotWritten(error)) => Err(error),
            Err(Failure::Damaged(damage)) => {
                failure = Some(damage);
                Ok(())
            }
        };
        ((), written)
    });
    written.map_err(|error| streams.cannot_write(&error))?;
    match failure {
        None => Ok(Exit::Done),
        Some(damage) => {
            streams.error(&damage.to_string());
            Err(Exit::Capture)
        }
    }
}

/// Writes all objects in their order, and then the summary.
fn merge(
    files: &mut [ShardFile],
    totals: Totals,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let mut next = BinaryHeap::new();
    for (index, file) in files.iter_mut().enumerate() {
        next.extend(file.next().map_err(Failure::Damaged)?.map(|object| Reverse((object, index))));
    }
    // Shards report all, because each knows only its own clients.
    let mut reports = VoidReports::new(Limits::DEFAULT_VOID_REPORTS);
    while let Some(Reverse((object, index))) = next.pop() {
        let Object { at, ref event, ref line, .. } = object;
        if *event != EffectKind::VoidedOften.name() || reports.allow(at) {
            out.write_all(line.as_bytes()).map_err(Failure::NotWritten)?;
        }
        let Some(file) = files.get_mut(index) else { continue };
        next.extend(file.next().map_err(Failure::Damaged)?.map(|object| Reverse((object, index))));
    }
    write_totals(&mut Json::new(VERSION, false, out), totals).map_err(Failure::NotWritten)
}
