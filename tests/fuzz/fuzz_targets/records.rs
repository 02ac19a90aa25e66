//! Reads records of the process that reads packets, as the process with privileges does.

#![no_main]

use std::sync::LazyLock;

use knock_engine::Doors;
use libfuzzer_sys::fuzz_target;

static DOORS: LazyLock<Doors> = LazyLock::new(|| {
    let text = b"[a]\nsequence = 1\n[b]\nsequence = 2,3:udp\nstop_command = x\n[c]\nsequence = 9\n";
    let config = knock_config::parse(text).config.expect("it has no errors");
    knock_config::doors(&config).expect("there are few doors")
});

fuzz_target!(|bytes: &[u8]| {
    let (written, is_refused) = knockd::read_again(bytes, &DOORS);
    // What was believed means the same when it is sent again, and nothing in it grows.
    assert!(written.len() <= bytes.len());
    assert_eq!(knockd::read_again(&written, &DOORS), (written.clone(), false));
    if is_refused {
        // What comes after it is not believed either.
        let longer = [bytes, &[0; 64]].concat();
        assert_eq!(knockd::read_again(&longer, &DOORS), (written, true));
    }
});
