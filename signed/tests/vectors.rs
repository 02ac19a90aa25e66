//! The examples of `testdata/derived`, which another program made.

#![cfg(test)]

use knock_signed::{Key, PortSpan, ports};

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

#[test]
fn the_ports_are_those_that_another_program_finds() {
    let text = include_str!("../../testdata/derived/vectors.txt");
    let mut examples = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        let &[key, door, period, span, expected] = &fields[..] else { panic!("{line}") };
        let key = Key::take(&mut bytes(key).try_into().unwrap()).for_sequences();
        let (first, last) = span.split_once('-').unwrap();
        let span = PortSpan::new(first.parse().unwrap(), last.parse().unwrap()).unwrap();
        let expected: Vec<u16> = expected.split(',').map(|port| port.parse().unwrap()).collect();
        let count = u8::try_from(expected.len()).unwrap();
        let found = ports(&key, &bytes(door), period.parse().unwrap(), span, count);
        assert_eq!(found, expected, "{line}");
        examples += 1;
    }
    assert_eq!(examples, 7);
}
