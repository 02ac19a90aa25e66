//! What is wrong with a text, and its rendering.

mod allowed;
mod diagnostic;
mod fault;
mod faults;
mod option_fault;
mod render;

pub use diagnostic::{Diagnostic, Diagnostics, Fault};
pub use fault::{LineFault, ValueFault};
pub use faults::Faults;
pub use option_fault::OptionFault;
pub use render::{Finding, Source, Style, render, render_alone, render_findings};
