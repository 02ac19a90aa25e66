//! What is wrong with a text, and its rendering.

mod allowed;
mod any_fault;
mod diagnostic;
mod fault;
mod faults;
mod misread;
mod option_fault;
mod render;
mod repeats;
mod source;

pub use any_fault::Fault;
pub use diagnostic::{Diagnostic, Diagnostics};
pub use fault::{LineFault, ValueFault};
pub use faults::Faults;
pub use option_fault::OptionFault;
pub use render::{Style, render, render_alone, render_findings};
pub use source::{Finding, Source};
