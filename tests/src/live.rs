//! A real knockd 0.8 on its own wire, and the capture of what it saw.
//!
//! Two network namespaces, a server and a client, are joined by a veth pair; nothing leaves them. On
//! the server's end knockd and tcpdump listen while programs knock from the client's. A replay of the
//! capture under the rules `knockd-0.8` must then print the same as knockd.
//!
//! Two sockets see the same packets in the same order: whatever the client runs is bound to one
//! processor, and a packet that is sent on a veth pair arrives on the processor that sent it. But each
//! socket stamps a packet itself, some microseconds apart. A packet exactly at the turn of a second and
//! at the end of a `seq_timeout` could therefore give different lines: the chance is about one in a
//! hundred thousand for each attempt near its end.

mod cable;
mod frames;
mod namespace;
mod recording;
mod transcript;
mod wire;

pub use cable::{CLIENTS, Cable, SERVER};
pub use frames::{frame_socket, recording_socket};
pub use namespace::Namespace;
pub use recording::Recording;
pub use wire::Wire;
