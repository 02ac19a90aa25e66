//! `--report`: the data of the page, and the page in a browser.

#![cfg(test)]

mod browser;
mod chromium;
mod common;
mod data;
