//! Messages in a stream of bytes.

/// The bytes of a stream that were not taken yet, cut into messages.
#[derive(Debug)]
pub struct Frames {
    bytes: Vec<u8>,
    /// How many of them are known to have no NUL.
    searched: usize,
    max: usize,
}

/// A message is longer than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Frames {
    /// Makes an empty stream whose messages have `max` bytes at most.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { bytes: Vec::new(), searched: 0, max }
    }

    /// Appends bytes that were read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns whether no message has begun that has not ended.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns how many bytes were not taken yet.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.bytes.len()
    }

    /// Returns whether a complete message is there.
    #[must_use]
    pub fn has_message(&self) -> bool {
        self.bytes.contains(&0)
    }

    /// Takes the next complete message, without its NUL; `None` if there is none yet.
    ///
    /// # Errors
    /// [`TooLong`], complete or not.
    pub fn next_message(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let new = self.bytes.get(self.searched..).unwrap_or_default();
        let Some(length) = new.iter().position(|&byte| byte == 0) else {
            self.searched = self.bytes.len();
            return if self.searched > self.max { Err(TooLong) } else { Ok(None) };
        };
        let length = self.searched.saturating_add(length);
        if length > self.max {
            return Err(TooLong);
        }
        let rest = self.bytes.split_off(length.saturating_add(1));
        let mut message = std::mem::replace(&mut self.bytes, rest);
        message.truncate(length);
        self.searched = 0;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(frames: &mut Frames) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| frames.next_message().unwrap()).collect()
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_before_it_is_complete() {
        for end in [&b""[..], b"\0"] {
            let mut frames = Frames::new(4);
            frames.push(b"1234\0");
            frames.push(b"12345");
            frames.push(end);
            assert_eq!(frames.next_message(), Ok(Some(b"1234".to_vec())));
            assert_eq!(frames.next_message(), Err(TooLong));
        }
    }

    proptest! {
        #[test]
        fn messages_do_not_depend_on_how_they_arrive(
            messages in prop::collection::vec(prop::collection::vec(1_u8.., 0..20), 0..8),
            cuts in prop::collection::vec(1..9_usize, 1..40),
        ) {
            let stream: Vec<u8> =
                messages.iter().flat_map(|message| [&message[..], b"\0"].concat()).collect();
            let (mut frames, mut received, mut rest) = (Frames::new(20), Vec::new(), &stream[..]);
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                frames.push(now);
                received.extend(all(&mut frames));
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(received, messages);
            prop_assert!(frames.is_empty());
        }
    }
}
