//! Signed knocks: one packet that proves who sends it.

mod ask;
mod event;
mod nonce;
mod plan;
mod send;
mod time;
mod write;

pub(crate) use ask::{Says, Signing, key_file};
pub(crate) use event::{PacketObject, PlanObject};
pub(crate) use nonce::Nonces;
pub use plan::{Admission, SignedPlan, SignedShot};
pub(crate) use time::parse_time;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::args::Args;
use crate::exit::Exit;
use crate::report::Reporter;
use crate::request::Request;
use crate::route::{self, Purpose};

/// Prints, writes or sends the packets that a request with a key asks for.
pub(crate) fn knock(
    args: &Args,
    request: &Request,
    signing: &Signing,
    read: &BTreeSet<PathBuf>,
    reporter: &mut Reporter<'_>,
) -> Exit {
    let purpose = match (args.dry_run, &args.write) {
        (true, _) => Purpose::Show,
        (false, Some(_)) => Purpose::Write,
        (false, None) => Purpose::Send,
    };
    let routes = match route::find_all(request, purpose) {
        Ok(routes) => routes,
        Err(error) => return reporter.error(&error, error.help().as_deref(), Exit::Refused),
    };
    for route in routes.iter().filter(|route| !route.exists) {
        let (host, source) = (route.destination.ip(), route.source.ip());
        reporter.note(&format!("there is no route to {host}; using {source} as the source"));
    }
    let plan = SignedPlan::new(request, signing, &routes);
    if args.dry_run {
        reporter.signed_plan(&plan);
        return Exit::Done;
    }
    match &args.write {
        Some(file) => write(&plan, args, signing, file, read, reporter),
        None => send::send(&plan, &signing.key_file.key.for_packets(), reporter),
    }
}

/// Writes the packets to a capture.
fn write(
    plan: &SignedPlan,
    args: &Args,
    signing: &Signing,
    file: &Path,
    read: &BTreeSet<PathBuf>,
    reporter: &mut Reporter<'_>,
) -> Exit {
    let key = signing.key_file.key.for_packets();
    crate::write_capture(args, file, read, plan.shots.len(), reporter, |out| {
        write::write(plan, &key, args, out)
    })
}
