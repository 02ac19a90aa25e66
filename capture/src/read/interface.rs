//! Interfaces of a pcapng section, and their clocks.

use knock_engine::{LinkType, Timestamp};

use super::fields::{Fields, Order};

const NANOS_PER_SECOND: i128 = 1_000_000_000;

const END_OF_OPTIONS: u16 = 0;
const IPV4_ADDRESS: u16 = 4;
const IPV6_ADDRESS: u16 = 5;
const RESOLUTION: u16 = 9;
const OFFSET: u16 = 14;

/// The parts of an interface description that reading packets needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface {
    pub(super) link: LinkType,
    /// The most bytes of a packet that are kept; 0 for all of them.
    pub(super) snap_length: u32,
    resolution: Resolution,
    /// The seconds to add to each time.
    offset: i64,
}

impl Interface {
    /// Reads the body of a description, and calls `on_address` with the value of each address option.
    /// Returns `None` if the body is shorter than its fixed fields.
    pub(super) fn read(
        mut fields: Fields<'_>,
        order: Order,
        mut on_address: impl FnMut(&[u8]),
    ) -> Option<Self> {
        let (link, _reserved) = (LinkType::from_number(fields.u16()?), fields.u16()?);
        let snap_length = fields.u32()?;
        let mut this = Self { link, snap_length, resolution: Resolution::MICROS, offset: 0 };
        while let Some((code, value)) = option(&mut fields) {
            match (code, value) {
                (END_OF_OPTIONS, _) => break,
                (IPV4_ADDRESS | IPV6_ADDRESS, _) => on_address(value),
                (RESOLUTION, [stated, ..]) => this.resolution = Resolution::new(*stated),
                (OFFSET, value) => {
                    if let Ok(seconds) = value.try_into() {
                        this.offset = order.i64(seconds);
                    }
                }
                _ => {}
            }
        }
        Some(this)
    }

    /// Returns the moment that is `units` of this interface's resolution after its beginning.
    pub(super) fn time(&self, units: u64) -> Timestamp {
        let offset = i128::from(self.offset).saturating_mul(NANOS_PER_SECOND);
        Timestamp::from_nanos_clamped(self.resolution.nanos(units).saturating_add(offset))
    }
}

/// Takes an option: its code and value. `None` if there is none, or if it runs past the block.
fn option<'a>(fields: &mut Fields<'a>) -> Option<(u16, &'a [u8])> {
    let (code, length) = (fields.u16()?, usize::from(fields.u16()?));
    // Values are padded to a multiple of 4, as blocks are.
    let value = fields.bytes(length.next_multiple_of(4))?.get(..length)?;
    Some((code, value))
}

/// How long a unit of an interface's time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    /// This many nanoseconds.
    Nanos(u32),
    /// This many units are a nanosecond.
    PerNano(u128),
    /// 2 to this power units are a second.
    Binary(u32),
    /// So short that the largest time in a packet is below a nanosecond.
    Nothing,
}

impl Resolution {
    /// The default of the format.
    const MICROS: Self = Self::Nanos(1000);

    /// Takes an `if_tsresol`: a negative power of 10, or of 2 if the highest bit is set.
    fn new(stated: u8) -> Self {
        let power = u32::from(stated & 0x7f);
        if stated & 0x80 != 0 {
            return Self::Binary(power);
        }
        match power.checked_sub(9) {
            None | Some(0) => Self::Nanos(10_u32.saturating_pow(9_u32.saturating_sub(power))),
            Some(beyond_nanos) => {
                10_u128.checked_pow(beyond_nanos).map_or(Self::Nothing, Self::PerNano)
            }
        }
    }

    fn nanos(self, units: u64) -> i128 {
        let units = i128::from(units);
        match self {
            Self::Nanos(nanos) => units.saturating_mul(nanos.into()),
            Self::PerNano(units_per_nano) => i128::try_from(units_per_nano)
                .ok()
                .and_then(|per| units.checked_div(per))
                .unwrap_or(0),
            Self::Binary(power) => {
                units.saturating_mul(NANOS_PER_SECOND).checked_shr(power).unwrap_or(0)
            }
            Self::Nothing => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolutions_are_powers_of_ten_or_of_two() {
        let seconds = [(0, 1), (3, 1000), (6, 1_000_000), (9, 1_000_000_000)];
        for (power, units) in seconds {
            assert_eq!(nanos(power, 5 * units), 5_000_000_000, "10^-{power}");
        }
        assert_eq!(nanos(12, 5_000_000_999), 5_000_000);
        assert_eq!(nanos(28, u64::MAX), 1);
        assert_eq!(nanos(29, u64::MAX), 0);
        assert_eq!(nanos(127, u64::MAX), 0);

        assert_eq!(nanos(0x80, 5), 5_000_000_000);
        assert_eq!(nanos(0x88, 50), 195_312_500);
        assert_eq!(nanos(0x80 | 32, 1 << 32), 1_000_000_000);
        assert_eq!(nanos(0xff, u64::MAX), 0);
    }

    #[test]
    fn no_time_overflows() {
        for resolution in 0..=u8::MAX {
            for offset in [i64::MIN, -1, 0, i64::MAX] {
                let interface = Interface {
                    link: LinkType::Raw,
                    snap_length: 0,
                    resolution: Resolution::new(resolution),
                    offset,
                };
                let (first, last) = (interface.time(0), interface.time(u64::MAX));
                assert!(first <= last);
                assert!(offset != i64::MIN || first == Timestamp::MIN);
                assert!(offset != i64::MAX || last == Timestamp::MAX);
            }
        }
    }

    fn nanos(stated: u8, units: u64) -> i128 {
        Resolution::new(stated).nanos(units)
    }
}
