//! A runner that starts no command gives up the privileges for that.
//!
//! Where doors only use `Open`, one capability is enough: to change the firewall. The process keeps its user,
//! whose files it reads and writes, and nothing else of root. What the others need is with the starter.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use caps::{CapSet, Capability};
use knock_config::text::{Cause, shown};
use knock_config::{Config, path_of};
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, Gid, faccessat, getgroups, setgroups};

use super::control::GROUP;
use super::sandbox::filter_system_calls;
use super::start::{Failure, failure};
use super::starter::Starter;
use crate::args::Args;
use crate::sandbox::keep_capabilities;
use crate::settings::Settings;
use crate::starter::SELF;
use crate::user;

/// What the process keeps.
const KEPT: [Capability; 1] = [Capability::CAP_NET_ADMIN];

/// Returns a door with a command, by its name.
pub(super) fn door_with_command(config: &Config) -> Option<String> {
    let mut doors = config.doors.iter();
    let door = doors.find(|door| {
        let commands = door.door().commands;
        commands != knock_engine::Commands::default()
    });
    door.map(|door| String::from_utf8_lossy(door.door().name.as_bytes()).into_owned())
}

/// Returns whether a configuration can do without any command.
fn is_open_only(config: &Config) -> bool {
    let has_open = config.doors.iter().any(|door| door.admission().is_some());
    config.options.firewall().is_some() && has_open && door_with_command(config).is_none()
}

/// Gives up what this process does not need, if it needs no command. Returns who starts processes from now
/// on, and a warning for the administrator. This process must not have a second thread yet.
pub(super) fn enter(
    args: &Args,
    (path, config): (&Path, &Config),
    settings: &Settings,
    has_left_open: bool,
) -> Result<(Starter, Option<String>), Failure> {
    if !is_open_only(config) {
        return Ok((Starter::Runner, None));
    }
    let keeps = |why: &str, way_out: &str| {
        let text = format!(
            "no door has a command, but knockd keeps the privileges for one: {why}; {way_out}"
        );
        Ok((Starter::Runner, Some(text)))
    };
    if has_left_open {
        let why = "doors that commands have opened are still open, and must be closed by commands";
        return keeps(why, "restart knockd when they are closed");
    }
    let failed =
        |why: &dyn std::fmt::Display| failure(&format_args!("cannot give up privileges: {why}"));
    let files = files(args, path, config, settings);
    if let Some((path, error)) = unusable(&files).map_err(|error| failed(&error))? {
        let why = format!("{} cannot be used without them: {}", shown(&path), Cause(&error));
        return keeps(&why, "make it and its folder root's, and restart knockd");
    }
    let starter = Starter::begin().map_err(|error| failed(&error))?;
    join_group().map_err(|error| failed(&error))?;
    keep_capabilities(&KEPT).map_err(|error| failure(&error))?;
    let is_filtered = filter_system_calls().map_err(|error| failure(&error))?;
    let text = "the process that opens ports can still start programs, because knockd cannot \
                filter system calls on this type of processor";
    Ok((starter, (!is_filtered).then(|| text.to_owned())))
}

/// A file, and what is done with it.
type Use = (PathBuf, AccessFlags);

/// Returns the files that are opened again while the daemon runs, as far as they are there, and the folders of
/// those that are written.
fn files(args: &Args, config_file: &Path, config: &Config, settings: &Settings) -> Vec<Use> {
    let read_write = AccessFlags::R_OK | AccessFlags::W_OK;
    let mut files =
        vec![(config_file.to_owned(), AccessFlags::R_OK), (PathBuf::from(SELF), AccessFlags::X_OK)];
    let one_time = config.doors.iter().filter_map(|door| door.one_time_file());
    files.extend(one_time.map(|file| (path_of(file).to_owned(), read_write)));
    // A reload reads them again.
    let doors = config.doors.iter();
    let secrets = doors.filter_map(|door| door.sequence_file().or_else(|| door.key_file()));
    files.extend(secrets.map(|file| (path_of(file).to_owned(), AccessFlags::R_OK)));
    if config.signing().is_some() {
        files.extend(keys_in(config.options.key_dir()));
    }
    let log = settings.log_file.as_ref();
    files.extend(log.map(|file| (file.clone(), AccessFlags::W_OK)));
    let pid_file = settings.pid_file.as_ref().map(|file| &file.path).filter(|_| args.daemon);
    let written = log.into_iter().chain(pid_file).chain(&settings.control_socket);
    let folders = written.filter_map(|file| file.parent()).filter(|folder| folder.is_dir());
    files.extend(folders.map(|folder| (folder.to_owned(), AccessFlags::W_OK)));
    files
}

/// Returns a folder with keys, and the files in it.
fn keys_in(folder: &Path) -> impl Iterator<Item = Use> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let entries = entries.map(|entry| (entry.path(), AccessFlags::R_OK));
    std::iter::once((folder.to_owned(), AccessFlags::R_OK | AccessFlags::X_OK)).chain(entries)
}

/// Returns a file that only the privileges make usable, and the error without them.
fn unusable(files: &[Use]) -> Result<Option<(PathBuf, io::Error)>, caps::errors::CapsError> {
    // Otherwise the kernel would go by the capabilities that root could have.
    let access = |(path, how): &Use| faccessat(AT_FDCWD, path.as_path(), *how, AtFlags::AT_EACCESS);
    let usable = files.iter().filter(|file| access(file).is_ok());
    let usable: Vec<&Use> = usable.collect();
    let effective = caps::read(None, CapSet::Effective)?;
    let fewer = KEPT.into_iter().filter(|one| effective.contains(one)).collect();
    caps::set(None, CapSet::Effective, &fewer)?;
    let mut found = usable
        .into_iter()
        .filter_map(|file| access(file).err().map(|error| (file.0.clone(), error.into())));
    let found = found.next();
    caps::set(None, CapSet::Effective, &effective)?;
    Ok(found)
}

/// Joins the group of the control socket, besides the groups that this process has: a file can be given to a
/// group of one's own without any privilege.
fn join_group() -> io::Result<()> {
    let may = caps::has_cap(None, CapSet::Effective, Capability::CAP_SETGID).unwrap_or(false);
    let Some(group) = user::group(GROUP).filter(|_| may) else { return Ok(()) };
    let mut groups = getgroups()?;
    groups.push(Gid::from_raw(group));
    Ok(setgroups(&groups)?)
}
