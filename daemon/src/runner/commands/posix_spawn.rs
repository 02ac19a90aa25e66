//! Starting a command without a copy of this process. A copy takes longer the more memory there is, and each
//! page that either of the two writes afterwards is copied, too.

#![expect(
    unsafe_code,
    reason = "neither std nor nix can start a process in another session this way"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_short};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr::null_mut;

use nix::sys::signal::SigSet;
use nix::unistd::Pid;

/// Starts a program in its own session, with the signal settings of a program that is started by hand.
/// It reads from `/dev/null` and writes to `output`. The first argument is the program's path.
///
/// # Errors
/// The error of the system call, also if it is that the program cannot be executed.
pub(super) fn start(
    arguments: &[CString],
    environment: &[CString],
    output: BorrowedFd<'_>,
    folder: Option<&CStr>,
) -> io::Result<Pid> {
    let (actions, attributes) = (FileActions::new(output, folder)?, Attributes::new()?);
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    let Some(program) = arguments.first().filter(|program| !program.is_null()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut id = 0;
    // SAFETY: both lists end with null, their strings end with NUL, and all of them live until it returns.
    done(unsafe {
        libc::posix_spawn(
            &raw mut id,
            *program,
            &raw const actions.0,
            &raw const attributes.0,
            arguments.as_ptr(),
            environment.as_ptr(),
        )
    })?;
    Ok(Pid::from_raw(id))
}

/// Returns pointers to strings, and null after the last.
fn pointers(strings: &[CString]) -> Vec<*mut c_char> {
    // They are only read, though the type does not say so.
    let pointers = strings.iter().map(|string| string.as_ptr().cast_mut());
    pointers.chain([null_mut()]).collect()
}

/// Returns an error number as an error.
fn done(error: c_int) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

/// What the new process does with its descriptors.
struct FileActions(libc::posix_spawn_file_actions_t);

impl FileActions {
    fn new(output: BorrowedFd<'_>, folder: Option<&CStr>) -> io::Result<Self> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: the memory is that of such a value.
        done(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: it was initialized.
        let mut actions = Self(unsafe { actions.assume_init() });
        let (all, output) = (&raw mut actions.0, output.as_raw_fd());
        let null = c"/dev/null".as_ptr();
        // SAFETY: the value was initialized, and the paths are copied.
        unsafe {
            let input = libc::STDIN_FILENO;
            done(libc::posix_spawn_file_actions_addopen(all, input, null, libc::O_RDONLY, 0))?;
            for one in [libc::STDOUT_FILENO, libc::STDERR_FILENO] {
                done(libc::posix_spawn_file_actions_adddup2(all, output, one))?;
            }
            if let Some(folder) = folder {
                done(libc::posix_spawn_file_actions_addchdir_np(all, folder.as_ptr()))?;
            }
        }
        Ok(actions)
    }
}

impl Drop for FileActions {
    fn drop(&mut self) {
        // SAFETY: it was initialized, and is not used any more.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

/// The session and the signal settings of the new process.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new() -> io::Result<Self> {
        let signals = libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK;
        let flags = c_short::try_from(signals | c_int::from(libc::POSIX_SPAWN_SETSID));
        let flags = flags.map_err(|_| io::ErrorKind::Unsupported)?;
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the memory is that of such a value.
        done(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: it was initialized.
        let mut attributes = Self(unsafe { attributes.assume_init() });
        let (all, [every, none]) = (&raw mut attributes.0, [SigSet::all(), SigSet::empty()]);
        // SAFETY: the value was initialized, and the sets are copied.
        unsafe {
            done(libc::posix_spawnattr_setflags(all, flags))?;
            done(libc::posix_spawnattr_setsigdefault(all, every.as_ref()))?;
            done(libc::posix_spawnattr_setsigmask(all, none.as_ref()))?;
        }
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: it was initialized, and is not used any more.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}
