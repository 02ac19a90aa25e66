//! Words that readers stumble over must not come back: in documentation, messages and comments.
//!
//! `tests/vocabulary.left` counts, by file, the places that still have such words. Its counts may only
//! shrink: with `KNOCK_BLESS=1` this test lowers them.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// What not to write, and what to write instead. `|` separates forms of a word. A phrase does not
/// match across punctuation.
const WORDS: &[(&str, &str)] = &[
    ("told", "reported, printed, recognized"),
    ("tell|tells|telling of", "report, print, warn about"),
    ("is|are|be|been warned of", "warns about"),
    ("anew", "again, new; reload"),
    ("mend|mends|mended|mending", "fix"),
    ("hardly meant", "probably a mistake"),
    ("perhaps meant", "may have been meant"),
    ("perhaps * was meant", "did you mean"),
    ("nobody knows|has|can|could|says|reads|asks", "unknown; no client, no program"),
    ("door keeper|keepers", "port-knocking daemon"),
    ("counts after a restart", "takes effect after a restart"),
    ("make|makes|made|making room", "is evicted; free space"),
    (
        "stand|stands|stood|standing in|before|behind|at|there|here|alone|twice|above|below|between|where|right",
        "is, comes, follows",
    ),
    ("stand|stands|standing still", "counts as stopped"),
    ("right|from|what|is|are behind", "after"),
    ("what|who|whoever comes|came of", "the result of"),
    ("another one than", "not what"),
    ("what is other", "the differences"),
    ("does|do|did not hold", "fails"),
    ("hold|holds|held it|them to", "check against"),
    ("is|are|be held to", "check against"),
    ("end|ends|ended|ending with 0|1|2|3|4", "exit with status"),
    ("no tcp retransmission", "not a TCP retransmission"),
];

/// Folders without texts of ours, or with texts that tests compare.
const SKIPPED: &[&str] = &["target", "testdata", "snapshots", "corpus", "node_modules"];

/// The files that still have such words, and in how many places.
const LEFT: &str = "tests/vocabulary.left";

#[test]
fn replaced_words_do_not_come_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = files(&root);
    assert!(files.len() > 300, "only {} files", files.len());
    let words = Words::new();
    let mut found = BTreeMap::new();
    for path in files {
        let text = fs::read_to_string(root.join(&path)).unwrap();
        let places = words.places(&passages(&path, &text));
        if !places.is_empty() {
            found.insert(path, places);
        }
    }
    let left_file = root.join("tests").join(LEFT);
    let left = left(&fs::read_to_string(&left_file).unwrap());
    let mut report = String::new();
    for (path, places) in &found {
        let allowed = left.get(path).copied().unwrap_or_default();
        if places.len() > allowed {
            writeln!(report, "{path}: {} places, of which {allowed} are known", places.len())
                .unwrap();
            for place in places {
                writeln!(report, "  {place}").unwrap();
            }
        }
    }
    assert!(report.is_empty(), "{report}");
    let counts: BTreeMap<_, _> =
        found.into_iter().map(|(path, places)| (path, places.len())).collect();
    if std::env::var_os("KNOCK_BLESS").is_some() {
        let line = |(path, count): (&String, &usize)| format!("{count} {path}\n");
        fs::write(&left_file, counts.iter().map(line).collect::<String>()).unwrap();
        return;
    }
    assert_eq!(counts, left, "tests/{LEFT} counts too many: run this test with KNOCK_BLESS=1");
}

#[test]
fn words_are_found_in_what_people_read_and_nowhere_else() {
    let text = r##"
        //! It tells
        //! of doors.
        fn told(told: &'static str, one: char) -> String {
            let quote = ('"', '\'', b'"', "told: \"told\\"); // anew
            let raw = r#"mend "it" anew"#;
            format!("stands \
                     there {told}")
        }
        /* nobody knows */
        #[cfg(test)]
        mod tests {
            const TOLD: &str = "told";
        }
    "##;
    let found = Words::new().places(&passages("engine/src/x.rs", text));
    let lines: Vec<_> = found.iter().map(|place| place.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["2", "5", "5", "5", "6", "6", "7", "10"], "{found:#?}");
    let found = Words::new().places(&passages("README.md", "All\nis told\nanew, told.\n"));
    assert_eq!(found.len(), 3, "{found:#?}");
}

#[test]
fn a_phrase_does_not_match_across_punctuation_and_a_star_is_one_word() {
    let places = |text: &str| Words::new().places(&passages("a.md", text)).len();
    assert_eq!(places("tell it. Of doors, tell, of. He retold it, amended."), 0);
    assert_eq!(places("Telling\nof doors; perhaps `open` was meant."), 2);
}

/// Returns the files to check, relative to the root and with `/`.
fn files(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = format!("{folder}{name}");
            if !entry.file_type().unwrap().is_dir() {
                files.push(path);
            } else if !name.starts_with('.') && !SKIPPED.contains(&&*name) {
                folders.push(path + "/");
            }
        }
    }
    files.retain(|path| is_read_by_people(path));
    files.sort();
    files
}

fn is_read_by_people(path: &str) -> bool {
    let ending = path.rsplit('.').next().unwrap_or_default();
    // The history of the changelog stays as it was written, and this file lists the words.
    if path == "CHANGELOG.md" || path.ends_with("tests/vocabulary.rs") {
        return false;
    }
    match ending {
        "md" => true,
        "1" | "json" => path.starts_with("docs/"),
        "rs" => path.split_once("src/").is_some_and(|(_, inner)| {
            let mut folders = inner.split('/');
            folders.all(|name| name != "tests" && name != "tests.rs")
        }),
        _ => false,
    }
}

/// Reads the file of known places: `COUNT PATH` on each line.
fn left(text: &str) -> BTreeMap<String, usize> {
    let line = |line: &str| {
        let (count, path) = line.split_once(' ').unwrap();
        (path.to_owned(), count.parse().unwrap())
    };
    text.lines().map(line).collect()
}

/// A text that people read, and the line on which it begins.
struct Passage {
    line: usize,
    text: String,
}

/// Returns the texts of a file: of a Rust file the comments and strings.
fn passages(path: &str, text: &str) -> Vec<Passage> {
    if path.rsplit('.').next() == Some("rs") {
        Scanner { rest: text, line: 1, found: Vec::new() }.run()
    } else {
        vec![Passage { line: 1, text: text.to_owned() }]
    }
}

/// Finds the comments and strings of Rust code up to its test module.
struct Scanner<'a> {
    rest: &'a str,
    line: usize,
    found: Vec<Passage>,
}

impl Scanner<'_> {
    fn run(mut self) -> Vec<Passage> {
        while !self.rest.is_empty() && !is_at_test_module(self.rest) {
            let is_after_word = |before: char| before.is_alphanumeric() || before == '_';
            if self.rest.starts_with("//") {
                self.line_comment();
            } else if self.rest.starts_with("/*") {
                let length = self.rest.find("*/").map_or(self.rest.len(), |at| at + 2);
                self.passage(length, 2);
            } else if self.rest.starts_with('"') {
                self.string();
            } else if let Some(length) = raw_string(self.rest) {
                self.passage(length, 1);
            } else if self.rest.starts_with('\'') {
                self.skip(character(self.rest));
            } else {
                // A whole word, so that the `r` of `for` does not begin a raw string.
                let word = self.rest.find(|next| !is_after_word(next)).unwrap_or(self.rest.len());
                let other = self.rest.chars().next().map_or(0, char::len_utf8);
                self.skip(word.max(other));
            }
        }
        self.found
    }

    fn skip(&mut self, length: usize) {
        let (skipped, rest) = self.rest.split_at(length);
        self.line += skipped.matches('\n').count();
        self.rest = rest;
    }

    /// Takes a passage of this length, of which the first bytes are its mark.
    fn passage(&mut self, length: usize, mark: usize) {
        let text = self.rest[mark..length].to_owned();
        self.found.push(Passage { line: self.line, text });
        self.skip(length);
    }

    /// Takes a comment; lines of comments that follow each other are one passage.
    fn line_comment(&mut self) {
        let line = self.line;
        let mut text = String::new();
        while self.rest.starts_with("//") {
            let length = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
            text.push_str(self.rest[..length].trim_start_matches(['/', '!']));
            self.skip(length);
            let indent = self.rest.len() - self.rest.trim_start_matches([' ', '\t']).len();
            self.skip(indent);
        }
        self.found.push(Passage { line, text });
    }

    fn string(&mut self) {
        let mut is_escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, next)| {
            let is_end = *next == '"' && !is_escaped;
            is_escaped = *next == '\\' && !is_escaped;
            is_end
        });
        let length = end.map_or(self.rest.len(), |(at, _)| at + 1);
        // The `n` of `\n` must not begin the next word, nor is the name of an argument text.
        let text = self.rest[1..length].replace("\\\n", " \n").replace("\\n", ". ");
        let text = text.split('{').enumerate().map(|(at, part)| match part.split_once('}') {
            Some((_, after)) if at > 0 => after,
            _ => part,
        });
        let text = text.collect::<Vec<_>>().join(".");
        self.found.push(Passage { line: self.line, text });
        self.skip(length);
    }
}

fn is_at_test_module(rest: &str) -> bool {
    let Some(after) = rest.strip_prefix("#[cfg(test)]") else { return false };
    after.trim_start().starts_with("mod tests {")
}

/// Returns the length of the raw string at the beginning, if there is one.
fn raw_string(rest: &str) -> Option<usize> {
    let start = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = start.len() - start.trim_start_matches('#').len();
    let body = start[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end)? + end.len();
    Some(rest.len() - body.len() + length)
}

/// Returns the length of the character at the beginning, or of the quote of a lifetime.
fn character(rest: &str) -> usize {
    let mut inner = rest.char_indices().skip(1);
    match (inner.next(), inner.next()) {
        (Some((_, '\\')), Some((at, _))) => {
            // What is escaped may be a quote itself.
            rest[at + 1..].find('\'').map_or(rest.len(), |end| at + 1 + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// The phrases of [`WORDS`], split into the forms of their words.
struct Words(Vec<(Vec<Vec<&'static str>>, &'static str)>);

impl Words {
    fn new() -> Self {
        let forms = |phrase: &'static str| -> Vec<Vec<&'static str>> {
            phrase.split(' ').map(|word| word.split('|').collect()).collect()
        };
        Self(WORDS.iter().map(|(phrase, instead)| (forms(phrase), *instead)).collect())
    }

    /// Returns every match in the passages as `LINE: PHRASE: INSTEAD`.
    fn places(&self, passages: &[Passage]) -> Vec<String> {
        let mut places = Vec::new();
        for passage in passages {
            let words = words(passage);
            for start in 0..words.len() {
                for (phrase, instead) in &self.0 {
                    let Some(end) = end_of_match(&words[start..], phrase) else { continue };
                    let matched: Vec<_> =
                        words[start..start + end].iter().map(|(_, word)| word.as_str()).collect();
                    let (line, matched) = (words[start].0, matched.join(" "));
                    places.push(format!("{line}: \"{matched}\": write {instead}"));
                }
            }
        }
        places
    }
}

/// Returns how many words match a phrase; `None` if they do not.
fn end_of_match(words: &[(usize, String)], phrase: &[Vec<&str>]) -> Option<usize> {
    let is_form = |(word, forms): (&(usize, String), &Vec<&str>)| {
        forms[0] == "*" && word.1 != "." || forms.contains(&word.1.as_str())
    };
    let matches = words.len() >= phrase.len() && words.iter().zip(phrase).all(is_form);
    matches.then_some(phrase.len())
}

/// Returns the words of a passage in lower case, each with its line, and `.` for punctuation.
fn words(passage: &Passage) -> Vec<(usize, String)> {
    let mut words: Vec<(usize, String)> = Vec::new();
    let mut line = passage.line;
    let mut is_new = true;
    for next in passage.text.chars() {
        if next.is_alphanumeric() || next == '\'' || next == '_' {
            if is_new {
                words.push((line, String::new()));
            }
            is_new = false;
            words.last_mut().unwrap().1.extend(next.to_lowercase());
        } else {
            is_new = true;
            if matches!(next, '.' | ',' | ';' | ':' | '(' | ')' | '{' | '}' | '|') {
                words.push((line, ".".to_owned()));
            }
        }
        line += usize::from(next == '\n');
    }
    words
}
