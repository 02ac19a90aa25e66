//! A real knockd 0.8 on a wire of its own, and the capture of what it saw.
//!
//! Two network namespaces, a server and a client, are joined by a veth pair; nothing leaves them. On
//! the server's end knockd and tcpdump listen while programs knock from the client's. The capture is
//! then replayed under the rules `knockd-0.8` and must give what knockd printed.
//!
//! Two sockets see the same packets in the same order: whatever the client runs is bound to one
//! processor, and a packet that is sent on a veth pair arrives on the processor that sent it. Each
//! takes the time of a packet for itself, though, some microseconds apart. A packet that came just at
//! the turn of a second, at the very edge of a `seq_timeout`, could so be told differently: this has
//! about one chance in a hundred thousand for each attempt that is timed to be near its edge.

mod cable;
mod namespace;
mod recording;
mod transcript;
mod wire;

pub use cable::{CLIENTS, Cable, SERVER};
pub use namespace::Namespace;
pub use recording::Recording;
pub use wire::Wire;
