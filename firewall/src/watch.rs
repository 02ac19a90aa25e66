//! Notices when others change the ruleset.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;

use crate::error::Error;
use crate::message::attributes;
use crate::message::family;
use crate::message::header;
use crate::message::numbers::{GROUP, NFTA_SET_ELEM_LIST_SET, NFTA_TABLE, kind};
use crate::place::Place;
use crate::socket::Socket;
use crate::transaction::Set;

/// How much may wait to be read before the kernel forgets it.
const INPUT: usize = 1 << 21;

/// The most datagrams that are read at once, so that whoever changes the ruleset without end cannot keep the
/// caller busy.
const AT_ONCE: usize = 1_000;

/// A descriptor that can be read when somebody has changed a ruleset.
pub struct Watch {
    socket: Socket,
    place: Place,
    /// The port of the socket whose changes are no news.
    own: u32,
}

impl Watch {
    pub(crate) fn new(place: Place, own: u32) -> Result<Self, Error> {
        let socket = Socket::open(GROUP)?;
        socket.enlarge_input(INPUT);
        Ok(Self { socket, place, own })
    }

    /// Reads what has arrived, and returns whether another program may have changed the table or something
    /// in it. Clients that were added or removed do not count. If there is more to read, the descriptor stays
    /// readable.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn has_changed(&self) -> Result<bool, Error> {
        let mut buffer = vec![0; 1 << 16];
        let mut has_changed = false;
        for _ in 0..AT_ONCE {
            match self.socket.receive(&mut buffer) {
                Ok(length) => {
                    let datagram = buffer.get(..length).unwrap_or(&[]);
                    has_changed |= header::parse(datagram).any(|message| self.is_news(&message));
                }
                Err(Errno::EAGAIN) => break,
                // Some were lost.
                Err(Errno::ENOBUFS) => has_changed = true,
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    return Err(Error::System { doing: "cannot watch nftables", errno });
                }
            }
        }
        Ok(has_changed)
    }

    fn is_news(&self, message: &header::Received<'_>) -> bool {
        let Some(kind) = message.of_tables() else { return false };
        let of_set = |set: Set| {
            let name = attributes::text(message.attributes(), NFTA_SET_ELEM_LIST_SET);
            name == Some(set.to_string().as_bytes())
        };
        let is_table = attributes::text(message.attributes(), NFTA_TABLE)
            == Some(self.place.table.as_str().as_bytes());
        let counts = match kind {
            // The number of the ruleset, whose attributes are others.
            kind::NEWGEN => false,
            kind::NEWSETELEM | kind::DELSETELEM => of_set(Set::Guarded),
            _ => true,
        };
        message.port != self.own
            && message.family() == Some(family(self.place.family))
            && is_table
            && counts
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
