//! What the manual page says besides the options. Words between backticks are bold.

use knock_tests::manual::Part::{Tagged, Text, Verbatim};
use knock_tests::manual::Section;

pub(super) const DESCRIPTION: Section = Section {
    heading: "DESCRIPTION",
    parts: &[
        Text(
            "`knock-replay` reads packet captures and a `knockd.conf`, and prints what the door \
             keeper would do if these packets came: every stage, every opening, every command with \
             the address of the client filled in, every timeout, in the order in which they would \
             happen.",
        ),
        Text(
            "Commands are never run, and the files of one-time sequences are read but never \
             written. It needs no privileges but to read its files. The same captures, \
             configuration and options give the same bytes, on every machine.",
        ),
        Text(
            "Standard output gets the transcript and nothing else. A summary, warnings and errors \
             go to standard error, and a progress bar does if standard error is a terminal and the \
             work is long. With `--explain` standard output gets explanations instead, and with \
             `--report` a file gets them as a page.",
        ),
    ],
};

pub(super) const SECTIONS: &[Section] = &[
    INPUT,
    SCENARIOS,
    TIME,
    LOCAL_ADDRESSES,
    TRANSCRIPT,
    EXPECTATIONS,
    ASSERTIONS,
    CHANGES,
    EXPLANATIONS,
    REPORTS,
    OBJECTS,
    SUMMARY,
    CHECK,
    FILES,
];

const INPUT: Section = Section {
    heading: "CAPTURES",
    parts: &[
        Text(
            "A capture is a pcap file (versions 2.0 to 2.4, microseconds or nanoseconds, of either \
             byte order) or a pcapng file, plain or compressed with `gzip`(1) or `zstd`(1). Which \
             it is, is told by its bytes, not by its name. A packet of a pcap file has at most \
             262,144 bytes, a block of a pcapng file at most 16 MiB; whatever claims more is \
             damaged.",
        ),
        Text(
            "Link types that are understood: Ethernet with VLAN tags of any depth, Linux cooked \
             captures (SLL and SLL2, as of `tcpdump -i any`), raw IP, BSD loopback (NULL and LOOP), \
             and PPP. Behind IPv6, extension headers are walked to the ports. Of a fragmented \
             packet, the first fragment counts as the packet and the later ones do not count. \
             Checksums and length fields are not judged, as the packet filter of a live daemon \
             does not judge them.",
        ),
        Text(
            "Several captures are merged by time. Packets of the same time come in the order of \
             the captures on the command line, those of `--read` last. A capture that cannot be \
             opened stops everything before it begins; one that is damaged or cut is used up to \
             there, the others to their ends.",
        ),
        Text(
            "A pipe, named or as standard input (`-`), is live: each line is printed as soon as its \
             packet is there. Live captures are merged too, which means that the next line \
             waits until every one of them has a packet or has ended.",
        ),
        Text(
            "A plain capture file is mapped into memory. It may grow, though what is added is not \
             read, but it must not be truncated meanwhile; replay a copy if it may be.",
        ),
    ],
};

const SCENARIOS: Section = Section {
    heading: "SCENARIOS",
    parts: &[
        Text(
            "A capture may be a text that says what is sent: a scenario. It is told from a capture by its \
             first bytes, has at most 1 MiB, and means at most 1,000,000 packets.",
        ),
        Verbatim(
            "# A comment.
0        10.0.0.5 > 192.0.2.1 tcp 7000 syn
0.2      10.0.0.5:40001 > 192.0.2.1:8000 tcp
+200ms   10.0.0.5 > 192.0.2.1 udp 53
+1       10.0.0.5 > 192.0.2.1 tcp 9000 fin,psh again 2 every 1s

to 192.0.2.1
10       knock 10.0.0.6 7000 8000:udp 9000:tcp:fin every 0.2s
+5       knock 10.0.1.1-10.0.1.100 7000 8000 9000 apart 10ms
repeat 3 every 60s
    0    knock 10.0.0.7 7000 8000 9000
    +20  knock 10.0.0.7 9000 8000 7000
end",
        ),
        Text(
            "A line begins with its time: seconds since the start of the scenario, or of the round of the \
             `repeat` that it stands in; or, with `+`, since the last packet of what stands before it. \
             Without a time it is that of this packet. A time may have a unit: `ms`, `s`, `m`, `h`. The \
             start is 2001-09-09T01:46:40Z, unless a line `start 2026-03-01T12:00:00Z` says otherwise.",
        ),
        Tagged(
            "`SOURCE > DESTINATION PROTOCOL PORT [FLAGS]`",
            "A packet. The port may stand behind the address. The flags of TCP are `syn` unless said \
             otherwise, several of `fin`, `syn`, `rst`, `psh`, `ack` and `urg` parted by commas, or \
             `none`. `repeat N every T` behind it sends N such packets; `again N every T` sends this very \
             packet N times more, as a system does that gets no answer: a retransmission.",
        ),
        Tagged(
            "`knock SOURCE PORT[:PROTOCOL[:FLAGS]]...`",
            "A knock for each port, as `knock`(1) makes them, 0.1 seconds apart, or `every T`. It goes to \
             the address of the last line `to`, or of `to ADDRESS` behind it; without any to 192.0.2.1, or \
             with IPv6 to 2001:db8::1.",
        ),
        Tagged(
            "`repeat N every T` ... `end`",
            "What stands between them, N times, with T from one beginning to the next.",
        ),
        Text(
            "A source may be many: `10.0.0.1-10.0.0.9` or `10.0.0.0/24`. Each does the same, `apart T` \
             later than the one before. Every packet has a source port and a sequence number of its own, \
             the same in every run. `--write` makes a capture of a scenario.",
        ),
    ],
};

const CHECK: Section = Section {
    heading: "CHECK",
    parts: &[
        Text(
            "With `--check` there is no capture: the configuration and the files that it names are read, \
             and everything is told that is wrong with them, as before a replay. Besides, there are \
             warnings of what is hardly meant or opens more easily than it seems to: a sequence that a \
             port scan makes, a stop command that does not undo the start command, and others. They are \
             the same as those of `knockd --check`, but what depends on the machine is looked at only \
             with `--on-this-machine`, as the configuration may be that of another.",
        ),
        Text(
            "A warning changes nothing. Behind the word `warning` its code stands in brackets: \
             `--explain=CODE` says at length what it means and what the way out is, `--allow CODE` \
             silences it, `--deny CODE` makes an error of it and `--deny warnings` of all that are not \
             allowed. An error makes the exit status 2. A code that is denied by name is denied even if \
             it is allowed, too. docs/lints.md has all of them.",
        ),
        Text(
            "With `--format json`, each finding is an object on a line of standard output, and nothing \
             else is printed. docs/check.schema.json is the JSON Schema of such a line.",
        ),
    ],
};

const TIME: Section = Section {
    heading: "TIME",
    parts: &[
        Text(
            "Time is that of the packets. Before a packet is looked at, every timeout and every \
             stop command that is due at its time or before happens. After the last packet time \
             runs on until nothing is due.",
        ),
        Text(
            "A packet that is stamped earlier than one before it is taken as coming at the latest \
             time seen; the summary counts such packets.",
        ),
        Text(
            "Commands are taken to succeed at once, so that a stop command is due `cmd_timeout` \
             seconds after its door was opened.",
        ),
    ],
};

const LOCAL_ADDRESSES: Section = Section {
    heading: "LOCAL ADDRESSES",
    parts: &[Text(
        "A door with a `target` counts packets to that address. The other doors count packets to \
         local addresses: those given with `--local`; without it, those that pcapng captures name \
         for their interfaces; and if they name none, all. The summary says which. A door that is \
         replayed with all addresses may count what went through the machine or past it: name the \
         addresses where this matters.",
    )],
};

const TRANSCRIPT: Section = Section {
    heading: "TRANSCRIPT",
    parts: &[
        Text("The lines are those that `knockd`(1) prints with `-v`:"),
        Verbatim(
            "192.0.2.7: openSSH: Stage 1\n\
             192.0.2.7: openSSH: OPEN SESAME\n\
             openSSH: running command: /sbin/iptables -A INPUT -s 192.0.2.7 -j ACCEPT\n\
             192.0.2.7: openSSH: command timeout\n\
             192.0.2.7: openSSH: sequence timeout (stage 1)",
        ),
        Tagged("`Stage` N", "The client has made N knocks of the sequence of the door."),
        Tagged("`OPEN SESAME`", "It has made the last one: the door opens."),
        Tagged(
            "`running command:`",
            "A start or stop command would be run, just as it stands there; here it is not.",
        ),
        Tagged("`command timeout`", "`cmd_timeout` is over, and the stop command is due."),
        Tagged(
            "`sequence timeout (stage` N`)`",
            "`seq_timeout` is over, and the attempt ends with N knocks made.",
        ),
        Text(
            "With `--time` each line begins with the time at which it happens and a space: that of \
             the packet or, for a timeout and its stop command, that at which they are due.",
        ),
    ],
};

const EXPECTATIONS: Section = Section {
    heading: "EXPECTATIONS",
    parts: &[
        Text(
            "With `--expect`, the transcript is not printed but compared with a file, byte for byte. If it \
             is the same, nothing is printed on standard output and the status is 0. Otherwise the lines \
             that differ are printed as `diff -u` prints them, and the status is 1. `--bless` writes the \
             file; read it before you keep it.",
        ),
        Text(
            "A transcript proves nothing if no packet was admitted, so that is status 1 as well, whatever \
             the file says. A capture that is cut or damaged is not compared: status 3. A transcript of \
             more than 64 MiB cannot be compared: status 4.",
        ),
    ],
};

const ASSERTIONS: Section = Section {
    heading: "ASSERTIONS",
    parts: &[
        Text(
            "With `--assert`, the transcript is not printed, but held to what a text says must and must \
             not happen:",
        ),
        Verbatim(
            "# A comment.
must open openSSH from 10.0.0.5
must open openSSH from 10.0.0.5 within 2s
must not open any from 203.0.113.0/24
must not open \"back door\"
opens openSSH 3
opens openSSH at most 3 times from 10.0.0.0/8
closes openSSH for 10.0.0.5 after 10s
runs \"/sbin/iptables -A INPUT -s 10.0.0.5 -j ACCEPT\"
runs 'logger \"knocked\"' 2 times
does not run \"/sbin/iptables -F\"",
        ),
        Tagged(
            "`must open` DOOR [`from` WHO] [`within` T]",
            "The door opens at least once for a client of WHO, so that its last knock comes no later than \
             T after the first knock of the same attempt.",
        ),
        Tagged(
            "`must not open` DOOR [`from` WHO]",
            "It does not open for any client of WHO. If WHO is a single address of which no packet came, \
             nothing was tested, and that fails, too.",
        ),
        Tagged(
            "`opens` DOOR [`at least`|`at most`] N [`times`] [`from` WHO]",
            "It opens so often, all clients of WHO taken together.",
        ),
        Tagged(
            "`closes` DOOR [`for` WHO] [`after` T]",
            "At least once its `cmd_timeout` is over, exactly T after it has opened.",
        ),
        Tagged(
            "`runs` \"COMMAND\" [[`at least`|`at most`] N [`times`]]",
            "A start or stop command of this very text runs, with the address of the client in the place \
             of `%IP%`; at least once if nothing else is said.",
        ),
        Tagged("`does not run` \"COMMAND\"", "It never does."),
        Tagged(
            "`nothing is admitted`",
            "No door's filter lets any packet through. Without this line, packets of which none is admitted \
             prove nothing, and the status is 1.",
        ),
        Text(
            "DOOR is the name of a door, or `any`. A name with a blank in it, or `any` where it is a name, \
             stands in quotes; doors of the same name are taken together. WHO is an address or a \
             network; without it everybody is meant. T is in seconds or has a unit: `ms`, `s`, `m`, \
             `h`. Between \" and \", \\\" and \\\\ stand for \" and \\; between ' and ' everything stands for \
             itself.",
        ),
        Text(
            "With what `knock-replay test` runs the capture beside the file, lines of it can say: `config \
             FILE`, relative to the folder of the file; `local ADDRESS...`; `rules knock` or `rules \
             knockd-0.8`; and `only-ip-v4`. With `--assert` the command line says all that, and a warning \
             that they do not count.",
        ),
        Text(
            "For each assertion that does not hold, standard output gets what happened instead and which \
             packet decided, with its number in the capture, and the status is 1. Where a door did not open, \
             the nearest miss is told in the words of `--explain`. A file has at most 10,000 assertions \
             and 1 MiB; faults in it are status 2. A capture that is cut or damaged is not judged: \
             status 3. At most 100,000 attempts and as many open doors are followed at once; where an \
             answer would need more, the assertion does not hold, and says why.",
        ),
    ],
};

const CHANGES: Section = Section {
    heading: "WHAT A NEW CONFIGURATION CHANGES",
    parts: &[
        Text(
            "`--against NEW` replays the captures under the configuration of `--config` and under NEW, side \
             by side, and prints what is other under NEW. Compared is what shows outside: openings, \
             commands with the client's address filled in, and timeouts, not the stages on the way. Doors \
             are told by their names; of several of one name, the first is compared with the first.",
        ),
        Verbatim(
            "10.0.0.6 at door ssh
     old       new
  -  6.000000  -                  sequence timeout
  +  -         7.000000 packet 6  OPEN SESAME
  +  -         7.000000 packet 6  running command: open 10.0.0.6
  because of the sequence timeout
    old: sequence timeout at stage 2 of 3: no 9000/tcp came in time
         knockd.conf:3: seq_timeout = 5
    new: no timeout then
         new.conf:3: seq_timeout = 8",
        ),
        Text(
            "Client by client and door by door, a line begins with `-` for what is gone, `+` for what is \
             new, `~` for what happens at another time or is a command with another text. Times are seconds \
             since the first packet unless `--time=utc` is given; packets are numbered as Wireshark does. \
             Below the lines stands what they come from: the first packet, or the timeout, of which the two \
             did not make the same, what each made of it, and the lines of the configurations that decided; \
             or the lines alone, where they are all that differs.",
        ),
        Text(
            "The exit status is 0 if nothing is other, 1 if something is, and 1 as well if no packet was \
             admitted under either, because then nothing was compared. Output comes at the end, also for a \
             live capture. At most 200,000 events that differ are compared; how many there were besides is \
             said, and makes the status 1. The reasons are told of at most 20,000 clients at doors.",
        ),
    ],
};

const EXPLANATIONS: Section = Section {
    heading: "EXPLANATIONS",
    parts: &[
        Text(
            "With `--explain`, everything that had to do with a door is told, client by client, door \
             by door, attempt by attempt, with the time since the first knock of the attempt:",
        ),
        Verbatim(
            "192.0.2.10 at door openSSH\n\
             \u{20} knockd.conf:2: sequence = 7000,8000,9000\n\
             \n\
             \u{20} attempt 1, from 2023-11-14T22:13:20.000000Z\n\
             \u{20}   0.000 s  packet 1  7000/tcp  Stage 1 of 3\n\
             \u{20}   0.500 s  packet 2  8001/tcp  not heard: wrong port ...",
        ),
        Text(
            "A packet has the number that Wireshark gives it, with the name of its capture if there \
             are several. Behind `knockd.conf:2:` stands the line of the configuration that decided; \
             where it has been shown already, only its number stands in brackets.",
        ),
        Tagged(
            "`not heard`",
            "The filter of the door did not let the packet through: wrong port, wrong protocol, TCP \
             flags, or not our address. The attempt stays as it is.",
        ),
        Tagged("`void`", "The door heard the packet, and it was not the next knock."),
        Tagged(
            "`expired`",
            "The packet would have been the next knock, but `seq_timeout` was over. What would have \
             been needed goes by the first knock.",
        ),
        Tagged("`ignored`", "The packet is a TCP retransmission of a knock that counted."),
        Tagged(
            "`without an attempt`",
            "The port is in the sequence, but the first knock had not come, or its attempt had ended.",
        ),
        Tagged(
            "`no knock`",
            "No port can be read in the packet: it is a later fragment, cut short, or neither TCP nor \
             UDP.",
        ),
        Text(
            "Packets to ports of no door are told of only if they come between two knocks and begin a \
             connection or are datagrams; all others are counted. At the end stands, for each door, \
             how near each client came to opening it, the nearest last; at most ten clients a door.",
        ),
        Text(
            "Live packets are explained as they come, in order of time. Else the text is printed when \
             all is known, and at most 200,000 lines are kept for it: 100 for each client at each \
             door, or 10,000 if the client was named. At most 20,000 clients at doors are followed. \
             `--format json` prints every explanation as soon as it happens, whatever their number. \
             Where something was left out, it is said how much.",
        ),
    ],
};

const REPORTS: Section = Section {
    heading: "REPORTS",
    parts: &[
        Text(
            "With `--report`, nothing is printed but the summary; a page is written that a browser shows, \
             from the disk and without a network. At the top stands what opened and who came near, door \
             by door. Below is a timeline with a row for each client at each door: knocks with their \
             stages, attempts as lines, open doors as bars, hatched where the capture has ended before the \
             door closes, and fading where it has no stop command. A packet is explained as by \
             `--explain` where the pointer is, and at length when it is chosen. At the bottom stands the \
             configuration, its lines marked with how many events they decided; a mark shows only those.",
        ),
        Text(
            "Rows can be searched, sorted, and grouped by door, outcome, client or network (/24, /64). \
             Times are UTC, or count from the first packet or from that of each row. What is looked at \
             stands in the fragment of the page's address, so that it can be linked to: \
             `report.html#client=192.0.2.7&door=openSSH`. The keys are named below the timeline.",
        ),
        Text(
            "The page holds the configuration, and with it the secret sequences, and of one-time sequences \
             those that were used and the knocks that attempts failed of. It is made with permissions for \
             its owner only (0600), also where it replaces another file. It is written whole or not at \
             all: when the replay has ended, beside its place, and then moved there. So of live packets there is \
             a page when they end: end what sends them, not `knock-replay`.",
        ),
        Text(
            "At most 20,000 clients at doors are followed, and of each 100 events and 400 of its openings \
             are shown; 100,000 and 50,000 of all, with at most 32 MiB of different texts. Of 1,000 \
             openings of each, and 100,000 of all, it is at least shown how long the door was open. Of \
             the configuration 20,000 lines are shown. What is left out is counted, and the page says so. The same \
             captures, configuration and options give the same page, byte for byte.",
        ),
    ],
};

const OBJECTS: Section = Section {
    heading: "OUTPUT FOR PROGRAMS",
    parts: &[
        Text(
            "With `--format json` standard output gets one object a line, each as soon as it happens, and \
             a summary as the last one. Every object has a `version`, which is 1; later programs of that \
             version may add fields and names, and change the meaning of none. A JSON Schema in docs says \
             what they hold:",
        ),
        Tagged(
            "knock-transcript.schema.json",
            "the transcript: each event with its time, client, door, stage or command, and the packet that \
             made it happen; with `--verbose` also why packets did not count",
        ),
        Tagged(
            "knock-explain.schema.json",
            "`--explain`: each explanation, and the nearest misses",
        ),
        Tagged(
            "knock-against.schema.json",
            "`--against`: each difference, with what it comes from",
        ),
        Tagged("check.schema.json", "`--check`: each finding; there is no summary"),
    ],
};

const SUMMARY: Section = Section {
    heading: "SUMMARY",
    parts: &[
        Text(
            "Unless `--quiet` is given, the last lines on standard error count the packets that \
             were read; those that were `admitted`, which is to say let through by the filter of a \
             door; those that were `undecodable`, with the reasons; attempts and what became of \
             them; and whatever was out of the ordinary.",
        ),
        Text(
            "With `--verbose` there are also notes, each as soon as it happens: of TCP \
             retransmissions, which are ignored; of packets with other TCP flags than a door asks \
             for; of attempts that a wrong knock made void, or that were dropped to make room or \
             because their one-time sequence was used.",
        ),
    ],
};

const FILES: Section = Section {
    heading: "FILES",
    parts: &[
        Tagged(
            "`/etc/knockd.conf`",
            "Where the configuration of a daemon is found. `knock-replay` reads no configuration \
             but that of `--config`.",
        ),
        Text(
            "A file that `One_Time_Sequences` names is found relative to the current directory. \
             When a sequence of it opens its door, the next line takes over for the rest of the \
             replay, but in the file nothing changes. The configuration and each such file have at \
             most 1 MiB, all such files together at most 4 MiB.",
        ),
    ],
};

/// What stands behind the list of exit statuses.
pub(super) const EXIT_STATUS: &[&str] =
    &["A reader of standard output that has seen enough and closes it, as `head`(1) does, is no \
     fault: the status is 0."];

pub(super) const SEE_ALSO: Section = Section {
    heading: "SEE ALSO",
    parts: &[Text("`tcpdump`(8), `pcap-filter`(7), `knockd`(1), `knock`(1)")],
};
