//! Characters that are not printed as they are.

/// Returns whether a character is not one to print: it commands the terminal, ends the line, cannot be
/// seen, or changes the direction of the text after it.
#[must_use]
pub fn is_unprintable(character: char) -> bool {
    character.is_control()
        || turns_text(character)
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Returns whether a character makes the text after it look as if it were in another order.
#[must_use]
pub fn turns_text(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_all_scripts_are_printed_and_what_is_not_seen_is_not() {
        for character in "aé漢ب€ \u{301}\u{a0}–🔑".chars() {
            assert!(!is_unprintable(character), "{character:?}");
        }
        for character in
            "\t\r\n\x1b\x7f\u{9b}\u{ad}\u{200b}\u{202e}\u{2028}\u{2069}\u{feff}\u{e0041}".chars()
        {
            assert!(is_unprintable(character), "{character:?}");
        }
        assert!(turns_text('\u{202e}') && turns_text('\u{2066}') && !turns_text('\u{200f}'));
    }
}
