//! Bytes that a text file does not show.

/// The shortest run of one byte that is written as `\{x*400}`.
const LONG_RUN: usize = 100;

/// Returns the bytes that an escaped text means.
///
/// # Errors
/// The invalid escape.
pub fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.bytes());
        let fault = || format!("the escape \\{} is invalid", after.escape_debug());
        let (kind, after) = after.split_at_checked(1).ok_or_else(fault)?;
        rest = after;
        match kind {
            "\n" => {}
            "r" => bytes.push(b'\r'),
            "t" => bytes.push(b'\t'),
            "0" => bytes.push(0),
            "\\" => bytes.push(b'\\'),
            "x" => {
                let (digits, after) = rest.split_at_checked(2).ok_or_else(fault)?;
                bytes.push(u8::from_str_radix(digits, 16).map_err(|_| fault())?);
                rest = after;
            }
            "{" => {
                let (run, after) = rest.split_once('}').ok_or_else(fault)?;
                let (what, count) = run.split_once('*').ok_or_else(fault)?;
                let count: usize = count.parse().map_err(|_| fault())?;
                bytes.extend(what.repeat(count).bytes());
                rest = after;
            }
            _ => return Err(fault()),
        }
    }
    bytes.extend(rest.bytes());
    Ok(bytes)
}

/// Returns whether bytes cannot, or should not, be in a text file as they are.
#[must_use]
pub fn needs_escapes(bytes: &[u8]) -> bool {
    let ends_well = bytes.is_empty() || bytes.ends_with(b"\n");
    let has_hidden_blank = bytes.windows(2).any(|pair| pair == b" \n");
    let is_plain = |byte: &u8| *byte == b'\n' || (b' '..=b'~').contains(byte);
    !ends_well
        || has_hidden_blank
        || !bytes.iter().all(is_plain)
        || runs(bytes).any(|run| run.len() >= LONG_RUN)
}

/// Returns the escaped text that means the bytes.
#[must_use]
pub fn escaped(bytes: &[u8]) -> String {
    let text: String = runs(bytes).map(escaped_run).collect();
    // Editors often remove blanks at the ends of lines.
    let text = text.replace(" \n", "\\x20\n");
    if bytes.is_empty() || bytes.ends_with(b"\n") { text } else { text + "\\\n" }
}

fn escaped_run(run: &[u8]) -> String {
    let one = match run[0] {
        b'\n' => "\n".to_owned(),
        b'\\' => r"\\".to_owned(),
        b'\r' => r"\r".to_owned(),
        b'\t' => r"\t".to_owned(),
        0 => r"\0".to_owned(),
        plain @ b' '..=b'~' => char::from(plain).to_string(),
        other => format!(r"\x{other:02x}"),
    };
    if run.len() >= LONG_RUN && one.len() == 1 {
        format!("\\{{{one}*{}}}", run.len())
    } else {
        one.repeat(run.len())
    }
}

fn runs(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.chunk_by(|one, next| one == next)
}
