//! Checks of a whole command line: what is given twice, and what is abbreviated.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

/// Values to try for options: of each option, some two are valid.
const VALUES: [&str; 12] = [
    "1",
    "2",
    "192.0.2.1",
    "192.0.2.2",
    "few-knocks",
    "never-opens",
    "bash",
    "zsh",
    "000000000000000000000000000000000000000000000000",
    "111111111111111111111111111111111111111111111111",
    "1/2",
    "2/2",
];

/// A command line, with all of its options.
pub struct CommandLine {
    command: Command,
    /// The name of the subcommand whose options these are; an empty one for the program itself.
    subcommand: &'static str,
    /// Arguments to which an option can be added. Each option goes with at least one of these.
    bases: &'static [&'static str],
}

impl CommandLine {
    /// Returns the command line of a program, or of a subcommand.
    #[must_use]
    pub fn new(command: Command, subcommand: &'static str, bases: &'static [&'static str]) -> Self {
        let mut command = command;
        // This adds the options for help and the version.
        command.build();
        Self { command, subcommand, bases }
    }

    /// Checks that of an option that is given twice the last one counts; a list has both.
    pub fn assert_the_last_counts(&self) {
        for option in self.options() {
            let name = option.get_long().unwrap();
            let [first, last] = self.values(&option);
            let base = self.base_for(&last);
            let matches = self.parse(&[base, &first, &last]);
            let matches = matches.unwrap_or_else(|error| panic!("--{name} twice: {error}"));
            if option.get_action().takes_values() {
                let given = [&first, &last].map(|argument| argument.split_once('=').unwrap().1);
                let is_list = matches!(option.get_action(), ArgAction::Append);
                let expected = if is_list { &given[..] } else { &given[1..] };
                let values: Vec<_> = matches.get_raw(option.get_id().as_str()).unwrap().collect();
                // A list may have one that the base needs.
                let values = if is_list { &values[values.len() - 2..] } else { &values[..] };
                assert_eq!(values, expected, "--{name}");
            } else {
                assert!(matches.get_flag(option.get_id().as_str()), "--{name}");
            }
        }
    }

    /// Checks that each beginning of a long option is that option, if it is not one of another too.
    pub fn assert_abbreviations_are_known(&self) {
        let names = self.names();
        for option in self.options() {
            let name = option.get_long().unwrap();
            let [_, whole] = self.values(&option);
            let base = self.base_for(&whole);
            let expected = self.parse(&[base, &whole]).unwrap();
            for length in 1..name.len() {
                let beginning = &name[..length];
                let is_ambiguous =
                    names.iter().filter(|name| name.starts_with(beginning)).count() > 1;
                if is_ambiguous || names.contains(&beginning) {
                    continue;
                }
                let short = whole.replacen(name, beginning, 1);
                let parsed = self.parse(&[base, &short]);
                let parsed = parsed.unwrap_or_else(|error| panic!("--{beginning}: {error}"));
                assert_eq!(parsed, expected, "--{beginning}");
            }
        }
    }

    /// Returns the long option that a beginning means; `None` if it means none or several.
    #[must_use]
    pub fn meaning(&self, beginning: &str) -> Option<String> {
        let is_meant = |option: &&Arg| {
            let [_, whole] = self.values(option);
            let short = whole.replacen(option.get_long().unwrap(), beginning, 1);
            let base = self.base_for(&whole);
            let [short, whole] = [short, whole].map(|option| self.parse(&[base, &option]).ok());
            short.is_some() && short == whole
        };
        let options = self.options();
        options.iter().find(is_meant).map(|option| option.get_long().unwrap().to_owned())
    }

    /// Returns the program or the subcommand.
    fn this(&self) -> &Command {
        self.command.find_subcommand(self.subcommand).unwrap_or(&self.command)
    }

    /// Returns the names of all long options, with other names for them.
    fn names(&self) -> Vec<&str> {
        self.this()
            .get_arguments()
            .filter_map(Arg::get_long_and_visible_aliases)
            .flatten()
            .collect()
    }

    /// Returns the long options, but for those that only print a text.
    fn options(&self) -> Vec<Arg> {
        let is_tried = |option: &&Arg| {
            let action = option.get_action();
            let prints = matches!(
                action,
                ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
            );
            option.get_long().is_some() && !prints
        };
        let options: Vec<Arg> = self.this().get_arguments().filter(is_tried).cloned().collect();
        assert!(!options.is_empty());
        options
    }

    /// Returns an option with two different values; a flag twice.
    fn values(&self, option: &Arg) -> [String; 2] {
        let name = option.get_long().unwrap();
        if !option.get_action().takes_values() {
            return [format!("--{name}"), format!("--{name}")];
        }
        let possible = option.get_possible_values();
        let possible: Vec<&str> =
            possible.iter().map(clap::builder::PossibleValue::get_name).collect();
        let tried = possible.into_iter().chain(VALUES).map(|value| format!("--{name}={value}"));
        let is_valid = |argument: &String| {
            let wrong = [ErrorKind::ValueValidation, ErrorKind::InvalidValue];
            let parsed = self.parse(&[argument]);
            !parsed.is_err_and(|error| wrong.contains(&error.kind()))
        };
        let mut valid = tried.filter(is_valid);
        let mut next = || valid.next().unwrap_or_else(|| panic!("no value for --{name}"));
        [next(), next()]
    }

    /// Returns the arguments to which an option can be added.
    fn base_for(&self, option: &str) -> &'static str {
        let base = self.bases.iter().find(|base| self.parse(&[base, option]).is_ok());
        base.unwrap_or_else(|| panic!("nothing goes with {option}"))
    }

    fn parse(&self, arguments: &[&str]) -> Result<ArgMatches, clap::Error> {
        let words = arguments.iter().flat_map(|argument| argument.split_whitespace());
        let words = ["program", self.subcommand].into_iter().chain(words);
        let words = words.filter(|word| !word.is_empty()).map(OsString::from);
        let matches = self.command.clone().try_get_matches_from(words)?;
        Ok(matches.subcommand_matches(self.subcommand).cloned().unwrap_or(matches))
    }
}
