//! Commands of iptables and ip6tables.

use super::{Change, Effect, Source, is_everyone, is_number};
use crate::lint::shell::Word;

impl<'a> Change<'a> {
    /// Reads `-A CHAIN WORDS`, `-I CHAIN [NUMBER] WORDS`, `-D CHAIN WORDS` or `-D CHAIN NUMBER`.
    pub(super) fn iptables(mut self, arguments: &[Word<'a>]) -> Option<Self> {
        let mut words = split_at_equals_signs(arguments).into_iter().peekable();
        let mut has_verb = false;
        while let Some((word, at)) = words.next() {
            let word = short(&word);
            match word {
                b"-w" => drop(words.next_if(|(next, _)| is_number(next))),
                b"-W" => drop(words.next()),
                b"-v" => {}
                b"-A" | b"-I" | b"-D" => {
                    if std::mem::replace(&mut has_verb, true) {
                        return None;
                    }
                    self.adds = word != b"-D";
                    self.words.push(words.next()?);
                    let number = words.next_if(|(next, _)| word != b"-A" && is_number(next));
                    self.number = number.map(|(_, at)| at).filter(|_| word == b"-D");
                }
                b"-m" => {
                    let (module, module_at) = words.next()?;
                    // The protocol loads its module by itself.
                    if module != b"tcp" && module != b"udp" {
                        self.words.extend([(word.to_vec(), at), (module, module_at)]);
                    }
                }
                b"-t" => {
                    let (table, table_at) = words.next()?;
                    if table != b"filter" {
                        self.words.extend([(word.to_vec(), at), (table, table_at)]);
                    }
                }
                b"-s" | b"-d" => {
                    let (address, address_at) = words.next()?;
                    let host = address.strip_suffix(b"/32").or(address.strip_suffix(b"/128"));
                    let host = host.map_or(address.clone(), <[u8]>::to_vec);
                    self.words.extend([(word.to_vec(), at), (host, address_at)]);
                }
                // Another verb, or an option and its value in one word.
                [b'-', first, ..] if *first != b'-' && !PLAIN.contains(&word) => return None,
                _ => self.words.push((word.to_vec(), at)),
            }
        }
        if has_verb {
            self.effect = effect(&self.words);
            if names_sources(&self.words) {
                self.source = Source::Named;
            }
        }
        has_verb.then_some(self)
    }
}

fn effect(words: &[Word<'_>]) -> Effect {
    match value(words, b"-j") {
        Some(b"ACCEPT") => Effect::Accepts,
        Some(b"DROP" | b"REJECT") => Effect::Denies,
        Some(_) | None => Effect::Other,
    }
}

/// Returns whether a rule is not about new packets from everywhere.
fn names_sources(words: &[Word<'_>]) -> bool {
    let has = |wanted: &[u8]| words.iter().any(|(word, _)| word == wanted);
    let negated = words.windows(2).any(|pair| match pair {
        [(first, _), (second, _)] => first == b"!" && second == b"-s",
        _ => false,
    });
    let source = value(words, b"-s").is_some_and(|source| !negated && !is_everyone(source));
    let modules = [&b"--match-set"[..], b"--src-range", b"--mac-source", b"--rcheck", b"--update"];
    let is_old = |states: &[u8]| {
        let mut states = states.split(|byte| *byte == b',');
        states.all(|state| matches!(state, b"ESTABLISHED" | b"RELATED"))
    };
    let states = [&b"--state"[..], b"--ctstate"];
    source
        || modules.into_iter().any(has)
        || value(words, b"-i") == Some(b"lo")
        || words.first().is_some_and(|(chain, _)| chain == b"OUTPUT")
        || states.into_iter().filter_map(|option| value(words, option)).any(is_old)
}

/// Returns the word after this one.
fn value<'w>(words: &'w [Word<'_>], option: &[u8]) -> Option<&'w [u8]> {
    let at = words.iter().position(|(word, _)| word == option)?;
    words.get(at.saturating_add(1)).map(|(value, _)| &value[..])
}

/// One-letter options of iptables rules that take a value.
const PLAIN: [&[u8]; 6] = [b"-p", b"-j", b"-g", b"-i", b"-o", b"-f"];

/// Returns the short form of an option that has one.
fn short(word: &[u8]) -> &[u8] {
    match word {
        b"--wait" => b"-w",
        b"--wait-interval" => b"-W",
        b"--verbose" => b"-v",
        b"--append" => b"-A",
        b"--insert" => b"-I",
        b"--delete" => b"-D",
        b"--table" => b"-t",
        b"--protocol" | b"--proto" => b"-p",
        b"--source" | b"--src" => b"-s",
        b"--destination" | b"--dst" => b"-d",
        b"--in-interface" => b"-i",
        b"--out-interface" => b"-o",
        b"--jump" => b"-j",
        b"--goto" => b"-g",
        b"--match" => b"-m",
        b"--destination-port" => b"--dport",
        b"--source-port" => b"--sport",
        b"--destination-ports" => b"--dports",
        b"--source-ports" => b"--sports",
        other => other,
    }
}

/// Makes two words of each `--option=value`.
fn split_at_equals_signs<'a>(words: &[Word<'a>]) -> Vec<Word<'a>> {
    let mut split = Vec::new();
    for (word, at) in words {
        let equals = word.iter().position(|byte| *byte == b'=').filter(|_| word.starts_with(b"--"));
        match equals.and_then(|equals| word.split_at_checked(equals)) {
            Some((option, value)) => {
                split.push((option.to_vec(), *at));
                split.push((value.get(1..).unwrap_or_default().to_vec(), *at));
            }
            None => split.push((word.clone(), *at)),
        }
    }
    split
}
