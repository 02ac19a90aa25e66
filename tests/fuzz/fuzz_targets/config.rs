//! Reading a `knockd.conf`: its text.

#![no_main]

use std::collections::BTreeSet;

use knock_config::lint::{self, Circumstances};
use knock_config::{self as config, Config, InterfaceName, Options, UserName};
use knock_engine::{Command, Door, DoorSequence, Doors, Seconds, Sequence};
use knock_fuzz::{check_diagnostics, check_span};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let parsed = config::parse(text);
    check_diagnostics(text, &parsed.diagnostics);
    assert_eq!(parsed.config.is_some(), parsed.diagnostics.errors() == 0);
    if let Some(config) = &parsed.config {
        check_config(text, config);
    }
    let checked = lint::check(text, &Circumstances::default());
    check_diagnostics(text, &checked.parsed.diagnostics);
    assert_eq!(checked.parsed.config, parsed.config);
    checked.programs.iter().for_each(|program| check_span(text, &program.span));
    let commented = config::parse(&[text, b"\n# comment"].concat());
    assert_eq!(commented.config, parsed.config);
    assert_eq!(commented.diagnostics.errors(), parsed.diagnostics.errors());
});

fn check_config(text: &[u8], config: &Config) {
    check_options(&config.options);
    for door in &config.doors {
        check_door(&door.door());
        let given = door.knocks.as_ref().unwrap();
        if let Knocks::OneTime { file, .. } = &given.value {
            assert!(!file.as_bytes().is_empty());
            let span = given.value_at(text);
            check_span(text, &span);
            assert_eq!(&text[span.line_start..][span.start..span.end], file.as_bytes());
        }
    }
    let doors: Vec<Door> = config.doors.iter().map(DoorConfig::door).collect();
    assert!(Doors::new(doors).is_ok());
}

fn check_options(options: &Options) {
    let names: Vec<&[u8]> = options.interfaces().iter().map(InterfaceName::as_bytes).collect();
    let distinct: BTreeSet<&[u8]> = names.iter().copied().collect();
    assert_eq!(names.len(), distinct.len(), "{names:?}");
    assert!(names.len() <= 1 || !distinct.contains(&b"any"[..]), "{names:?}");
    assert!(names.iter().all(|name| InterfaceName::new(name).is_some()), "{names:?}");
    assert!(options.user.iter().all(|name| UserName::new(name.value.as_bytes()).is_some()));
    assert!(options.command_limit.iter().all(|limit| limit.value.get() > 0 && limit.value <= Seconds::MAX));
}

fn check_door(door: &Door) {
    if let Some(sequence) = door.sequence() {
        let knocks = sequence.knocks();
        assert!((1..=Sequence::MAX_KNOCKS).contains(&knocks.len()), "{knocks:?}");
        assert!(knocks.iter().all(|knock| knock.port.0 != 0), "{knocks:?}");
    }
    assert!(door.seq_timeout.get() > 0 && door.seq_timeout <= Seconds::MAX);
    assert!(door.cmd_timeout <= Seconds::MAX);
    let commands = &door.commands;
    let commands = [&commands.start, &commands.start_6, &commands.stop, &commands.stop_6];
    let commands = commands.into_iter().flatten().map(Command::as_bytes);
    for value in commands.chain([door.name.as_bytes()]) {
        assert!(!value.contains(&b'\n') && !value.contains(&0), "{}", value.escape_ascii());
    }
}
