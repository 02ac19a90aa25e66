//! The command line of `knock-replay explain`.

use clap::Args;
use clap::error::ErrorKind;
use knock_config::options::Format;

use super::{Fault, Input, Whom, client_in_the_place_of_a_capture, fault};

const LONG_ABOUT: &str = "\
Explain why knocks did not open a door.

For each client and door it prints each stage and, for each packet that did not count, the reason, with the \
packet's number in the capture and the line of the configuration that decided. At the end it prints how \
far each client came at each door. The rules are those of knock; the last line on standard error says whether \
knockd 0.8 would have opened other doors, and is left out with '--quiet', which is faster. Packets to ports of no \
door are only counted, unless they come between two knocks and may be mistaken ones.

For each client at a door it prints at most 100 lines, or 10000 with '--client', and at most 200000 in total. \
It follows at most 20000 pairs of a client and a door. What is left out is counted. '--format json' \
leaves nothing out.";

const EXAMPLES: &str = "\
Examples:
  Explain why a client's knocks did not open a door:
      knock-replay explain knocks.pcap -c knockd.conf --client 203.0.113.7

  Explain all knocks, for a program:
      knock-replay explain knocks.pcap -c knockd.conf --format json

Exit status:
  0  the captures were replayed to their ends
  2  the command line or the configuration has an error
  3  a capture could not be read, or not to its end, or no thread can be started
  4  standard output could not be written";

/// Explain why knocks did not open a door
#[derive(Clone, Debug, Args)]
#[command(
    long_about = LONG_ABOUT,
    after_long_help = EXAMPLES,
    override_usage = "knock-replay explain [OPTIONS] --config <FILE> <CAPTURE>..."
)]
pub(crate) struct ExplainArgs {
    /// Explain only the knocks of this address or network
    #[arg(long, value_name = "CLIENT", default_value = "all")]
    pub(crate) client: Whom,

    /// Print text, or JSON: one object a line, each as soon as it happens
    ///
    /// docs/knock-explain.schema.json describes the objects.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) input: Input,
}

impl ExplainArgs {
    pub(super) fn fault(&self) -> Option<Fault> {
        let Self { input, client, format: _ } = self;
        let mut captures = input.captures().filter(|_| *client == Whom::All);
        let misplaced_client = captures.find_map(|path| client_in_the_place_of_a_capture(path));
        input.fault().or_else(|| {
            let client = misplaced_client?;
            misplaced(client, &format!("--client {client}"))
        })
    }
}

/// A client is named as if it were a capture.
pub(super) fn misplaced(client: Whom, option: &str) -> Option<Fault> {
    let message = format!(
        "'{client}' is taken for a capture, and there is no such file; to explain the knocks of that \
         client, write '{option}'"
    );
    fault(ErrorKind::ArgumentConflict, message)
}
