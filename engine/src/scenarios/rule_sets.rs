//! What the rule sets are called, and what they do to a configuration before any packet.

use super::*;

#[test]
fn rule_sets_are_told_by_the_names_they_are_chosen_by() {
    let names = [Rules::Knock, Rules::Knockd08].map(|rules| rules.to_string());
    assert_eq!(names, ["knock", "knockd-0.8"]);
    assert_eq!(Rules::Between(None).to_string(), "knockd-0.8");
    assert_eq!(Rules::Between(Some(Difference::LongName)).to_string(), "knockd-0.8+27");
}

#[test]
fn knockd_08_cuts_a_long_name_until_that_is_mended() {
    let name_bytes = |rules| {
        let doors = Doors::new(vec![door(&"x".repeat(200), "1")]).unwrap();
        let engine = Engine::new(doors, Listening::everywhere(), rules, &Limits::default());
        let (_, door) = engine.doors().in_order().next().unwrap();
        door.name.as_bytes().len()
    };
    assert_eq!(name_bytes(Rules::Knock), 200);
    assert_eq!(name_bytes(Rules::Knockd08), 127);
    assert_eq!(name_bytes(Rules::Between(Some(Difference::LongCommand))), 127);
    assert_eq!(name_bytes(Rules::Between(Some(Difference::LongName))), 200);
}

#[test]
fn only_knockd_08_does_not_start_with_a_door_that_has_no_sequence_left() {
    let doors = Doors::new(vec![door("d", "1"), one_time("e", &[])]).unwrap();
    let refusal = |rules: Rules| rules.refusal(&doors, &Listening::everywhere());
    assert_eq!(refusal(Rules::Knock), None);
    let Some(Refusal::NoSequenceLeft(id)) = refusal(Rules::Knockd08) else {
        panic!("{:?}", refusal(Rules::Knockd08))
    };
    assert_eq!(doors.door(id).name.as_bytes(), b"e");
}
