//! Reads a scenario: its text.
//!
//! Its capture is read again: packets in the order of time, each with a port.

#![no_main]

use std::io::{Seek as _, Write as _};

use knock_capture::Capture;
use knock_capture::scenario::{self, MAX_PACKETS, Signers};
use knock_engine::{
    Admits, Door, DoorName, DoorSequence, Doors, Port, SignedDoor, Signing, User, UserKey, Users,
    decode,
};
use knock_fuzz::check_source;
use knock_signed::Key;
use libfuzzer_sys::fuzz_target;

/// The most packets that are read again.
const READ_MAX: usize = 1_000;

fuzz_target!(|text: &[u8]| {
    let doors = doors();
    match scenario::capture("a.scenario", text, Signers::of(&[&doors])) {
        Ok(capture) => {
            assert!(scenario::is_one(text));
            read(&capture);
        }
        Err(source) => {
            assert!(source.errors() > 0);
            assert_eq!(source.text, text);
            check_source(*source);
        }
    }
});

/// Returns a door, and alice, who may open it.
fn doors() -> Doors {
    let signed = Some(SignedDoor { users: Users::Any, admits: Admits::Source });
    let door = Door { signed, ..Door::new(DoorName::new(b"SSH"), DoorSequence::None) };
    let key = Key::take(&mut [1; 32]).for_packets();
    let alice = UserKey { user: User::new(b"alice"), key, doors: vec![], until: None };
    let signing = Signing::new(Port(62_201), b"home", Signing::SKEW_DEFAULT, vec![alice]).unwrap();
    Doors::new(vec![door]).unwrap().with_signing(signing)
}

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
