//! Understands the commands of a few firewall programs, as far as needed to see whether one command
//! undoes another. A command that is not understood is no [`Change`].

use std::collections::BTreeMap;

use super::shell::Simple;
use crate::lex::Piece;
use crate::text::Excerpt;
use crate::warnings::Mismatch;

/// The addresses that a program takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Ipv4,
    Ipv6,
}

/// Something that is added or removed.
pub(super) struct Change<'a> {
    program: Program,
    adds: bool,
    /// What it is: the words that a command must share with the one that undoes it.
    words: Vec<Word<'a>>,
    /// The place of the number of a rule to delete.
    number: Option<Piece<'a>>,
    program_at: Piece<'a>,
    whole: Piece<'a>,
}

type Word<'a> = (Vec<u8>, Piece<'a>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    Iptables(Family),
    Nft,
    Ufw,
    FirewallCmd,
}

/// Returns the addresses that a program takes; `None` if it takes both or is not known.
pub(super) fn family(command: &Simple<'_>) -> Option<Family> {
    match program(command)? {
        Program::Iptables(family) => Some(family),
        Program::Nft | Program::Ufw | Program::FirewallCmd => None,
    }
}

fn program(command: &Simple<'_>) -> Option<Program> {
    match command.program() {
        b"iptables" | b"iptables-legacy" | b"iptables-nft" => Some(Program::Iptables(Family::Ipv4)),
        b"ip6tables" | b"ip6tables-legacy" | b"ip6tables-nft" => {
            Some(Program::Iptables(Family::Ipv6))
        }
        b"nft" => Some(Program::Nft),
        b"ufw" => Some(Program::Ufw),
        b"firewall-cmd" => Some(Program::FirewallCmd),
        _ => None,
    }
}

/// Returns the option of a rule that names ports, if the rule names no protocol: iptables refuses such
/// a rule.
pub(super) fn port_without_protocol<'a>(command: &Simple<'a>) -> Option<Piece<'a>> {
    let change = Change::new(command)?;
    let is_port = |word: &&Word<'_>| {
        [&b"--dport"[..], b"--sport", b"--dports", b"--sports", b"--ports"].contains(&&*word.0)
    };
    let is_iptables = matches!(change.program, Program::Iptables(_));
    let has_protocol = change.words.iter().any(|(word, _)| word == b"-p");
    change.words.iter().find(is_port).map(|(_, at)| *at).filter(|_| is_iptables && !has_protocol)
}

/// Returns whether a command lets packets in.
pub(super) fn opens(command: &Simple<'_>) -> bool {
    let Some(change) = Change::new(command).filter(|change| change.adds) else {
        let rule = command.arguments().first().zip(command.arguments().get(1));
        let adds_rule = rule.is_some_and(|((verb, _), (what, _))| {
            (verb == b"add" || verb == b"insert") && what == b"rule"
        });
        let accepts = command.arguments().iter().any(|(word, _)| word == b"accept");
        return program(command) == Some(Program::Nft) && adds_rule && accepts;
    };
    match change.program {
        Program::Iptables(_) => change.words.iter().any(|(word, _)| word == b"ACCEPT"),
        Program::Nft | Program::Ufw | Program::FirewallCmd => true,
    }
}

impl<'a> Change<'a> {
    /// Takes a command; `None` if it is not understood.
    pub(super) fn new(command: &Simple<'a>) -> Option<Self> {
        let change = Self {
            program: program(command)?,
            adds: true,
            words: Vec::new(),
            number: None,
            program_at: command.program_at(),
            whole: command.whole(),
        };
        let arguments = command.arguments();
        match change.program {
            Program::Iptables(_) => change.iptables(arguments),
            Program::Nft => change.nft(arguments),
            Program::Ufw => change.ufw(arguments),
            Program::FirewallCmd => change.firewall_cmd(arguments),
        }
    }

    /// Reads `-A CHAIN WORDS`, `-I CHAIN [NUMBER] WORDS`, `-D CHAIN WORDS` or `-D CHAIN NUMBER`.
    fn iptables(mut self, arguments: &[Word<'a>]) -> Option<Self> {
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
        has_verb.then_some(self)
    }

    /// Reads `add element WORDS` or `delete element WORDS`.
    fn nft(mut self, arguments: &[Word<'a>]) -> Option<Self> {
        let [(verb, _), (what, _), rest @ ..] = arguments else { return None };
        if what != b"element" || (verb != b"add" && verb != b"delete") {
            return None;
        }
        self.adds = verb == b"add";
        let mut parts = rest.iter().flat_map(|(word, at)| {
            let parts = word.split(|byte| b"{}, ".contains(byte)).filter(|part| !part.is_empty());
            parts.map(|part| (part.to_vec(), *at)).collect::<Vec<_>>()
        });
        while let Some((part, at)) = parts.next() {
            // An element with a timeout is removed by itself.
            if part == b"timeout" {
                parts.next();
            } else {
                self.words.push((part, at));
            }
        }
        Some(self)
    }

    /// Reads `[insert NUMBER] allow WORDS` or `delete allow WORDS`.
    fn ufw(mut self, arguments: &[Word<'a>]) -> Option<Self> {
        let words: Vec<&Word<'a>> =
            arguments.iter().filter(|(word, _)| word != b"--force").collect();
        let is = |at: usize, wanted: &[u8]| words.get(at).is_some_and(|(word, _)| word == wanted);
        let behind = if is(0, b"delete") {
            self.adds = false;
            1
        } else if is(0, b"insert") {
            2
        } else {
            usize::from(is(0, b"prepend"))
        };
        if is(behind, b"allow") {
            let behind = behind.saturating_add(1);
            self.words = words.get(behind..)?.iter().map(|word| (*word).clone()).collect();
            return Some(self);
        }
        let number = words.get(1).filter(|(word, _)| !self.adds && is_number(word))?;
        self.number = Some(number.1);
        Some(self)
    }

    /// Reads options of which one is `--add-SOMETHING` or `--remove-SOMETHING`.
    fn firewall_cmd(mut self, arguments: &[Word<'a>]) -> Option<Self> {
        let mut changes = 0_usize;
        for (word, at) in arguments {
            let (adds, what) = match (word.strip_prefix(b"--add-"), word.strip_prefix(b"--remove-"))
            {
                (Some(what), _) => (true, what),
                (None, Some(what)) => (false, what),
                (None, None) => {
                    if !word.starts_with(b"--timeout") && word != b"-q" && word != b"--quiet" {
                        self.words.push((word.clone(), *at));
                    }
                    continue;
                }
            };
            self.adds = adds;
            self.words.push((what.to_vec(), *at));
            changes = changes.saturating_add(1);
        }
        (changes == 1).then_some(self)
    }

    /// Returns why the command `stop` does not fully undo this one, and where; `None` if it does, or if
    /// that is unknown.
    pub(super) fn is_not_undone_by(&self, stop: &Self) -> Option<(Mismatch, Piece<'a>)> {
        if let (Program::Iptables(start), Program::Iptables(family)) = (self.program, stop.program)
            && start != family
        {
            return Some((Mismatch::OtherProgram, stop.program_at));
        }
        if self.program != stop.program || (!self.adds && self.number.is_some()) {
            return None;
        }
        if let Some(at) = stop.number {
            return self.adds.then_some((Mismatch::ByNumber, at));
        }
        let extra = without(&stop.words, &self.words);
        let missing = without(&self.words, &stop.words);
        if self.adds == stop.adds {
            let is_same = self.adds && extra.is_empty() && missing.is_empty();
            return is_same.then_some((Mismatch::AddsAgain, stop.whole));
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

fn is_number(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(u8::is_ascii_digit)
}

fn is_name_or_number(word: &[u8]) -> bool {
    word.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}
