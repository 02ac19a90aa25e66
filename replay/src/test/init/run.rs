//! The folder of tests.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use knock_config::text::{counted, printable, shown};
use knock_engine::{Door, Doors};
use knock_guard::New;

use super::draft::{Drafts, Shows};
use super::proof::{Proven, prove};
use crate::args::InitArgs;
use crate::explain::Places;
use crate::session::exit::Exit;
use crate::session::load::Configuration;
use crate::session::terminal::Streams;

/// The longest name of the folder of a door, in bytes.
const NAME_MAX: usize = 60;

/// What is to be made.
#[derive(Default)]
struct Plan {
    /// The tests, each with the path of its files without the extension.
    tests: Vec<(PathBuf, Proven)>,
    /// What cannot be made, and why.
    left_out: Vec<String>,
    /// Whether one shows knocks that open a door.
    shows_knocks: bool,
    /// Whether a door has no test at all.
    has_gap: bool,
}

/// Makes tests for a configuration.
pub(crate) fn run(args: &InitArgs, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
    let Configuration { doors, places, .. } = Configuration::load(&args.config, true, streams)?;
    if let Err(why) = can_be_linked(&args.config, &doors) {
        streams.error(&format!("{}: {why}", shown(&args.config)));
        return Err(Exit::Config);
    }
    let plan = plan(args, &doors, &places);
    for left_out in &plan.left_out {
        streams.line(&format!("not made: {left_out}"));
    }
    if plan.tests.is_empty() {
        streams.error("there is no door that anything opens");
        return Err(Exit::Differ);
    }
    let files = plan.tests.iter().flat_map(|(stem, _)| files(stem));
    let link = args.folder.join("knockd.conf");
    let is_there = is_same(&link, &args.config);
    let made = files.chain((!is_there).then(|| link.clone()));
    let in_the_way: Vec<PathBuf> = made.filter(|path| path.symlink_metadata().is_ok()).collect();
    if let Some(first) = in_the_way.first() {
        let more = match in_the_way.len() {
            1 => String::new(),
            several => format!(", and {} more", several.saturating_sub(1)),
        };
        streams.error(&format!(
            "{}{more}: there already, and nothing is overwritten; name another folder",
            shown(first)
        ));
        return Err(Exit::Config);
    }
    if let Err((path, error)) = write(args, &plan, (!is_there).then_some(&*link)) {
        return Err(streams.cannot_write_file(&path, &error));
    }
    Ok(tell(args, &plan, streams))
}

fn can_be_linked(config: &Path, doors: &Doors) -> Result<(), &'static str> {
    if doors.is_empty() {
        return Err(
            "there is no door in it, so there is nothing to test; add a section such as `[openSSH]`",
        );
    }
    if fs::metadata(config).is_ok_and(|metadata| metadata.is_file()) {
        Ok(())
    } else {
        Err("it is not a regular file, and tests refer to the file; save it first")
    }
}

/// Returns the tests that can be made.
fn plan(args: &InitArgs, doors: &Doors, places: &Places) -> Plan {
    let drafts = Drafts::new(doors, &args.local);
    let mut plan = Plan::default();
    let mut taken = BTreeSet::new();
    for (_, door) in doors.in_order() {
        let name = printable(door.name.as_bytes());
        let folder = args.folder.join(folder_of(door, &mut taken));
        let ways = [drafts.of(door), drafts.signed(door, doors)];
        let mut has_any = false;
        for why in ways.iter().filter_map(|way| way.as_ref().err()) {
            plan.left_out.push(format!("door `{name}`: {why}"));
        }
        for draft in ways.into_iter().flatten().flatten() {
            let (draft_name, shows) = (draft.name, draft.shows);
            match prove(draft, doors, places, &args.local) {
                Ok(proven) => {
                    has_any = true;
                    plan.shows_knocks |= shows == Shows::Knocks;
                    plan.tests.push((folder.join(draft_name), proven));
                }
                Err(why) => {
                    plan.left_out.push(format!("door `{name}`, {draft_name}: {why}"));
                }
            }
        }
        plan.has_gap |= !has_any;
    }
    plan
}

/// Returns a name for the folder of a door that no other has.
fn folder_of(door: &Door, taken: &mut BTreeSet<String>) -> String {
    let letter = |byte: &u8| {
        let is_plain = byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        if is_plain { char::from(*byte) } else { '-' }
    };
    let name: String = door.name.as_bytes().iter().take(NAME_MAX).map(letter).collect();
    // Folders whose name begins with a dot are not searched, and a hyphen begins an option.
    let name = name.trim_start_matches(['.', '-']);
    let name = if name.is_empty() { "door" } else { name };
    let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    // Two that differ in letter case only are one on some file systems.
    let free = names.find(|name| !taken.contains(&name.to_ascii_lowercase())).unwrap_or_default();
    taken.insert(free.to_ascii_lowercase());
    free
}

fn files(stem: &Path) -> [PathBuf; 2] {
    ["scenario", "assert"].map(|kind| stem.with_extension(kind))
}

/// Writes everything, or nothing.
fn write(args: &InitArgs, plan: &Plan, link: Option<&Path>) -> Result<(), (PathBuf, io::Error)> {
    let mut new = New::default();
    let of = |path: &Path| {
        let path = path.to_owned();
        |error| (path, error)
    };
    new.folder(&args.folder, 0o700).map_err(of(&args.folder))?;
    for (stem, Proven { scenario, assertions }) in &plan.tests {
        let folder = stem.parent().unwrap_or(Path::new(""));
        new.folder(folder, 0o700).map_err(of(folder))?;
        for (path, text) in files(stem).iter().zip([scenario, assertions]) {
            new.file(path, text).map_err(of(path))?;
        }
    }
    if let Some(link) = link {
        let target = if args.config.is_absolute() {
            Ok(args.config.clone())
        } else {
            from_to(&args.folder, &args.config)
        };
        target.and_then(|target| new.link(&target, link)).map_err(of(link))?;
    }
    new.keep();
    Ok(())
}

/// Returns the way from a folder to a file.
fn from_to(folder: &Path, file: &Path) -> io::Result<PathBuf> {
    let folder = folder.canonicalize()?;
    let parent = file.parent().filter(|parent| *parent != Path::new(""));
    // A configuration that is itself a link stays one.
    let above = parent.unwrap_or(Path::new(".")).canonicalize()?;
    let (mut from, mut to) = (folder.components().peekable(), above.components().peekable());
    while from.peek().is_some() && from.peek() == to.peek() {
        from.next();
        to.next();
    }
    let up = from.map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to).collect();
    Ok(way.join(file.file_name().unwrap_or_default()))
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
    }
}

/// Says what was made, and what was not.
fn tell(args: &InitArgs, plan: &Plan, streams: &mut Streams<'_>) -> Exit {
    let names: Vec<String> = plan.tests.iter().map(|(stem, _)| shown(stem) + "\n").collect();
    let printed = streams.print(&names.concat());
    let folder = shown(&args.folder);
    let tests = counted(plan.tests.len(), "test");
    let secret = if plan.shows_knocks {
        "they contain the knocks: keep them as secret as the configuration"
    } else {
        "no key is in them: they need the configuration with its keys"
    };
    streams.say(&format!(
        "knock-replay: {tests} made in {folder}; {secret}\nknock-replay: run them with: knock-replay test \
         {folder}\n"
    ));
    if printed != Exit::Done {
        return printed;
    }
    if plan.has_gap { Exit::Differ } else { Exit::Done }
}
