//! The table of directives.

use super::row::{Absent, Again, Least, Row, Section, Value, Words};

/// Gives every directive its row, so that none can be forgotten.
macro_rules! directives {
    ($($(#[$doc:meta])* $variant:ident = $row:expr;)*) => {
        /// A directive; its aliases are one directive.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Directive {
            $($(#[$doc])* $variant,)*
        }

        impl Directive {
            /// Every directive, in the order of the manual page.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(super) const fn row(self) -> &'static Row {
                match self { $(Self::$variant => const { &$row },)* }
            }
        }
    };
}

directives! {
    /// `UseSyslog`, the only one without a value; knockd 0.8 allows it in doors too.
    UseSyslog = Row {
        names: &["usesyslog"],
        section: Section::Anywhere,
        value: Value::Nothing,
        absent: Absent::Means("to log nothing to syslog"),
        again: Again::Overrides,
        is_in_08: true,
        usage: "`UseSyslog`",
        manual: "Log to `syslog`(3), as facility `daemon` with priority `notice`. This directive \
                 has no value. Default: no.",
    };
    /// `Include`, which knockd 0.8 does not know.
    Include = Row {
        names: &["include"],
        section: Section::Anywhere,
        value: Value::FileName,
        absent: Absent::Means("to read no other file"),
        again: Again::AddsUp,
        is_in_08: false,
        usage: "`Include` = FILE|DIR/PATTERN",
        manual: "Read the lines of another file here, in any section or before the first. In the last part of the \
                 path, `*` means any characters and `?` any single one: `/etc/knockd.d/*.conf` means all files \
                 there with such names, in the order of their bytes, but for those that begin with a dot; there may \
                 be none. A relative path is one in the folder of the file with this line. After a file with \
                 sections, the next line must begin a section. Files can include others, 8 deep, and 256 in all; \
                 together they have at most 1 MiB. Unknown to `knockd` 0.8.",
    };
    /// `LogFile`.
    LogFile = Row {
        names: &["logfile"],
        section: Section::Options,
        value: Value::FileName,
        absent: Absent::Means("to log to no file"),
        again: Again::Overrides,
        is_in_08: true,
        usage: "`LogFile` = FILE",
        manual: "Log to this file. Default: none. `--logfile` overrides it.",
    };
    /// `PidFile`.
    PidFile = Row {
        names: &["pidfile"],
        section: Section::Options,
        value: Value::FileName,
        absent: Absent::Default("/var/run/knockd.pid"),
        again: Again::Overrides,
        is_in_08: true,
        usage: "`PidFile` = FILE",
        manual: "The file for the process number, written with `--daemon` only. Default: \
                 `/var/run/knockd.pid`. If that one cannot be written, `knockd` warns and runs without \
                 it. `--pidfile` overrides it.",
    };
    /// `Interface`.
    Interface = Row {
        names: &["interface"],
        section: Section::Options,
        value: Value::Interfaces,
        absent: Absent::Means("for the interface of the default route"),
        again: Again::Overrides,
        is_in_08: true,
        usage: "`Interface` = NAME[,NAME...]",
        manual: "The interfaces to listen on, separated by commas, or `any` alone for all of them. \
                 One that does not exist yet is awaited. In a name, `*` means any characters and \
                 `?` any single one: `ppp*` means each interface whose name begins with `ppp`, now or \
                 later. A name has at most 15 bytes, no blanks and no `/`. Default: the interface of \
                 the default route, preferably that of IPv4. `--interface` overrides it.",
    };
    /// `User`, which knockd 0.8 does not know.
    User = Row {
        names: &["user"],
        section: Section::Options,
        value: Value::User,
        absent: Absent::Default("knockd"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`User` = NAME",
        manual: "The user of the process that reads packets. Default: `knockd`. Packages \
                 create that user; where it is missing, `nobody` is used, with a warning, because other \
                 processes of that user could stop it. The directive has no effect unless root starts \
                 `knockd`, but a user that is named here must exist. Unknown to `knockd` 0.8.",
    };
    /// `LogTime`, which knockd 0.8 does not know.
    LogTime = Row {
        names: &["logtime"],
        section: Section::Options,
        value: Value::OneOf(Words {
            known: &["minutes", "iso"],
            thing: "form of time stamps",
            help: "write `minutes` for those of knockd 0.8, `iso` for seconds and time zone",
        }),
        absent: Absent::Default("minutes"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`LogTime` = minutes|iso",
        manual: "The format of the time in each line of the log file: `minutes` is `[2026-03-09 \
                 08:07]`, as in `knockd` 0.8; `iso` is `[2026-03-09T08:07:06+01:00]`. Default: \
                 `minutes`. Unknown to `knockd` 0.8.",
    };
    /// `CommandLimit`, which knockd 0.8 does not know.
    CommandLimit = Row {
        names: &["commandlimit"],
        section: Section::Options,
        value: Value::Seconds(Least::One {
            message: "no command can finish within 0 seconds",
            help: "write how many seconds a command may take, up to 2147483647",
        }),
        absent: Absent::Seconds(600),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`CommandLimit` = SECONDS",
        manual: "How long a command may run: 1 to 2147483647. One that takes longer gets SIGTERM, \
                 and SIGKILL 5 seconds later. The signals go to its whole process group. Default: 600. \
                 Unknown to `knockd` 0.8.",
    };
    /// `StateDir`, which knockd 0.8 does not know.
    StateDir = Row {
        names: &["statedir"],
        section: Section::Options,
        value: Value::FileName,
        absent: Absent::Means("for the default, `$STATE_DIRECTORY` or `/var/lib/knockd`"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`StateDir` = FOLDER",
        manual: "Where to remember which doors are open and what closes them, in the file `leases`, so \
                 that the next `knockd` can close them if this one is killed or the power fails; see \
                 `STATE` in `knockd`(1). The file `used` says which derived sequences were used. The folder is created if it can be. Default: the first folder of \
                 `$STATE_DIRECTORY`, which systemd sets, or `/var/lib/knockd`, or `/run/knockd` if \
                 that cannot be written. Unknown to `knockd` 0.8.",
    };
    /// `LeaseFile`, which knockd 0.8 does not know.
    LeaseFile = Row {
        names: &["leasefile"],
        section: Section::Options,
        value: Value::FileName,
        absent: Absent::Means("for the file `leases` in `StateDir`"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`LeaseFile` = FILE",
        manual: "Another name for the file of open doors. Put it in a folder that only root can \
                 write. It overrides `StateDir`. Default: `leases` in `StateDir`. Unknown to \
                 `knockd` 0.8.",
    };
    /// `OnStateError`, which knockd 0.8 does not know.
    OnStateError = Row {
        names: &["onstateerror"],
        section: Section::Options,
        value: Value::OneOf(Words {
            known: &["shut", "open"],
            thing: "way to handle a door that cannot be remembered",
            help: "write `shut` to keep it shut, or `open` to open it all the same",
        }),
        absent: Absent::Default("shut"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`OnStateError` = shut|open",
        manual: "What to do if a door with a stop command is to open and that cannot be written to \
                 the disk, as when it is full: `shut` keeps the door shut; `open` opens it, and it \
                 stays open if `knockd` is killed then. Either way a line says so. Doors without a \
                 stop command always open. Default: `shut`. Unknown to `knockd` 0.8.",
    };
    /// `OnStop`, which knockd 0.8 does not know.
    OnStop = Row {
        names: &["onstop"],
        section: Section::Options,
        value: Value::OneOf(Words {
            known: &["close", "keep"],
            thing: "way to stop",
            help: "write `close` to close all doors at the end, or `keep` to leave that to the next start",
        }),
        absent: Absent::Default("close"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`OnStop` = close|keep",
        manual: "What happens to open doors when a signal ends `knockd`: `close` closes them; `keep` leaves \
                 them open, and the next start closes them when they are due. See `END` in `knockd`(1). Default: \
                 `close`. Unknown to `knockd` 0.8.",
    };
    /// `ControlSocket`, which knockd 0.8 does not know.
    ControlSocket = Row {
        names: &["controlsocket"],
        section: Section::Options,
        value: Value::FileName,
        absent: Absent::Means("to use /run/knockd/knockd.varlink, as root"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`ControlSocket` = FILE",
        manual: "The socket at which `knockctl` asks what the daemon does and tells it what to do; see \
                 `CONTROL` in `knockd`(1). Each daemon needs its own. Default: knockd.varlink in $RUNTIME_DIRECTORY, \
                 or as root /run/knockd/knockd.varlink. Unknown to `knockd` 0.8.",
    };
    /// `Firewall`, which knockd 0.8 does not know.
    Firewall = Row {
        names: &["firewall"],
        section: Section::Options,
        value: Value::Firewall,
        absent: Absent::Means("if no door has `open`"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Firewall` = nft|nft inet TABLE",
        manual: "Where the ports of `Open` are opened; see `FIREWALL`. `nft`: the ports are guarded in a \
                 table of its own, `inet knockd`, beside whatever other firewall there is. `nft inet \
                 TABLE`: the clients are in the sets `knockd4` and `knockd6` of this table of yours, \
                 and your rules accept them. Needed by doors with `Open`. Unknown to `knockd` 0.8.",
    };
    /// `Guard`, which knockd 0.8 does not know.
    Guard = Row {
        names: &["guard"],
        section: Section::Options,
        value: Value::OneOf(Words {
            known: &["drop", "reject"],
            thing: "way to refuse packets",
            help: "write `drop` to ignore them, or `reject` to answer that the port is closed",
        }),
        absent: Absent::Default("drop"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Guard` = drop|reject",
        manual: "What happens to packets for guarded ports from clients that no door has let in, with \
                 `Firewall` = nft: `drop` ignores them; `reject` answers as a closed port does. Default: \
                 `drop`. Unknown to `knockd` 0.8.",
    };
    /// `Server_Name`, which knockd 0.8 does not know.
    ServerName = Row {
        names: &["server_name"],
        section: Section::Options,
        value: Value::ServerName,
        absent: Absent::Means("if no door has `signed`"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Server_Name` = NAME",
        manual: "The name of this server in signed packets, so that one that was sent to another server with the \
                 same key opens nothing here. Clients must write the same name, in any case of letters. Needed by \
                 doors with `Signed`. Unknown to `knockd` 0.8.",
    };
    /// `Key_Dir`, which knockd 0.8 does not know.
    KeyDir = Row {
        names: &["key_dir"],
        section: Section::Options,
        value: Value::FileName,
        absent: Absent::Default("/etc/knockd/keys.d"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Key_Dir` = FOLDER",
        manual: "The folder with the keys of users; see `SIGNED PACKETS`. It is read only if a door has `Signed`. \
                 Default: `/etc/knockd/keys.d`. Unknown to `knockd` 0.8.",
    };
    /// `Knock_Port`, which knockd 0.8 does not know.
    KnockPort = Row {
        names: &["knock_port"],
        section: Section::Options,
        value: Value::Port,
        absent: Absent::Default("62201"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Knock_Port` = PORT",
        manual: "The UDP port to which signed packets go. Nothing needs to listen there. Default: `62201`. Unknown to \
                 `knockd` 0.8.",
    };
    /// `Clock_Skew`, which knockd 0.8 does not know.
    ClockSkew = Row {
        names: &["clock_skew"],
        section: Section::Options,
        value: Value::Seconds(Least::One {
            message: "no clock is right to the second",
            help: "write how many seconds the clock of a client may be off: 1 to 60",
        }),
        absent: Absent::Seconds(60),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Clock_Skew` = SECONDS",
        manual: "How far the clock of a client may be off for its signed packets to count: 1 to 60. Default: 60. \
                 Unknown to `knockd` 0.8.",
    };
    /// `Sequence`.
    Sequence = Row {
        names: &["sequence"],
        section: Section::Door,
        value: Value::Knocks,
        absent: Absent::Needed,
        again: Again::Overrides,
        is_in_08: true,
        usage: "`Sequence` = PORT[:tcp|udp][,PORT[:tcp|udp]...]",
        manual: "The knocks that open the door, in order: 1 to 32 ports from 1 to 65535, each TCP \
                 unless `:udp` follows. A door needs either this, `Sequence_File`, \
                 `One_Time_Sequences` or `Sequence_Key`.",
    };
    /// `Sequence_File`.
    SequenceFile = Row {
        names: &["sequence_file"],
        section: Section::Door,
        value: Value::FileName,
        absent: Absent::Needed,
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Sequence_File` = FILE",
        manual: "The file with the sequence of the door, on one line and as after `Sequence`; blank lines and \
                 those that begin with `#` are ignored. Only its owner may be able to read it (`chmod \
                 600`), so the configuration need not be secret. A reload reads it again. Unknown to `knockd` 0.8.",
    };
    /// `One_Time_Sequences`.
    OneTimeSequences = Row {
        names: &["one_time_sequences"],
        section: Section::Door,
        value: Value::FileName,
        absent: Absent::Needed,
        again: Again::Overrides,
        is_in_08: true,
        usage: "`One_Time_Sequences` = FILE",
        manual: "The file with the sequences of the door. See `ONE-TIME SEQUENCES`.",
    };
    /// `Sequence_Key`.
    SequenceKey = Row {
        names: &["sequence_key"],
        section: Section::Door,
        value: Value::FileName,
        absent: Absent::Needed,
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Sequence_Key` = FILE",
        manual: "The file with the key from which the sequences of the door are derived, another one in each \
                 period of time. See `DERIVED SEQUENCES`. Unknown to `knockd` 0.8.",
    };
    /// `Sequence_Knocks`.
    SequenceKnocks = Row {
        names: &["sequence_knocks"],
        section: Section::Door,
        value: Value::KnockCount,
        absent: Absent::Default("5"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Sequence_Knocks` = NUMBER",
        manual: "How many knocks a derived sequence has: 4 to 32. Default: `5`. Unknown to `knockd` 0.8.",
    };
    /// `Sequence_Ports`.
    SequencePorts = Row {
        names: &["sequence_ports"],
        section: Section::Door,
        value: Value::PortSpan,
        absent: Absent::Default("20000-59999"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Sequence_Ports` = FIRST-LAST[:tcp|udp]",
        manual: "The ports of derived sequences, at least 1000 of them, each TCP unless `:udp` follows. \
                 A packet to any of these ports is a knock at the door, and a wrong one voids the attempt. \
                 Default: `20000-59999`. Unknown to `knockd` 0.8.",
    };
    /// `Sequence_Period`.
    SequencePeriod = Row {
        names: &["sequence_period"],
        section: Section::Door,
        value: Value::Duration,
        absent: Absent::Default("60"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Sequence_Period` = DURATION",
        manual: "How long a derived sequence is the one of the time: 10 seconds to 1 day. The one before and \
                 the one after count as well, so the clocks of server and client may differ by this \
                 much. Default: `60`. Unknown to `knockd` 0.8.",
    };
    /// `Signed`, which knockd 0.8 does not know.
    Signed = Row {
        names: &["signed"],
        section: Section::Door,
        value: Value::KeyUsers,
        absent: Absent::Means("to open for no signed packet"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Signed` = USER[,USER...]|any",
        manual: "The users whose signed packets open the door, beside its sequence or instead of one: those of files \
                 in `Key_Dir`, or `any` for all of them. See `SIGNED PACKETS`. Unknown to `knockd` 0.8.",
    };
    /// `Admit`, which knockd 0.8 does not know.
    Admit = Row {
        names: &["admit"],
        section: Section::Door,
        value: Value::OneOf(Words {
            known: &["source", "packet", "both"],
            thing: "address to admit",
            help: "write `source` for the sender of the packet, `packet` for the address that it names, or `both` if they \
                   must be the same",
        }),
        absent: Absent::Default("source"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Admit` = source|packet|both",
        manual: "For whom a signed packet opens the door: `source`: for its sender; one that names another address is \
                 refused. `packet`: for the address that it names, or else its sender. `both`: it must name an \
                 address, and that must be its sender's, so whoever catches it can do nothing with it from \
                 elsewhere. Default: `source`. Unknown to `knockd` 0.8.",
    };
    /// `Seq_Timeout`, `Timeout`.
    SeqTimeout = Row {
        names: &["seq_timeout", "timeout"],
        section: Section::Door,
        value: Value::Seconds(Least::One {
            message: "no sequence can be completed in 0 seconds",
            help: "write how many seconds a client has from the first knock to the last",
        }),
        absent: Absent::Seconds(25),
        again: Again::Overrides,
        is_in_08: true,
        usage: "`Seq_Timeout` = SECONDS, `Timeout` = SECONDS",
        manual: "How long after the first knock the last one may come: 1 to 2147483647. Default: \
                 25. After that, the attempt expires.",
    };
    /// `TCPFlags`.
    TcpFlags = Row {
        names: &["tcpflags"],
        section: Section::Door,
        value: Value::Flags,
        absent: Absent::Means("to count TCP packets with any flags"),
        again: Again::AddsUp,
        is_in_08: true,
        usage: "`TCPFlags` = FLAG[,FLAG...]",
        manual: "Which TCP packets can be knocks at the door: those with all of these flags, of \
                 `fin`, `syn`, `rst`, `psh`, `ack` and `urg`, and without those that have a `!` \
                 before them. This door ignores other TCP packets: they are not knocks and do not \
                 void an attempt. UDP packets have no flags and always count. \
                 Several lines add up. Default: any flags. Use `syn`: without it, the other \
                 packets of a client's connections to the ports of the door void its attempts. \
                 Ordinary clients cannot knock with `syn,ack` or `fin`.",
    };
    /// `Target`.
    Target = Row {
        names: &["target"],
        section: Section::Door,
        value: Value::Address,
        absent: Absent::Means("to listen on the addresses of the interface"),
        again: Again::Overrides,
        is_in_08: true,
        usage: "`Target` = ADDRESS",
        manual: "Knocks at this door go to this address, of IPv4 or IPv6, instead of the addresses \
                 of the interfaces. It may belong to another machine whose packets pass an \
                 interface that `knockd` listens on.",
    };
    /// `Allow`, which knockd 0.8 does not know.
    Allow = Row {
        names: &["allow"],
        section: Section::Door,
        value: Value::Prefixes,
        absent: Absent::Means("to allow all clients"),
        again: Again::AddsUp,
        is_in_08: false,
        usage: "`Allow` = ADDRESS[/LENGTH][,...]",
        manual: "Only these clients can knock at this door: addresses or prefixes of IPv4 or IPv6, such as \
                 `192.0.2.7,198.51.100.0/24,2001:db8::/32`. Further lines add to it, up to 256 in all. \
                 Packets of other clients are ignored at this door, as if they went elsewhere; so a list with \
                 only IPv4 prefixes leaves out all IPv6 clients. `Deny` wins over `Allow`, whatever the \
                 lengths and the order. A source address can be forged: `Allow` proves nothing. Default: all \
                 clients. Unknown to `knockd` 0.8.",
    };
    /// `Deny`, which knockd 0.8 does not know.
    Deny = Row {
        names: &["deny"],
        section: Section::Door,
        value: Value::Prefixes,
        absent: Absent::Means("to deny no client"),
        again: Again::AddsUp,
        is_in_08: false,
        usage: "`Deny` = ADDRESS[/LENGTH][,...]",
        manual: "These clients cannot knock at this door, even if `Allow` has them. The value is as for \
                 `Allow`. Default: none. Unknown to `knockd` 0.8.",
    };
    /// `Start_Command`, `Command`.
    StartCommand = Row {
        names: &["start_command", "command"],
        section: Section::Door,
        value: Value::Command,
        absent: Absent::Means("to run nothing"),
        again: Again::Overrides,
        is_in_08: true,
        usage: "`Start_Command` = COMMAND, `Command` = COMMAND",
        manual: "The command to run when a client opens the door. See `COMMANDS` in `knockd`(1). An empty command runs \
                 nothing.",
    };
    /// `Start_Command_6`, `Command_6`.
    StartCommand6 = Row {
        names: &["start_command_6", "command_6"],
        section: Section::Door,
        value: Value::Command,
        absent: Absent::Means("to run nothing"),
        again: Again::Overrides,
        is_in_08: true,
        usage: "`Start_Command_6` = COMMAND, `Command_6` = COMMAND",
        manual: "The same for clients with IPv6. If it is missing, `Start_Command` runs \
                 for them.",
    };
    /// `Cmd_Timeout`.
    CmdTimeout = Row {
        names: &["cmd_timeout"],
        section: Section::Door,
        value: Value::Seconds(Least::Zero),
        absent: Absent::Seconds(10),
        again: Again::Overrides,
        is_in_08: true,
        usage: "`Cmd_Timeout` = SECONDS",
        manual: "How long after the end of the start command the stop command runs: 0 to \
                 2147483647. Default: 10.",
    };
    /// `Open`, which knockd 0.8 does not know.
    Open = Row {
        names: &["open"],
        section: Section::Door,
        value: Value::Ports,
        absent: Absent::Means("to open no port without a command"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Open` = tcp|udp/PORT[-PORT][,...]",
        manual: "What the client may reach when it has opened the door, such as `tcp/22`, \
                 `tcp/80,443,udp/443` or `tcp/8000-8010`: up to 32 ports or ranges. The kernel closes it \
                 after `Open_For`, whether `knockd` runs or not. No command is needed. See `FIREWALL`. \
                 Unknown to `knockd` 0.8.",
    };
    /// `Open_For`, which knockd 0.8 does not know.
    OpenFor = Row {
        names: &["open_for"],
        section: Section::Door,
        value: Value::Duration,
        absent: Absent::Default("1h"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Open_For` = DURATION",
        manual: "How long after an opening the ports of `Open` are closed again: 1 to 2147483647 seconds, \
                 or minutes, hours or days with their letter, such as `90s`, `30m`, `8h` or `1d`. \
                 Connections go on. A further opening begins the time again. Default: `1h`. Unknown to \
                 `knockd` 0.8.",
    };
    /// `Open_Max`, which knockd 0.8 does not know.
    OpenMax = Row {
        names: &["open_max"],
        section: Section::Door,
        value: Value::Duration,
        absent: Absent::Means("to set no maximum"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Open_Max` = DURATION",
        manual: "How long after the first opening the ports are closed, however often the client opens \
                 the door again in the meantime; not less than `Open_For`. Default: no maximum. Unknown \
                 to `knockd` 0.8.",
    };
    /// `On_Reknock`, which knockd 0.8 does not know.
    OnReknock = Row {
        names: &["on_reknock"],
        section: Section::Door,
        value: Value::OneOf(Words {
            known: &["extend", "separate", "ignore"],
            thing: "effect of a further opening",
            help: "write `extend` to keep the door open longer, `separate` for a stop command at \
                   the deadline of each opening, as knockd 0.8 has it, or `ignore`",
        }),
        absent: Absent::Default("extend"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`On_Reknock` = extend|separate|ignore",
        manual: "What happens when a client opens the door that is open for it already. `extend`: \
                 the start command is run again, and the stop command is run as often as the start \
                 command, all at the latest deadline. `separate`: each opening has its own \
                 deadline, as in `knockd` 0.8, so that commands that do not stack close the door \
                 at the first. `ignore`: nothing. Default: `extend`. Unknown to `knockd` 0.8.",
    };
    /// `Seq_Cooldown`, which knockd 0.8 does not know.
    SeqCooldown = Row {
        names: &["seq_cooldown"],
        section: Section::Door,
        value: Value::Seconds(Least::One {
            message: "a cooldown of 0 seconds ignores nothing",
            help: "write for how many seconds further openings are ignored, or remove the line",
        }),
        absent: Absent::Means("to ignore no opening"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Seq_Cooldown` = SECONDS",
        manual: "How long after an opening further ones of the same client are ignored: 1 to \
                 2147483647. Default: not at all. Unknown to `knockd` 0.8.",
    };
    /// `Openings_Per_Minute`, which knockd 0.8 does not know.
    OpeningsPerMinute = Row {
        names: &["openings_per_minute"],
        section: Section::Door,
        value: Value::PerMinute,
        absent: Absent::Means("to set no limit"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Openings_Per_Minute` = NUMBER",
        manual: "How often the door opens in any 60 seconds, for all clients together: 1 to 1000. Further \
                 openings are ignored, with a line in the log. Who knows the sequence can use them up, so \
                 set `Client_Openings_Per_Minute` to less, too. A one-time sequence that comes at the limit \
                 is used up. Openings do not count after a restart, or after a reload that changes the door. Default: no limit. Unknown to `knockd` 0.8.",
    };
    /// `Client_Openings_Per_Minute`, which knockd 0.8 does not know.
    ClientOpeningsPerMinute = Row {
        names: &["client_openings_per_minute"],
        section: Section::Door,
        value: Value::PerMinute,
        absent: Absent::Means("to set no limit"),
        again: Again::Overrides,
        is_in_08: false,
        usage: "`Client_Openings_Per_Minute` = NUMBER",
        manual: "The same for each client. Default: no limit. Unknown to `knockd` 0.8.",
    };
    /// `Stop_Command`.
    StopCommand = Row {
        names: &["stop_command"],
        section: Section::Door,
        value: Value::Command,
        absent: Absent::Means("to run nothing"),
        again: Again::Overrides,
        is_in_08: true,
        usage: "`Stop_Command` = COMMAND",
        manual: "The command to run after `Cmd_Timeout`, or earlier if `knockd` exits. If it is \
                 missing or empty, the door stays as the start command left it. It runs only \
                 after a start command.",
    };
    /// `Stop_Command_6`.
    StopCommand6 = Row {
        names: &["stop_command_6"],
        section: Section::Door,
        value: Value::Command,
        absent: Absent::Means("to run nothing"),
        again: Again::Overrides,
        is_in_08: true,
        usage: "`Stop_Command_6` = COMMAND",
        manual: "The same for clients with IPv6. If it is missing, `Stop_Command` runs \
                 for them.",
    };
}
