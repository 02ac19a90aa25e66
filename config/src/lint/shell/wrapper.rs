//! Programs that run the program after them, such as `sudo`.

use super::Word;

/// A program that runs the program after it.
struct Wrapper {
    name: &'static [u8],
    /// Its options that take the word after them.
    with_value: &'static [&'static [u8]],
    /// How many words without a `-` come before the program.
    own_words: usize,
}

const WRAPPERS: [Wrapper; 12] = [
    plain(b"busybox"),
    plain(b"command"),
    Wrapper { name: b"doas", with_value: &[b"-u", b"-C"], own_words: 0 },
    Wrapper { name: b"env", with_value: &[b"-u", b"-C"], own_words: 0 },
    Wrapper { name: b"exec", with_value: &[b"-a"], own_words: 0 },
    Wrapper { name: b"flock", with_value: &[b"-w", b"-E"], own_words: 1 },
    Wrapper { name: b"ionice", with_value: &[b"-c", b"-n"], own_words: 0 },
    Wrapper { name: b"nice", with_value: &[b"-n"], own_words: 0 },
    plain(b"nohup"),
    plain(b"setsid"),
    Wrapper {
        name: b"sudo",
        with_value: &[b"-u", b"-g", b"-h", b"-p", b"-C", b"-D", b"-R", b"-T", b"-r", b"-t"],
        own_words: 0,
    },
    Wrapper { name: b"timeout", with_value: &[b"-k", b"-s"], own_words: 1 },
];

const fn plain(name: &'static [u8]) -> Wrapper {
    Wrapper { name, with_value: &[], own_words: 0 }
}

/// Returns how many words, with the program itself, are before the program that a command runs; `None` if it
/// runs no other one.
pub(super) fn own_words(program: &[u8], arguments: &[Word<'_>]) -> Option<usize> {
    let words = || arguments.iter().map(|(word, _)| &word[..]);
    if program == b"ip" {
        let is_exec = words().take(2).eq([&b"netns"[..], b"exec"]) && arguments.len() > 3;
        return is_exec.then_some(4);
    }
    let wrapper = WRAPPERS.iter().find(|wrapper| wrapper.name == program)?;
    let mut own_words = wrapper.own_words;
    let mut count = 1_usize;
    let mut words = words();
    while let Some(word) = words.next() {
        // Only says where a program is.
        if program == b"command" && matches!(word, b"-v" | b"-V") {
            return None;
        }
        let is_assignment = matches!(program, b"env" | b"sudo") && word.contains(&b'=');
        match word {
            b"--" => {}
            [b'-', ..] if wrapper.with_value.contains(&word) => {
                words.next()?;
                count = count.saturating_add(1);
            }
            [b'-', _, ..] => {}
            _ if is_assignment => {}
            _ if own_words > 0 => own_words = own_words.saturating_sub(1),
            _ => return Some(count),
        }
        count = count.saturating_add(1);
    }
    None
}
