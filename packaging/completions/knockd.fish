complete -c knockd -s i -l interface -d 'The interfaces to listen on (repeatable, or separated by commas); \'any\' means all' -r
complete -c knockd -s c -l config -d 'The configuration file' -r -F
complete -c knockd -s p -l pidfile -d 'The file for the process ID of the daemon [default: /var/run/knockd.pid]' -r -F
complete -c knockd -s g -l logfile -d 'The log file' -r -F
complete -c knockd -l record -d 'Record the packets that count in this file, a pcapng capture for knock-replay' -r -F
complete -c knockd -l record-size -d 'The size from which \'--record\' begins a new file, in millions of bytes' -r
complete -c knockd -l max-attempts -d 'Remember at most this many attempts' -r
complete -c knockd -l format -d 'Print text, or JSON on standard output: one object a line' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knockd -l deny -d 'Treat these warnings as errors: their codes, or \'warnings\' for all (with --check)' -r
complete -c knockd -l allow -d 'Do not print these warnings (with --check)' -r
complete -c knockd -l explain -d 'Explain the warning with this code, and exit' -r
complete -c knockd -s d -l daemon -d 'Run as a daemon'
complete -c knockd -s D -l debug -d 'Print every packet that counts, and why other packets of the same client do not'
complete -c knockd -s l -l lookup -d 'Look up the names of clients, and print them in log lines'
complete -c knockd -s v -l verbose -d 'Print the transcript: every stage, opening, command and timeout'
complete -c knockd -s 4 -l only-ip-v4 -d 'Ignore IPv6 packets, and handle only IPv4'
complete -c knockd -l allow-no-doors -d 'Start also if the configuration has no doors'
complete -c knockd -l no-strict-modes -d 'Accept files that users other than root and the one who starts knockd can write'
complete -c knockd -l guard-dry-run -d 'Count the packets that the guard would refuse, and refuse none'
complete -c knockd -l force -d 'Guard ports also if clients are connected to them that would need a knock to connect again'
complete -c knockd -l nft -d 'Print what \'Firewall\' needs in nftables, and exit'
complete -c knockd -l check -d 'Check the configuration and the files it names, and exit: with status 0 if they are sound, else 2'
complete -c knockd -s h -l help -d 'Print help (see more with \'--help\')'
complete -c knockd -s V -l version -d 'Print version'
