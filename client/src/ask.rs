//! What the user asks for: on the command line, and in profiles for what it leaves open.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use knock_config::text::shown;
use knock_config::{Wording, nearest};
use knock_engine::{DoorName, Protocol, SignedAction};

use crate::args::Args;
use crate::exit::Exit;
use crate::list::Listed;
use crate::profile::{
    Knocks, Moment, OneTime, Profiles, Resolved, Settings, Trouble, Use, Warnings, default_path,
    door, load, resolve,
};
use crate::report::Reporter;
use crate::request::{Awaited, Request};
use crate::signed::{self, Says, Signing};
use crate::write;
use knock_capture::hit::Hit;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    /// The one-time sequence that the knocks are.
    pub(crate) one_time: Option<OneTime>,
    /// What a signed packet is made of, in place of knocks.
    pub(crate) signing: Option<Signing>,
    /// The files that were read.
    pub(crate) read: BTreeSet<PathBuf>,
    /// The host of a profile whose name is nearly the one that is given, and for which there is none.
    pub(crate) near: Option<String>,
}

/// With fewer sequences left than this, the client warns.
const ENOUGH: usize = 3;

/// Finds out what the user asks for, and prints the warnings about it.
///
/// # Errors
/// The exit status, after the error was printed.
pub(crate) fn ask(args: &Args, reporter: &mut Reporter<'_>) -> Result<Asked, Exit> {
    let mut warnings = Warnings::default();
    let asked = read(args, reporter, &mut warnings)
        .and_then(|read| asked(args, &read, reporter, &mut warnings));
    for warning in &warnings.list {
        reporter.warning(warning);
    }
    let mut asked = asked.map_err(|trouble| reporter.trouble(&trouble))?;
    asked.read = warnings.seen;
    if let Some(one_time) = &asked.one_time {
        warn_of_few(one_time, reporter);
    }
    Ok(asked)
}

/// Lists the hosts of the profiles.
pub(crate) fn list(args: &Args, reporter: &mut Reporter<'_>) -> Exit {
    let mut warnings = Warnings::default();
    let Read { profiles, path, is_there } = match read(args, reporter, &mut warnings) {
        Ok(read) => read,
        Err(trouble) => return reporter.trouble(&trouble),
    };
    let now = Moment::now();
    let mut listed = Vec::new();
    let mut troubles = Vec::new();
    for name in profiles.hosts() {
        let settings = profiles.settings(&name);
        let knocks = settings.knocks.as_ref().filter(|_| settings.key.is_none());
        let resolved = knocks.map(|knocks| {
            resolve(knocks, settings.config.as_deref(), now, Use::Look, &mut warnings)
        });
        let resolved = resolved.transpose().unwrap_or_else(|trouble| {
            troubles.push(trouble);
            None
        });
        listed.push(Listed::new(name, &settings, resolved.as_ref()));
    }
    match path.as_deref().map(shown) {
        Some(path) if !is_there => reporter.note(&format!("there are no profiles in {path}")),
        Some(path) if listed.is_empty() => {
            reporter.note(&format!("no profile in {path} names a host"));
        }
        Some(_) | None => {}
    }
    reporter.list(&listed);
    for warning in &warnings.list {
        reporter.warning(warning);
    }
    let report = |exit, trouble: &Trouble| {
        reporter.trouble(trouble);
        if exit == Exit::Done { Exit::Refused } else { exit }
    };
    troubles.iter().fold(Exit::Done, report)
}

/// The profiles that were read, and from where.
#[derive(Debug, Default)]
struct Read {
    profiles: Profiles,
    /// `None` if the user asked for none.
    path: Option<PathBuf>,
    /// Whether the file exists.
    is_there: bool,
}

/// Reads the profiles. Their file may be missing unless the user named it.
fn read(
    args: &Args,
    reporter: &mut Reporter<'_>,
    warnings: &mut Warnings,
) -> Result<Read, Trouble> {
    let named = args.profiles.clone();
    if named.as_deref().is_some_and(|path| path.as_os_str() == "none") {
        return Ok(Read::default());
    }
    let is_named = named.is_some();
    let Some(path) = named.or_else(default_path) else { return Ok(Read::default()) };
    // A folder out of reach, such as another user's home, holds no profiles of this user.
    if !is_named && !path.try_exists().unwrap_or(false) {
        return Ok(Read { path: Some(path), ..Read::default() });
    }
    let parsed = load(&path)?;
    warnings.look_at(&path);
    reporter.findings(&parsed.source);
    let profiles = parsed.profiles.unwrap_or_default();
    Ok(Read { profiles, path: Some(path), is_there: true })
}

fn asked(
    args: &Args,
    read: &Read,
    reporter: &mut Reporter<'_>,
    warnings: &mut Warnings,
) -> Result<Asked, Trouble> {
    let asked = args.request();
    let profiles = &read.profiles;
    let host = args.host.as_deref();
    let settings = host.map(|host| profiles.settings(host)).unwrap_or_default();
    if let Some(path) = key(args, &settings) {
        return signed(args, asked, &path, profiles, &settings, warnings);
    }
    if let Some(option) = about_signed(args) {
        let message = format!("`{option}` is about signed packets, and no key is given");
        return Err(trouble(message, "give one with `--key`, or with `Key` in the profile"));
    }
    let resolved = if asked.hits.is_empty() {
        knocks(args, read, &settings, reporter, warnings)?
    } else {
        Resolved { hits: asked.hits.clone(), target: None, one_time: None }
    };
    let Resolved { hits, target, one_time } = resolved;
    let target = target.map(|target| target.to_string());
    let Some(name) = host.or(target.as_deref()) else {
        let message = "no host is given, and the door has no target";
        return Err(trouble(message, "name the host to knock at"));
    };
    // Without a host, the profiles apply to the door's target.
    let settings = if host.is_none() { profiles.settings(name) } else { settings };
    let hits = if args.udp { by_udp(&hits)? } else { hits };
    let request = Request { hits, ..asked }.over(settings.request(name));
    check_waiting(args, &request)?;
    let near = host.and_then(|host| near(host, profiles));
    Ok(Asked { request, one_time, signing: None, read: BTreeSet::new(), near })
}

/// Returns an option that only signed packets have, if one is given.
fn about_signed(args: &Args) -> Option<&'static str> {
    let options = [
        ("--admit", args.admit.is_some()),
        ("--for", args.open_for.is_some()),
        ("--close", args.close),
        ("--at", args.at.is_some()),
        ("--nonce", args.nonce.is_some()),
    ];
    options.into_iter().find_map(|(option, is_given)| is_given.then_some(option))
}

fn check_waiting(args: &Args, request: &Request) -> Result<(), Trouble> {
    let is_awaited = request.then.and_then(Awaited::port).is_some();
    if !is_awaited && (args.wait.is_some() || args.retry.is_some()) {
        let message = "`--wait` and `--retry` need a port to wait for, and none is given";
        return Err(trouble(message, "give one with `--then`, or with `Then` in the profile"));
    }
    Ok(())
}

/// Returns the file with the key, if a signed packet is asked for: the command line overrides the profile.
fn key(args: &Args, settings: &Settings) -> Option<PathBuf> {
    if args.key.is_some() {
        return args.key.clone();
    }
    let has_knocks = !args.hits.is_empty() || args.config.is_some();
    settings.key.clone().filter(|_| !has_knocks)
}

/// Finds out what a signed packet is made of.
fn signed(
    args: &Args,
    asked: Request,
    path: &Path,
    profiles: &Profiles,
    settings: &Settings,
    warnings: &mut Warnings,
) -> Result<Asked, Trouble> {
    let key_file = signed::key_file(path)?;
    let Some(name) = args.host.as_deref().or(key_file.server.as_deref()) else {
        let message = "no host is given, and the key names no server";
        return Err(trouble(message, "name the host to knock at"));
    };
    // Without a host, the profiles apply to the server of the key.
    let of_server = profiles.settings(name);
    let settings = if args.host.is_none() { &of_server } else { settings };
    let door = args.door.as_ref().map(|name| DoorName::new(name.as_bytes()));
    let door = door.or_else(|| match &settings.knocks {
        Some(Knocks::Door(door)) => Some(door.clone()),
        Some(Knocks::Here(_) | Knocks::OneTime(_)) | None => None,
    });
    let mut request = Request { hits: Vec::new(), ..asked.over(settings.request(name)) };
    if args.close {
        // What a profile waits for is about an open door.
        (request.then, request.wait, request.retry) = (None, None, None);
    }
    check_waiting(args, &request)?;
    let action = if args.close { SignedAction::Close } else { SignedAction::Open(args.open_for) };
    let says = Says { admit: args.admit.unwrap_or_default(), action };
    let signing = Signing::new(key_file.clone(), path, &request.host, door, says)?;
    warnings.seen.insert(path.to_owned());
    let Moment(now) = Moment::now();
    warnings.list.extend(signing.warnings(path, now));
    let near = args.host.as_deref().and_then(|host| near(host, profiles));
    Ok(Asked { request, one_time: None, signing: Some(signing), read: BTreeSet::new(), near })
}

/// Returns the host of a profile whose name is nearly this one, if no profile has this name.
fn near(host: &str, profiles: &Profiles) -> Option<String> {
    let known = profiles.hosts();
    if known.iter().any(|known| known == host) {
        return None;
    }
    nearest(host.as_bytes(), known.iter().map(String::as_str)).map(str::to_owned)
}

/// Finds the knocks if the command line has none.
fn knocks(
    args: &Args,
    read: &Read,
    settings: &Settings,
    reporter: &mut Reporter<'_>,
    warnings: &mut Warnings,
) -> Result<Resolved, Trouble> {
    let config = args.config.as_deref().or(settings.config.as_deref());
    let mut wait = |path: &Path| {
        reporter.note(&format!("waiting for another client that uses {}", shown(path)));
    };
    // The knocks of a seed are always the same ones.
    let at = args.seed.map_or_else(Moment::now, |_| Moment::after_epoch(write::BEGIN));
    let to = if args.leaves() { Use::Knock(&mut wait) } else { Use::Look };
    if let Some(name) = &args.door {
        return door(Some(&DoorName::new(name.as_bytes())), config, at, to, warnings);
    }
    match (&settings.knocks, &args.config) {
        (Some(knocks), None) | (Some(knocks @ Knocks::Door(_)), Some(_)) => {
            resolve(knocks, config, at, to, warnings)
        }
        // Without a name, the error lists the doors.
        (Some(Knocks::Here(_) | Knocks::OneTime(_)) | None, Some(config)) => {
            door(None, Some(config), at, to, warnings)
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
    let help = "add ports after the host, as in `knock myserver.example.com 7000 8000 9000`, or a \
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

fn warn_of_few(one_time: &OneTime, reporter: &mut Reporter<'_>) {
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
    let help = "add new sequences, to the server's file, too";
    reporter.warning(&Wording::new(message, "").help(help));
}
