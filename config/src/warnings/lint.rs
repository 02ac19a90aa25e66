//! What is no error but hardly meant.

use super::code::Code;
use crate::directive::Directive;
use crate::text::Excerpt;
use crate::wording::Wording;

/// A warning. It never changes what a configuration means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lint {
    /// A UTF-8 byte order mark at the start of the text.
    ByteOrderMark,
    /// There is no door.
    NoDoors,
    /// A door whose name is `options` but for case and blanks.
    AlmostOptions {
        /// The name.
        name: Excerpt,
    },
    /// Two doors have the same name.
    DuplicateDoorName {
        /// The name.
        name: Excerpt,
        /// The line of the first door of that name.
        first_line: u32,
    },
    /// A name longer than 127 bytes.
    LongName {
        /// The bytes of the name.
        length: usize,
    },
    /// A directive is given again further down in its section, and the last one counts.
    Overridden {
        /// The name it is given by.
        name: &'static str,
        /// The name it is given by the next time, perhaps an alias.
        by_name: &'static str,
        /// The line of that.
        by_line: u32,
    },
    /// An interface is named again on one line.
    DuplicateInterface {
        /// The name.
        name: Excerpt,
    },
    /// Blanks inside the value of `TCPFlags`.
    BlankInFlags {
        /// The value without its blanks.
        without: Excerpt,
    },
    /// A target that is not as knockd 0.8 writes the address.
    TargetNotCanonical {
        /// The address as knockd 0.8 writes it.
        canonical: String,
    },
    /// A door without a command.
    NoCommand {
        /// The name of the door.
        door: Excerpt,
    },
    /// A stop command that no client ever gets to.
    StopWithoutStart {
        /// `Stop_Command` or `Stop_Command_6`.
        directive: Directive,
    },
    /// The stop command for IPv4 runs behind the start command for IPv6.
    StopForBothFamilies,
    /// A stop command without text.
    EmptyStopCommand {
        /// `Stop_Command` or `Stop_Command_6`.
        directive: Directive,
    },
    /// Two doors take their sequences from the same file.
    SharedOneTimeFile {
        /// The line of the first door's directive.
        first_line: u32,
    },
    /// A sequence file without a line that is not used.
    NoSequenceLeft,
}

impl Lint {
    /// Returns its code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::ByteOrderMark => Code::ByteOrderMark,
            Self::NoDoors => Code::NoDoors,
            Self::AlmostOptions { .. } => Code::AlmostOptions,
            Self::DuplicateDoorName { .. } => Code::DuplicateDoorName,
            Self::LongName { .. } => Code::LongDoorName,
            Self::Overridden { .. } => Code::OverriddenDirective,
            Self::DuplicateInterface { .. } => Code::DuplicateInterface,
            Self::BlankInFlags { .. } => Code::BlankInFlags,
            Self::TargetNotCanonical { .. } => Code::TargetNotCanonical,
            Self::NoCommand { .. } => Code::NoCommand,
            Self::StopWithoutStart { .. } => Code::StopWithoutStart,
            Self::StopForBothFamilies => Code::StopForBothFamilies,
            Self::EmptyStopCommand { .. } => Code::EmptyStopCommand,
            Self::SharedOneTimeFile { .. } => Code::SharedOneTimeFile,
            Self::NoSequenceLeft => Code::NoSequenceLeft,
        }
    }

    #[expect(clippy::too_many_lines, reason = "a table with an entry for each cause")]
    pub(crate) fn wording(&self) -> Wording {
        match self {
            Self::ByteOrderMark => {
                Wording::new("file begins with a byte order mark", "it stands in front of this")
                    .help("save the file as UTF-8 without a byte order mark")
                    .note("it is ignored here; knockd 0.8 would take it for part of the line")
            }
            Self::NoDoors => Wording::new("there is no door", "")
                .help("add a section such as `[openSSH]` with a `sequence` and a `command`"),
            Self::AlmostOptions { name } => Wording::new(
                format!("section `{name}` is a door, not the options"),
                "this is the name of a door",
            )
            .help("write `[options]` in lower case and without blanks, or name the door otherwise"),
            Self::DuplicateDoorName { name, first_line } => Wording::new(
                format!("two doors are named `{name}`"),
                format!("also the name of the door on line {first_line}"),
            )
            .help("give each door a name of its own, to tell them apart in the log"),
            Self::LongName { length } => Wording::new(
                format!("door name of {length} bytes is longer than knockd 0.8 allows"),
                "knockd 0.8 would cut this off",
            )
            .help("shorten the name to 127 bytes"),
            Self::Overridden { name, by_name, by_line } => {
                let wording = Wording::new(
                    format!("`{name}` is given twice"),
                    format!("no effect, as line {by_line} overrides this"),
                )
                .help("remove one of the two lines");
                if name == by_name {
                    wording
                } else {
                    wording.note(format!("`{by_name}` is the same directive"))
                }
            }
            Self::DuplicateInterface { name } => Wording::new(
                format!("interface `{name}` is named twice"),
                "no effect, as it stands further left, too",
            )
            .help("remove it"),
            Self::BlankInFlags { without } => {
                Wording::new("blank between TCP flags", "knockd 0.8 would refuse this")
                    .help(format!("write `{without}`"))
            }
            Self::TargetNotCanonical { canonical } => Wording::new(
                "target is not written as knockd 0.8 writes the address",
                "in knockd 0.8 the door would never open",
            )
            .help(format!("write `{canonical}`")),
            Self::NoCommand { door } => {
                Wording::new(format!("door `{door}` runs no command"), "nothing runs when it opens")
                    .help("add a `command`; an empty one, `command =`, says that nothing is to run")
            }
            Self::StopWithoutStart { directive } => Wording::new(
                format!("`{}` never runs", directive.name()),
                "no start command runs before it",
            )
            .help(if *directive == Directive::StopCommand6 {
                "add a `start_command_6`, or remove this line"
            } else {
                "add a `start_command`, or remove this line"
            }),
            Self::StopForBothFamilies => Wording::new(
                "`stop_command` will run for IPv6 clients, too",
                "there is no `stop_command_6` beside this",
            )
            .help("add a `stop_command_6`; an empty one runs nothing"),
            Self::EmptyStopCommand { directive } => {
                Wording::new(format!("`{}` is empty", directive.name()), "nothing runs")
                    .help("remove the line")
                    .note("knockd 0.8 would wait `cmd_timeout` seconds and run an empty shell line")
            }
            Self::SharedOneTimeFile { first_line } => Wording::new(
                "two doors take their sequences from this file",
                format!("also named on line {first_line}"),
            )
            .help("give each door a file of its own")
            .note("a line that has opened one door still opens the other until a restart"),
            Self::NoSequenceLeft => Wording::new("no sequence is left in this file", "")
                .help("add lines such as ` 7000,8000,9000`; the door stays shut until then")
                .note("knockd 0.8 would not start"),
        }
    }
}
