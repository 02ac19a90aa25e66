//! Whether warnings are printed, ignored or errors.

use std::collections::BTreeMap;

use super::table::Code;

/// How a warning is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// It is not printed.
    Allow,
    /// It is printed and changes nothing.
    Warn,
    /// It is an error.
    Deny,
}

/// The level of each warning: by default all are printed and none is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    named: BTreeMap<Code, Level>,
    denies_warnings: bool,
}

impl Levels {
    /// Returns the levels with every warning denied unless it is allowed by name.
    #[must_use]
    pub fn deny_warnings(self) -> Self {
        Self { denies_warnings: true, ..self }
    }

    /// Returns the levels with this one for a code; the last one overrides earlier ones.
    #[must_use]
    pub fn with(mut self, code: Code, level: Level) -> Self {
        self.named.insert(code, level);
        self
    }

    /// Returns whether a warning is denied by its own name, and not only because all are.
    pub(crate) fn is_denied_by_name(&self, code: Code) -> bool {
        self.named.get(&code) == Some(&Level::Deny)
    }

    /// Returns the level of a warning.
    #[must_use]
    pub fn of(&self, code: Code) -> Level {
        let usual = if self.denies_warnings { Level::Deny } else { Level::Warn };
        self.named.get(&code).copied().unwrap_or(usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_by_name_overrides_the_one_for_all() {
        let levels = Levels::default().with(Code::FewKnocks, Level::Allow).deny_warnings();
        assert_eq!(levels.of(Code::FewKnocks), Level::Allow);
        assert_eq!(levels.of(Code::NoDoors), Level::Deny);
        let levels = Levels::default().with(Code::FewKnocks, Level::Deny);
        assert_eq!(levels.of(Code::FewKnocks), Level::Deny);
        assert_eq!(levels.of(Code::NoDoors), Level::Warn);
    }
}
