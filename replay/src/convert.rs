//! `convert`: a scenario as a capture.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use knock_capture::scenario::Signers;
use knock_config::file_faults::ReadFault;
use knock_config::text::shown;
use knock_engine::Doors;
use knock_guard::Readers;

use crate::args::{ConvertArgs, is_stdin};
use crate::session::exit::Exit;
use crate::session::load::Configuration;
use crate::session::overwrite::target;
use crate::session::terminal::Streams;
use knock_capture::{self as capture, CaptureError, Fault, Looks, scenario};

/// What is converted.
const A_SCENARIO: &str = "a scenario, a text with lines such as `knock 10.0.0.5 7000 8000 9000`";

/// Writes the packets of a scenario as a capture.
pub(crate) fn run(args: &ConvertArgs, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
    let ConvertArgs { scenario: path, output: file, config, option } = args;
    let config = match config {
        Some(config) => Some(Configuration::load(config, true, streams)?),
        None => None,
    };
    let named = config.iter().flat_map(|config| config.places.files());
    let read = args.config.iter().chain([path]).map(PathBuf::as_path).chain(named);
    let target = target(option, file, Readers::Owner, read, streams)?;
    let doors: Vec<&Doors> = config.iter().map(|config| &config.doors).collect();
    let limit = u64::try_from(scenario::MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = Vec::new();
    let (name, read) = if is_stdin(path) {
        ("standard input".to_owned(), io::stdin().lock().take(limit).read_to_end(&mut text))
    } else {
        let opened = File::open(path);
        (shown(path), opened.and_then(|file| file.take(limit).read_to_end(&mut text)))
    };
    if let Err(error) = read {
        let fault = ReadFault { error: &error, wanted: A_SCENARIO };
        streams.error(&format!("{name}: cannot open: {fault}"));
        return Err(Exit::Capture);
    }
    if text.is_empty() {
        streams.error(&format!("{name}: is empty; name {A_SCENARIO}"));
        return Err(Exit::Capture);
    }
    let capture = match scenario::capture(&name, &text, Signers::of(&doors)) {
        Ok(capture) => capture,
        Err(source) => {
            if capture::begins_like_one(&text) {
                streams.error(&format!(
                    "{name}: is a capture already; {option} makes one of a scenario"
                ));
                return Err(Exit::Capture);
            }
            let fault = if scenario::begins_like_one(&text) {
                Fault::Scenario(source)
            } else {
                Fault::NotACapture(Looks::of(&text))
            };
            streams.cannot_read(&CaptureError { capture: name, fault });
            return Err(Exit::Capture);
        }
    };
    let written = target.write(|out| out.write_all(&capture));
    written.map(|()| Exit::Done).map_err(|error| streams.cannot_write_file(file, &error))
}
