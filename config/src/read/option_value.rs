//! Values of `[options]`.

use std::collections::BTreeSet;

use super::value::{required, without_comment};
use crate::config::Firewall;
use crate::diagnostics::{Diagnostics, OptionFault, ValueFault};
use crate::directives::Directive;
use crate::lex::{Piece, is_blank};
use crate::names::{FileName, InterfaceName, TableName, UserName};
use crate::text::Excerpt;
use crate::warnings::Warning;

/// Reads the name of a file, which may be anything.
pub(super) fn file_name(
    directive: Directive,
    value: Piece<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<FileName> {
    FileName::new(required(directive, value, diagnostics)?.bytes())
}

/// Reads names of interfaces, separated by commas; each is returned once.
pub(super) fn interfaces(
    value: Piece<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<InterfaceName>> {
    let value = without_last_comment(Directive::Interface, value, diagnostics)?;
    let errors = diagnostics.errors();
    let mut names = Vec::new();
    let mut distinct = BTreeSet::new();
    let mut any = None;
    for part in value.split(b',').map(Piece::trim) {
        let Some(name) = interface(part, diagnostics) else { continue };
        if !distinct.insert(part.bytes()) {
            let name = Excerpt::new(part.bytes());
            diagnostics.warn(Warning::DuplicateInterface { name }, part);
            continue;
        }
        if part.bytes() == b"any" {
            any = Some(part);
        }
        names.push(name);
    }
    if let Some(any) = any
        && names.len() > 1
    {
        diagnostics.option(OptionFault::AnyAndMore, any);
    }
    (diagnostics.errors() == errors).then_some(names)
}

fn interface(part: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<InterfaceName> {
    let bytes = part.bytes();
    if let Some(name) = InterfaceName::new(bytes) {
        return Some(name);
    }
    if bytes.is_empty() {
        diagnostics.option(OptionFault::MissingInterface, part);
        return None;
    }
    if InterfaceName::is_but_for_its_length(bytes) {
        let fault = OptionFault::LongInterface { length: bytes.len() };
        diagnostics.option(fault, part.beyond(InterfaceName::MAX_BYTES));
    } else {
        let has_blank = bytes.iter().copied().any(is_blank);
        let text = Excerpt::new(bytes);
        diagnostics.option(OptionFault::BadInterface { text, has_blank }, part);
    }
    None
}

/// Reads the name of a user.
pub(super) fn user(value: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<UserName> {
    let value = without_last_comment(Directive::User, value, diagnostics)?;
    let bytes = value.bytes();
    if let Some(name) = UserName::new(bytes) {
        return Some(name);
    }
    if UserName::is_but_for_its_length(bytes) {
        let fault = OptionFault::LongUser { length: bytes.len() };
        diagnostics.option(fault, value.beyond(UserName::MAX_BYTES));
    } else {
        diagnostics.option(OptionFault::BadUser { text: Excerpt::new(bytes) }, value);
    }
    None
}

/// Reads one of a few words, each of which has its meaning.
pub(super) fn word<T: Copy>(
    directive: Directive,
    words: &[(&'static str, T)],
    value: Piece<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    let value = without_comment(directive, value, diagnostics)?;
    let bytes = value.bytes();
    let known = words.iter().find(|(word, _)| bytes.eq_ignore_ascii_case(word.as_bytes()));
    if let Some((_, meaning)) = known {
        return Some(*meaning);
    }
    let nearest = diagnostics.nearest(bytes, words.iter().map(|(word, _)| *word));
    let text = Excerpt::new(bytes);
    diagnostics.option(OptionFault::UnknownWord { directive, text, nearest }, value);
    None
}

/// Reads a firewall: `nft`, or `nft`, the family `inet` and the name of a table.
pub(super) fn firewall(value: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<Firewall> {
    let value = without_comment(Directive::Firewall, value, diagnostics)?;
    let text = String::from_utf8_lossy(value.bytes());
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let firewall = match *words {
        ["nft"] => Some(Firewall::Guard),
        ["nft", "inet", name] => TableName::new(name).map(Firewall::Admit),
        _ => None,
    };
    if firewall.is_none() {
        let text = Excerpt::new(value.bytes());
        diagnostics.option(OptionFault::BadFirewall { text }, value);
    }
    firewall
}

/// Returns the value of a directive that needs one. It may contain a `#`, but not after a blank.
fn without_last_comment<'a>(
    directive: Directive,
    value: Piece<'a>,
    diagnostics: &mut Diagnostics,
) -> Option<Piece<'a>> {
    let value = required(directive, value, diagnostics)?;
    let Some((before, comment)) = value.split_before(b'#') else { return Some(value) };
    if before.bytes().last().is_some_and(|byte| !is_blank(*byte)) {
        return Some(value);
    }
    diagnostics.value(ValueFault::CommentAfterValue { directive }, comment);
    let value = before.trim();
    (!value.is_empty()).then_some(value)
}
