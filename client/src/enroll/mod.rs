//! Keys for users: made on the server, and stored on the client.

mod args;
mod import;
mod qr;
mod uri;

pub use args::EnrollArgs;
pub(crate) use import::import;

use std::io;
use std::path::Path;

use knock_config::Wording;
use knock_config::file_faults::WriteFault;
use knock_config::keys::{KeyFile, file_name};
use knock_config::text::shown;
use knock_engine::{DoorName, Port};
use knock_guard::New;
use knock_signed::Key;
use zeroize::Zeroizing;

use crate::exit::Exit;
use crate::profile::Trouble;
use crate::report::{Enrolled, Reporter};

/// Makes the key of a user, and prints what the client needs.
pub(crate) fn enroll(args: &EnrollArgs, is_terminal: bool, reporter: &mut Reporter<'_>) -> Exit {
    match make(args) {
        Ok((file, key_file)) => {
            let uri = uri::write(&args.user, &key_file);
            let qr = is_terminal.then(|| qr::draw(&uri)).flatten();
            let (user, doors) = (args.user.to_string(), doors(&key_file.doors));
            reporter.enrolled(&Enrolled { file, user, doors, uri: &uri, qr: qr.as_deref() });
            reporter.note(
                "the key is in the line above: show it to nobody else; knockd uses it after a reload",
            );
            Exit::Done
        }
        Err(trouble) => reporter.trouble(&trouble),
    }
}

fn make(args: &EnrollArgs) -> Result<(String, KeyFile), Trouble> {
    let name = file_name(&args.user, args.label.as_deref()).ok_or_else(|| {
        let message = "the user and the label make no name of a file";
        trouble(message.to_owned(), "a user has no dot in the name, a label no slash".to_owned())
    })?;
    let path = args.keys.join(name);
    let key = new_key().map_err(|error| cannot_write(&path, &error, args))?;
    let key_file = KeyFile {
        key,
        doors: args.doors.clone(),
        until: args.until,
        server: Some(args.server.clone()),
        port: args.port.map(Port),
    };
    // What the server knows of itself is in its configuration.
    let on_server = KeyFile { server: None, port: None, ..key_file.clone() };
    store(&path, &on_server).map_err(|error| cannot_write(&path, &error, args))?;
    Ok((shown(&path), key_file))
}

fn new_key() -> io::Result<Key> {
    let mut bytes = Zeroizing::new([0; Key::BYTES]);
    getrandom::fill(&mut *bytes).map_err(io::Error::other)?;
    Ok(Key::take(&mut bytes))
}

/// Writes a file with a key, in a folder that is made if it is missing. Nothing is overwritten.
fn store(path: &Path, key_file: &KeyFile) -> io::Result<()> {
    let mut new = New::default();
    if let Some(folder) = path.parent() {
        new.folder(folder, 0o700)?;
    }
    new.file(path, &key_file.text())?;
    new.keep();
    Ok(())
}

fn cannot_write(path: &Path, error: &io::Error, args: &EnrollArgs) -> Trouble {
    let (file, user) = (shown(path), &args.user);
    if error.kind() == io::ErrorKind::AlreadyExists {
        let help = format!(
            "{user} has this key already: for a second one, while both are valid, give it a `--label`; to \
             revoke the old one, remove the file and reload knockd"
        );
        return trouble(format!("{file} exists, and stays as it is"), help);
    }
    let help = if error.kind() == io::ErrorKind::PermissionDenied {
        "run it as root, or name a folder with `--keys`"
    } else {
        "name a folder with `--keys`, that of `Key_Dir` in knockd.conf"
    };
    trouble(format!("cannot write {file}: {}", WriteFault(error).cause()), help.to_owned())
}

fn trouble(message: String, help: String) -> Trouble {
    Trouble::Alone(Wording::new(message, "").help(help))
}

fn doors(doors: &[DoorName]) -> Vec<String> {
    doors.iter().map(DoorName::to_string).collect()
}
