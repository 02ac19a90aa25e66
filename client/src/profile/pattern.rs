//! Patterns of host names.

/// A word after `Host`: a name with `*` for any characters and `?` for any one, with a `!` before it
/// to exclude what it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    is_negated: bool,
    name: Box<[u8]>,
}

impl Pattern {
    /// Takes a word; `None` if there is nothing to match.
    pub(super) fn new(word: &[u8]) -> Option<Self> {
        let (is_negated, name) = match word.strip_prefix(b"!") {
            Some(name) => (true, name),
            None => (false, word),
        };
        (!name.is_empty()).then(|| Self { is_negated, name: name.into() })
    }

    pub(super) fn is_negated(&self) -> bool {
        self.is_negated
    }

    /// Returns the name if it can only be that of one host.
    pub(super) fn concrete(&self) -> Option<&[u8]> {
        let is_one = !self.is_negated && !self.name.iter().any(|byte| matches!(byte, b'*' | b'?'));
        is_one.then_some(&*self.name)
    }

    /// Returns whether the name matches, ignoring a `!`.
    ///
    /// Takes time in the product of both lengths at most.
    fn matches(&self, host: &[u8]) -> bool {
        let (mut pattern, mut host) = (&*self.name, host);
        // Where the pattern goes on after the last `*`, and the host with it.
        let mut star: Option<(&[u8], &[u8])> = None;
        loop {
            match (pattern.split_first(), host.split_first()) {
                (Some((b'*', tail)), _) => {
                    pattern = tail;
                    star = Some((tail, host));
                }
                (Some((wanted, tail)), Some((byte, rest))) if *wanted == b'?' || wanted == byte => {
                    pattern = tail;
                    host = rest;
                }
                (None, None) => return true,
                (Some(_) | None, _) => {
                    let Some((tail, from)) = star else { return false };
                    let Some((_, from)) = from.split_first() else { return false };
                    pattern = tail;
                    host = from;
                    star = Some((tail, from));
                }
            }
        }
    }
}

/// Returns whether patterns match a host: one of them does, and none with a `!` does.
pub(super) fn mean(patterns: &[Pattern], host: &[u8]) -> bool {
    let matched = |is_negated| {
        patterns.iter().any(|pattern| pattern.is_negated == is_negated && pattern.matches(host))
    };
    matched(false) && !matched(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patterns(words: &str) -> Vec<Pattern> {
        words.split(' ').map(|word| Pattern::new(word.as_bytes()).unwrap()).collect()
    }

    #[test]
    fn stars_and_question_marks_match_characters() {
        for (words, host, is_meant) in [
            ("home", "home", true),
            ("home", "Home", false),
            ("home", "home2", false),
            ("h?me", "home", true),
            ("h?me", "hme", false),
            ("*", "", true),
            ("*", "home", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("**", "x", true),
            ("a*", "a", true),
            ("a?*", "a", false),
        ] {
            assert_eq!(mean(&patterns(words), host.as_bytes()), is_meant, "{words} {host}");
        }
    }

    #[test]
    fn a_pattern_after_an_exclamation_mark_excludes_wherever_it_is() {
        for (words, host, is_meant) in [
            ("* !home", "home", false),
            ("!home *", "home", false),
            ("!home *", "work", true),
            ("!home", "work", false),
            ("home !h*", "home", false),
        ] {
            assert_eq!(mean(&patterns(words), host.as_bytes()), is_meant, "{words} {host}");
        }
    }

    #[test]
    fn a_name_is_concrete_if_it_can_mean_one_host_only() {
        let concrete =
            |word: &str| Pattern::new(word.as_bytes()).unwrap().concrete().map(<[u8]>::to_vec);
        assert_eq!(concrete("home"), Some(b"home".to_vec()));
        for word in ["h*", "h?", "!home"] {
            assert_eq!(concrete(word), None);
        }
        assert_eq!(Pattern::new(b"!"), None);
        assert_eq!(Pattern::new(b""), None);
    }

    proptest! {
        #[test]
        fn matching_is_what_the_naive_reading_says(
            pattern in "[ab*?]{1,8}",
            host in "[ab]{0,8}",
        ) {
            let words = patterns(&pattern);
            prop_assert_eq!(
                mean(&words, host.as_bytes()),
                naive(pattern.as_bytes(), host.as_bytes())
            );
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_time() {
        let pattern = Pattern::new("*a".repeat(2000).as_bytes()).unwrap();
        assert!(!mean(&[pattern], "ab".repeat(2000).as_bytes()));
    }

    fn naive(pattern: &[u8], host: &[u8]) -> bool {
        match (pattern, host) {
            ([], _) => host.is_empty(),
            ([b'*', tail @ ..], _) => (0..=host.len()).any(|at| naive(tail, &host[at..])),
            ([wanted, tail @ ..], [byte, rest @ ..]) => {
                (*wanted == b'?' || wanted == byte) && naive(tail, rest)
            }
            ([_, ..], []) => false,
        }
    }
}
