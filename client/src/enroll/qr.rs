//! QR codes for terminals.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use zeroize::Zeroizing;

/// Black on white, whatever the colours of the terminal are.
const COLOURS: &str = "\x1b[30;47m";
const NORMAL: &str = "\x1b[0m";

/// Draws a text; `None` if it is too long.
pub(super) fn draw(text: &str) -> Option<Zeroizing<String>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let drawn = Zeroizing::new(code.render::<Dense1x2>().build());
    let mut lines = Zeroizing::new(String::with_capacity(drawn.len().saturating_mul(2)));
    for line in drawn.lines() {
        for part in [COLOURS, line, NORMAL, "\n"] {
            lines.push_str(part);
        }
    }
    Some(lines)
}
