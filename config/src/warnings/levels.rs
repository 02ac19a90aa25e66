//! What becomes of warnings.

use std::collections::BTreeMap;

use super::table::Code;

/// What becomes of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// It is not told.
    Allow,
    /// It is told and changes nothing.
    Warn,
    /// It is an error.
    Deny,
}

/// What becomes of each warning: by default all are told and none is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    named: BTreeMap<Code, Level>,
    denies_warnings: bool,
}

impl Levels {
    /// Returns the levels with every warning denied that is not allowed by name.
    #[must_use]
    pub fn deny_warnings(self) -> Self {
        Self { denies_warnings: true, ..self }
    }

    /// Returns the levels with this one for a code; the last one given counts.
    #[must_use]
    pub fn with(mut self, code: Code, level: Level) -> Self {
        self.named.insert(code, level);
        self
    }

    /// Returns what becomes of a warning.
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
    fn a_level_by_name_beats_the_one_for_all() {
        let levels = Levels::default().with(Code::FewKnocks, Level::Allow).deny_warnings();
        assert_eq!(levels.of(Code::FewKnocks), Level::Allow);
        assert_eq!(levels.of(Code::NoDoors), Level::Deny);
        let levels = Levels::default().with(Code::FewKnocks, Level::Deny);
        assert_eq!(levels.of(Code::FewKnocks), Level::Deny);
        assert_eq!(levels.of(Code::NoDoors), Level::Warn);
    }
}
