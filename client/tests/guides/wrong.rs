//! Wrong command lines, which all programs answer alike.

use std::os::unix::fs::symlink;
use std::process::Command;

use tempfile::TempDir;

#[test]
fn every_program_answers_a_wrong_command_line_with_status_2_and_its_name() {
    let folder = TempDir::new().unwrap();
    let program = std::env::current_exe().unwrap();
    for name in ["knock", "knockd", "knockctl", "knock-replay"] {
        let path = folder.path().join(name);
        symlink(&program, &path).unwrap();
        for arguments in ["--nosuch", "-Z", "status more than this", "--config"] {
            let output = Command::new(&path)
                .args(arguments.split(' '))
                .current_dir(&folder)
                .env("HOME", folder.path())
                .output()
                .unwrap();
            let errors = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{name} {arguments}: {errors}");
            assert!(
                errors.starts_with(&format!("{name}: error: ")),
                "{name} {arguments}: {errors}"
            );
            assert!(output.stdout.is_empty());
        }
    }
}
