//! The command line of `knock enroll`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Parser, ValueHint};
use knock_config::UserName;
use knock_config::keys::{Day, file_name, server_name};
use knock_config::options::STYLES;
use knock_engine::DoorName;

use super::uri;

/// Make the key of a user, on the server, and print what the client needs
#[derive(Clone, Debug, Parser)]
#[command(
    name = "knock enroll",
    styles = STYLES,
    max_term_width = 100,
    args_override_self = true,
    infer_long_args = true
)]
#[expect(clippy::doc_markdown, reason = "the comments are the help, which has no markup")]
pub struct EnrollArgs {
    /// Whose key it is
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other, value_parser = user)]
    pub user: UserName,

    /// The name of this server, as 'Server_Name' in knockd.conf has it
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other, value_parser = server)]
    pub server: String,

    /// The doors that the key opens, separated by commas; without it, each that the user may open
    #[arg(long = "door", value_name = "NAME", value_delimiter = ',', value_parser = door)]
    #[arg(value_hint = ValueHint::Other)]
    pub doors: Vec<DoorName>,

    /// The UDP port for signed packets, if 'Knock_Port' in knockd.conf is not 62201
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,

    /// The last day on which the key is valid, as in 2027-01-31
    #[arg(long, value_name = "DAY", value_hint = ValueHint::Other, value_parser = day)]
    pub until: Option<Day>,

    /// A label for the file, for a second key of the user
    #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other)]
    pub label: Option<String>,

    /// The folder of the keys, as 'Key_Dir' in knockd.conf has it
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    #[arg(default_value = "/etc/knockd/keys.d")]
    pub keys: PathBuf,

    /// Print an object, with the address of the key in it
    #[arg(long)]
    pub json: bool,
}

impl EnrollArgs {
    /// Returns the arguments after `knock enroll`, if a command line is one. A host can have this name, too: its
    /// command lines have other options.
    pub(crate) fn of(args: &[OsString]) -> Option<&[OsString]> {
        let (first, rest) = args.get(1..)?.split_first()?;
        let is_own = |arg: &OsString| {
            let arg = arg.as_encoded_bytes();
            let names: [&[u8]; 2] = [b"--user", b"--server"];
            names.iter().any(|name| arg.starts_with(name)) || arg == b"--help" || arg == b"-h"
        };
        let is_enroll =
            first == OsStr::new("enroll") && (rest.is_empty() || rest.iter().any(is_own));
        is_enroll.then_some(rest)
    }

    /// Reads the arguments after `knock enroll`.
    ///
    /// # Errors
    /// A clap error, to be printed as one.
    pub(crate) fn read(rest: &[OsString]) -> Result<Self, clap::Error> {
        let program = OsString::from("knock enroll");
        Self::try_parse_from(std::iter::once(&program).chain(rest))
    }
}

fn user(text: &str) -> Result<UserName, &'static str> {
    let user = UserName::new(text.as_bytes()).filter(|user| file_name(user, None).is_some());
    user.ok_or("not a name of a user without dots, such as alice")
}

fn door(text: &str) -> Result<DoorName, &'static str> {
    let is_one = uri::is_door(text.as_bytes());
    is_one.then(|| DoorName::new(text.as_bytes())).ok_or("not a name that a door can have")
}

fn server(text: &str) -> Result<String, &'static str> {
    server_name(text.as_bytes()).ok_or("not a name of a server, such as home.example.com")
}

fn day(text: &str) -> Result<Day, &'static str> {
    Day::parse(text).ok_or("not a day, such as 2027-01-31")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        EnrollArgs::command().debug_assert();
    }

    #[test]
    fn a_host_may_be_called_enroll() {
        let is_enroll = |line: &str| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            EnrollArgs::of(&args).is_some()
        };
        for line in ["knock enroll", "knock enroll --json --user a", "knock enroll --server=a -h"] {
            assert!(is_enroll(line), "{line}");
        }
        for line in ["knock enroll 7000", "knock enroll -u 7000", "knock -v enroll", "knock home"] {
            assert!(!is_enroll(line), "{line}");
        }
    }

    #[test]
    fn names_that_make_no_file_or_no_door_are_refused() {
        let read =
            |line: &str| EnrollArgs::read(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(read("--user alice --server home --door SSH,web --until 2027-01-31").is_ok());
        for bad in
            ["--user a.b --server home", "--user alice --server é", "--user a --server b --door a]"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
