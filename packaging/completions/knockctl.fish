# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_knockctl_global_optspecs
    string join \n socket= format= h/help V/version
end

function __fish_knockctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_knockctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_knockctl_using_subcommand
    set -l cmd (__fish_knockctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c knockctl -n "__fish_knockctl_needs_command" -l socket -d 'The socket of the daemon, if its directive for that names another' -r -F
complete -c knockctl -n "__fish_knockctl_needs_command" -l format -d 'Print text, or JSON: one object a line' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knockctl -n "__fish_knockctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c knockctl -n "__fish_knockctl_needs_command" -s V -l version -d 'Print version'
complete -c knockctl -n "__fish_knockctl_needs_command" -f -a "status" -d 'Say whether knockd runs, which doors are open, and how many signed packets were refused'
complete -c knockctl -n "__fish_knockctl_needs_command" -f -a "list" -d 'List the open doors, with the time until they are closed'
complete -c knockctl -n "__fish_knockctl_needs_command" -f -a "attempts" -d 'List the clients that have made some knocks of a door, and when their attempts time out'
complete -c knockctl -n "__fish_knockctl_needs_command" -f -a "close" -d 'Close doors now'
complete -c knockctl -n "__fish_knockctl_needs_command" -f -a "events" -d 'Print log lines as they come, until Ctrl-C'
complete -c knockctl -n "__fish_knockctl_needs_command" -f -a "explain" -d 'Print the latest log lines about a client'
complete -c knockctl -n "__fish_knockctl_needs_command" -f -a "reload" -d 'Read the configuration again, as SIGHUP does'
complete -c knockctl -n "__fish_knockctl_needs_command" -f -a "unguard" -d 'Stop guarding ports, so that everybody can reach them, until knockd is restarted'
complete -c knockctl -n "__fish_knockctl_needs_command" -f -a "metrics" -d 'Print numbers in the text format of Prometheus'
complete -c knockctl -n "__fish_knockctl_using_subcommand status" -l socket -d 'The socket of the daemon, if its directive for that names another' -r -F
complete -c knockctl -n "__fish_knockctl_using_subcommand status" -l format -d 'Print text, or JSON: one object a line' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knockctl -n "__fish_knockctl_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c knockctl -n "__fish_knockctl_using_subcommand list" -l socket -d 'The socket of the daemon, if its directive for that names another' -r -F
complete -c knockctl -n "__fish_knockctl_using_subcommand list" -l format -d 'Print text, or JSON: one object a line' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knockctl -n "__fish_knockctl_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c knockctl -n "__fish_knockctl_using_subcommand attempts" -l socket -d 'The socket of the daemon, if its directive for that names another' -r -F
complete -c knockctl -n "__fish_knockctl_using_subcommand attempts" -l format -d 'Print text, or JSON: one object a line' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knockctl -n "__fish_knockctl_using_subcommand attempts" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c knockctl -n "__fish_knockctl_using_subcommand close" -l socket -d 'The socket of the daemon, if its directive for that names another' -r -F
complete -c knockctl -n "__fish_knockctl_using_subcommand close" -l format -d 'Print text, or JSON: one object a line' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knockctl -n "__fish_knockctl_using_subcommand close" -l all -d 'Close all doors'
complete -c knockctl -n "__fish_knockctl_using_subcommand close" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c knockctl -n "__fish_knockctl_using_subcommand events" -l socket -d 'The socket of the daemon, if its directive for that names another' -r -F
complete -c knockctl -n "__fish_knockctl_using_subcommand events" -l format -d 'Print text, or JSON: one object a line' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knockctl -n "__fish_knockctl_using_subcommand events" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c knockctl -n "__fish_knockctl_using_subcommand explain" -l socket -d 'The socket of the daemon, if its directive for that names another' -r -F
complete -c knockctl -n "__fish_knockctl_using_subcommand explain" -l format -d 'Print text, or JSON: one object a line' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knockctl -n "__fish_knockctl_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c knockctl -n "__fish_knockctl_using_subcommand reload" -l socket -d 'The socket of the daemon, if its directive for that names another' -r -F
complete -c knockctl -n "__fish_knockctl_using_subcommand reload" -l format -d 'Print text, or JSON: one object a line' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knockctl -n "__fish_knockctl_using_subcommand reload" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c knockctl -n "__fish_knockctl_using_subcommand unguard" -l socket -d 'The socket of the daemon, if its directive for that names another' -r -F
complete -c knockctl -n "__fish_knockctl_using_subcommand unguard" -l format -d 'Print text, or JSON: one object a line' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knockctl -n "__fish_knockctl_using_subcommand unguard" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c knockctl -n "__fish_knockctl_using_subcommand metrics" -l socket -d 'The socket of the daemon, if its directive for that names another' -r -F
complete -c knockctl -n "__fish_knockctl_using_subcommand metrics" -l format -d 'Print text, or JSON: one object a line' -r -f -a "text\t'In words'
json\t'As JSON'"
complete -c knockctl -n "__fish_knockctl_using_subcommand metrics" -s h -l help -d 'Print help (see more with \'--help\')'
