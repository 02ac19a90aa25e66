//! Who may open doors with signed packets.

use super::value::{new_port, required, seconds, without_comment};
use crate::diagnostics::{Diagnostics, OptionFault};
use crate::directives::Directive;
use crate::keys;
use crate::lex::Piece;
use crate::text::Excerpt;
use knock_engine::{Port, Seconds, Signing, User, Users};

/// Reads the name of the server.
pub(super) fn server_name(value: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<String> {
    let value = without_comment(Directive::ServerName, value, diagnostics)?;
    let name = keys::server_name(value.bytes());
    if name.is_none() {
        let text = Excerpt::new(value.bytes());
        diagnostics.option(OptionFault::BadServerName { text }, value);
    }
    name
}

/// Reads the port to which packets go.
pub(super) fn port(value: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<Port> {
    new_port(without_comment(Directive::KnockPort, value, diagnostics)?, diagnostics)
}

/// Reads how far a clock may be off.
pub(super) fn clock_skew(value: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<Seconds> {
    if required(Directive::ClockSkew, value, diagnostics)?.bytes().eq_ignore_ascii_case(b"counter")
    {
        diagnostics.option(OptionFault::NoClock, value);
        return None;
    }
    let skew = seconds(Directive::ClockSkew, value, diagnostics)?;
    if skew > Signing::SKEW_MAX {
        diagnostics.option(OptionFault::LongSkew { seconds: skew }, value);
        return None;
    }
    Some(skew)
}

/// Reads the users whose packets open a door.
pub(super) fn users(value: Piece<'_>, diagnostics: &mut Diagnostics) -> Option<Users> {
    let value = without_comment(Directive::Signed, value, diagnostics)?;
    if value.bytes().eq_ignore_ascii_case(b"any") {
        return Some(Users::Any);
    }
    let errors = diagnostics.errors();
    let mut users = Vec::new();
    for part in value.split(b',').map(Piece::trim) {
        let text = || Excerpt::new(part.bytes());
        if part.bytes().eq_ignore_ascii_case(b"any") {
            diagnostics.option(OptionFault::AnyUserAndMore, part);
        } else if keys::is_user(part.bytes()) {
            let user = User::new(part.bytes());
            if !users.contains(&user) {
                users.push(user);
            }
        } else {
            diagnostics.option(OptionFault::BadKeyUser { text: text() }, part);
        }
    }
    (diagnostics.errors() == errors).then_some(Users::Named(users))
}
