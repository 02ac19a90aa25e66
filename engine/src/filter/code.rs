//! Instructions of classic BPF (`linux/filter.h`), which all kernels have.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// An instruction, as `struct sock_filter` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub code: u16,
    /// How many instructions a comparison skips if it is true.
    pub jt: u8,
    /// How many it skips otherwise.
    pub jf: u8,
    /// Its argument.
    pub k: u32,
}

/// How much is loaded: `BPF_W`, `BPF_H` and `BPF_B`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Size {
    Word,
    Half,
    Byte,
}

impl Size {
    const fn bits(self) -> u16 {
        match self {
            Self::Word => 0x00,
            Self::Half => 0x08,
            Self::Byte => 0x10,
        }
    }
}

/// What is compared with the loaded number: `BPF_JEQ`, `BPF_JGE` and `BPF_JSET`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Compare {
    Equal,
    AtLeast,
    AnyBit,
}

impl Compare {
    const fn bits(self) -> u16 {
        match self {
            Self::Equal => 0x10,
            Self::AtLeast => 0x30,
            Self::AnyBit => 0x40,
        }
    }
}

/// `BPF_LD | BPF_ABS`, `BPF_LD | BPF_IND`, `BPF_LD | BPF_IMM` and `BPF_LD | BPF_MEM`.
const LOAD: u16 = 0x20;
const LOAD_INDEXED: u16 = 0x40;
const LOAD_NUMBER: u16 = 0x00;
const LOAD_KEPT: u16 = 0x60;

/// `BPF_LDX | BPF_B | BPF_MSH`, `BPF_LDX | BPF_W | BPF_IMM`, `BPF_MISC | BPF_TAX` and `BPF_ST`.
const LOAD_HEADER_LENGTH: u16 = 0xb1;
const SET_INDEX: u16 = 0x01;
const TO_INDEX: u16 = 0x07;
const KEEP: u16 = 0x02;

/// `BPF_ALU` with `BPF_ADD | BPF_K`, `BPF_ADD | BPF_X`, `BPF_LSH` and `BPF_AND`; `BPF_JMP` and `BPF_RET`.
const ADD: u16 = 0x04;
const ADD_INDEX: u16 = 0x0c;
const SHIFT_LEFT: u16 = 0x64;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const RETURN: u16 = 0x06;

/// The place in the memory of a program that is used: `M[0]`.
const KEPT: u32 = 0;

/// The farthest that a comparison can jump, with room for the jumps that are put before it.
const JUMP_MAX: usize = 250;

/// An instruction of a [`Code`], as its distance from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Label(usize);

/// A program that is made from its end to its beginning: jumps go forward only, so where one leads is
/// there before it.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// The last instruction first.
    reversed: Vec<Instruction>,
    /// For labels too far away, the nearest instruction that leads there.
    stepping_stones: BTreeMap<Label, Label>,
}

impl Code {
    pub(super) fn len(&self) -> usize {
        self.reversed.len()
    }

    /// Adds an end, at which a packet passes or is dropped.
    pub(super) fn end(&mut self, passes: bool) -> Label {
        self.push(RETURN, 0, 0, if passes { u32::MAX } else { 0 })
    }

    /// Adds a load from a place in the packet. Where that is past the end of the packet, it is dropped.
    pub(super) fn load(&mut self, size: Size, at: u32, next: Label) -> Label {
        self.step(LOAD | size.bits(), at, next)
    }

    /// Adds a load from a place in the packet after headers of the length that the index is.
    pub(super) fn load_after_header(&mut self, size: Size, at: u32, next: Label) -> Label {
        self.step(LOAD_INDEXED | size.bits(), at, next)
    }

    /// Adds a load of the length of the IPv4 header at this place as the index.
    pub(super) fn load_header_length(&mut self, at: u32, next: Label) -> Label {
        self.step(LOAD_HEADER_LENGTH, at, next)
    }

    /// Adds that the index becomes a number.
    pub(super) fn set_index(&mut self, number: u32, next: Label) -> Label {
        self.step(SET_INDEX, number, next)
    }

    /// Adds that the index grows by what was loaded, and by a number.
    pub(super) fn add_to_index(&mut self, number: u32, next: Label) -> Label {
        let next = self.step(TO_INDEX, 0, next);
        let next = self.step(ADD, number, next);
        self.step(ADD_INDEX, 0, next)
    }

    /// Adds a load of a number.
    pub(super) fn load_number(&mut self, number: u32, next: Label) -> Label {
        self.step(LOAD_NUMBER, number, next)
    }

    /// Adds that what was loaded is kept for [`Self::load_kept`].
    pub(super) fn keep(&mut self, next: Label) -> Label {
        self.step(KEEP, KEPT, next)
    }

    /// Adds a load of what was kept. Whatever comes before it in a program must keep something.
    pub(super) fn load_kept(&mut self, next: Label) -> Label {
        self.step(LOAD_KEPT, KEPT, next)
    }

    /// Adds that what was loaded is multiplied by two so many times.
    pub(super) fn double(&mut self, times: u32, next: Label) -> Label {
        self.step(SHIFT_LEFT, times, next)
    }

    /// Adds the removal of all bits but these from what was loaded.
    pub(super) fn mask(&mut self, bits: u32, next: Label) -> Label {
        self.step(AND, bits, next)
    }

    /// Adds a comparison of what was loaded with a number.
    pub(super) fn compare(&mut self, how: Compare, with: u32, yes: Label, no: Label) -> Label {
        let (yes, no) = (self.near(yes), self.near(no));
        let [yes, no] = [yes, no].map(|to| u8::try_from(self.distance(to)).unwrap_or(u8::MAX));
        self.push(JUMP | how.bits(), yes, no, with)
    }

    /// Adds a comparison for each number that leads anywhere, the last of them first in the program.
    pub(super) fn choose(
        &mut self,
        choices: impl Iterator<Item = (u32, Option<Label>)>,
        otherwise: Label,
    ) -> Label {
        let mut next = otherwise;
        for (number, label) in choices {
            if let Some(label) = label {
                next = self.compare(Compare::Equal, number, label, next);
            }
        }
        next
    }

    /// Returns the program.
    pub(super) fn finish(mut self) -> Vec<Instruction> {
        self.reversed.reverse();
        self.reversed
    }

    /// Adds an instruction after which another one follows.
    fn step(&mut self, code: u16, argument: u32, next: Label) -> Label {
        if self.distance(next) > 0 {
            self.jump(next);
        }
        self.push(code, 0, 0, argument)
    }

    /// Returns how many instructions are between the next one that is added and this one.
    fn distance(&self, label: Label) -> usize {
        self.len().saturating_sub(label.0)
    }

    /// Returns an instruction that is near enough for a comparison, and leads to this one.
    fn near(&mut self, label: Label) -> Label {
        let nearest = self.stepping_stones.get(&label).copied().unwrap_or(label);
        if self.distance(nearest) <= JUMP_MAX {
            return nearest;
        }
        let stone = self.jump(label);
        self.stepping_stones.insert(label, stone);
        stone
    }

    fn jump(&mut self, label: Label) -> Label {
        let distance = u32::try_from(self.distance(label)).unwrap_or(u32::MAX);
        self.push(JUMP, 0, 0, distance)
    }

    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Label {
        self.reversed.push(Instruction { code, jt, jf, k });
        Label(self.len())
    }
}
