complete -c knock -s d -l delay -d 'The time between two knocks: milliseconds, or with a unit, as in 1.5s [default: 100]' -r -f
complete -c knock -l source -d 'Knock from this address of this machine' -r -f
complete -c knock -l interface -d 'Knock through this interface, whatever the routes say' -r -f
complete -c knock -l then -d 'Wait until this TCP port of the host accepts connections, and report it' -r -f
complete -c knock -l wait -d 'How long to wait for the port: seconds, or with a unit, as in 500ms [default: 5]' -r -f
complete -c knock -l retry -d 'Knock again, up to N times, if the port has not opened' -r -f
complete -c knock -s c -l config -d 'Take the knocks from a door of this knockd.conf' -r -F
complete -c knock -l door -d 'The door, by the name of its section; without HOST, the knocks go to its target' -r -f
complete -c knock -l key -d 'Send a signed packet, made with the key in this file, in place of knocks' -r -F
complete -c knock -l admit -d 'The address that the signed packet asks to admit; \'auto\' is that of this machine' -r -f
complete -c knock -l for -d 'For how long the signed packet asks the door to be open: seconds, or with a unit, as in 30m' -r -f
complete -c knock -s F -l profiles -d 'Read profiles of hosts from this file; \'none\' reads none [default: ~/.config/knock/config]' -r -F
complete -c knock -l write -d 'Write the knocks to a capture (pcap) instead of sending them; \'-\' is standard output' -r -F
complete -c knock -l seed -d 'Derive the source ports, sequence numbers and times of \'--write\' from this seed' -r -f
complete -c knock -l at -d 'The time of the signed packet of \'--write\': seconds since 1970, or as in 2026-11-30T01:02:03Z' -r -f
complete -c knock -l nonce -d 'The nonce of the signed packet of \'--write\', as 48 hexadecimal digits' -r -f
complete -c knock -l import -d 'Store the key of an address that \'knock enroll\' printed; \'-\' reads the address from standard input' -r -f
complete -c knock -l completions -d 'Print the completion script for a shell' -r -f -a "bash\t''
elvish\t''
fish\t''
powershell\t''
zsh\t''"
complete -c knock -s u -l udp -d 'Send all knocks by UDP, even those that say \'tcp\''
complete -c knock -s 4 -l ipv4 -d 'Use IPv4 only; if \'-6\' is given too, the last one counts'
complete -c knock -s 6 -l ipv6 -d 'Use IPv6 only'
complete -c knock -l close -d 'Ask to close the door, with a signed packet, before its time is over'
complete -c knock -l list -d 'List the hosts of the profiles; with \'-v\', their knocks too'
complete -c knock -l dry-run -d 'Print what would be done, and send nothing'
complete -c knock -s v -l verbose -d 'Print each knock'
complete -c knock -s q -l quiet -d 'Print nothing but errors'
complete -c knock -l json -d 'Print everything as JSON, one object per line, errors too'
complete -c knock -s h -l help -d 'Print help (see more with \'--help\')'
complete -c knock -s V -l version -d 'Print version'
