//! Every diagnostic of a `knockd.conf`, as the user sees it.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use knock_config::diagnostics::{self, Source, Style};
use knock_config::warnings::Warning;
use knock_config::{self, Diagnostics, Fault, LineFault, OptionFault, Severity, ValueFault};
use knock_engine::Doors;

/// Maps every fault to the files of `testdata/configs` that show it; the compiler checks that none is
/// missing.
macro_rules! catalogue {
    ($($fault:pat => [$($file:literal),*],)*) => {
        fn files_that_show(fault: &Fault) -> &'static [&'static str] {
            match fault { $($fault => &[$($file),*],)* }
        }

        const CATALOGUE: &[&[&str]] = &[$(&[$($file),*],)*];
    };
}

catalogue! {
    Fault::Line(LineFault::TooLong { .. }) => ["line-too-long.conf"],
    Fault::Line(LineFault::NulByte) => ["nul-byte.conf"],
    Fault::Line(LineFault::UnprintableCharacter { .. }) => [
        "control-character-in-name.conf", "hidden-character-in-name.conf",
        "control-character-in-command.conf", "turned-command.conf"
    ],
    Fault::Line(LineFault::LogCommand { .. }) => ["log-command.conf", "log-command-inside.conf"],
    Fault::Line(LineFault::OutsideSection) => ["outside-section.conf"],
    Fault::Line(LineFault::EmptySectionName) => ["empty-section-name.conf"],
    Fault::Line(LineFault::UnclosedSection { .. }) =>
        ["section-unclosed.conf", "section-with-comment.conf"],
    Fault::Line(LineFault::NotADirective { .. }) =>
        ["not-a-directive.conf", "semicolon-comment.conf"],
    Fault::Line(LineFault::MissingEquals { .. }) => ["missing-equals.conf"],
    Fault::Line(LineFault::MissingName) => ["missing-name.conf"],
    Fault::Line(LineFault::UnknownDirective { .. }) => [
        "unknown-directive.conf", "unknown-directive-without-a-near-one.conf", "unknown-option.conf",
        "foreign-directives.conf", "no-break-space.conf", "stray-characters.conf"
    ],
    Fault::Line(LineFault::WrappedLine) => ["wrapped-command.conf"],
    Fault::Line(LineFault::StrayCharacter { .. }) => ["stray-characters.conf"],
    Fault::Line(LineFault::ColonForEquals { .. }) => ["colon-for-equals.conf"],
    Fault::Line(LineFault::Uci) => ["uci.conf"],
    Fault::Line(LineFault::DoorDirectiveInOptions { .. }) => ["door-directive-in-options.conf"],
    Fault::Line(LineFault::OptionInDoor { .. }) => ["option-in-door.conf"],
    Fault::Line(LineFault::SyslogWithValue) =>
        ["usesyslog-with-value.conf", "usesyslog-with-word.conf"],
    Fault::Line(LineFault::NoSequence { .. }) => ["no-sequence.conf"],
    Fault::Line(LineFault::TwoSequences { .. }) =>
        ["two-sequences.conf", "sequence-and-file.conf", "sequence-and-key.conf"],
    // A test of `knock-tests`, `sequence_file`, shows it with a file.
    Fault::Line(LineFault::SecondSequence { .. }) => [],
    Fault::Line(LineFault::NothingDerived { .. }) => ["derived-without-key.conf"],
    Fault::Line(LineFault::NothingSigned) => ["admit-without-signed.conf"],
    Fault::Line(LineFault::SignedWithoutName) => ["signed-without-server-name.conf"],
    Fault::Line(LineFault::OpenWithoutFirewall) => ["open-without-firewall.conf"],
    Fault::Line(LineFault::NothingToOpen { .. }) => ["open-for-without-open.conf"],
    Fault::Line(LineFault::OpenMaxTooShort { .. }) =>
        ["open-max-too-short.conf", "open-max-below-the-default.conf"],
    // Its megabyte is made by a test of its own.
    Fault::Line(LineFault::TooManyDoors) => [],
    // Its 257 doors are made by a test of `knock-config`.
    Fault::Line(LineFault::TooManyDerived) => [],
    Fault::Value(ValueFault::BadKnockCount { .. }) =>
        ["knock-count-too-small.conf", "knock-count-by-name.conf"],
    Fault::Value(ValueFault::NotAPortSpan { .. }) => ["port-span-without-end.conf"],
    Fault::Value(ValueFault::FewPorts { .. }) => ["port-span-too-small.conf"],
    Fault::Value(ValueFault::BadPeriod { .. }) => ["period-too-short.conf", "period-too-long.conf"],
    Fault::Value(ValueFault::Empty { .. }) =>
        ["empty-sequence.conf", "empty-timeout.conf", "empty-logfile.conf", "empty-user.conf"],
    Fault::Value(ValueFault::CommentAfterValue { .. }) => [
        "comment-after-number.conf", "comment-after-sequence.conf", "comment-after-usesyslog.conf",
        "comment-after-user.conf", "comment-after-command-limit.conf"
    ],
    Fault::Value(ValueFault::MissingPort) => ["missing-port.conf"],
    Fault::Value(ValueFault::BadPort { .. }) => [
        "port-by-name.conf", "port-zero.conf", "port-too-large.conf", "port-negative.conf",
        "port-with-slash.conf", "ports-without-comma.conf", "ports-without-end.conf",
        "one-time-port.sequences", "no-break-space.conf", "quoted-values.conf", "open-by-name.conf"
    ],
    Fault::Value(ValueFault::MissingProtocol) => ["missing-protocol.conf"],
    Fault::Value(ValueFault::UnknownProtocol { .. }) =>
        ["unknown-protocol.conf", "unknown-protocol-without-a-near-one.conf", "open-unknown-protocol.conf", "port-span-unknown-protocol.conf"],
    Fault::Value(ValueFault::ProtocolFirst { .. }) => ["protocol-first.conf"],
    Fault::Value(ValueFault::ThirdField) => ["third-field.conf"],
    Fault::Value(ValueFault::TooManyKnocks { .. }) => ["too-many-knocks.conf"],
    Fault::Value(ValueFault::BadSeconds { .. }) => [
        "seconds-by-name.conf", "seconds-with-unit.conf", "seconds-negative.conf",
        "seconds-too-large.conf", "command-limit-with-unit.conf", "quoted-values.conf",
        "no-break-space.conf"
    ],
    Fault::Value(ValueFault::ZeroSeconds { .. }) =>
        ["seconds-zero.conf", "command-limit-zero.conf"],
    Fault::Value(ValueFault::BadDuration { .. }) => [
        "duration-with-unknown-unit.conf", "duration-zero.conf", "duration-too-long.conf"
    ],
    Fault::Value(ValueFault::PortWithoutProtocol { .. }) => ["open-without-protocol.conf"],
    Fault::Value(ValueFault::PortFirst { .. }) => ["open-port-first.conf", "open-as-a-knock.conf"],
    Fault::Value(ValueFault::RangeBackwards { .. }) => ["open-range-backwards.conf", "port-span-backwards.conf"],
    Fault::Value(ValueFault::OverlappingPorts { .. }) => ["open-overlap.conf", "open-twice.conf"],
    Fault::Value(ValueFault::TooManyPorts { .. }) => ["open-too-many.conf"],
    Fault::Value(ValueFault::MissingFlag) => ["missing-flag.conf"],
    Fault::Value(ValueFault::UnknownFlag { .. }) =>
        ["unknown-flag.conf", "unknown-flag-without-a-near-one.conf"],
    Fault::Value(ValueFault::DoubleNot) => ["flag-refused-twice.conf"],
    Fault::Value(ValueFault::TargetNotAnAddress { .. }) =>
        ["target-by-name.conf", "target-with-prefix-length.conf", "quoted-values.conf"],
    Fault::Value(ValueFault::BadPerMinute { .. }) => [
        "per-minute-zero.conf", "per-minute-too-many.conf", "per-minute-with-unit.conf",
        "no-break-space.conf"
    ],
    Fault::Value(ValueFault::MissingPrefix) => ["missing-prefix.conf"],
    Fault::Value(ValueFault::BadPrefix { .. }) => [
        "prefix-by-name.conf", "prefix-with-netmask.conf", "prefix-as-a-range.conf",
        "prefixes-without-comma.conf", "prefix-with-zone.conf", "no-break-space.conf"
    ],
    Fault::Value(ValueFault::PrefixTooLong { .. }) => ["prefix-too-long.conf"],
    Fault::Value(ValueFault::HostBits { .. }) =>
        ["prefix-with-host-bits.conf", "prefix-with-host-bits-6.conf"],
    Fault::Value(ValueFault::MappedPrefix { .. }) =>
        ["prefix-of-mapped-addresses.conf", "prefix-around-mapped-addresses.conf"],
    // Its 257 prefixes are made by a test of its own.
    Fault::Value(ValueFault::TooManyPrefixes { .. }) => [],
    Fault::Option(OptionFault::MissingInterface) => ["missing-interface.conf"],
    Fault::Option(OptionFault::BadInterface { .. }) =>
        ["interfaces-without-comma.conf", "interface-with-slash.conf"],
    Fault::Option(OptionFault::LongInterface { .. }) => ["interface-too-long.conf"],
    Fault::Option(OptionFault::AnyAndMore) => ["interfaces-beside-any.conf"],
    Fault::Option(OptionFault::BadUser { .. }) =>
        ["user-by-number.conf", "user-with-group.conf", "user-with-dash.conf"],
    Fault::Option(OptionFault::LongUser { .. }) => ["user-too-long.conf"],
    Fault::Option(OptionFault::UnknownWord { .. }) =>
        ["unknown-log-time.conf", "unknown-log-time-without-a-near-one.conf", "unknown-guard.conf"],
    Fault::Option(OptionFault::BadFirewall { .. }) =>
        ["firewall-iptables.conf", "firewall-other-family.conf"],
    Fault::Option(OptionFault::BadServerName { .. }) => ["server-name-with-blank.conf"],
    Fault::Option(OptionFault::NoClock) => ["clock-skew-counter.conf"],
    Fault::Option(OptionFault::LongSkew { .. }) => ["clock-skew-too-long.conf"],
    Fault::Option(OptionFault::BadKeyUser { .. }) => ["signed-file-name.conf"],
    Fault::Option(OptionFault::AnyUserAndMore) => ["signed-any-and-one.conf"],
    Fault::Warning(Warning::ByteOrderMark) => ["byte-order-mark.conf", "byte-order-mark.sequences"],
    Fault::Warning(Warning::NoDoors) => ["no-doors.conf"],
    Fault::Warning(Warning::AlmostOptions { .. }) => ["almost-options.conf"],
    Fault::Warning(Warning::DuplicateDoorName { .. }) => ["duplicate-door-name.conf"],
    Fault::Warning(Warning::LongDoorName { .. }) => ["long-name.conf"],
    Fault::Warning(Warning::OverriddenDirective { .. }) =>
        ["overridden.conf", "overridden-by-alias.conf", "overridden-option.conf"],
    Fault::Warning(Warning::DuplicateInterface { .. }) => ["duplicate-interface.conf"],
    Fault::Warning(Warning::BlankInFlags { .. }) => ["blank-in-flags.conf"],
    Fault::Warning(Warning::TargetNotCanonical { .. }) =>
        ["target-in-upper-case.conf", "target-not-shortened.conf"],
    Fault::Warning(Warning::NoCommand { .. }) => ["no-command.conf"],
    Fault::Warning(Warning::StopWithoutStart { .. }) =>
        ["stop-without-start.conf", "stop-6-without-start.conf"],
    Fault::Warning(Warning::StopForBothFamilies) => ["stop-for-both-families.conf"],
    Fault::Warning(Warning::EmptyStopCommand { .. }) =>
        ["empty-stop-command.conf", "empty-stop-command-6.conf"],
    Fault::Warning(Warning::SharedOneTimeFile { .. }) => ["shared-one-time-file.conf"],
    Fault::Warning(Warning::NoSequenceLeft) => ["no-sequence-left.sequences"],
    // Only a check gives it, and `testdata/lints` shows it.
    Fault::Warning(_) => [],
}

#[test]
fn every_fault_matches_its_snapshot() {
    for (directory, severity) in [("bad", Severity::Error), ("lint", Severity::Warning)] {
        for path in files(directory) {
            let (name, text) = read(&path);
            let diagnostics = diagnostics(&name, &text);
            assert!(!diagnostics.kept().is_empty(), "{directory}/{name} shows nothing");
            for diagnostic in diagnostics.kept() {
                assert_eq!(diagnostic.severity(), severity, "{directory}/{name}");
                let shown_by = files_that_show(&diagnostic.fault);
                assert!(shown_by.contains(&name.as_str()), "{name}: {:?}", diagnostic.fault);
            }
            let source = Source::new(name.clone(), text, &diagnostics);
            let report = diagnostics::render(&[source], Style::Plain);
            insta::assert_snapshot!(format!("{directory}__{}", name.replace('.', "_")), report);
        }
    }
}

#[test]
fn every_fault_has_a_file_and_every_file_shows_a_fault() {
    let shown: BTreeSet<String> =
        ["bad", "lint"].into_iter().flat_map(files).map(|path| read(&path).0).collect();
    let named: BTreeSet<String> =
        CATALOGUE.iter().copied().flatten().map(|name| (*name).to_owned()).collect();
    assert_eq!(shown, named);
    let without_file = CATALOGUE.iter().filter(|files| files.is_empty()).count();
    assert_eq!(
        without_file, 5,
        "only too many doors and too many prefixes are made by tests; one is for all warnings"
    );
}

#[test]
fn a_good_configuration_gives_no_diagnostic() {
    for path in files("good") {
        let (name, text) = read(&path);
        assert_eq!(diagnostics(&name, &text).kept(), [], "{name}");
    }
}

#[test]
fn every_bad_file_has_a_fixed_twin() {
    let good: BTreeSet<_> = files("good").iter().map(|path| read(path).0).collect();
    for path in ["bad", "lint"].into_iter().flat_map(files) {
        let (name, _) = read(&path);
        assert!(good.contains(&name), "{name} is not in good/");
    }
}

#[test]
fn the_examples_of_knockd_08_mean_what_they_say() {
    for name in ["debian-default", "man-page-1", "man-page-2", "man-page-3", "man-page-4"] {
        let (_, text) = read(&directory("good").join(format!("{name}.conf")));
        let config = format!("{:#?}", knock_config::parse(&text).config.unwrap());
        // Of what is absent there is nothing to see.
        let given: Vec<&str> = config.lines().filter(|line| !line.ends_with(": None,")).collect();
        insta::assert_snapshot!(format!("good__{name}"), given.join("\n"));
    }
}

#[test]
fn one_prefix_too_many_is_an_error_in_whichever_line() {
    let text = |lines: usize| {
        let prefixes = ["192.0.2.0/24"; 64].join(",");
        format!("[d]\nSequence=1\n{}Allow=::1\n", format!("Allow={prefixes}\n").repeat(lines))
    };
    let parse = |lines| knock_config::parse(text(lines).as_bytes());
    assert_eq!(parse(3).config.unwrap().doors[0].sources().allow().len(), 193);
    let parsed = parse(4);
    assert_eq!((parsed.config, parsed.diagnostics.errors()), (None, 1));
    let text = text(4);
    let source = Source::new("knockd.conf".to_owned(), text.into_bytes(), &parsed.diagnostics);
    let report = diagnostics::render(&[source], Style::Plain);
    let (_, end) = report.split_at(report.find("error: too many").unwrap());
    insta::assert_snapshot!(end);
}

#[test]
fn one_door_too_many_is_an_error() {
    let door = "[d]\nSequence=1\n";
    let most = knock_config::parse(door.repeat(Doors::MAX).as_bytes());
    assert_eq!(most.config.unwrap().doors.len(), Doors::MAX);
    let text = door.repeat(Doors::MAX + 2);
    let parsed = knock_config::parse(text.as_bytes());
    assert_eq!((parsed.config, parsed.diagnostics.errors()), (None, 1));
    let error = parsed.diagnostics.kept().iter().find(|one| one.severity() == Severity::Error);
    assert_eq!(error.unwrap().fault, Fault::Line(LineFault::TooManyDoors));
    let source = Source::new("knockd.conf".to_owned(), text.into_bytes(), &parsed.diagnostics);
    let report = diagnostics::render(&[source], Style::Plain);
    let (_, end) = report.split_at(report.rfind("error: more").unwrap());
    insta::assert_snapshot!(end);
}

fn diagnostics(name: &str, text: &[u8]) -> Diagnostics {
    if name.ends_with(".sequences") {
        knock_config::parse_one_time(text).1
    } else {
        knock_config::parse(text).diagnostics
    }
}

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/configs").join(name)
}

fn files(name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory(name)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn read(path: &Path) -> (String, Vec<u8>) {
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    (name, std::fs::read(path).unwrap())
}
