//! Reads calls at the control socket, which every member of a group may write to.

#![no_main]

use knock_control::{Call, Frames};
use libfuzzer_sys::fuzz_target;

/// The longest call that the daemon takes, in bytes.
const CALL_MAX: usize = 4_096;

fuzz_target!(|input: &[u8]| {
    let Some((&size, stream)) = input.split_first() else { return };
    let whole = read(stream, stream.len().max(1));
    // However the bytes arrive, the calls are the same.
    assert_eq!(read(stream, usize::from(size).max(1)), whole);
});

/// Reads calls from a stream that arrives in pieces, and returns what each of them asks for.
fn read(stream: &[u8], piece: usize) -> Vec<String> {
    let mut frames = Frames::new(CALL_MAX);
    let mut calls = Vec::new();
    for piece in stream.chunks(piece) {
        frames.push(piece);
        loop {
            match frames.next_message() {
                Ok(Some(message)) => {
                    assert!(message.len() <= CALL_MAX);
                    // Who does not speak the protocol is cut off.
                    let Some(call) = Call::parse(&message) else { return calls };
                    calls.push(format!("{call:?} {:?}", call.method()));
                }
                Ok(None) => break,
                Err(_) => return calls,
            }
        }
    }
    calls
}
