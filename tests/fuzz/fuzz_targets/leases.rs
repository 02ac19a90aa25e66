//! Reads a file of open doors: its text.

#![no_main]

use knockd::lease_record::{Record, encode, parse, seal, snapshot};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    check(text);
    // Few texts have the right checksums, so that only these would reach what reads the fields.
    let mut sealed = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        seal(line, &mut sealed);
    }
    check(&sealed);
});

fn check(text: &[u8]) {
    let records = parse(text);
    let lines = text.split(|&byte| byte == b'\n').count();
    assert!(records.damaged <= lines && records.open.len() <= lines);
    for (number, lease) in &records.open {
        assert_eq!(*number, lease.number);
        assert!(!lease.stop.contains(&b'\n'));
    }
    let written = snapshot(records.open.values());
    let again = parse(&written);
    assert_eq!((&again.open, again.damaged), (&records.open, 0));
    change_a_byte(text, &written);
}

/// Changes one byte of a whole file, chosen by the input.
fn change_a_byte(text: &[u8], whole: &[u8]) {
    let [high, low, change, ..] = text else { return };
    let at = usize::from(u16::from_be_bytes([*high, *low])) % whole.len();
    let mut changed = whole.to_vec();
    changed[at] ^= (*change).max(1);
    let records = parse(&changed);
    assert!(records.damaged > 0);
    for mut lease in records.open.into_values() {
        // Other records may be missing, but the command and its client are those that were written.
        (lease.group, lease.due, lease.is_closing) = (None, None, false);
        let mut line = Vec::new();
        encode(&Record::Open(lease), &mut line);
        assert!(whole.windows(line.len()).any(|window| window == line));
    }
}
