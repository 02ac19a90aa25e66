//! What the manual page says besides the options. Words between backticks are bold.

use knock_tests::manual::Part::{Tagged, Text, Verbatim};
use knock_tests::manual::Section;

pub(crate) const DESCRIPTION: Section = Section {
    heading: "DESCRIPTION",
    parts: &[
        Text(
            "`knock` sends knocks to a host: single packets to ports, in order, whether anything is open \
             there or not. If a door keeper such as `knockd`(1) listens there, and they are the knocks of \
             one of its doors, the door opens.",
        ),
        Text(
            "It takes the command lines of `knock` 0.8 and sends what that sends, but in order, paced, and \
             without the packets that spoil a knock. Below it says where it differs.",
        ),
    ],
};

/// What stands before what is said of profiles.
pub(crate) const SECTIONS: &[Section] = &[KNOCKS, ORDER, OPEN, SSH];

/// What stands behind it.
pub(crate) const MORE_SECTIONS: &[Section] =
    &[CAPTURES, JSON, COMPLETIONS, DIFFERENCES, SECURITY_NOTES];

const KNOCKS: Section = Section {
    heading: "KNOCKS",
    parts: &[
        Tagged(
            "`7000`, `7000:tcp`",
            "A TCP SYN, the one that the kernel sends to open a connection. It is sent once: the kernel \
             does not get to repeat it after a second, as it does for other programs if a firewall drops \
             it. If the port is open, its answer is not answered either, as long as `knock` runs: to a \
             door without `tcpflags`, that answer would be a wrong knock. What comes after that, such as \
             the answers of a far host to the last knocks, or one that a server repeats, gets an RST from \
             the kernel: the door has heard all knocks by then, but another door without `tcpflags` may \
             take it for a knock at that port.",
        ),
        Tagged("`7000:udp`", "A UDP datagram with one byte, which is 0."),
        Tagged(
            "`7000:tcp:fin,psh`",
            "A TCP segment with these flags and no others, for doors with `tcpflags`: `fin`, `syn`, `rst`, \
             `psh`, `ack` and `urg` separated by commas, or `none`. It is sent by a raw socket, which is \
             only for root and for programs that have the capability CAP_NET_RAW. `tcp:syn` is a plain \
             knock.",
        ),
        Text(
            "A refused connection, an ICMP error and no answer are all the same to a knock: it was made. \
             A name is resolved once, and of its addresses the first is used that there is a route to. \
             All knocks have the same source address, since a door keeper knows clients by it: the one \
             that the kernel chooses for the host, or that of `--source`. There are at most 256 knocks; \
             sequences of `knockd` have at most 32.",
        ),
        Text(
            "Before the first packet leaves, all sockets are there and bound. So a wrong port, an unknown \
             name, an unreachable network, an address or interface that this machine does not have, and \
             missing privileges are told with status 2, and nothing was sent. If a firewall of this \
             machine does not let a datagram or a segment with flags out, `knock` says which knock it \
             was, sends no more, and ends with status 1; of a plain SYN the kernel does not tell it.",
        ),
    ],
};

const ORDER: Section = Section {
    heading: "ORDER AND PACE",
    parts: &[
        Text(
            "Between two knocks there are 100 milliseconds, unless `--delay` says otherwise; there is no \
             delay after the last. Packets that are sent back to back arrive in another order where a path \
             has several lanes, where a radio link repeats the one and not the other, or where a server \
             has a queue for each processor; the door then stays shut. All of these are a matter of \
             milliseconds, on bad radio links of tens of them. Three knocks so take 0.2 seconds, and \
             the shortest `seq_timeout` is a second.",
        ),
        Text(
            "`--delay 0` sends them back to back. If knocks arrive too early for a door keeper far away, \
             or are lost, a longer delay or `--retry` helps.",
        ),
    ],
};

const OPEN: Section = Section {
    heading: "DID IT OPEN?",
    parts: &[
        Text(
            "Nothing says so by itself: a door keeper is silent. With `--then 22` (or `22/tcp`), `knock` \
             connects to that port after the last knock, again and again, ten times a second, from the same \
             source, until a connection is accepted. It closes that one at once, prints for instance",
        ),
        Verbatim("22/tcp is open after 0.03 s"),
        Text(
            "and has status 0. If `--wait` is over before that, it says whether connections were refused or \
             nothing answered, and has status 4; with `--retry N` it knocks again first, up to N times.",
        ),
        Text(
            "The port is not tried before the knocks: a door keeper might take that for a wrong knock, and a \
             firewall that drops would cost time. So a port that was open all along is told as open, and \
             knocking again is usual: it renews what a door has opened for a while.",
        ),
        Text("So `ssh` runs only if the door has opened:"),
        Verbatim(AND_SSH),
    ],
};

/// A line for the shell.
pub(crate) const AND_SSH: &str = "knock --then 22 192.0.2.1 7000 8000 9000 && ssh 192.0.2.1";

const SSH: Section = Section {
    heading: "WITH SSH",
    parts: &[
        Text(
            "`ssh` can knock by itself. In `~/.ssh/config`, `Match exec` runs a command before it connects; \
             the settings below it count if the command succeeds:",
        ),
        Verbatim(MATCH_EXEC),
        Text(
            "`scp`, `rsync` and `git` knock then, too. Other programs that ask `ssh -G` for the \
             configuration knock as well. Where that is not wanted, a `ProxyCommand` knocks only for \
             connections:",
        ),
        Verbatim(PROXY_COMMAND),
        Text(
            "With a profile (see `PROFILES`), the name is enough, and the sequence stands in no command line:",
        ),
        Verbatim(PROFILE),
        Verbatim(HOME_AND_SSH),
        Text("or in `~/.ssh/config`:"),
        Verbatim(MATCH_HOME),
    ],
};

/// For `~/.ssh/config`.
pub(crate) const MATCH_EXEC: &str = "\
Match originalhost home exec \"knock -q --then %p 192.0.2.1 7000 8000 9000\"
    HostName 192.0.2.1";

/// For `~/.ssh/config`.
pub(crate) const PROXY_COMMAND: &str = "\
Host home
    HostName 192.0.2.1
    ProxyCommand sh -c 'knock -q --then %p %h 7000 8000 9000 && exec nc %h %p'";

/// For `~/.config/knock/config`.
pub(crate) const PROFILE: &str = "\
Host home
    HostName 192.0.2.1
    Knocks 7000 8000 9000
    Then 22";

/// A line for the shell.
pub(crate) const HOME_AND_SSH: &str = "knock home && ssh home";

/// For `~/.ssh/config`.
pub(crate) const MATCH_HOME: &str = "\
Match originalhost home exec \"knock -q home\"
    HostName 192.0.2.1";

const CAPTURES: Section = Section {
    heading: "WITHOUT A NETWORK",
    parts: &[
        Text(
            "`--dry-run` prints what would be done: where from, where to, when. `--write` writes the frames \
             that would leave to a capture, at the times at which they would, with right checksums. Neither \
             needs privileges. `knock-replay`(1) then says what a configuration makes of a capture:",
        ),
        Verbatim(
            "knock --write k.pcap 192.0.2.1 7000 8000 9000\nknock-replay k.pcap -c knockd.conf",
        ),
        Text(
            "Only names are asked for. What packets draw by chance, their source ports and numbers, comes \
             from `--seed` if there is one, and the first frame then has the time 2001-09-09 01:46:40 UTC. \
             With `--source`, which then need not be an address of this machine, the capture is the same \
             everywhere. A plan is for this machine: an address or interface that it does not have is told \
             with status 2, as without `--dry-run`. Where there is no route, both say so and go on.",
        ),
    ],
};

const JSON: Section = Section {
    heading: "JSON",
    parts: &[
        Text(
            "With `--json`, standard output has one object a line, errors included, and standard error \
             nothing. docs/knock.schema.json is the JSON Schema of such a line. Each has `version`, which is \
             1 and changes when a member is gone or means something else, and `event`:",
        ),
        Tagged(
            "`knock`",
            "A knock that leaves now: `number` from 1, `address`, `port`, `protocol`, of TCP `flags`.",
        ),
        Tagged(
            "`plan`",
            "With `--dry-run`: `host`, `address`, `source`, `delay_ms`, `knocks`, and if there are any \
             `interface` and `then`, which has `port`, `wait_s` and `retry`.",
        ),
        Tagged(
            "`profile`",
            "With `--list`: `name`, `host`, and if there are any the number of `knocks`, where they come \
             `from`, how many one-time `sequences` are left, and `then`.",
        ),
        Tagged("`note`", "Something that is good to know: `message`."),
        Tagged(
            "`warning`",
            "Something that may go wrong: `message`, and if there are any `note` and `help`, a way out.",
        ),
        Tagged("`written`", "With `--write`: `file`, and the number of `knocks`."),
        Tagged("`open`", "The port has opened: `port`, `after_s`."),
        Tagged(
            "`shut`",
            "The port has not opened: `port`, `cause`, and `again`: true if there is another round, else \
             there is `help`.",
        ),
        Tagged(
            "`error`",
            "What ends `knock`: `message`, `help` if there is a way out, and `status`, its exit status.",
        ),
    ],
};

const COMPLETIONS: Section = Section {
    heading: "COMPLETIONS",
    parts: &[
        Text(
            "`knock --completions SHELL` prints what makes a shell complete options. For bash, for zsh with \
             `~/.zfunc` in its `fpath`, and for fish:",
        ),
        Verbatim(
            "knock --completions bash > ~/.local/share/bash-completion/completions/knock\n\
             knock --completions zsh > ~/.zfunc/_knock\n\
             knock --completions fish > ~/.config/fish/completions/knock.fish",
        ),
    ],
};

const DIFFERENCES: Section = Section {
    heading: "DIFFERENCES FROM KNOCK 0.8",
    parts: &[
        Tagged(
            "What cannot be meant",
            "0.8 takes a misspelt protocol, and `UDP` in capitals, for tcp, a delay that is no number for 0, \
             and knocks at port 0 and at 0.0.0.0, which then is this very machine; it says nothing of a \
             network that cannot be reached. All of these are errors here, with status 2 before the first \
             packet leaves. 0.8 has status 1 for a wrong command line and for an unknown name.",
        ),
        Tagged(
            "Delay",
            "0.8 has none unless told, and so its knocks can overtake one another. It also waits after the \
             last knock. Here there are 100 milliseconds between knocks; `-d 0` is what 0.8 does.",
        ),
        Tagged(
            "Packets",
            "0.8 completes a connection if the port is open, and closes it. So the port gets an ACK and \
             a FIN, too. Here it gets the SYN and no more, as `KNOCKS` above says.",
        ),
        Tagged(
            "Names and addresses",
            "0.8 resolves the name for each knock, which so may go to several hosts. An IPv4 address that \
             is written as one of IPv6, `::ffff:192.0.2.1`, is one of IPv4 here: `-6` refuses it, and `-v` \
             prints it as 192.0.2.1.",
        ),
        Tagged(
            "What is the same",
            "`-u`, `-d`, `-4`, `-6`, `-v`, `-V` and `-h` are there and mean the same: `-u` also beats `:tcp`, \
             of `-4` and `-6` the last one counts, options may stand behind the host, a number behind `-d` \
             is in milliseconds. `-v` prints the same lines, `hitting tcp 192.0.2.1:7000`.",
        ),
    ],
};

const SECURITY_NOTES: Section = Section {
    heading: "SECURITY NOTES",
    parts: &[Text(
        "A command line can be read by everybody on this machine while it runs, and stays in the history of \
         the shell: it tells the sequence, and a profile does not. So does `-v`, and a capture of `--write`. Whoever sees the packets \
         on their way sees it, too.",
    )],
};

/// What stands behind the list of exit statuses.
pub(crate) const EXIT_STATUS: &[&str] = &[
    "Status 0 says that the packets were given to the network, not that they have arrived: only `--then` \
     knows more.",
];

pub(crate) const SEE_ALSO: Section = Section {
    heading: "SEE ALSO",
    parts: &[Text("`knockd`(1), `knock-replay`(1), `ssh_config`(5), `capabilities`(7)")],
};
