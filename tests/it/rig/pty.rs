//! A terminal for the real binary, and somebody who types at it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// No command may take longer.
const LIMIT: Duration = Duration::from_mins(1);

/// Rows and columns.
#[derive(Clone, Copy)]
pub struct Size(pub u16, pub u16);

impl Size {
    /// The one that every terminal can be.
    pub const USUAL: Self = Self(24, 80);
    /// Nothing is wrapped or cut.
    pub const WIDE: Self = Self(50, 400);
}

/// What is waited for on the screen (an empty text: nothing), and what is typed then. `\u{3}` is
/// Ctrl-C, `\u{4}` an end of file.
pub type Typed<'a> = (&'a str, &'a [u8]);

/// Everything that `command` writes to a terminal of its own, at which somebody types.
pub fn on_a_terminal(mut command: Command, size: Size, typed: &[Typed<'_>]) -> (i32, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let window = Winsize {
        ws_row: size.0,
        ws_col: size.1,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&master, window).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let mut options = File::options();
    let slave: OwnedFd = options.read(true).write(true).open(name).unwrap().into();
    if !command.get_envs().any(|(name, _)| name == "TERM") {
        command.env("TERM", "xterm-256color");
    }
    // A session of its own makes the terminal its controlling one, so that Ctrl-C is a signal.
    let mut session = Command::new("setsid");
    session
        .args(["--ctty", "--wait"])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("PATH", "/usr/bin:/bin")
        .stdin(slave.as_fd().try_clone_to_owned().unwrap())
        .stdout(slave.as_fd().try_clone_to_owned().unwrap())
        .stderr(slave);
    if let Some(folder) = command.get_current_dir() {
        session.current_dir(folder);
    }
    let mut child = session.spawn().unwrap();
    // It holds the other ends, and would keep the terminal open.
    drop(session);
    let mut master = File::from(master);
    let mut reading = master.try_clone().unwrap();
    let (sender, pieces) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut piece = [0; 4096];
        // Linux reports the end of the other side as an error (EIO).
        while let Ok(count @ 1..) = reading.read(&mut piece) {
            let _ = sender.send(piece[..count].to_vec());
        }
    });
    let deadline = Instant::now() + LIMIT;
    let mut bytes = Vec::new();
    let mut typed = typed.iter();
    let mut next = typed.next();
    // What was waited for last is not found again.
    let mut seen = 0;
    loop {
        while let Some((text, keys)) = next {
            let Some(at) = find(&bytes[seen..], text.as_bytes()) else {
                break;
            };
            seen += at + text.len();
            master.write_all(keys).unwrap();
            next = typed.next();
        }
        match pieces.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(piece) => bytes.extend(piece),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("it does not end: {}", String::from_utf8_lossy(&bytes));
            }
        }
    }
    reader.join().unwrap();
    let said = String::from_utf8(bytes).unwrap();
    if let Some((text, _)) = next {
        panic!("{text:?} never came: {said}");
    }
    (child.wait().unwrap().code().unwrap(), said)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    if wanted.is_empty() {
        return Some(0);
    }
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
