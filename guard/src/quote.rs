//! Paths in commands that are there to be copied into a shell.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::characters::is_unprintable;

/// Returns a path as a word of a shell command. No character that commands a terminal or cannot be
/// seen is left in it.
#[must_use]
pub fn quoted(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%=".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(is_plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(is_unprintable) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        Ok(_) | Err(_) => {
            let byte = |byte: &u8| match byte {
                b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
                b' '..=b'~' => char::from(*byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            };
            format!("$'{}'", bytes.iter().map(byte).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_the_same_path() {
        let paths: [&[u8]; 7] = [
            b"/etc/knockd.conf",
            b"a b",
            b"it's",
            b"\x1b[31m\n\\'x",
            b"\xff\xfe",
            "d\u{fc}r".as_bytes(),
            b"$(id)",
        ];
        for bytes in paths {
            let word = quoted(Path::new(OsStr::from_bytes(bytes)));
            assert!(!word.contains(char::is_control), "{word:?}");
            let output =
                Command::new("bash").args(["-c", &format!("printf %s {word}")]).output().unwrap();
            assert_eq!(output.stdout, bytes, "{word}");
        }
    }
}
