//! Reads the text of a file of profiles as [`Profiles`], or reports all its errors.

use std::collections::BTreeMap;
use std::mem;

use knock_config::diagnostics::Faults;
use knock_config::diagnostics::Source;
use knock_config::lex::{Line, Piece, Text};
use knock_config::{Excerpt, Wording};

use super::keyword::{Keyword, only_of_ssh};
use super::lookup::{Hosts, Profile, Profiles};
use super::pattern::Pattern;
use super::place::Base;
use super::settings::Settings;
use super::value;
use super::words::{self, Word};

/// The most lines `Host` in a file.
pub const MAX_PROFILES: usize = 1000;

/// The most patterns after `Host` in a file: listing takes time in their square.
pub const MAX_PATTERNS: usize = 4096;

/// What [`parse`] made of a text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The profiles; `None` if and only if there is an error.
    pub profiles: Option<Profiles>,
    /// The text with its errors and likely mistakes.
    pub source: Source,
}

/// Reads the text of a file of profiles. Any bytes will do.
///
/// `name` is that of the file, fit to be printed.
#[must_use]
pub fn parse(name: String, text: &[u8], base: &Base) -> Parsed {
    let lines = Text::new(text).lines();
    let mut reader = Reader::new(base);
    for line in lines {
        reader.read(line);
    }
    let (profiles, faults) = reader.finish();
    let profiles = (faults.errors() == 0).then_some(profiles);
    Parsed { profiles, source: faults.into_source(name, text.to_vec()) }
}

struct Reader<'a> {
    base: &'a Base,
    faults: Faults,
    profiles: Vec<Profile>,
    patterns: usize,
    /// The profile that is being read.
    profile: Profile,
    /// The line of each keyword in it.
    given: BTreeMap<Keyword, u32>,
}

impl<'a> Reader<'a> {
    fn new(base: &'a Base) -> Self {
        Self {
            base,
            faults: Faults::default(),
            profiles: Vec::new(),
            patterns: 0,
            profile: Profile { hosts: Hosts::All, settings: Settings::default() },
            given: BTreeMap::new(),
        }
    }

    fn read(&mut self, line: Line<'_>) {
        let Some(content) = self.content(line) else { return };
        let (name, rest) = words::keyword(content);
        let Some(keyword) = Keyword::from_name(name.bytes()) else {
            return self.unknown(name, content);
        };
        let words = match words::words(rest) {
            Ok(words) => words,
            Err(unbalanced) => {
                let wording = Wording::new("a quote does not end", "it begins here")
                    .help("end it with the same character, or write `\\` in front of it");
                return self.faults.error(unbalanced.at, wording);
            }
        };
        if words.is_empty() {
            let wording = Wording::new(
                format!("no value after `{}`", keyword.name()),
                "expected a value after this",
            )
            .help(format!("such as `{}`", keyword.example()));
            return self.faults.error(name, wording);
        }
        if keyword == Keyword::Host {
            self.host(name, &words);
        } else {
            self.setting(keyword, name, &words);
        }
    }

    /// Returns the content of a line; `None` for a blank one, a comment, and one that cannot be
    /// read.
    fn content<'b>(&mut self, line: Line<'b>) -> Option<Piece<'b>> {
        if let Some(beyond) = line.overlong() {
            let length = line.text.len();
            let label = format!("beyond {} bytes", Line::MAX_BYTES);
            let wording = Wording::new(format!("line of {length} bytes is too long"), label);
            self.faults.error(beyond, wording.help("split it between several lines"));
            return None;
        }
        let content = line.trimmed();
        if content.is_empty() || content.bytes().starts_with(b"#") {
            return None;
        }
        if let Some((_, from_nul)) = content.split_before(0) {
            let wording = Wording::new("NUL byte in the file", "everything else here is text")
                .help("remove it; save the file as UTF-8 if it is UTF-16");
            self.faults.error(from_nul.first_byte(), wording);
            return None;
        }
        Some(content)
    }

    fn unknown(&mut self, name: Piece<'_>, content: Piece<'_>) {
        if name.is_empty() {
            let wording = Wording::new("no keyword before `=`", "expected a keyword");
            return self.faults.error(content.first_byte(), wording.help("write `KEYWORD VALUE`"));
        }
        let text = Excerpt::new(name.bytes());
        if let Some(help) = only_of_ssh(name.bytes()) {
            let wording =
                Wording::new(format!("`{text}` is not known here"), "a keyword of ssh_config");
            return self.faults.error(name, wording.help(help));
        }
        let wording = Wording::new(format!("unknown keyword `{text}`"), "not a keyword");
        let nearest = self.faults.nearest(name.bytes(), Keyword::ALL.map(Keyword::name));
        let help = nearest.map(|nearest| format!("did you mean `{nearest}`?"));
        self.faults.error(name, Wording { help, ..wording });
    }

    /// Begins a profile.
    fn host(&mut self, name: Piece<'_>, words: &[Word<'_>]) {
        self.end_profile();
        let mut patterns = Vec::new();
        for word in words {
            match Pattern::new(&word.text) {
                Some(pattern) => patterns.push(pattern),
                None => self.faults.error(
                    word.at,
                    Wording::new("an empty pattern", "no host has this name")
                        .help("remove it, or write the name of a host"),
                ),
            }
        }
        if !patterns.is_empty() && patterns.iter().all(Pattern::is_negated) {
            let wording = Wording::new("this profile is for no host", "all patterns exclude hosts")
                .help("add `*` for all other hosts");
            self.faults.warning(name.to_line_end(), wording);
        }
        let before = self.patterns;
        self.patterns = before.saturating_add(patterns.len());
        if before <= MAX_PATTERNS && self.patterns > MAX_PATTERNS {
            let message = format!("more than {MAX_PATTERNS} patterns of hosts");
            let wording = Wording::new(message, "too many with these");
            self.faults.error(name.to_line_end(), wording.help("split the file in two"));
        }
        self.profile = Profile { hosts: Hosts::Meant(patterns), settings: Settings::default() };
        if self.profiles.len() == MAX_PROFILES {
            let wording =
                Wording::new(format!("more than {MAX_PROFILES} profiles"), "one too many");
            self.faults.error(name.to_line_end(), wording.help("split the file in two"));
        }
    }

    fn setting(&mut self, keyword: Keyword, name: Piece<'_>, words: &[Word<'_>]) {
        let Some(one) = value::settings(keyword, words, self.base, &mut self.faults) else {
            // Otherwise its absence would be reported as well.
            self.given.entry(keyword).or_insert(name.line().number);
            return;
        };
        if let Some(line) = self.given.get(&keyword) {
            let message = format!("`{}` is set twice for the same hosts", keyword.name());
            let label = format!("ignored: line {line} comes first");
            self.faults.warning(name, Wording::new(message, label).help("remove one of the two"));
        } else {
            self.second_source(keyword, name);
        }
        self.given.entry(keyword).or_insert(name.line().number);
        self.profile.settings = mem::take(&mut self.profile.settings).over(one);
    }

    /// Reports knocks that the same profile also has from another place.
    fn second_source(&mut self, keyword: Keyword, name: Piece<'_>) {
        let others: &[Keyword] = match keyword {
            Keyword::Knocks | Keyword::OneTimeSequences => {
                &[Keyword::Knocks, Keyword::Door, Keyword::OneTimeSequences, Keyword::Key]
            }
            Keyword::Door => &[Keyword::Knocks, Keyword::OneTimeSequences],
            Keyword::Key => &[Keyword::Knocks, Keyword::OneTimeSequences, Keyword::Config],
            Keyword::Config => &[Keyword::Key],
            Keyword::Host
            | Keyword::HostName
            | Keyword::Delay
            | Keyword::Then
            | Keyword::Wait
            | Keyword::Retry
            | Keyword::Source
            | Keyword::Interface
            | Keyword::AddressFamily => &[],
        };
        let other = others.iter().find_map(|source| Some((source, self.given.get(source)?)));
        let Some((other, line)) = other else { return };
        let message = format!("both `{}` and `{}`", other.name(), keyword.name());
        let wording = Wording::new(message, format!("the other one is on line {line}"))
            .help("a profile has its knocks from one place: remove one of the two");
        self.faults.error(name, wording);
    }

    fn end_profile(&mut self) {
        self.given.clear();
        let next = Profile { hosts: Hosts::Meant(Vec::new()), settings: Settings::default() };
        let profile = mem::replace(&mut self.profile, next);
        // The lines before the first `Host` are a profile only if there are any.
        let is_one = match &profile.hosts {
            Hosts::All => profile.settings != Settings::default(),
            Hosts::Meant(_) => self.profiles.len() <= MAX_PROFILES,
        };
        if is_one {
            self.profiles.push(profile);
        }
    }

    fn finish(mut self) -> (Profiles, Faults) {
        self.end_profile();
        (Profiles::new(self.profiles), self.faults)
    }
}
