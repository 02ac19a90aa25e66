//! Why signed packets open nothing, as numbers.

use knock_signed::{Field, Refusal};

use super::record::InvalidMessage;

/// Those without particulars, by their numbers.
const PLAIN: [(u8, Refusal); 12] = [
    (0, Refusal::Length),
    (1, Refusal::HintUnknown),
    (2, Refusal::Forged),
    (3, Refusal::KeyExpired),
    (4, Refusal::OtherServer),
    (5, Refusal::MomentUsed),
    (6, Refusal::MomentOld),
    (7, Refusal::DoorUnknown),
    (8, Refusal::DoorForbidden),
    (9, Refusal::AddressMismatch),
    (10, Refusal::AddressForbidden),
    (11, Refusal::PrefixForbidden),
];

/// All of them, without particulars: by these, refused packets are counted.
pub(crate) const COUNTED: [Refusal; 15] = [
    Refusal::Length,
    Refusal::HintUnknown,
    Refusal::Forged,
    Refusal::Version { version: 0 },
    Refusal::Field(Field::Verb),
    Refusal::KeyExpired,
    Refusal::ClockOff { ahead: 0 },
    Refusal::OtherServer,
    Refusal::MomentUsed,
    Refusal::MomentOld,
    Refusal::DoorUnknown,
    Refusal::DoorForbidden,
    Refusal::AddressMismatch,
    Refusal::AddressForbidden,
    Refusal::PrefixForbidden,
];

const VERSION: u8 = 32;
const FIELD: u8 = 33;
const CLOCK_OFF: u8 = 34;

const FIELDS: [(u64, Field); 3] = [(0, Field::Verb), (1, Field::Flags), (2, Field::Prefix)];

/// Returns the number of a refusal, and that of its particulars.
pub(super) fn numbers_of(refusal: Refusal) -> (u8, u64) {
    match refusal {
        Refusal::Version { version } => (VERSION, version.into()),
        Refusal::Field(field) => {
            let number = FIELDS.into_iter().find(|(_, one)| *one == field);
            (FIELD, number.map_or(0, |(number, _)| number))
        }
        Refusal::ClockOff { ahead } => (CLOCK_OFF, ahead.cast_unsigned()),
        Refusal::Length
        | Refusal::HintUnknown
        | Refusal::Forged
        | Refusal::KeyExpired
        | Refusal::OtherServer
        | Refusal::MomentUsed
        | Refusal::MomentOld
        | Refusal::DoorUnknown
        | Refusal::DoorForbidden
        | Refusal::AddressMismatch
        | Refusal::AddressForbidden
        | Refusal::PrefixForbidden => {
            let number = PLAIN.into_iter().find(|(_, one)| *one == refusal);
            (number.map_or(0, |(number, _)| number), 0)
        }
    }
}

/// Returns the refusal with these numbers.
///
/// # Errors
/// [`InvalidMessage`] if there is none.
pub(super) fn refusal(kind: u8, number: u64) -> Result<Refusal, InvalidMessage> {
    let found = match kind {
        VERSION => u8::try_from(number).ok().map(|version| Refusal::Version { version }),
        FIELD => {
            let field = FIELDS.into_iter().find(|(one, _)| *one == number);
            field.map(|(_, field)| Refusal::Field(field))
        }
        CLOCK_OFF => Some(Refusal::ClockOff { ahead: number.cast_signed() }),
        plain => PLAIN.into_iter().find(|(one, _)| *one == plain).map(|(_, refusal)| refusal),
    };
    found.ok_or(InvalidMessage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_read_as_it_was_written() {
        let others = [
            Refusal::Version { version: 255 },
            Refusal::ClockOff { ahead: i64::MIN },
            Refusal::ClockOff { ahead: 7 },
        ];
        let fields = FIELDS.map(|(_, field)| Refusal::Field(field));
        for one in PLAIN.map(|(_, one)| one).into_iter().chain(others).chain(fields) {
            let (kind, number) = numbers_of(one);
            assert_eq!(refusal(kind, number), Ok(one));
        }
        assert_eq!(refusal(99, 0), Err(InvalidMessage));
        let kinds = COUNTED.map(|one| numbers_of(one).0);
        assert_eq!(kinds.len(), PLAIN.len() + 3);
        assert!(PLAIN.iter().all(|(number, _)| kinds.contains(number)));
        assert!([VERSION, FIELD, CLOCK_OFF].iter().all(|number| kinds.contains(number)));
        assert_eq!(refusal(FIELD, 3), Err(InvalidMessage));
    }
}
