//! What is asked for: by the command line, and by profiles for all that it leaves open.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use knock_engine::config::{Wording, nearest};
use knock_engine::{DoorName, Protocol};
use knock_setup::text::shown;

use crate::args::Args;
use crate::exit::Exit;
use crate::hit::Hit;
use crate::list::Listed;
use crate::profile::{
    Knocks, OneTime, Profiles, Resolved, Settings, Trouble, Use, Warnings, default_path, door,
    load, resolve,
};
use crate::request::Request;
use crate::tell::Teller;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    /// The one-time sequence that the knocks are.
    pub(crate) one_time: Option<OneTime>,
}

/// How many sequences must be left for this to be no matter.
const ENOUGH: usize = 3;

/// Finds out what is asked for, and warns of what is to be warned of.
///
/// # Errors
/// The exit status, once it is told what is wrong.
pub(crate) fn ask(args: &Args, teller: &mut Teller<'_>) -> Result<Asked, Exit> {
    let mut warnings = Warnings::default();
    let asked = profiles(args, teller, &mut warnings)
        .and_then(|profiles| asked(args, &profiles, teller, &mut warnings));
    for warning in &warnings.told {
        teller.warning(warning);
    }
    let asked = asked.map_err(|trouble| teller.trouble(&trouble))?;
    if let Some(one_time) = &asked.one_time {
        warn_of_few(one_time, teller);
    }
    Ok(asked)
}

/// Lists the hosts of the profiles.
pub(crate) fn list(args: &Args, teller: &mut Teller<'_>) -> Exit {
    let mut warnings = Warnings::default();
    let profiles = match profiles(args, teller, &mut warnings) {
        Ok(profiles) => profiles,
        Err(trouble) => return teller.trouble(&trouble),
    };
    let mut listed = Vec::new();
    let mut troubles = Vec::new();
    for name in profiles.hosts() {
        let settings = profiles.settings(&name);
        let resolved = settings
            .knocks
            .as_ref()
            .map(|knocks| resolve(knocks, settings.config.as_deref(), Use::Look, &mut warnings));
        let resolved = resolved.transpose().unwrap_or_else(|trouble| {
            troubles.push(trouble);
            None
        });
        listed.push(Listed::new(name, &settings, resolved.as_ref()));
    }
    if listed.is_empty() {
        teller.note("no profile names a host");
    }
    teller.list(&listed);
    for warning in &warnings.told {
        teller.warning(warning);
    }
    let tell = |exit, trouble: &Trouble| {
        teller.trouble(trouble);
        if exit == Exit::Done { Exit::Refused } else { exit }
    };
    troubles.iter().fold(Exit::Done, tell)
}

/// Reads the profiles. There need not be any, unless their file is named.
fn profiles(
    args: &Args,
    teller: &mut Teller<'_>,
    warnings: &mut Warnings,
) -> Result<Profiles, Trouble> {
    let named = args.profiles.clone();
    if named.as_deref().is_some_and(|path| path.as_os_str() == "none") {
        return Ok(Profiles::default());
    }
    let usual = || default_path().filter(|path| path.try_exists().unwrap_or(true));
    let Some(path) = named.or_else(usual) else { return Ok(Profiles::default()) };
    let parsed = load(&path)?;
    warnings.look_at(&path);
    teller.findings(&parsed.source);
    Ok(parsed.profiles.unwrap_or_default())
}

fn asked(
    args: &Args,
    profiles: &Profiles,
    teller: &mut Teller<'_>,
    warnings: &mut Warnings,
) -> Result<Asked, Trouble> {
    let asked = args.request();
    let host = args.host.as_deref();
    let settings = host.map(|host| profiles.settings(host)).unwrap_or_default();
    let resolved = if asked.hits.is_empty() {
        knocks(args, profiles, &settings, teller, warnings)?
    } else {
        Resolved { hits: asked.hits.clone(), target: None, one_time: None }
    };
    let Resolved { hits, target, one_time } = resolved;
    let target = target.map(|target| target.to_string());
    let Some(name) = host.or(target.as_deref()) else {
        let message = "no host is named, and the door has no target";
        return Err(trouble(message, "name the host to knock at"));
    };
    // Without a host, the profiles say something of the door's target.
    let settings = if host.is_none() { profiles.settings(name) } else { settings };
    let hits = if args.udp { by_udp(&hits)? } else { hits };
    let request = Request { hits, ..asked }.over(settings.request(name));
    if request.then.is_none() && (args.wait.is_some() || args.retry.is_some()) {
        let message = "`--wait` and `--retry` are for a port that is to open, and none is named";
        return Err(trouble(message, "name one with `--then`, or with `Then` in the profile"));
    }
    Ok(Asked { request, one_time })
}

/// Finds the knocks where the command line names none.
fn knocks(
    args: &Args,
    profiles: &Profiles,
    settings: &Settings,
    teller: &mut Teller<'_>,
    warnings: &mut Warnings,
) -> Result<Resolved, Trouble> {
    let config = args.config.as_deref().or(settings.config.as_deref());
    let mut wait = |path: &Path| {
        teller.note(&format!("waiting for another client that uses {}", shown(path)));
    };
    let to = if args.leaves() { Use::Knock(&mut wait) } else { Use::Look };
    if let Some(name) = &args.door {
        return door(Some(&DoorName::new(name.as_bytes())), config, to, warnings);
    }
    match (&settings.knocks, &args.config) {
        (Some(knocks), None) | (Some(knocks @ Knocks::Door(_)), Some(_)) => {
            resolve(knocks, config, to, warnings)
        }
        // That there is no door of no name is told with the names of all.
        (Some(Knocks::Here(_) | Knocks::OneTime(_)) | None, Some(config)) => {
            door(None, Some(config), to, warnings)
        }
        (None, None) => Err(no_knocks(args.host.as_deref().unwrap_or_default(), profiles)),
    }
}

fn no_knocks(host: &str, profiles: &Profiles) -> Trouble {
    let message =
        format!("no knocks are given, and no profile has any for `{}`", host.escape_debug());
    let named: Vec<String> = profiles
        .hosts()
        .into_iter()
        .filter(|name| profiles.settings(name).knocks.is_some())
        .collect();
    match nearest(host.as_bytes(), named.iter().map(String::as_str)) {
        Some(near) if near != host => trouble(message, format!("did you mean `{near}`?")),
        Some(_) | None => {
            let help = "name ports behind the host, as in `knock myserver.example.com 7000 8000 \
                        9000`, or a door of a knockd.conf with `--config` and `--door`";
            trouble(message, help)
        }
    }
}

/// Returns the same knocks, by UDP.
fn by_udp(hits: &[Hit]) -> Result<Vec<Hit>, Trouble> {
    if hits.iter().any(|hit| hit.flags.is_some()) {
        let message = "`--udp` makes all knocks by UDP, and some of these have TCP flags";
        return Err(trouble(message, "leave it out"));
    }
    Ok(hits.iter().map(|hit| Hit::plain(hit.knock.port, Protocol::Udp)).collect())
}

fn trouble(message: impl Into<String>, help: impl Into<String>) -> Trouble {
    Trouble::Alone(Wording::new(message, "").help(help))
}

fn warn_of_few(one_time: &OneTime, teller: &mut Teller<'_>) {
    let left = one_time.left();
    if left >= ENOUGH {
        return;
    }
    let (path, _) = one_time.place();
    let left = match left {
        0 => "this is the last sequence".to_owned(),
        1 => "1 sequence is left after this one".to_owned(),
        left => format!("{left} sequences are left after this one"),
    };
    let message = format!("{left} in {}", shown(path));
    let help = "add new ones, to the file of the server, too";
    teller.warning(&Wording::new(message, "").help(help));
}
