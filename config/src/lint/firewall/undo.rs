//! Whether one command undoes another.

use std::collections::BTreeMap;

use super::{Change, Program, is_number};
use crate::lex::Piece;
use crate::lint::shell::Word;
use crate::text::Excerpt;
use crate::warnings::Mismatch;

/// Returns what of `starts` none of `stops` fully undoes: why, and where in the stop commands.
///
/// `is_all` says whether `stops` is all that the stop command does.
pub(in crate::lint) fn not_undone<'a>(
    starts: &[Change<'a>],
    stops: &[Change<'a>],
    is_all: bool,
) -> Vec<(Mismatch, Piece<'a>)> {
    let whole = stops.last().map(|stop| stop.whole);
    let mut stops: Vec<&Change<'a>> = stops.iter().collect();
    let mut left: Vec<&Change<'a>> = Vec::new();
    for start in starts {
        match stops.iter().position(|stop| start.is_undone_by(stop)) {
            Some(at) => drop(stops.remove(at)),
            None => left.push(start),
        }
    }
    // The next start command undoes it.
    left.retain(|change| !starts.iter().any(|other| other.is_undone_by(change)));
    let mut found = Vec::new();
    for start in left {
        let nearest = (0..stops.len())
            .filter_map(|at| Some((at, start.distance_to(stops.get(at)?)?)))
            .min_by_key(|(_, distance)| *distance);
        match nearest.and_then(|(at, _)| start.mismatch(stops.remove(at))) {
            Some(mismatch) => found.push(mismatch),
            None if is_all && nearest.is_none() && start.adds && start.is_removable() => {
                let rule = Excerpt::new(start.whole.bytes());
                found.extend(whole.map(|at| (Mismatch::NotRemoved { rule }, at)));
            }
            None => {}
        }
    }
    found
}

impl<'a> Change<'a> {
    fn is_undone_by(&self, stop: &Self) -> bool {
        self.program == stop.program
            && self.adds != stop.adds
            && (stop.number.is_some() || self.number.is_some() || self.has_words_of(stop))
    }

    /// Returns whether a command can remove it by its words, and must.
    fn is_removable(&self) -> bool {
        self.program != Program::NftRule && !self.may_expire
    }

    fn has_words_of(&self, other: &Self) -> bool {
        // Rules of nft are deleted by their handles.
        self.program == Program::NftRule
            || (without(&other.words, &self.words).is_empty()
                && without(&self.words, &other.words).is_empty())
    }

    /// Returns how many words differ; `None` if the other command is not meant to undo this one.
    fn distance_to(&self, stop: &Self) -> Option<usize> {
        let is_other_family = self.is_iptables() && stop.is_iptables();
        if self.program != stop.program && !is_other_family {
            return None;
        }
        let words = without(&stop.words, &self.words).len();
        let words = words.saturating_add(without(&self.words, &stop.words).len());
        if self.adds == stop.adds && (words > 0 || !self.adds) {
            return None;
        }
        Some(words.saturating_add(usize::from(self.program != stop.program)))
    }

    /// Returns why the command `stop` does not fully undo this one, and where; `None` if it does, or if
    /// that is unknown.
    fn mismatch(&self, stop: &Self) -> Option<(Mismatch, Piece<'a>)> {
        if self.program != stop.program {
            return Some((Mismatch::OtherProgram, stop.program_at));
        }
        if self.number.is_some() || stop.number.is_some() || self.program == Program::NftRule {
            return None;
        }
        let extra = without(&stop.words, &self.words);
        let missing = without(&self.words, &stop.words);
        if self.adds == stop.adds {
            return Some((Mismatch::AddsAgain, stop.whole));
        }
        match (&extra[..], &missing[..]) {
            ([], []) => None,
            ([(word, at)], [(expected, _)]) => {
                // A port can be written as a number or as a name.
                let may_be_same = is_number(word) != is_number(expected)
                    && [word, expected].iter().all(|word| is_name_or_number(word));
                let expected = Excerpt::new(expected);
                (!may_be_same).then_some((Mismatch::OtherWord { expected }, *at))
            }
            ([(_, at), ..], _) => Some((Mismatch::MoreWords, *at)),
            ([], missing) => {
                let words: Vec<&[u8]> = missing.iter().map(|(word, _)| word.as_slice()).collect();
                let words = Excerpt::new(&words.join(&b' '));
                Some((Mismatch::WordsMissing { words }, stop.whole))
            }
        }
    }
}

/// Returns the words that are not among `others`, each of which matches one word.
fn without<'a>(words: &[Word<'a>], others: &[Word<'a>]) -> Vec<Word<'a>> {
    let mut counts: BTreeMap<&[u8], usize> = BTreeMap::new();
    for (word, _) in others {
        let count = counts.entry(word).or_default();
        *count = count.saturating_add(1);
    }
    let mut rest = Vec::new();
    for (word, at) in words {
        match counts.get_mut(word.as_slice()) {
            Some(count) if *count > 0 => *count = count.saturating_sub(1),
            Some(_) | None => rest.push((word.clone(), *at)),
        }
    }
    rest
}

fn is_name_or_number(word: &[u8]) -> bool {
    word.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}
