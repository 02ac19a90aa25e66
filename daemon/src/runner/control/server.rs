//! The socket and its connections.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Instant;

use knock_control::{Call, Reply};
use nix::poll::PollFlags;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};
use nix::sys::stat::{Mode, fchmod};

use super::connection::Connection;
use crate::runner::recent::Recent;
use crate::user;

/// How many connections there are at once. For one more, the one that has said nothing for the longest time
/// is closed.
const CONNECTIONS_MAX: usize = 16;

/// The group whose members may connect. Without it, only root and the user of the daemon may.
pub(in crate::runner) const GROUP: &str = "knockd";

/// The permissions of the socket: who may write to it may connect.
const MODE: u32 = 0o660;

/// The socket. It is removed when dropped.
#[derive(Debug)]
pub(in crate::runner) struct ControlServer {
    listener: UnixListener,
    path: PathBuf,
    connections: Vec<Connection>,
}

impl ControlServer {
    /// Makes the socket, and its folder if that is missing.
    ///
    /// # Errors
    /// Why that is not possible, such as that another daemon has the socket.
    pub(in crate::runner) fn new(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
            DirBuilder::new().mode(0o755).create(folder)?;
        }
        remove_unused(path)?;
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let server = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        // The file gets these permissions, so that nobody else can connect in between.
        fchmod(&server, Mode::S_IRUSR | Mode::S_IWUSR)?;
        bind(server.as_raw_fd(), &UnixAddr::new(path)?)?;
        let this = Self {
            listener: UnixListener::from(server),
            path: path.to_owned(),
            connections: Vec::new(),
        };
        // Who is not root cannot give the file to the group.
        let group = user::group(GROUP);
        if let Some(group) = group.filter(|_| nix::unistd::geteuid().is_root()) {
            chown(path, None, Some(group))?;
            fs::set_permissions(path, Permissions::from_mode(MODE))?;
        }
        listen(&this.listener, Backlog::new(16)?)?;
        Ok(this)
    }

    /// Takes over the connections of another, in the same order.
    pub(super) fn with_connections_of(mut self, mut old: Self) -> Self {
        self.connections = std::mem::take(&mut old.connections);
        self
    }

    /// Returns what to wait for.
    pub(in crate::runner) fn wanted<'a>(
        &'a self,
        recent: &'a Recent,
    ) -> impl Iterator<Item = (BorrowedFd<'a>, PollFlags)> {
        let connections = self.connections.iter().map(|one| one.wanted(recent));
        std::iter::once((self.listener.as_fd(), PollFlags::POLLIN)).chain(connections)
    }

    /// Accepts new connections, and returns the calls that are there: one of a connection at most, with
    /// its place among the connections, and whether it may change something.
    pub(super) fn calls(&mut self) -> Vec<(usize, Call, bool)> {
        self.accept();
        let mut calls = Vec::new();
        let mut place = 0_usize;
        while let Some(connection) = self.connections.get_mut(place) {
            match connection.call() {
                Ok(call) => {
                    calls.extend(call.map(|call| (place, call, connection.may_change)));
                    place = place.saturating_add(1);
                }
                Err(_) => drop(self.connections.remove(place)),
            }
        }
        calls
    }

    fn accept(&mut self) {
        // Errors are those of connections that were given up meanwhile, or go away with time.
        while let Ok((stream, _)) = self.listener.accept() {
            let Ok(connection) = Connection::new(stream) else { continue };
            if self.connections.len() >= CONNECTIONS_MAX {
                let idle = self.connections.iter().enumerate();
                let idle = idle.min_by_key(|(_, one)| (one.wants_lines(), one.last));
                if let Some((place, _)) = idle {
                    self.connections.remove(place);
                }
            }
            self.connections.push(connection);
        }
    }

    /// Answers a call.
    pub(super) fn reply(&mut self, place: usize, reply: &Reply) {
        if let Some(connection) = self.connections.get_mut(place) {
            connection.reply(reply);
            connection.last = Instant::now();
        }
    }

    /// A connection gets the list of attempts when that arrives.
    pub(super) fn await_attempts(&mut self, place: usize) {
        if let Some(connection) = self.connections.get_mut(place) {
            connection.await_attempts();
        }
    }

    /// Answers those that wait for the list of attempts.
    pub(in crate::runner) fn answer_attempts(&mut self, reply: &Reply) {
        for connection in &mut self.connections {
            connection.answer_attempts(reply);
        }
    }

    /// From now on, a connection gets lines.
    pub(super) fn follow(&mut self, place: usize, recent: &Recent) {
        if let Some(connection) = self.connections.get_mut(place) {
            connection.follow(recent);
        }
    }

    /// Sends what the other sides take.
    pub(in crate::runner) fn send(&mut self, recent: &Recent) {
        self.connections.retain_mut(|connection| connection.send(recent).is_ok());
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        // If this fails, the next daemon removes it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes a socket that a daemon has left. Nothing else is ever removed.
fn remove_unused(path: &Path) -> io::Result<()> {
    let is_socket = match path.symlink_metadata() {
        Ok(metadata) => metadata.file_type().is_socket(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !is_socket {
        return Err(io::Error::other("there is a file that is no socket"));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another knockd has it")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use tempfile::TempDir;

    use super::*;
    use crate::runner::recent::RecentLine;

    fn server() -> (TempDir, PathBuf, ControlServer) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("new/control");
        let server = ControlServer::new(&path).unwrap();
        (folder, path, server)
    }

    #[test]
    fn a_socket_that_was_left_is_replaced_and_nothing_else() {
        let (_folder, path, server) = server();
        let error = ControlServer::new(&path).unwrap_err().to_string();
        assert_eq!(error, "another knockd has it");
        drop(server);
        assert!(!path.exists());
        // As after a kill.
        drop(UnixListener::bind(&path).unwrap());
        drop(ControlServer::new(&path).unwrap());
        fs::write(&path, "mine").unwrap();
        let error = ControlServer::new(&path).unwrap_err().to_string();
        assert_eq!(error, "there is a file that is no socket");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn only_the_owner_and_the_group_may_connect() {
        let (_folder, path, _server) = server();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert!([0o600, MODE].contains(&mode), "{mode:o}");
    }

    #[test]
    fn calls_come_one_by_one_and_what_is_no_call_ends_the_connection() {
        let (_folder, path, mut server) = server();
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(b"{\"method\":\"a\"}\0{\"method\":\"b\"}\0").unwrap();
        for name in ["a", "b"] {
            let calls = server.calls();
            assert_eq!(calls.len(), 1);
            let (place, call, may_change) = &calls[0];
            assert_eq!((call.method.as_str(), *may_change), (name, true));
            // As long as it is not answered, the next one waits.
            server.reply(*place, &Reply::answer(&()));
            assert!(server.calls().is_empty());
            server.send(&Recent::default());
        }
        client.write_all(b"nonsense\0").unwrap();
        assert!(server.calls().is_empty());
        let mut answers = String::new();
        client.read_to_string(&mut answers).unwrap();
        assert_eq!(answers, "{\"parameters\":null}\0".repeat(2));
    }

    #[test]
    fn an_endless_call_ends_the_connection() {
        let (_folder, path, mut server) = server();
        let mut client = UnixStream::connect(&path).unwrap();
        client.set_nonblocking(true).unwrap();
        for _ in 0..10 {
            let _ = client.write(&[b' '; 1_000]);
            assert!(server.calls().is_empty());
        }
        assert!(server.connections.is_empty());
    }

    #[test]
    fn one_connection_too_many_ends_the_most_idle_one() {
        let (_folder, path, mut server) = server();
        let mut clients: Vec<UnixStream> = Vec::new();
        for _ in 0..CONNECTIONS_MAX + 3 {
            clients.push(UnixStream::connect(&path).unwrap());
            assert!(server.calls().is_empty());
        }
        assert_eq!(server.connections.len(), CONNECTIONS_MAX);
        assert_eq!(clients[2].read(&mut [0]).unwrap(), 0);
        clients[3].set_nonblocking(true).unwrap();
        assert!(clients[3].read(&mut [0]).is_err());
    }

    #[test]
    fn a_reader_that_is_too_slow_is_told_what_it_missed() {
        let (_folder, path, mut server) = server();
        let mut client = UnixStream::connect(&path).unwrap();
        server.accept();
        let mut recent = Recent::default();
        server.follow(0, &recent);
        for number in 0..100_000 {
            recent.push(RecentLine::plain(format!("line {number}")));
            server.send(&recent);
        }
        assert!(server.connections[0].out.len() < 100_000);
        client.set_nonblocking(true).unwrap();
        let mut text = Vec::new();
        while server.wanted(&recent).any(|(_, events)| events == PollFlags::POLLOUT) {
            let _ = client.read_to_end(&mut text);
            server.send(&recent);
        }
        let _ = client.read_to_end(&mut text);
        let (mut received, mut lost) = (0_u64, 0_u64);
        for message in text.split(|&byte| byte == 0).filter(|message| !message.is_empty()) {
            let reply: Reply = serde_json::from_slice(message).unwrap();
            received += 1;
            lost += reply.parameters["lost"].as_u64().unwrap();
        }
        assert_eq!(received + lost, 100_000);
        assert!(lost > 0 && received > 4_000, "{received}");
    }
}
