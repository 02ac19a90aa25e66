//! What the kernel and this crate say to each other: messages of `nf_tables` over netlink.
//!
//! `/usr/include/linux/netlink.h` and `/usr/include/linux/netfilter/` define them. Numbers in headers are
//! in the order of bytes of the machine, those in attributes in that of the network.

pub(crate) mod attributes;
mod elements;
mod encode;
mod expressions;
pub(crate) mod header;
pub(crate) mod numbers;

pub(crate) use elements::granted;
pub(crate) use encode::{Batch, family, key_of, question};
