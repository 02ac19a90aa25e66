//! Reads a scenario: its text.
//!
//! Its capture is read again: packets in the order of time, each with a port.

#![no_main]

use std::io::{Seek as _, Write as _};

use knock_capture::Capture;
use knock_capture::scenario::{self, MAX_PACKETS};
use knock_engine::decode;
use knock_fuzz::check_source;
use libfuzzer_sys::fuzz_target;

/// The most packets that are read again.
const READ_MAX: usize = 1_000;

fuzz_target!(|text: &[u8]| {
    match scenario::capture("a.scenario", text) {
        Ok(capture) => {
            assert!(scenario::begins_like_one(text));
            read(&capture);
        }
        Err(source) => {
            assert!(source.errors() > 0);
            assert_eq!(source.text, text);
            check_source(*source);
        }
    }
});

fn read(bytes: &[u8]) {
    let mut file = tempfile::tempfile_in("/dev/shm").or_else(|_| tempfile::tempfile()).unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    let mut capture = Capture::from_file("capture".to_owned(), file).unwrap();
    let mut last = None;
    let mut packets = 0;
    loop {
        capture.advance();
        let Some(head) = capture.peek().unwrap() else { break };
        assert!(last <= Some(head.at));
        last = Some(head.at);
        decode(head.link, capture.frame()).unwrap();
        packets += 1;
        if packets >= READ_MAX {
            return;
        }
    }
    assert!((1..=MAX_PACKETS).contains(&packets));
}
