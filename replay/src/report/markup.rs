//! HTML of which only what the program itself says is markup.

use std::fmt::Write as _;

/// A piece of HTML. What comes from captures and configurations can only be added as text.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Adds markup, which is in the program.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds a text, also one in an attribute with quotes.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '&' => self.0.push_str("&amp;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '{' => self.0.push_str("&#123;"),
                other => self.0.push(other),
            }
        }
        self
    }

    /// Adds a text as a part of the fragment of an address in quotes.
    pub(super) fn part_of_address(&mut self, text: &str) -> &mut Self {
        for byte in text.bytes() {
            // As `encodeURIComponent` does.
            if byte.is_ascii_alphanumeric() || b"-_.!~*()".contains(&byte) {
                self.0.push(char::from(byte));
            } else {
                let _ = write!(self.0, "%{byte:02X}");
            }
        }
        self
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        let mut html = Markup::default();
        html.raw("<p title=\"").text("\"'><b>&amp;{{x}}").raw("\">").part_of_address("a b&é#.");
        let expected =
            "<p title=\"&quot;&#39;&gt;&lt;b&gt;&amp;amp;&#123;&#123;x}}\">a%20b%26%C3%A9%23.";
        assert_eq!(html.as_str(), expected);
    }
}
