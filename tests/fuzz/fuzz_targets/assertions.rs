//! Reading a file of assertions: its text, with and without the doors that it is about.

#![no_main]

use std::sync::LazyLock;

use knock_config as config;
use knock_config::report::Source;
use knock_engine::Doors;
use knock_fuzz::{check_source, check_span};
use knock_replay::test::assert::{self, MAX_ASSERTIONS};
use libfuzzer_sys::fuzz_target;

const CONFIG: &[u8] = b"[openSSH]\nsequence = 7000,8000,9000\ncommand =\n\
                        [back door]\nsequence = 1,2\ncommand =\n[any]\nsequence = 3,4\ncommand =\n";

static DOORS: LazyLock<Doors> = LazyLock::new(|| {
    let config = config::parse(CONFIG).config.unwrap();
    Doors::new(config.doors.into_iter().map(|door| door.door()).collect()).unwrap()
});

fuzz_target!(|text: &[u8]| {
    let without_doors = assert::read("a.assert", text, None);
    match assert::read("a.assert", text, Some(&DOORS)) {
        Ok(assertions) => {
            assert!((1..=MAX_ASSERTIONS).contains(&assertions.len()));
            let same = without_doors.unwrap();
            assert_eq!((same.len(), &same.settings), (assertions.len(), &assertions.settings));
            if let Some(place) = assertions.settings.place {
                check_span(text, &place);
            }
            let commented = [text, b"\n# comment"].concat();
            let again = assert::read("a.assert", &commented, Some(&DOORS)).unwrap();
            assert_eq!(again.len(), assertions.len());
        }
        Err(source) => {
            check(text, *source);
            if let Err(source) = without_doors {
                check(text, *source);
            }
        }
    }
});

fn check(text: &[u8], source: Source) {
    assert!(source.errors() > 0);
    for span in source.findings.iter().filter_map(|finding| finding.span) {
        check_span(text, &span);
    }
    check_source(source);
}
