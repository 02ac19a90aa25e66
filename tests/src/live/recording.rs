//! The result of a live run, and its comparison with a replay.

use std::ffi::OsString;
use std::path::PathBuf;

use knock_replay::{Exit, Streams};
use tempfile::TempDir;

use super::cable::SERVER;
use super::transcript::Transcript;

/// What a live knockd printed, and the capture of what it saw.
pub struct Recording {
    /// Its transcript.
    pub live: String,
    /// What it and its commands wrote to standard error.
    pub errors: String,
    pub(super) config: String,
    pub(super) folder: TempDir,
}

impl Recording {
    /// Returns the path of a file in the folder that replaces `DIR` in the configuration.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns how often the live transcript has a text.
    #[must_use]
    pub fn count(&self, text: &str) -> usize {
        self.live.matches(text).count()
    }

    /// Replays the capture and returns the transcript. The last door's lines are the last ones.
    ///
    /// # Panics
    /// If it cannot be replayed.
    #[must_use]
    pub fn replay(&self, rules: &str) -> String {
        let path = |name: &str| self.path(name).into_os_string();
        let mut args = vec!["knock-replay".into(), path("knocks.pcap")];
        args.extend(["--config".into(), path("knockd.conf")]);
        args.extend(["--quiet", "--rules", rules].map(OsString::from));
        args.extend(SERVER.iter().flat_map(|address| ["--local", address]).map(OsString::from));
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let mut streams = Streams::plain(&mut output, &mut errors);
        let exit = knock_replay::run(args, &mut streams);
        assert_eq!(exit, Exit::Done, "{}", String::from_utf8_lossy(&errors));
        String::from_utf8(output).unwrap()
    }

    /// Fails if the replay under the rules of 0.8 prints anything other than knockd: the lines of the
    /// daemon must be the same in the same order, and so must those of children for each door and
    /// client.
    ///
    /// # Panics
    /// If so. The capture is then kept, and the message says where.
    pub fn assert_replay_is_live(self) {
        let replay = self.replay("knockd-0.8");
        if Transcript::new(&replay) != Transcript::new(&self.live) {
            self.fail(&replay);
        }
    }

    /// Fails if the replay under the rules of 0.8 differs in any byte from what knockd printed.
    ///
    /// # Panics
    /// If so. The capture is then kept, and the message says where.
    pub fn assert_replay_is_live_in_exact_order(self) {
        let replay = self.replay("knockd-0.8");
        if replay != self.live {
            self.fail(&replay);
        }
    }

    fn fail(self, replay: &str) -> ! {
        let Self { live, config, folder, .. } = self;
        let folder = folder.keep();
        panic!(
            "knockd printed\n{live}\nthe replay printed\n{replay}\nwith the configuration\n{config}\n\
             the capture is in {}",
            folder.display()
        );
    }
}
