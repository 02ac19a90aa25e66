//! Understands the commands of a few firewall programs, as far as needed to see what one opens and whether
//! another undoes it. A command that is not understood is no [`Change`].

mod firewalld;
mod iptables;
mod nft;
mod ufw;
mod undo;

pub(super) use undo::not_undone;

use super::shell::{Script, Simple, Word};
use crate::lex::Piece;
use crate::warnings::OneFamily;

/// Something that is added or removed.
#[derive(Clone)]
pub(super) struct Change<'a> {
    pub(super) program: Program,
    pub(super) adds: bool,
    effect: Effect,
    source: Source,
    /// Whether it may remove itself after some time.
    pub(super) may_expire: bool,
    /// What it is: the words that a command must share with the one that undoes it.
    words: Vec<Word<'a>>,
    /// Words that are read, but need not be the same in the command that undoes it.
    aside: Vec<Word<'a>>,
    /// The place of the number of a rule to delete.
    pub(super) number: Option<Piece<'a>>,
    program_at: Piece<'a>,
    pub(super) whole: Piece<'a>,
}

/// A firewall program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Program {
    Iptables,
    Ip6tables,
    Ipset,
    NftElement,
    NftRule,
    Ufw,
    FirewallCmd,
}

/// What a change is about: the same for one that adds it and one that removes it.
pub(super) type Identity = (Program, Vec<Vec<u8>>);

/// What a rule does with the packets it is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Accepts,
    Denies,
    /// Something else, or unknown.
    Other,
}

/// Whose packets a rule is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Those of some sources that the command names, such as the client.
    Named,
    Everyone,
}

impl<'a> Change<'a> {
    /// Takes a command; `None` if it is not understood.
    pub(super) fn new(command: &Simple<'a>) -> Option<Self> {
        if !command.is_fixed() {
            return None;
        }
        let change = Self {
            program: program(command)?,
            adds: true,
            effect: Effect::Other,
            source: if command.has_token() { Source::Named } else { Source::Everyone },
            may_expire: false,
            words: Vec::new(),
            aside: Vec::new(),
            number: None,
            program_at: command.program_at(),
            whole: command.whole(),
        };
        let arguments = command.arguments();
        match change.program {
            Program::Iptables | Program::Ip6tables => change.iptables(arguments),
            Program::Ipset => change.ipset(arguments),
            Program::NftElement | Program::NftRule => change.nft(arguments),
            Program::Ufw => change.ufw(arguments),
            Program::FirewallCmd => change.firewall_cmd(arguments),
        }
    }

    /// Returns the changes that a script makes.
    pub(super) fn all(script: &Script<'a>) -> Vec<Self> {
        script.commands.iter().filter_map(Self::new).collect()
    }

    /// Returns whether it lets in the packets of every address.
    pub(super) fn opens_for_all(&self) -> bool {
        let opens = match self.effect {
            Effect::Accepts => self.adds,
            Effect::Denies => !self.adds,
            Effect::Other => false,
        };
        opens && self.source == Source::Everyone
    }

    /// Returns whether it adds something that lets packets in, or may do so.
    pub(super) fn may_open(&self) -> bool {
        self.adds && self.effect != Effect::Denies
    }

    /// Returns what it is about.
    pub(super) fn identity(&self) -> Identity {
        let mut words: Vec<Vec<u8>> = self.words.iter().map(|(word, _)| word.clone()).collect();
        words.sort_unstable();
        (self.program, words)
    }

    /// Returns whether it is a command of firewall-cmd.
    pub(super) fn is_of_firewalld(&self) -> bool {
        self.program == Program::FirewallCmd
    }

    /// Returns the place of a word that makes the command one for addresses of one family, and what it
    /// is; `None` if it takes both.
    pub(super) fn family(&self) -> Option<(OneFamily, Piece<'a>)> {
        let at = |word: &[u8]| self.find(|known| known == word);
        match self.program {
            Program::Iptables => Some((OneFamily::Iptables, self.program_at)),
            Program::Ip6tables => Some((OneFamily::Ip6tables, self.program_at)),
            Program::Ufw => at(b"insert").map(|at| (OneFamily::UfwInsert, at)),
            Program::NftRule => nft::family(&self.words),
            Program::FirewallCmd => {
                let ipv4 = at(b"family=ipv4").map(|at| (OneFamily::RichIpv4, at));
                ipv4.or_else(|| at(b"family=ipv6").map(|at| (OneFamily::RichIpv6, at)))
            }
            Program::Ipset | Program::NftElement => None,
        }
    }

    /// Returns the place of an option that makes the change one of the stored configuration only.
    pub(super) fn permanent(&self) -> Option<Piece<'a>> {
        self.find(|word| word == b"--permanent").filter(|_| self.is_of_firewalld())
    }

    /// Returns the option of a rule that names ports, if the rule names no protocol: iptables refuses such
    /// a rule.
    pub(super) fn port_without_protocol(&self) -> Option<Piece<'a>> {
        let is_port = |word: &[u8]| {
            [&b"--dport"[..], b"--sport", b"--dports", b"--sports", b"--ports"].contains(&word)
        };
        let has_protocol = self.find(|word| word == b"-p").is_some();
        if self.is_iptables() && !has_protocol { self.find(is_port) } else { None }
    }

    /// Returns the place of several ports that need `-m multiport`, which is not there.
    pub(super) fn ports_without_multiport(&self) -> Option<Piece<'a>> {
        if !self.is_iptables() || self.find(|word| word == b"multiport").is_some() {
            return None;
        }
        let several = self.words.windows(2).find_map(|pair| match pair {
            [(option, _), (ports, at)] => {
                let is_one =
                    matches!(&option[..], b"--dport" | b"--sport") && ports.contains(&b',');
                is_one.then_some(*at)
            }
            _ => None,
        });
        several.or_else(|| self.find(|word| matches!(word, b"--dports" | b"--sports" | b"--ports")))
    }

    /// Returns whether nft refuses the command: it deletes rules by their handle only.
    pub(super) fn lacks_handle(&self) -> bool {
        self.program == Program::NftRule
            && !self.adds
            && self.find(|word| word == b"handle").is_none()
    }

    fn is_iptables(&self) -> bool {
        matches!(self.program, Program::Iptables | Program::Ip6tables)
    }

    /// Returns the place of the first such word.
    fn find(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Option<Piece<'a>> {
        let mut words = self.words.iter().chain(&self.aside);
        words.find(|(word, _)| is_wanted(word)).map(|(_, at)| *at)
    }

    /// Reads `add SET ENTRY WORDS` or `del SET ENTRY`.
    fn ipset(mut self, arguments: &[Word<'a>]) -> Option<Self> {
        let is_option = |word: &[u8]| matches!(word, b"-exist" | b"-!" | b"-q" | b"-quiet");
        let mut words = arguments.iter().filter(|(word, _)| !is_option(word));
        self.adds = match &words.next()?.0[..] {
            b"add" | b"-A" => true,
            b"del" | b"-D" => false,
            _ => return None,
        };
        // The set may have a timeout for all its entries.
        self.may_expire = true;
        self.words = words.take(2).cloned().collect();
        Some(self)
    }
}

fn program(command: &Simple<'_>) -> Option<Program> {
    match command.program() {
        b"iptables" | b"iptables-legacy" | b"iptables-nft" => Some(Program::Iptables),
        b"ip6tables" | b"ip6tables-legacy" | b"ip6tables-nft" => Some(Program::Ip6tables),
        b"ipset" => Some(Program::Ipset),
        b"nft" => Some(Program::NftRule),
        b"ufw" => Some(Program::Ufw),
        b"firewall-cmd" => Some(Program::FirewallCmd),
        _ => None,
    }
}

/// Returns whether a command may change a firewall.
pub(super) fn may_touch_a_firewall(command: &Simple<'_>) -> bool {
    const OTHERS: [&[u8]; 12] = [
        b"iptables-restore",
        b"ip6tables-restore",
        b"firewall-offline-cmd",
        b"shorewall",
        b"shorewall6",
        b"csf",
        b"fail2ban-client",
        b"pfctl",
        b"ipfw",
        b"uci",
        b"fw3",
        b"fw4",
    ];
    // A script that gets the address may well open something for it.
    program(command).is_some()
        || OTHERS.contains(&command.program())
        || turns_off(command)
        || (command.has_token() && !is_harmless(command))
}

/// Returns whether a program is known to change no firewall.
pub(super) fn is_harmless(command: &Simple<'_>) -> bool {
    const HARMLESS: [&[u8]; 14] = [
        b"logger", b"echo", b"printf", b"true", b"false", b":", b"sleep", b"date", b"touch",
        b"test", b"[", b"mail", b"wall", b"exit",
    ];
    HARMLESS.contains(&command.program())
}

/// Returns whether a command that is no [`Change`] removes no rule.
pub(super) fn leaves_rules_alone(command: &Simple<'_>) -> bool {
    let checks = |word: &[u8]| matches!(word, b"-C" | b"--check" | b"-S" | b"-L");
    let is_iptables = matches!(program(command), Some(Program::Iptables | Program::Ip6tables));
    let only_checks = is_iptables && command.arguments().iter().any(|(word, _)| checks(word));
    is_harmless(command) || only_checks || reloads_firewalld(command)
}

/// Returns whether a command makes firewalld read its files.
pub(super) fn reloads_firewalld(command: &Simple<'_>) -> bool {
    let has = |wanted: &[u8]| command.arguments().iter().any(|(word, _)| word == wanted);
    match command.program() {
        b"firewall-cmd" => has(b"--reload") || has(b"--complete-reload"),
        b"systemctl" | b"service" => has(b"firewalld") && !has(b"stop"),
        _ => false,
    }
}

/// Returns what in a command takes the addresses of one family only, and where.
pub(super) fn family<'a>(command: &Simple<'a>) -> Option<(OneFamily, Piece<'a>)> {
    match (Change::new(command), program(command)?) {
        (Some(change), _) => change.family(),
        (None, Program::Iptables) => Some((OneFamily::Iptables, command.program_at())),
        (None, Program::Ip6tables) => Some((OneFamily::Ip6tables, command.program_at())),
        (None, _) => None,
    }
}

/// Returns whether a command turns a firewall off.
pub(super) fn turns_off(command: &Simple<'_>) -> bool {
    const SERVICES: [&[u8]; 4] = [b"ufw", b"firewalld", b"nftables", b"iptables"];
    let words: Vec<&[u8]> = command.arguments().iter().map(|(word, _)| &word[..]).collect();
    let is_service =
        |name: &[u8]| SERVICES.contains(&name.strip_suffix(b".service").unwrap_or(name));
    match (command.program(), &words[..]) {
        // A script such as `/etc/init.d/iptables`.
        (name, [b"stop"]) => is_service(name),
        (b"ufw", words) => words.contains(&&b"disable"[..]),
        (b"nft", [b"flush", b"ruleset", ..]) => true,
        (b"iptables" | b"ip6tables", words) => words
            .windows(3)
            .any(|three| matches!(three, [b"-P" | b"--policy", b"INPUT", b"ACCEPT"])),
        (b"systemctl", [b"stop", name, ..]) | (b"service" | b"rc-service", [name, b"stop", ..]) => {
            is_service(name)
        }
        _ => false,
    }
}

/// Returns whether an address stands for every address.
fn is_everyone(address: &[u8]) -> bool {
    matches!(address, b"0.0.0.0/0" | b"0/0" | b"::/0" | b"any" | b"Anywhere" | b"anywhere")
}

fn is_number(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(u8::is_ascii_digit)
}
