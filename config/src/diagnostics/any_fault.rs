//! Errors and warnings of all kinds.

use super::fault::{LineFault, ValueFault};
use super::option_fault::OptionFault;
use crate::warnings::{Code, Warning};

/// An error or warning: a variant per cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error in a line or between lines.
    Line(LineFault),
    /// An error in the value of a directive.
    Value(ValueFault),
    /// An error in the value of an option that knockd 0.8 does not read.
    Option(OptionFault),
    /// A warning.
    Warning(Warning),
}

impl Fault {
    /// Returns the code of a warning; `None` for what is an error by itself.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Line(_) | Self::Value(_) | Self::Option(_) => None,
            Self::Warning(warning) => Some(warning.code()),
        }
    }
}
