//! Knocks at ports, paced and in order, and says whether a door has opened.

pub mod duration;
pub mod hit;
pub mod plan;
pub mod profile;
pub mod request;
