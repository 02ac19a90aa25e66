//! What is asked for: by the command line, and by profiles for all that it leaves open.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use knock_config::text::shown;
use knock_config::{Wording, nearest};
use knock_engine::{DoorName, Protocol};

use crate::args::Args;
use crate::exit::Exit;
use crate::list::Listed;
use crate::profile::{
    Knocks, OneTime, Profiles, Resolved, Settings, Trouble, Use, Warnings, default_path, door,
    load, resolve,
};
use crate::request::{Awaited, Request};
use crate::tell::Teller;
use knock_capture::hit::Hit;

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
    let asked = read(args, teller, &mut warnings)
        .and_then(|read| asked(args, &read, teller, &mut warnings));
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
    let Read { profiles, path, is_there } = match read(args, teller, &mut warnings) {
        Ok(read) => read,
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
    match path.as_deref().map(shown) {
        Some(path) if !is_there => teller.note(&format!("there are no profiles in {path}")),
        Some(path) if listed.is_empty() => {
            teller.note(&format!("no profile in {path} names a host"));
        }
        Some(_) | None => {}
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

/// The profiles that were read, and from where.
#[derive(Debug, Default)]
struct Read {
    profiles: Profiles,
    /// The file; `None` if none was asked for.
    path: Option<PathBuf>,
    /// Whether it is there.
    is_there: bool,
}

/// Reads the profiles. There need not be any, unless their file is named.
fn read(args: &Args, teller: &mut Teller<'_>, warnings: &mut Warnings) -> Result<Read, Trouble> {
    let named = args.profiles.clone();
    if named.as_deref().is_some_and(|path| path.as_os_str() == "none") {
        return Ok(Read::default());
    }
    let is_named = named.is_some();
    let Some(path) = named.or_else(default_path) else { return Ok(Read::default()) };
    // What cannot even be reached, as the home of somebody else, holds nothing of this user.
    if !is_named && !path.try_exists().unwrap_or(false) {
        return Ok(Read { path: Some(path), ..Read::default() });
    }
    let parsed = load(&path)?;
    warnings.look_at(&path);
    teller.findings(&parsed.source);
    let profiles = parsed.profiles.unwrap_or_default();
    Ok(Read { profiles, path: Some(path), is_there: true })
}

fn asked(
    args: &Args,
    read: &Read,
    teller: &mut Teller<'_>,
    warnings: &mut Warnings,
) -> Result<Asked, Trouble> {
    let asked = args.request();
    let profiles = &read.profiles;
    let host = args.host.as_deref();
    let settings = host.map(|host| profiles.settings(host)).unwrap_or_default();
    let resolved = if asked.hits.is_empty() {
        knocks(args, read, &settings, teller, warnings)?
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
    let is_awaited = request.then.and_then(Awaited::port).is_some();
    if !is_awaited && (args.wait.is_some() || args.retry.is_some()) {
        let message = "`--wait` and `--retry` are for a port that is to open, and none is named";
        return Err(trouble(message, "name one with `--then`, or with `Then` in the profile"));
    }
    Ok(Asked { request, one_time })
}

/// Finds the knocks where the command line names none.
fn knocks(
    args: &Args,
    read: &Read,
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
        (None, None) => Err(no_knocks(args.host.as_deref().unwrap_or_default(), read)),
    }
}

fn no_knocks(host: &str, read: &Read) -> Trouble {
    let Read { profiles, path, is_there } = read;
    let named = host.escape_debug();
    let message = match path.as_deref().map(shown) {
        Some(path) if *is_there => {
            format!("no knocks are given, and no profile in {path} has any for `{named}`")
        }
        Some(path) => format!("no knocks are given, and there are no profiles in {path}"),
        None => "no knocks are given".to_owned(),
    };
    let with_knocks = |name: &String| profiles.settings(name).knocks.is_some();
    let known: Vec<String> = profiles.hosts().into_iter().filter(with_knocks).collect();
    if let Some(near) = nearest(host.as_bytes(), known.iter().map(String::as_str)) {
        return trouble(message, format!("did you mean `{near}`?"));
    }
    let help = "name ports behind the host, as in `knock myserver.example.com 7000 8000 9000`, or a \
                door of a knockd.conf with `--config` and `--door`";
    trouble(message, help)
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
