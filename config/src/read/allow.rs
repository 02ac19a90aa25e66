//! Comments that allow warnings: `# knock: allow CODE,CODE -- REASON`.

use crate::diagnostics::Diagnostics;
use crate::lex::{Piece, is_blank};
use crate::suggest::nearest;
use crate::text::Excerpt;
use crate::warnings::{BadAllow, Code, Warning};

const NAME: &[u8] = b"knock:";

/// Reads a comment. Any other text is just a comment.
pub(super) fn read(comment: Piece<'_>, diagnostics: &mut Diagnostics) {
    let Some(text) = comment.strip_prefix(b'#') else { return };
    let (name, rest) = text.trim().split_at(NAME.len());
    if !name.bytes().eq_ignore_ascii_case(NAME) {
        return;
    }
    let (verb, rest) = rest.trim().first_word();
    if !verb.bytes().eq_ignore_ascii_case(b"allow") {
        // It may be about something else, such as the knocks of the door below.
        if nearest(verb.bytes(), ["allow"]).is_some() {
            let word = Excerpt::new(verb.bytes());
            diagnostics.warn(Warning::UnknownAllow { what: BadAllow::Word { word } }, verb);
        }
        return;
    }
    let mut codes = words(rest).take_while(|word| !word.bytes().starts_with(b"--")).peekable();
    if codes.peek().is_none() {
        return diagnostics.warn(Warning::UnknownAllow { what: BadAllow::Nothing }, verb);
    }
    for word in codes {
        let code = std::str::from_utf8(word.bytes()).ok().and_then(Code::from_name);
        if let Some(code) = code {
            diagnostics.allow(code);
            continue;
        }
        let names = Code::ALL.iter().map(|code| code.name());
        let nearest = nearest(word.bytes(), names);
        let what = BadAllow::Code { code: Excerpt::new(word.bytes()), nearest };
        diagnostics.warn(Warning::UnknownAllow { what }, word);
    }
}

/// Returns the words between blanks and commas.
fn words(text: Piece<'_>) -> impl Iterator<Item = Piece<'_>> {
    let is_between = |byte: u8| is_blank(byte) || byte == b',';
    let mut rest = text;
    std::iter::from_fn(move || {
        let lead = rest.bytes().iter().take_while(|byte| is_between(**byte)).count();
        rest = rest.beyond(lead);
        let length = rest.bytes().iter().take_while(|byte| !is_between(**byte)).count();
        let (word, behind) = rest.split_at(length);
        rest = behind;
        (!word.is_empty()).then_some(word)
    })
}
