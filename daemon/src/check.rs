//! `--check` and `--explain`, which need neither privileges nor a network.

use std::io::{self, Write as _};

use knock_config::Config;
use knock_config::file_faults::OutputFault;
use knock_config::options::Format;
use knock_config::{ThisHost, Verdict};

use crate::args::Args;
use crate::exit::Exit;
use crate::files;
use crate::links::Links;
use crate::runner::{
    PIPE_MAX, check_writable, lack_of_doors, load, missing, nft_text, print_stderr, refuse, style,
    unused,
};
use crate::settings::Settings;
use crate::user::is_root;

/// Checks the configuration, prints all errors and warnings, and changes nothing.
pub(crate) fn check(args: &Args) -> Exit {
    let (options, style) = (&args.checking, style());
    let nothing = |_: &[u8]| None;
    let verdict = Verdict::on(
        &args.config,
        nothing,
        options,
        args.only_ip_v4,
        Some(&ThisHost { modes: args.modes() }),
        PIPE_MAX,
        style,
    );
    print_stderr(&verdict.errors);
    let printed = print(&verdict.output);
    if printed != Exit::Done {
        return printed;
    }
    let Some(config) = verdict.config else { return Exit::Faulty };
    let Some(fault) = fault(args, &config) else {
        print_stderr(&missing_interfaces(args, &config));
        print_stderr(&unused_sets(&config));
        print_stderr(&verdict.summary);
        return Exit::Done;
    };
    if options.format == Format::Json {
        let printed = print(&Verdict::fault_as_json(&args.config, &fault));
        return if printed == Exit::Done { Exit::Faulty } else { printed };
    }
    refuse(&fault);
    Exit::Faulty
}

/// Prints what the configuration needs in nftables.
pub(crate) fn print_nft(args: &Args) -> Exit {
    let loaded = match load(&args.config, PIPE_MAX, style(), args) {
        Ok((loaded, warnings)) => {
            print_stderr(&warnings);
            loaded
        }
        Err(errors) => {
            print_stderr(&errors);
            return Exit::Failed;
        }
    };
    match nft_text(&loaded.config.options, &loaded.doors) {
        Some(text) => print(&text),
        None => refuse(&"the configuration has no 'Firewall', so there is nothing to print"),
    }
}

/// Returns warnings of interfaces that do not exist now: the daemon would wait for them.
fn missing_interfaces(args: &Args, config: &Config) -> String {
    let (Ok(settings), Ok(links)) = (Settings::new(args, &config.options), Links::look()) else {
        return String::new();
    };
    let mut warnings = String::new();
    for text in missing(&settings.interfaces, &links) {
        warnings += &["warning: ", &text, "\n"].concat();
    }
    warnings
}

/// Returns warnings of sets that no rule uses: whoever is in them could not get in.
fn unused_sets(config: &Config) -> String {
    let Ok(doors) = knock_config::doors(config) else { return String::new() };
    let mut warnings = String::new();
    for text in unused(&config.options, &doors) {
        warnings += &["warning: ", &text, "\n"].concat();
    }
    warnings
}

/// Returns what would keep the daemon from starting though the configuration has no errors.
fn fault(args: &Args, config: &Config) -> Option<String> {
    if let Some(why) = lack_of_doors(args, &args.config, config) {
        return Some(why);
    }
    if let Err(why) = files::check(args, config) {
        return Some(why);
    }
    if let Err(error) = Settings::new(args, &config.options) {
        return Some(error.to_string());
    }
    // Only for root: the daemon is started by root, who may mark sequences where this user may not.
    let written = if is_root() { check_writable(config, args.modes()) } else { Ok(()) };
    written.err().map(|error| error.to_string())
}

/// Prints a text on standard output.
pub(crate) fn print(text: &str) -> Exit {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Exit::Done,
        // The reader wants no more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => refuse(&OutputFault(&error)),
    }
}
