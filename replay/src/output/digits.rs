//! Numbers with a fixed number of digits.

/// Returns the digits of a number below 10^9, such as the nanoseconds of a second: two at a time, from a table.
pub(super) fn nine(number: u32) -> [u8; 9] {
    let [_, first] = pair(number / 100_000_000 % 10);
    let others = [number / 1_000_000, number / 10_000, number / 100, number];
    let others = others.map(|number| pair(number % 100));
    let mut digits = [first; 9];
    let [_, rest @ ..] = &mut digits;
    rest.copy_from_slice(others.as_flattened());
    digits
}

/// The digits of every number below 100.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [*b"00"; 100];
    let mut rest: &mut [[u8; 2]] = &mut pairs;
    let mut number = 0_u8;
    while let [first, others @ ..] = rest {
        let [tens, ones] = [number / 10 % 10, number % 10];
        *first = [b'0' | tens, b'0' | ones];
        number = number.wrapping_add(1);
        rest = others;
    }
    pairs
};

fn pair(number: u32) -> [u8; 2] {
    usize::try_from(number).ok().and_then(|at| PAIRS.get(at).copied()).unwrap_or(*b"00")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(number: u32) -> String {
        String::from_utf8(nine(number).to_vec()).unwrap()
    }

    #[test]
    fn every_digit_is_at_its_place() {
        for place in 0..9 {
            for digit in 0..10 {
                let number = digit * 10_u32.pow(place);
                assert_eq!(text(number), format!("{number:09}"));
            }
        }
    }

    proptest! {
        #[test]
        fn all_digits_are_there(number in 0..1_000_000_000_u32) {
            prop_assert_eq!(text(number), format!("{number:09}"));
        }
    }
}
