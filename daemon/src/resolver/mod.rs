//! The process that looks up names, without privileges.
//!
//! Whoever runs the DNS of a stranger's address chooses the name, so no process with privileges reads
//! DNS answers. This one gets addresses on a socket, its standard input, and answers when it can.

mod sandbox;

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use crate::exit::Exit;
use crate::user::User;

/// The name of the process, by which the program knows which process it is.
pub(crate) const NAME: &str = "knockd: resolver";

/// How many names are looked up at once.
const AT_ONCE: usize = 16;

/// How many addresses may wait to be looked up; more are dropped.
const WAITING_MAX: usize = 256;

/// The size of a question, which is an address.
pub(crate) const QUESTION_BYTES: usize = 17;

/// The size of an answer: the address, the length of its name, and the name. Length 0 means no name.
pub(crate) const ANSWER_BYTES: usize = QUESTION_BYTES + 1 + NAME_MAX;

/// The longest name in DNS, in bytes.
const NAME_MAX: usize = 255;

/// Returns an address as a question.
pub(crate) fn question(address: IpAddr) -> [u8; QUESTION_BYTES] {
    let (family, octets) = match address {
        IpAddr::V4(address) => (4, address.to_ipv6_mapped().octets()),
        IpAddr::V6(address) => (6, address.octets()),
    };
    let mut question = [family; QUESTION_BYTES];
    for (place, octet) in question.iter_mut().skip(1).zip(octets) {
        *place = octet;
    }
    question
}

/// Parses a question; `None` if it is not valid.
fn parse_question(question: [u8; QUESTION_BYTES]) -> Option<IpAddr> {
    let [family, octets @ ..] = question;
    match family {
        4 => {
            let [.., a, b, c, d] = octets;
            Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        6 => Some(IpAddr::V6(Ipv6Addr::from(octets))),
        _ => None,
    }
}

/// Returns an answer as bytes. Bytes that names may not have are left out.
fn answer(question: [u8; QUESTION_BYTES], name: Option<&str>) -> [u8; ANSWER_BYTES] {
    let name = name.unwrap_or_default().bytes();
    let name: Vec<u8> = name.filter(|&byte| is_name_byte(byte)).take(NAME_MAX).collect();
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    let mut answer = [0; ANSWER_BYTES];
    let bytes = question.into_iter().chain([length]).chain(name);
    for (place, byte) in answer.iter_mut().zip(bytes) {
        *place = byte;
    }
    answer
}

/// Returns whether names may have this byte.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}

/// Parses an answer: the address and its name, if it has one; `None` if it is not valid, as from a
/// resolver that was taken over.
pub(crate) fn parse_answer(answer: &[u8; ANSWER_BYTES]) -> Option<(IpAddr, Option<Vec<u8>>)> {
    let (&question, rest) = answer.split_first_chunk()?;
    let (&length, name) = rest.split_first()?;
    let name = name.get(..usize::from(length))?;
    if !name.iter().copied().all(is_name_byte) {
        return None;
    }
    Some((parse_question(question)?, (!name.is_empty()).then(|| name.to_vec())))
}

/// Runs the process. `arguments` are the user and the group to become, if any.
pub(crate) fn main(arguments: &[String]) -> Exit {
    match run(arguments) {
        Ok(()) => Exit::Done,
        Err(error) => {
            let _ = writeln!(io::stderr(), "knockd: error: cannot look up names: {error}");
            Exit::Failed
        }
    }
}

fn run(arguments: &[String]) -> io::Result<()> {
    crate::signals::leave_to_parent()?;
    sandbox::enter(User::from_arguments(arguments)).map_err(io::Error::other)?;
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (questions, to_answer) = mpsc::sync_channel(WAITING_MAX);
    let to_answer = Arc::new(Mutex::new(to_answer));
    // Starting a thread takes system calls that are forbidden once the process is sealed.
    let begun = Arc::new(Barrier::new(AT_ONCE.saturating_add(1)));
    for _ in 0..AT_ONCE {
        let (to_answer, socket) = (Arc::clone(&to_answer), socket.try_clone()?);
        let begun = Arc::clone(&begun);
        thread::Builder::new().spawn(move || {
            begun.wait();
            answer_all(&to_answer, &socket);
        })?;
    }
    begun.wait();
    sandbox::seal().map_err(io::Error::other)?;
    let mut question = [0; QUESTION_BYTES];
    while (&socket).read_exact(&mut question).is_ok() {
        // With too many waiting, this one gets no answer.
        let _ = questions.try_send(question);
    }
    Ok(())
}

fn answer_all(questions: &Mutex<Receiver<[u8; QUESTION_BYTES]>>, mut socket: &UnixStream) {
    loop {
        let Ok(question) = questions.lock().map_or(Err(()), |next| next.recv().map_err(drop))
        else {
            return;
        };
        let Some(address) = parse_question(question) else { continue };
        let name = dns_lookup::lookup_addr(&address).ok();
        // Where there is no name, some systems return the address.
        let name = name.filter(|name| name.parse::<IpAddr>().is_err());
        if socket.write_all(&answer(question, name.as_deref())).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers_are_parsed_as_they_were_written() {
        for address in ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(parse_question(question(address)), Some(address));
            let named = answer(question(address), Some("host-1.example"));
            assert_eq!(parse_answer(&named), Some((address, Some(b"host-1.example".to_vec()))));
            assert_eq!(parse_answer(&answer(question(address), None)), Some((address, None)));
        }
        assert_eq!(parse_question([0; QUESTION_BYTES]), None);
        assert_eq!(parse_answer(&[0; ANSWER_BYTES]), None);
    }

    #[test]
    fn a_name_has_no_control_characters_and_not_too_many_bytes() {
        let address = "192.0.2.1".parse().unwrap();
        let evil = answer(question(address), Some("a\u{1b}[31m\n): x\u{9b}é"));
        assert_eq!(parse_answer(&evil), Some((address, Some(b"a31mx".to_vec()))));
        let long = answer(question(address), Some(&"x".repeat(1000)));
        assert_eq!(parse_answer(&long).unwrap().1.unwrap().len(), NAME_MAX);
    }

    #[test]
    fn an_answer_with_bytes_that_no_name_has_is_not_valid() {
        for byte in *b"\n\x1b\0 (\x9b" {
            let mut forged = answer(question("192.0.2.1".parse().unwrap()), Some("host.example"));
            forged[QUESTION_BYTES + 3] = byte;
            assert_eq!(parse_answer(&forged), None, "{byte}");
        }
    }
}
