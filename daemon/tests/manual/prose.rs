//! What the manual page says besides the options. Words between backticks are bold.

use knock_tests::manual::Part::{Tagged, Text, Verbatim};
use knock_tests::manual::Section;

pub(crate) const DESCRIPTION: Section = Section {
    heading: "DESCRIPTION",
    parts: &[
        Text(
            "`knockd` listens for knocks: packets to ports of this machine, whether anything is open \
             there or not. A client that knocks at the ports of a door in their order, and in time, \
             opens it: `knockd` runs a command, which usually lets the client through the firewall, \
             and after a while perhaps another one that shuts it out again.",
        ),
        Text(
            "It is a drop-in for `knockd` 0.8: it reads the same configuration, takes the same options \
             and prints the same lines. Where it differs, docs/differences.md says how.",
        ),
        Text(
            "If it is your only way into a server: let `knockd --check` read every new configuration, \
             and keep a session open until you have knocked. `knock-replay`(1) shows what a \
             configuration does to packets that were captured, without running anything.",
        ),
    ],
};

pub(crate) const SECTIONS: &[Section] = &[
    SIGNALS,
    CHECK,
    CONFIGURATION,
    GLOBAL_DIRECTIVES,
    DOOR_DIRECTIVES,
    EXAMPLE_CONFIGURATIONS,
    KNOCKS,
    COMMANDS,
    ONE_TIME_SEQUENCES,
    INTERFACES,
    END,
    PRIVILEGES,
    SYSTEMD,
    LOGS,
    RECORDING,
    LIMITS,
    SECURITY_NOTES,
    FILES,
];

const SIGNALS: Section = Section {
    heading: "SIGNALS",
    parts: &[
        Text("Signals are for the process that was started, whose number is in the pid file."),
        Tagged(
            "`SIGTERM`, `SIGINT`",
            "Run the stop commands of all open doors, then end. See `END` below, also for a second \
             signal.",
        ),
        Tagged(
            "`SIGHUP`",
            "Read the configuration anew, with the files of one-time sequences, and open the log file \
             again. A configuration with errors is told of and not used: everything stays as it was. \
             Otherwise attempts at doors that have not changed go on, and a door that is open keeps \
             the stop command with which it was opened. `Interface`, `User`, `PidFile` and `LeaseFile` count after a \
             restart only, which is said if they have changed; the other directives count at once. The \
             command line beats the file this time, too.",
        ),
        Text(
            "The other processes of `knockd` do not react to these signals, so that it does no harm if \
             a terminal or a service manager sends them to all.",
        ),
    ],
};

const CONFIGURATION: Section = Section {
    heading: "CONFIGURATION",
    parts: &[
        Text(
            "The configuration consists of sections. `[options]`, in lower case, has the global \
             directives. Every other section is a door, and its name is the one that lines about it \
             have. A section may come in any place; `[options]` may come more than once.",
        ),
        Text(
            "A directive is a line `NAME = VALUE`, its name in upper or lower case. If one is given \
             twice in a section, the last one counts, with a warning (`TCPFlags` adds up). Lines that begin with `#` and \
             empty lines are ignored, and so are blanks around names and values. There are no comments \
             behind values: in a command or the name of a file, `#` belongs to it, elsewhere it is an \
             error.",
        ),
        Text(
            "An error keeps `knockd` from starting. All errors are told at once, each with its line, \
             its place and what to write instead. A warning changes nothing. The file has at most 1 MiB, \
             a line at most 4,095 bytes, and there are at most 32,767 doors.",
        ),
    ],
};

/// The directives themselves come from their table.
pub(crate) const GLOBAL_DIRECTIVES: Section = Section {
    heading: "CONFIGURATION: GLOBAL DIRECTIVES",
    parts: &[Text(
        "Names of files that do not begin with `/` are relative to the folder of the caller.",
    )],
};

/// The directives themselves come from their table.
pub(crate) const DOOR_DIRECTIVES: Section =
    Section { heading: "CONFIGURATION: DOOR DIRECTIVES", parts: &[] };

pub(crate) const EXAMPLE_CONFIGURATIONS: Section = Section {
    heading: "CONFIGURATION: EXAMPLES",
    parts: &[
        Text(
            "One sequence lets the client in by SSH, the reverse one shuts it out. To be of use, the \
             firewall must drop new connections to port 22, and accept those that are established, so \
             that they last when the door is shut.",
        ),
        Verbatim(
            "[options]
    LogFile = /var/log/knockd.log

[openSSH]
    Sequence    = 7000,8000,9000
    Seq_Timeout = 10
    TCPFlags    = syn
    Command     = /usr/sbin/iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT

[closeSSH]
    Sequence    = 9000,8000,7000
    Seq_Timeout = 10
    TCPFlags    = syn
    Command     = /usr/sbin/iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT",
        ),
        Text(
            "One sequence of TCP and UDP, with commands of their own for IPv6; the door shuts itself \
             after 10 seconds, in which the client must have connected.",
        ),
        Verbatim(
            "[options]
    UseSyslog

[SSH]
    Sequence        = 2222:udp,3333:tcp,4444:udp
    Seq_Timeout     = 15
    TCPFlags        = syn
    Start_Command   = /usr/sbin/iptables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
    Start_Command_6 = /usr/sbin/ip6tables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
    Cmd_Timeout     = 10
    Stop_Command    = /usr/sbin/iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
    Stop_Command_6  = /usr/sbin/ip6tables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT",
        ),
        Text(
            "One-time sequences, and the directives that `knockd` 0.8 does not know. The file has the \
             lines below; each begins with a blank.",
        ),
        Verbatim(
            "[options]
    Interface    = lo,eth0
    LogFile      = /var/log/knockd.log
    LogTime      = iso
    User         = daemon
    CommandLimit = 30
    LeaseFile    = /run/knockd.leases

[SMTP]
    One_Time_Sequences = /etc/knockd/smtp_sequences
    Seq_Timeout        = 15
    TCPFlags           = syn,!ack
    Start_Command      = /usr/sbin/nft add element inet filter smtp_clients { %IP% }
    Cmd_Timeout        = 60
    Stop_Command       = /usr/sbin/nft delete element inet filter smtp_clients { %IP% }
    Start_Command_6    =",
        ),
        Verbatim(
            "# Lines that begin so are used up.
 1001,2001,3001
 1002:udp,2002:udp,3002:udp",
        ),
        Text(
            "A router starts a machine behind it when somebody wants to connect to that. Each packet to \
             the port opens the door.",
        ),
        Verbatim(
            "[wake]
    Sequence = 22
    TCPFlags = syn,!ack
    Target   = 192.0.2.50
    Command  = /usr/bin/wakeonlan 00:00:5e:00:53:01",
        ),
    ],
};

const KNOCKS: Section = Section {
    heading: "KNOCKS AND ATTEMPTS",
    parts: &[
        Text(
            "A packet counts if some door can let it through: it goes to the `Target` of the door or, \
             if it has none, to a local address; its protocol and port stand anywhere in the sequence of \
             that door; and, with TCP, it has the flags that the door wants. Any other packet does not \
             exist: it neither helps nor harms an attempt. So a scan of ports in ascending order opens a \
             door with an ascending sequence; do not use one.",
        ),
        Text(
            "A client is an address. The first knock of a door begins an attempt of its client, each \
             next one takes it a stage further, and the last one opens the door. Any other packet of \
             this client that counts, and that the door does not ignore for its flags, voids the \
             attempt; it may itself be a first knock. The attempts of other clients and at other doors \
             go on.",
        ),
        Text(
            "A retransmission of the last knock (a SYN with its source port, destination port and \
             sequence number) is ignored. Timeouts are exact, whatever happens to the clock of the \
             machine.",
        ),
    ],
};

const COMMANDS: Section = Section {
    heading: "COMMANDS",
    parts: &[
        Text(
            "Commands are run by `/bin/sh -c`, as the user who started `knockd`. Every `%IP%` in them \
             becomes the address of the client; nothing else of a packet gets into a command.",
        ),
        Text(
            "A command has no input, no open files of `knockd`, and a session of its own. With `--daemon` \
             it begins in the folder `/`, otherwise in that of the caller. Of the environment of `knockd` \
             it gets `PATH`, `HOME`, `USER`, `LOGNAME`, `SHELL`, `LANG`, `TZ` and what begins with `LC_`. \
             If there is no `PATH`, it is \
             /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin. Besides, there are:",
        ),
        Tagged("`KNOCK_CLIENT`", "The address of the client, as `%IP%`."),
        Tagged("`KNOCK_DOOR`", "The name of the door."),
        Tagged("`KNOCK_PHASE`", "`start` or `stop`."),
        Text(
            "The commands of one client at one door are run one after the other, in the order in which \
             they were asked for. Those of other clients or doors do not wait for them; 32 start \
             commands and 32 stop commands run at a time, others wait for their turn. What a command \
             leaves running in the background does not hold up the next one. A stop command for which \
             there is no process or no memory is tried again every second.",
        ),
        Text(
            "What a command writes to standard output or standard error becomes lines of the log:",
        ),
        Verbatim(
            "openSSH: output: TEXT
openSSH: command returned non-zero status code (N)
openSSH: command cannot be started: WHY
openSSH: command has been running for 60 seconds: COMMAND
openSSH: command ran longer than CommandLimit and was asked to end: COMMAND
openSSH: command ran longer than CommandLimit and was killed: COMMAND",
        ),
        Text(
            "A status other than 0 changes nothing else: the stop command is run all the same. N is 127 \
             if the command could not be started, and 128 more than the number of the signal that ended \
             it. Lines of output are cut at 1,024 bytes, and no more than 64 KiB are told of a command; \
             what could command a terminal is replaced.",
        ),
    ],
};

const CHECK: Section = Section {
    heading: "CHECK",
    parts: &[
        Text(
            "With `--check` the configuration and the files that it names are read, and everything is told \
             that is wrong with them, as at a start. Besides, there are warnings of what is hardly meant \
             or opens more easily than it seems to: a sequence that a port scan makes, a stop command that \
             does not undo the start command, a program that is not there, a file with sequences that \
             every user may read, and others. A start does not tell of those.",
        ),
        Text(
            "A warning changes nothing. Behind the word `warning` its code stands in brackets: \
             `--explain CODE` says at length what it means and what the way out is, `--allow CODE` \
             silences it, `--deny CODE` makes an error of it and `--deny warnings` of all that are not \
             allowed. An error makes the exit status 2. A code that is denied by name is denied even if it \
             is allowed, too. docs/lints.md has all of them.",
        ),
        Text(
            "With `--format json`, each finding is an object on a line of standard output. \
             docs/check.schema.json is the JSON Schema of such a line.",
        ),
        Text(
            "`knock-replay --check` does the same on any machine, without looking at what is installed \
             there.",
        ),
    ],
};

const ONE_TIME_SEQUENCES: Section = Section {
    heading: "ONE-TIME SEQUENCES",
    parts: &[
        Text(
            "Each line of the file is a sequence, written as for `Sequence`. Empty lines and lines that \
             begin with `#` are skipped. The first line left is the sequence of the door. When it has \
             opened the door, its line is marked as used: a `#` is written over its first character. \
             Therefore begin each line with a blank, or the first digit is lost. All attempts at the \
             door end, and the next line is its sequence. After the last one the door is disabled, and \
             that is told; other doors go on.",
        ),
        Text(
            "The file is read when `knockd` starts and at SIGHUP. It must be writable for the user who \
             starts `knockd`, or `knockd` does not start: what cannot be marked could be used again by \
             whoever saw it. (`--check` tries that as root, and needs no privileges for anything else.) A \
             reload does the same, and keeps the doors as they were. Before a line is \
             marked it is compared with what was read; if it has changed, nothing is written, and it is \
             told that the sequence would count again after a restart. So do not edit lines of a file in \
             use; to add some, append them and send SIGHUP. Two doors should not have the same file.",
        ),
        Text("A file has at most 1 MiB, all of them together at most 4 MiB."),
    ],
};

const INTERFACES: Section = Section {
    heading: "INTERFACES AND ADDRESSES",
    parts: &[
        Text(
            "Where neither `--interface` nor `Interface` names one, the interface of the default route \
             is listened on, as it is at the start; without a default route `knockd` does not start. \
             Local addresses are all addresses of the interfaces that are listened on, with `any` those \
             of the machine. Addresses that come count from then on, those that go do not. A name such \
             as `eth0:1` stands for those addresses of `eth0` that have this label.",
        ),
        Text(
            "Ethernet, with VLAN tags or without, cooked packets (`any`), tunnels (raw IP) and PPP are \
             understood, with IPv4 and IPv6 on each of them. On `any`, frames with two VLAN tags or more \
             are not. An interface must exist and be up at the \
             start. If it goes down and comes up again, `knockd` goes on. If it is removed, `knockd` says \
             so, closes its doors and ends with status 1, so that a service manager can start it again \
             when the interface is back (`Restart=on-failure`).",
        ),
    ],
};

const END: Section = Section {
    heading: "END",
    parts: &[
        Text(
            "At SIGTERM or SIGINT no door is opened any more, start commands that wait for their turn \
             are dropped, and the stop command of every open door is run at once, behind the commands of \
             the same client and door that are running. `knockd` waits for all of them, 60 seconds at \
             most. It ends with status 0 if they have succeeded, else with status 1.",
        ),
        Text(
            "When the 60 seconds are over, or at another signal that comes a second after the first or \
             later, all commands are killed, and each door that was not closed is told, with the client \
             for whom it is open:",
        ),
        Verbatim("openSSH: STAYS OPEN for 192.0.2.7"),
        Text(
            "If the process that reads packets dies, whatever the cause, that is told, the doors are \
             closed in the same way, and `knockd` ends with status 1. If the process that was started is \
             killed by SIGKILL, the other one says so on standard error (with `--daemon` in the log file, \
             if that was there at the start) and ends. Nobody can close the doors then: they stay open, \
             unless `LeaseFile` remembers them. The next `knockd` with that file says of each",
        ),
        Verbatim("openSSH: was left open for 192.0.2.7"),
        Text(
            "and runs the stop command that it had when it opened, whatever the configuration says by \
             then. So it does with doors that stayed open at an end in a hurry. Let the service manager \
             start `knockd` again when it has failed (`Restart=on-failure`).",
        ),
    ],
};

const PRIVILEGES: Section = Section {
    heading: "PRIVILEGES",
    parts: &[
        Text(
            "There are two processes. The one that is started keeps its privileges. It sees no packet: \
             it runs commands, marks one-time sequences and writes lines. It starts the other one, \
             `knockd: sniffer`, which opens the captures, gives up everything, and then reads packets. \
             It can ask for a command of the configuration with an address in it, and for the mark of a \
             one-time sequence, and for nothing else.",
        ),
        Text(
            "The sniffer becomes the user of the directive `User`, with its group and no other, and gives \
             up all capabilities. It can gain none back (no_new_privs), start no process and leave no \
             core file. Landlock denies it all files and TCP ports and signals to other processes; \
             seccomp allows it the system calls that it needs and ends it at others. What a kernel \
             cannot do of that is told as a warning. With `--lookup` there is a third process, `knockd: \
             resolver`, which has the same user and no capabilities, and is confined likewise to what \
             looking up takes: reading below `/etc`, `/usr`, `/lib`, `/run` and the like, UDP, and TCP to \
             port 53.",
        ),
        Text(
            "Root is not needed. To listen, `knockd` needs CAP_NET_RAW; to become another user, it needs \
             CAP_SETUID and CAP_SETGID, to give up its bounding set CAP_SETPCAP, and to kill a sniffer \
             that hangs CAP_KILL. An ordinary user can run it after",
        ),
        Verbatim("setcap cap_net_raw=ep /usr/sbin/knockd"),
        Text(
            "All processes are then that user's, and commands have no capabilities. In a unit with \
             `User=` and `AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN`, commands keep both, which is \
             enough for `nft`(8) and the `iptables`(8) that is made of it.",
        ),
    ],
};

const SYSTEMD: Section = Section {
    heading: "SYSTEMD",
    parts: &[
        Text(
            "Debian's unit for `knockd` 0.8 starts it in the foreground as root with the capabilities \
             CAP_NET_RAW, CAP_NET_ADMIN and CAP_SYS_MODULE only. Under it, `knockd` works, but the sniffer \
             stays root, though without any capability, and a warning says so. This drop-in, \
             /etc/systemd/system/knockd.service.d/knock.conf, lets it become another user, and has it \
             started again when it has failed:",
        ),
        Verbatim(
            "[Service]
CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_SETPCAP CAP_KILL
Restart=on-failure
RestartSec=5",
        ),
        Text(
            "Lines of CapabilityBoundingSet= add up. KillMode=mixed, as in Debian's unit, is right: the \
             signal goes to `knockd` alone, which needs up to 60 seconds to close doors; \
             TimeoutStopSec= must leave it these, as the usual 90 do. Debian's SuccessExitStatus=0 2 15 \
             does no harm: a daemon ends with 0 or 1.",
        ),
    ],
};

const LOGS: Section = Section {
    heading: "LOGS",
    parts: &[
        Text(
            "The transcript says what happens. Its lines go to standard output with `--verbose`, and to \
             the log file and to syslog in any case:",
        ),
        Verbatim(
            "192.0.2.7: openSSH: Stage 1
192.0.2.7: openSSH: sequence timeout (stage 1)
192.0.2.7: openSSH: OPEN SESAME
openSSH: running command: /usr/sbin/iptables -A INPUT -s 192.0.2.7 -j ACCEPT
192.0.2.7: openSSH: command timeout",
        ),
        Text(
            "Without `--verbose`, openings, commands and command timeouts go to standard error, and stages \
             and sequence timeouts to the logs only. Whatever is wrong, and what commands write, goes to \
             standard error and to the logs. `listening on`, `waiting for child processes...` and \
             `closing...` are for standard output with `--verbose`; in the logs, and on standard error \
             without `--verbose`, there are `starting up, listening on` and `shutting down` instead.",
        ),
        Text(
            "With `--daemon`, standard output and standard error are the caller's until `knockd` listens, \
             and nothing from then on: without `LogFile`, `--logfile` or `UseSyslog` nobody is told \
             anything.",
        ),
        Text(
            "`--debug` prints on standard output each packet that counts, and why an attempt ended or a \
             packet was ignored:",
        ),
        Verbatim(
            "2026-11-25 12:09:56: udp: 192.0.2.7:45260 -> 192.0.2.1:1001 44 bytes
192.0.2.7: openSSH: void at stage 1: 1001/udp is not the next knock",
        ),
        Text(
            "A log file that is not there is created with mode 0640 at most. If it cannot be opened or \
             written, a warning on standard error says so, and `knockd` goes on. After it was moved \
             away, SIGHUP begins a new one. A terminal that is stopped delays what is \
             printed there, and in the end loses some of it, which is told; a syslog that is slow does so \
             for the log file, too. Neither delays a command.",
        ),
    ],
};

const RECORDING: Section = Section {
    heading: "RECORDING",
    parts: &[
        Text(
            "With `--record`, the packets that count are written to a pcapng capture, with the local \
             addresses and the times by which `knockd` went. `knock-replay`(1) prints from it what \
             `knockd --verbose` printed:",
        ),
        Verbatim("knock-replay knocks.pcapng -c /etc/knockd.conf --verbose"),
        Text(
            "The recording holds the sequences of all doors that open. It is created with mode 0600, and \
             emptied at each start. If it cannot be written any more, for instance because the disk is \
             full, it ends, which is told, and `knockd` goes on.",
        ),
        Text(
            "A recording does not say which configuration was in use: after a reload, replay it with the \
             one that belongs to the time you ask about. `-4` must be given to the replay, too. Files of \
             one-time sequences must be as they were at the start, without the marks. In the \
             replay an address counts from when it came, but one that went goes on counting; and each \
             command is taken to end at once.",
        ),
    ],
};

const LIMITS: Section = Section {
    heading: "LIMITS",
    parts: &[
        Text(
            "Attempts: `--max-attempts`, a million unless told otherwise. At the limit the attempt with \
             the least progress, of these the one that has been at its stage longest, makes room. As many \
             doors with a stop command can be open, and as many openings are remembered to know \
             retransmissions; a door beyond that stays shut, which is told.",
        ),
        Text(
            "The first 512 bytes of each packet are captured, which is enough for all headers that are \
             looked at. The kernel keeps 16 MiB of packets for each interface until they are read. \
             Packets that no door wants are left out by the kernel. If the doors are too many for a \
             filter of the kernel, it lets more through, and `knockd` itself leaves them out.",
        ),
        Text(
            "Whatever is lost is told in a warning at once, then once a minute, and at the end, with its \
             number since the start: packets that came faster than they could be read, attempts that \
             made room, openings that were forgotten early, lines, and packets that were not recorded.",
        ),
    ],
};

const SECURITY_NOTES: Section = Section {
    heading: "SECURITY NOTES",
    parts: &[
        Text(
            "A knock can be seen by whoever sees the packets, and repeated: a sequence that is always the \
             same is no password. One-time sequences, or a real authentication behind the door, help. The \
             source address of a packet can be forged: somebody who knows the sequence can open a door for \
             any address. docs/threat-model.md says what is defended against and what is not.",
        ),
        Text(
            "With `--lookup`, whoever can watch the DNS queries of this machine sees that somebody has made \
             a first knock.",
        ),
        Text(
            "The configuration, the files of one-time sequences and recordings tell the sequences: let \
             only root read them. Logs tell who gets in, and commands with addresses, but no sequences.",
        ),
    ],
};

const FILES: Section = Section {
    heading: "FILES",
    parts: &[
        Tagged("`/etc/knockd.conf`", "The configuration, unless `--config` names another."),
        Tagged(
            "`/var/run/knockd.pid`",
            "With `--daemon`, the process number, unless told otherwise. It is locked as long as \
             `knockd` runs, so that another one with the same file is refused, and removed at the end. \
             It must be a file, or not be there.",
        ),
        Tagged(
            "`/run/knockd.leases`",
            "Or whatever `LeaseFile` names: a line for each door that opens, and one when it is closed. It \
             is locked as long as `knockd` runs. Since its commands are run, `knockd` does not start \
             if it belongs to another user or can be written by others. Removed when no door is open at \
             the end.",
        ),
        Tagged("`/etc/default/knockd`", "On Debian, options for the service: `KNOCKD_OPTS`."),
    ],
};

/// What stands behind the list of exit statuses.
pub(crate) const EXIT_STATUS: &[&str] = &[
    "A wrong command line has status 1. With `--daemon`, the status is that of the caller, who waits until \
     `knockd` listens: 0 if it does, 1 if it has failed before.",
];

pub(crate) const SEE_ALSO: Section = Section {
    heading: "SEE ALSO",
    parts: &[Text(
        "`knock-replay`(1), `knock`(1), `iptables`(8), `nft`(8), `pcap-filter`(7), `capabilities`(7), \
         `systemd.exec`(5)",
    )],
};
