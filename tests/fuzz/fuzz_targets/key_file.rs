//! Reads a file with the key of a user: its text.

#![no_main]

use knock_config::keys::{ParsedKey, parse_key_file};
use knock_fuzz::check_source;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let ParsedKey { key_file, source } = parse_key_file("a.key".to_owned(), text);
    assert_eq!(key_file.is_some(), source.errors() == 0);
    assert_eq!(source.text.len(), text.len());
    check_source(source);
    if let Some(key_file) = key_file {
        let written = parse_key_file("a.key".to_owned(), &key_file.text());
        assert_eq!(written.key_file, Some(key_file));
    }
});
