//! What the manual page says of profiles.

use knock_tests::manual::{Part, Section};

use Part::{Tagged, Text, Verbatim};

/// The sections of the page.
pub(crate) const SECTIONS: &[Section] = &[
    Section {
        heading: "PROFILES",
        parts: &[
            Text(
                "A file of profiles makes a name enough to knock, as ssh_config(5) makes a name enough to log \
                 in. It is `$XDG_CONFIG_HOME/knock/config`, or `~/.config/knock/config` if that is not set; \
                 `--profiles` names another one, and `--profiles none` none. Whatever the command line says \
                 beats the profile; with ports on the command line, the knocks of the profile are not used.",
            ),
            Verbatim(
                "Host home\n    HostName home.example.com\n    Knocks 7000 8000:udp 9000\n    Then 22\n\n\
                 Host *\n    Delay 150ms",
            ),
            Text(
                "A line is a keyword and a value, with blanks or one `=` between them. Keywords may be in any \
                 case. Empty lines, and what begins with `#` at the start of a line or behind a blank, are \
                 ignored. A value with blanks in it stands between double or single quotes; `\\` in front of \
                 a quote, a blank or a `\\` takes its meaning. For each setting the first value that is found \
                 for a host counts: special hosts come first, `Host *` last. There is no `Include` and no \
                 `Match`. A file may have 1,000 lines `Host`, and be 1 MiB large.",
            ),
            Tagged(
                "`Host` PATTERN...",
                "Begins a profile: the lines up to the next `Host` are for hosts whose name, as it stands on \
                 the command line, is matched by one of the patterns. `*` stands for any characters, `?` for \
                 any one. A host that is matched by a pattern behind a `!` is excluded. Lines in front of the \
                 first `Host` are for all hosts.",
            ),
            Tagged(
                "`HostName` NAME",
                "The name or address to knock at. `%h` in it is the name on the command line, `%%` is a `%`.",
            ),
            Tagged(
                "`Knocks` PORT[:PROTOCOL[:FLAGS]]...",
                "The knocks, as on the command line; commas may stand between them, too.",
            ),
            Tagged("`Config` FILE", "The knockd.conf that `Door` is in, as with `--config`."),
            Tagged("`Door` NAME", "Take the knocks from this door of `Config`, as with `--door`."),
            Tagged(
                "`OneTimeSequences` FILE",
                "Take the knocks from the next line of this file; see below. `One_Time_Sequences` is the same. \
                 A profile has one of `Knocks`, `Door` and `OneTimeSequences`.",
            ),
            Tagged("`Delay` TIME", "The time between two knocks, as with `--delay`."),
            Tagged(
                "`Then` PORT",
                "The TCP port to wait for, as with `--then`; `none` for a host that the one of a later \
                 profile is not for.",
            ),
            Tagged("`Wait` TIME", "How long to wait for it, as with `--wait`."),
            Tagged("`Retry` N", "How often to knock again if it does not open, as with `--retry`."),
            Tagged("`Source` ADDR", "The address to knock from, as with `--source`."),
            Tagged("`Interface` NAME", "The interface to knock through, as with `--interface`."),
            Tagged(
                "`AddressFamily` FAMILY",
                "`inet` for IPv4 only, `inet6` for IPv6 only, or `any`.",
            ),
            Text(
                "Files whose name begins with `~/` or `$HOME/` are in the home of the user; other relative names \
                 stand relative to the folder of the file of profiles.",
            ),
            Text(
                "`--list` prints the hosts that are named, in the order of the file, and how many knocks each \
                 has; the ports, which are the secret, only with `-v`.",
            ),
            Text(
                "Who can read the file knows the secret. A file of profiles, a knockd.conf of `--config` or a \
                 file of one-time sequences that others than its user, or root, can read or change is used, \
                 and warned of.",
            ),
        ],
    },
    Section {
        heading: "DOORS AND ONE-TIME SEQUENCES",
        parts: &[
            Text(
                "With `--config` and `--door`, or `Config` and `Door`, the knocks are those of a door of the \
                 server's own configuration. Where its `TCPFlags` take a plain SYN, that is sent; else the flags \
                 that they want, and for that the client needs root or CAP_NET_RAW. Where no HOST is given, the \
                 `Target` of the door is knocked at. What the door runs does not matter, and sequence files of \
                 other doors need not be there. A relative name in `One_Time_Sequences` stands relative to the \
                 current directory, as for the daemon.",
            ),
            Text(
                "The first line of a file of one-time sequences that is neither blank nor begins with `#` is the \
                 next sequence. The client marks it as the server marks its own copy, with a `#` over the first \
                 character, once its last knock has left. With `--then` it is marked only if the port opens: \
                 else the server may not have heard all of it, and the same sequence is tried the next time. \
                 So `Then` keeps client and server in step where knocks may be lost; without it, a sequence \
                 that was lost on the way is marked by the client only. If one side is ahead, mark the lines \
                 by hand that it has used. `--dry-run`, `--write` and `--list` mark nothing.",
            ),
            Text(
                "While a client knocks, it has the file locked with flock(2), and another one waits for up to a \
                 minute, and takes the next sequence. A file that cannot be written, and one without a sequence \
                 left, end the client with status 2 before the first knock. When fewer than three sequences are \
                 left, it says so.",
            ),
        ],
    },
];
