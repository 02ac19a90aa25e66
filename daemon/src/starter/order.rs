//! What the runner asks of the starter, and its answers: four numbers each.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use knock_engine::filter::Framing;

use super::program::Program;
use crate::user::User;

/// An order or a report, as it is sent.
pub(super) type Words = [u32; 4];

/// What the runner wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// To start a program. Its socket comes with the order, and its standard output, if it has one.
    Start(Program),
    /// To kill a process that was started, by its ID.
    Kill(u32),
    /// To open a packet socket.
    Open { index: u32, framing: Framing, blocks: u32 },
}

/// What the starter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The process has this ID.
    Started(u32),
    Killed,
    /// A packet socket, which comes with the report, with so many blocks.
    Opened(u32),
    /// The order failed, with this error number.
    Failed(u32),
    /// The process with this ID has ended. This answers no order.
    Ended(u32, i32),
}

impl Order {
    pub(crate) fn words(self) -> Words {
        match self {
            Self::Start(Program::Sniffer) => [1, 0, 0, 0],
            Self::Start(Program::Resolver(None)) => [2, 0, 0, 0],
            Self::Start(Program::Resolver(Some(User { user, group }))) => [3, user, group, 0],
            Self::Kill(id) => [4, id, 0, 0],
            Self::Open { index, framing, blocks } => {
                [5, index, u32::from(framing == Framing::Cooked), blocks]
            }
        }
    }

    /// Parses an order; `None` if it is not valid.
    pub(super) fn from_words(words: Words) -> Option<Self> {
        let order = match words {
            [1, 0, 0, 0] => Self::Start(Program::Sniffer),
            [2, 0, 0, 0] => Self::Start(Program::Resolver(None)),
            [3, user, group, 0] => Self::Start(Program::Resolver(Some(User { user, group }))),
            [4, id, 0, 0] => Self::Kill(id),
            [5, index, 0, blocks] => Self::Open { index, framing: Framing::Ethernet, blocks },
            [5, index, 1, blocks] => Self::Open { index, framing: Framing::Cooked, blocks },
            _ => return None,
        };
        Some(order)
    }
}

impl Report {
    pub(super) fn ended(id: u32, status: ExitStatus) -> Self {
        Self::Ended(id, status.into_raw())
    }

    pub(super) fn words(self) -> Words {
        match self {
            Self::Started(id) => [1, id, 0, 0],
            Self::Killed => [2, 0, 0, 0],
            Self::Opened(blocks) => [3, blocks, 0, 0],
            Self::Failed(number) => [4, number, 0, 0],
            Self::Ended(id, status) => [5, id, status.cast_unsigned(), 0],
        }
    }

    /// Parses a report; `None` if it is not valid.
    pub(crate) fn from_words(words: Words) -> Option<Self> {
        let report = match words {
            [1, id, 0, 0] => Self::Started(id),
            [2, 0, 0, 0] => Self::Killed,
            [3, blocks, 0, 0] => Self::Opened(blocks),
            [4, number, 0, 0] => Self::Failed(number),
            [5, id, status, 0] => Self::Ended(id, status.cast_signed()),
            _ => return None,
        };
        Some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_reports_are_read_as_they_were_written() {
        let user = User { user: 101, group: 109 };
        for order in [
            Order::Start(Program::Sniffer),
            Order::Start(Program::Resolver(None)),
            Order::Start(Program::Resolver(Some(user))),
            Order::Kill(77),
            Order::Open { index: 3, framing: Framing::Cooked, blocks: 512 },
            Order::Open { index: 0, framing: Framing::Ethernet, blocks: 4 },
        ] {
            assert_eq!(Order::from_words(order.words()), Some(order));
        }
        for report in [
            Report::Started(77),
            Report::Killed,
            Report::Opened(64),
            Report::Failed(13),
            Report::Ended(77, -1),
        ] {
            assert_eq!(Report::from_words(report.words()), Some(report));
        }
        for invalid in [[0; 4], [1, 0, 0, 1], [5, 1, 2, 4], [6, 0, 0, 0]] {
            assert_eq!(Order::from_words(invalid), None, "{invalid:?}");
        }
    }
}
