use knock_tests::boundary;
use knock_tests::generators::{self, Case, Resolution};
use proptest::prelude::*;

use super::*;

/// Returns the lines of a case that differ, and when each became known. With `awake`, the rule sets in
/// between handle everything from the first event on.
fn differing(case: &Case, awake: bool) -> Vec<(usize, Differing)> {
    let doors = boundary::configured(&case.conf);
    let listening = boundary::listening(case.setting.local.as_deref(), case.setting.ipv4_only);
    let mut comparison = Comparison::new(&doors, &listening, &Limits::default());
    if awake {
        comparison.catch_up();
    }
    let link = LinkType::from_number(case.link.number());
    let mut all = Vec::new();
    for (place, sight) in case.sights.iter().enumerate() {
        let (frame, kept) = sight.shape.frame(&sight.packet, case.link, false);
        let at = Timestamp::from_nanos(sight.packet.at_ns);
        let frame = frame.get(..kept).unwrap();
        let some = comparison.step(at, &Happening::Frame(link, frame), drop);
        all.extend(some.into_iter().map(|one| (place, one)));
    }
    let rest = comparison.step(Timestamp::MAX, &Happening::Time, drop);
    all.extend(rest.into_iter().map(|one| (usize::MAX, one)));
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn rule_sets_that_catch_up_late_say_the_same(case in generators::case(Resolution::Micro)) {
        prop_assert_eq!(differing(&case, false), differing(&case, true));
    }
}
