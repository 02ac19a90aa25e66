//! The directives of `knockd.conf`: how each is read, its default, what a reload does with it, and what
//! the manual page says.
//!
//! A new one is a row in `table.rs`, a field in `config.rs` and an arm in `read/entry.rs`.

mod row;
mod table;

pub use row::Section;
pub(crate) use row::{Again, Least, Value, Words};
pub use table::Directive;

use knock_engine::Seconds;
use row::Absent;

impl Directive {
    /// Returns the directive of this name, in any case, and the name in lower case.
    pub(crate) fn from_name(name: &[u8]) -> Option<(&'static str, Self)> {
        let all = Self::ALL.iter().flat_map(|one| one.row().names.iter().map(|name| (*name, *one)));
        all.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))
    }

    /// Returns every name of every directive, in lower case.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().flat_map(|one| one.row().names).copied()
    }

    /// Returns the usual name in lower case, as the examples of knockd 0.8 write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().names.first().copied().unwrap_or_default()
    }

    /// Returns the usual name as the manual page writes it.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.row().usage.split('`').nth(1).unwrap_or_default()
    }

    /// Returns where it belongs.
    #[must_use]
    pub const fn section(self) -> Section {
        self.row().section
    }

    pub(crate) const fn value(self) -> Value {
        self.row().value
    }

    /// Returns whether its value is a command.
    pub(crate) const fn is_command(self) -> bool {
        matches!(self.value(), Value::Command)
    }

    pub(crate) const fn again(self) -> Again {
        self.row().again
    }

    /// Returns whether knockd 0.8 knows it.
    #[must_use]
    pub const fn is_in_08(self) -> bool {
        self.row().is_in_08
    }

    /// Returns what its value is, as the end of "expected".
    pub(crate) fn expected(self) -> String {
        self.value().expected()
    }

    /// Returns what happens without the directive, as the end of "remove the line"; `None` if a section
    /// needs it.
    pub(crate) fn when_absent(self) -> Option<String> {
        self.row().absent.text()
    }

    /// Returns the default value; `None` if there is none or it is a number.
    #[must_use]
    pub const fn default_value(self) -> Option<&'static str> {
        match self.row().absent {
            Absent::Default(value) => Some(value),
            Absent::Needed | Absent::Means(_) | Absent::Seconds(_) => None,
        }
    }

    /// Returns the default number of seconds, or the maximum if there is none.
    #[must_use]
    pub const fn default_seconds(self) -> Seconds {
        match self.row().absent.seconds() {
            Some(seconds) => seconds,
            None => Seconds::MAX,
        }
    }

    /// Returns how the manual page writes it with its value: words between backticks are bold.
    #[must_use]
    pub const fn usage(self) -> &'static str {
        self.row().usage
    }

    /// Returns its paragraph of the manual page; words between backticks are bold.
    #[must_use]
    pub const fn manual(self) -> &'static str {
        self.row().manual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_directive_in_any_case() {
        let from_name = Directive::from_name;
        assert_eq!(from_name(b"SEQ_timeout"), Some(("seq_timeout", Directive::SeqTimeout)));
        assert_eq!(from_name(b"Timeout"), Some(("timeout", Directive::SeqTimeout)));
        assert_eq!(from_name(b"Command_6"), Some(("command_6", Directive::StartCommand6)));
        assert_eq!(from_name(b"CommandLimit"), Some(("commandlimit", Directive::CommandLimit)));
        assert_eq!(from_name(b"Command 6"), None);
        assert_eq!(from_name(b""), None);
        for name in Directive::names() {
            assert_eq!(from_name(name.as_bytes()).unwrap().0, name);
        }
    }

    #[test]
    fn the_usual_name_of_an_alias_is_the_longer_one() {
        assert_eq!(Directive::SeqTimeout.name(), "seq_timeout");
        assert_eq!(Directive::StartCommand.name(), "start_command");
    }

    #[test]
    fn the_manual_page_writes_every_name() {
        for directive in Directive::ALL {
            let bold = directive.usage().split('`').skip(1).step_by(2).map(str::to_lowercase);
            assert!(bold.eq(directive.row().names.iter().copied()), "{directive:?}");
        }
    }

    #[test]
    fn the_manual_page_says_the_defaults_and_what_knockd_08_does_not_know() {
        for directive in Directive::ALL {
            let manual = directive.manual();
            if let Some(seconds) = directive.row().absent.seconds() {
                assert!(manual.contains(&format!("Default: {}.", seconds.get())), "{directive:?}");
            }
            if let Some(value) = directive.default_value() {
                assert!(manual.contains(&format!("Default: `{value}`.")), "{directive:?}");
            }
            let is_unknown = manual.contains("Unknown to `knockd` 0.8.");
            assert_eq!(is_unknown, !directive.is_in_08(), "{directive:?}");
        }
    }
}
