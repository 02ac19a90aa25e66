//! The kernel's machine for filters, as `Documentation/networking/filter.rst` describes it. What the real
//! kernel makes of the same programs is tried in `kernel`.

use std::fmt::Write as _;

use knock_engine::filter::Instruction;

/// The offset at which the kernel has the protocol.
const KERNEL_PROTOCOL: u32 = 0xffff_f000;

/// Returns whether a packet passes. `protocol` is what the kernel knows of it, whatever its bytes.
pub(crate) fn passes(program: &[Instruction], protocol: u16, bytes: &[u8]) -> bool {
    let load = |at: usize, size: usize| {
        let bytes = bytes.get(at..at + size)?;
        Some(bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
    };
    let (mut loaded, mut index, mut at) = (0, 0, 0);
    let mut kept = None;
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let place = usize::try_from(k).unwrap();
        let jump = |is_true: bool| usize::from(if is_true { jt } else { jf });
        let value = match code {
            0x28 if k == KERNEL_PROTOCOL => Some(protocol.into()),
            0x20 => load(place, 4),
            0x28 => load(place, 2),
            0x30 => load(place, 1),
            0x48 => load(index + place, 2),
            0x50 => load(index + place, 1),
            0xb1 => {
                let Some(first) = load(place, 1) else { return false };
                index = usize::try_from(first & 15).unwrap() * 4;
                Some(loaded)
            }
            0x00 => Some(k),
            0x01 => {
                index = place;
                Some(loaded)
            }
            0x07 => {
                index = usize::try_from(loaded).unwrap();
                Some(loaded)
            }
            0x02 => {
                assert_eq!(k, 0, "one word of memory is enough");
                kept = Some(loaded);
                Some(loaded)
            }
            // The kernel refuses a program that loads what it has not kept.
            0x60 => Some(kept.unwrap()),
            0x04 => Some(loaded + k),
            0x0c => Some(loaded + u32::try_from(index).unwrap()),
            0x64 => Some(loaded << k),
            0x54 => Some(loaded & k),
            0x05 => {
                at += place;
                Some(loaded)
            }
            0x15 => {
                at += jump(loaded == k);
                Some(loaded)
            }
            0x35 => {
                at += jump(loaded >= k);
                Some(loaded)
            }
            0x45 => {
                at += jump(loaded & k != 0);
                Some(loaded)
            }
            0x06 => return k != 0,
            _ => panic!("an instruction that filters do not have: {code:#x}"),
        };
        // A load from past the end drops the packet.
        let Some(value) = value else { return false };
        loaded = value;
    }
}

/// Returns a program as text, an instruction per line, in the language of `bpf_asm`.
pub(crate) fn text(program: &[Instruction]) -> String {
    let mut out = String::new();
    for (at, one) in program.iter().enumerate() {
        let Instruction { code, jt, jf, k } = *one;
        let jumps = format!("{}, {}", at + 1 + usize::from(jt), at + 1 + usize::from(jf));
        let text = match code {
            0x28 if k == KERNEL_PROTOCOL => "ldh protocol".into(),
            0x20 => format!("ld [{k}]"),
            0x28 => format!("ldh [{k}]"),
            0x30 => format!("ldb [{k}]"),
            0x48 => format!("ldh [x + {k}]"),
            0x50 => format!("ldb [x + {k}]"),
            0xb1 => format!("ldx 4 * ([{k}] & 0xf)"),
            0x00 => format!("ld #{k}"),
            0x01 => format!("ldx #{k}"),
            0x07 => "tax".into(),
            0x02 => format!("st M[{k}]"),
            0x60 => format!("ld M[{k}]"),
            0x04 => format!("add #{k}"),
            0x0c => "add x".into(),
            0x64 => format!("lsh #{k}"),
            0x54 => format!("and {k:#x}"),
            0x05 => format!("ja {}", at + 1 + usize::try_from(k).unwrap()),
            0x15 => format!("jeq {k:#x}, {jumps}"),
            0x35 => format!("jge {k}, {jumps}"),
            0x45 => format!("jset {k:#x}, {jumps}"),
            0x06 => (if k == 0 { "drop" } else { "pass" }).into(),
            _ => panic!("an instruction that filters do not have: {code:#x}"),
        };
        writeln!(out, "{at}: {text}").unwrap();
    }
    out
}
