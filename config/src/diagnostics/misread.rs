//! Why a text that looks right is an error.

use super::any_fault::Fault;
use super::fault::{LineFault, ValueFault};
use super::option_fault::OptionFault;
use crate::text::Excerpt;
use crate::typography::{lookalikes, visible};
use crate::wording::Wording;

/// What to do about quotes around a value.
const QUOTES: &str = "remove the quotes: they are taken for part of the value";

/// Returns the wording of a fault with the reason why the text of it is not what it looks like, if there
/// is one.
pub(super) fn explained(fault: &Fault, wording: Wording) -> Wording {
    let Some(text) = text_of(fault).map(Excerpt::as_str) else { return wording };
    if let Some(found) = lookalikes(text.as_bytes()).next() {
        let message = visible(&wording.message);
        let label = format!("{} in this", found.title());
        let help = match fault {
            // Names of directives have no dashes.
            Fault::Line(LineFault::UnknownDirective { nearest: Some(nearest), .. })
                if matches!(found.instead, Some("-" | "--")) =>
            {
                format!("write `{nearest}`")
            }
            Fault::Value(_) | Fault::Option(_) if matches!(found.instead, Some("\"" | "'")) => {
                QUOTES.to_owned()
            }
            Fault::Line(_) | Fault::Value(_) | Fault::Option(_) | Fault::Warning(_) => found.help(),
        };
        return Wording { message, label, ..wording }.help(help);
    }
    let is_value = !matches!(fault, Fault::Line(_));
    if is_value && (text.starts_with(['"', '\'']) || text.ends_with(['"', '\''])) {
        return wording.help(QUOTES);
    }
    wording
}

/// Returns the text that a fault is about.
fn text_of(fault: &Fault) -> Option<&Excerpt> {
    if let Fault::Line(LineFault::UnknownDirective { name: text, .. })
    | Fault::Value(
        ValueFault::BadPort { text, .. }
        | ValueFault::UnknownProtocol { text, .. }
        | ValueFault::BadSeconds { text, .. }
        | ValueFault::BadDuration { text, .. }
        | ValueFault::BadPerMinute { text }
        | ValueFault::BadPrefix { text }
        | ValueFault::PortWithoutProtocol { text }
        | ValueFault::UnknownFlag { text, .. }
        | ValueFault::TargetNotAnAddress { text },
    )
    | Fault::Option(
        OptionFault::BadInterface { text, .. }
        | OptionFault::BadFirewall { text }
        | OptionFault::BadUser { text }
        | OptionFault::UnknownWord { text, .. },
    ) = fault
    {
        Some(text)
    } else {
        None
    }
}
