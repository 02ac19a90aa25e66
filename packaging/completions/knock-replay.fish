# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_knock_replay_global_optspecs
    string join \n local= 4/only-ip-v4 r/read= max-attempts= replay-state= q/quiet rules= time= format= shard= v/verbose expect= bless assert= check explain= against= write= report= except= deny= allow= on-this-machine h/help c/config= V/version
end

function __fish_knock_replay_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_knock_replay_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_knock_replay_using_subcommand
    set -l cmd (__fish_knock_replay_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c knock-replay -n "__fish_knock_replay_needs_command" -l local -d 'A local address, for doors without a target (repeatable)' -r
complete -c knock-replay -n "__fish_knock_replay_needs_command" -s r -l read -d 'Read this capture too, as in tcpdump -r (repeatable)' -r -F
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l max-attempts -d 'Remember at most this many attempts' -r
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l replay-state -d 'Begin with what FILE says was used: \'used\' in the folder of knockd\'s state' -r -F
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l rules -d 'Whose rules decide: knock, knockd-0.8' -r -f -a "knock\t'What knock does: what the manual of knockd promises'
knockd-0.8\t'What knockd 0.8 does, fault for fault'"
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l time -d 'Put the time before each line: utc, local, relative' -r -f -a "utc\t'RFC 3339 with microseconds, UTC'
local\t'The same in the time zone of this machine, or of TZ'
relative\t'Seconds since the first packet'"
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l format -d 'Print text, or JSON: one object a line' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l shard -d 'Replay one of N parts of the clients, for \'merge\'' -r
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l expect -d 'Compare the transcript with FILE, and print only the differences' -r -F
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l assert -d 'Check the assertions in FILE instead (repeatable)' -r -F
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l explain -r
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l against -r -F
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l write -r -F
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l report -r -F
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l except -r
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l deny -r
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l allow -r
complete -c knock-replay -n "__fish_knock_replay_needs_command" -s c -l config -d 'The configuration: a knockd.conf' -r -F
complete -c knock-replay -n "__fish_knock_replay_needs_command" -s 4 -l only-ip-v4 -d 'Ignore IPv6'
complete -c knock-replay -n "__fish_knock_replay_needs_command" -s q -l quiet -d 'Print no summary, warnings or progress bar; only errors'
complete -c knock-replay -n "__fish_knock_replay_needs_command" -s v -l verbose -d 'Report on standard error why packets did not count'
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l bless -d 'Write the transcript to the file of --expect'
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l check
complete -c knock-replay -n "__fish_knock_replay_needs_command" -l on-this-machine
complete -c knock-replay -n "__fish_knock_replay_needs_command" -s h -l help -d 'Print this help'
complete -c knock-replay -n "__fish_knock_replay_needs_command" -s V -l version -d 'Print version'
complete -c knock-replay -n "__fish_knock_replay_needs_command" -a "check" -d 'Check configurations, without a capture'
complete -c knock-replay -n "__fish_knock_replay_needs_command" -a "explain" -d 'Explain why knocks did not open a door'
complete -c knock-replay -n "__fish_knock_replay_needs_command" -a "diff" -d 'Show what another configuration, or knockd 0.8, does differently'
complete -c knock-replay -n "__fish_knock_replay_needs_command" -a "report" -d 'Write a page for a browser: what happened, and why'
complete -c knock-replay -n "__fish_knock_replay_needs_command" -a "test" -d 'Run the tests in folders'
complete -c knock-replay -n "__fish_knock_replay_needs_command" -a "init" -d 'Make a first folder of tests for a configuration'
complete -c knock-replay -n "__fish_knock_replay_needs_command" -a "extract" -d 'Keep only the packets that a replay needs'
complete -c knock-replay -n "__fish_knock_replay_needs_command" -a "merge" -d 'Merge the outputs of shards'
complete -c knock-replay -n "__fish_knock_replay_needs_command" -a "convert" -d 'Write a scenario as a capture'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand check" -s c -l config -d 'The configuration, if none is named: a knockd.conf' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand check" -l explain -d 'Explain the warning with this code, and exit' -r
complete -c knock-replay -n "__fish_knock_replay_using_subcommand check" -l deny -d 'Treat these warnings as errors: their codes, or \'warnings\' for all' -r
complete -c knock-replay -n "__fish_knock_replay_using_subcommand check" -l allow -d 'Do not print these warnings' -r
complete -c knock-replay -n "__fish_knock_replay_using_subcommand check" -l format -d 'Print text, or JSON: one object a line' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knock-replay -n "__fish_knock_replay_using_subcommand check" -l list -d 'List the codes of all warnings, and exit'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand check" -l on-this-machine -d 'Also check that the commands exist on this machine, and who may read and write the files'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand check" -l no-strict-modes -d 'With \'--on-this-machine\': accept files that other users can write, as \'knockd\' with this option does'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand check" -s 4 -l only-ip-v4 -d 'Ignore IPv6'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand check" -s q -l quiet -d 'Print nothing about configurations that are sound'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand check" -s h -l help -d 'Print help (see a summary with \'-h\')'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand explain" -l client -d 'Explain only the knocks of this address or network' -r
complete -c knock-replay -n "__fish_knock_replay_using_subcommand explain" -l format -d 'Print text, or JSON: one object a line, each as soon as it happens' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knock-replay -n "__fish_knock_replay_using_subcommand explain" -s c -l config -d 'The configuration: a knockd.conf' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand explain" -l local -d 'A local address, for doors without a target (repeatable)' -r
complete -c knock-replay -n "__fish_knock_replay_using_subcommand explain" -s r -l read -d 'Read this capture too, as in tcpdump -r (repeatable)' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand explain" -l max-attempts -d 'Remember at most this many attempts' -r
complete -c knock-replay -n "__fish_knock_replay_using_subcommand explain" -l replay-state -d 'Begin with what FILE says was used: \'used\' in the folder of knockd\'s state' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand explain" -s 4 -l only-ip-v4 -d 'Ignore IPv6'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand explain" -s q -l quiet -d 'Print no summary, warnings or progress bar; only errors'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand explain" -s h -l help -d 'Print help (see a summary with \'-h\')'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand diff" -l new -d 'Compare with this configuration' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand diff" -l except -d 'Leave out lines that are due to these differences (with --rules)' -r
complete -c knock-replay -n "__fish_knock_replay_using_subcommand diff" -l time -d 'How times are printed; without it, --rules prints none' -r -f -a "utc\t'RFC 3339 with microseconds, UTC'
local\t'The same in the time zone of this machine, or of TZ'
relative\t'Seconds since the first packet'"
complete -c knock-replay -n "__fish_knock_replay_using_subcommand diff" -l format -d 'Print text, or JSON: one object a line' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knock-replay -n "__fish_knock_replay_using_subcommand diff" -s c -l config -d 'The configuration: a knockd.conf' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand diff" -l local -d 'A local address, for doors without a target (repeatable)' -r
complete -c knock-replay -n "__fish_knock_replay_using_subcommand diff" -s r -l read -d 'Read this capture too, as in tcpdump -r (repeatable)' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand diff" -l max-attempts -d 'Remember at most this many attempts' -r
complete -c knock-replay -n "__fish_knock_replay_using_subcommand diff" -l replay-state -d 'Begin with what FILE says was used: \'used\' in the folder of knockd\'s state' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand diff" -l rules -d 'Compare knockd 0.8 with knock'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand diff" -s 4 -l only-ip-v4 -d 'Ignore IPv6'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand diff" -s q -l quiet -d 'Print no summary, warnings or progress bar; only errors'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand diff" -s h -l help -d 'Print help (see a summary with \'-h\')'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand report" -s o -l output -d 'The page' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand report" -s c -l config -d 'The configuration: a knockd.conf' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand report" -l local -d 'A local address, for doors without a target (repeatable)' -r
complete -c knock-replay -n "__fish_knock_replay_using_subcommand report" -s r -l read -d 'Read this capture too, as in tcpdump -r (repeatable)' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand report" -l max-attempts -d 'Remember at most this many attempts' -r
complete -c knock-replay -n "__fish_knock_replay_using_subcommand report" -l replay-state -d 'Begin with what FILE says was used: \'used\' in the folder of knockd\'s state' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand report" -s 4 -l only-ip-v4 -d 'Ignore IPv6'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand report" -s q -l quiet -d 'Print no summary, warnings or progress bar; only errors'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand report" -s h -l help -d 'Print help (see a summary with \'-h\')'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand test" -s c -l config -d 'Use this configuration for all tests, instead of the nearest one' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand test" -l local -d 'A local address, for all tests, instead of theirs (repeatable)' -r
complete -c knock-replay -n "__fish_knock_replay_using_subcommand test" -l only -d 'Run only tests with TEXT in their names (repeatable)' -r
complete -c knock-replay -n "__fish_knock_replay_using_subcommand test" -l junit -d 'Write the results to FILE, too, as JUnit XML' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand test" -l format -d 'Print text, or JSON: one object a line' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knock-replay -n "__fish_knock_replay_using_subcommand test" -l bless -d 'Write the transcripts to the NAME.expect files'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand test" -l json -d 'The same as --format json'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand test" -s q -l quiet -d 'Print nothing for tests that pass, and no summary if all do'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand test" -s h -l help -d 'Print help (see a summary with \'-h\')'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand init" -s c -l config -d 'The configuration: a knockd.conf' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand init" -l local -d 'A local address, for doors without a target (repeatable)' -r
complete -c knock-replay -n "__fish_knock_replay_using_subcommand init" -s h -l help -d 'Print help (see a summary with \'-h\')'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand extract" -s c -l config -d 'A configuration whose ports are kept (repeatable)' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand extract" -s o -l output -d 'The new capture; \'-\' is standard output' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand extract" -s q -l quiet -d 'Print no summary, warnings or progress bar; only errors'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand extract" -s h -l help -d 'Print help (see a summary with \'-h\')'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand merge" -s h -l help -d 'Print help (see a summary with \'-h\')'
complete -c knock-replay -n "__fish_knock_replay_using_subcommand convert" -s c -l config -d 'The configuration with the keys for signed packets: a knockd.conf' -r -F
complete -c knock-replay -n "__fish_knock_replay_using_subcommand convert" -s h -l help -d 'Print help (see a summary with \'-h\')'
