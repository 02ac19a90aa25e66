//! What all tests of the program share.

pub(crate) mod capture_builder;
mod process;

pub(crate) use knock_tests::process::{Live, Outcome, finish};
pub(crate) use knock_tests::require::{Need, require};
pub(crate) use process::{CaseRunner, signal, wait_for_signals_held_back};

/// A door with a start and a stop command, and one without a stop command.
pub(crate) const CONFIG: &str = "\
[ssh]
    sequence = 7000,8000,9000
    seq_timeout = 5
    tcpflags = syn
    start_command = open %IP%
    cmd_timeout = 10
    stop_command = close %IP%

[mail]
    sequence = 25:udp,110
    seq_timeout = 5
    command = mail %IP%
";

/// What one client's knocks at `ssh` print.
pub(crate) const OPENED: &str = "\
10.0.0.5: ssh: Stage 1
10.0.0.5: ssh: Stage 2
10.0.0.5: ssh: Stage 3
10.0.0.5: ssh: OPEN SESAME
ssh: running command: open 10.0.0.5
10.0.0.5: ssh: command timeout
ssh: running command: close 10.0.0.5
";
