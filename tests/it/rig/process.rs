//! The real binary as a process, and how it ended.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// What a failpoint dies of.
pub const SIGABRT: i32 = 6;
/// No command may take longer.
pub const LIMIT: Duration = Duration::from_mins(1);

/// The binary under test: `REFLEET_TEST_BINARY` names another one than the debug build, for example
/// a release build with the feature `failpoints`.
pub fn binary() -> PathBuf {
    let built = || assert_cmd::cargo::cargo_bin!("refleet").into();
    std::env::var_os("REFLEET_TEST_BINARY").map_or_else(built, PathBuf::from)
}

/// `refleet` in an empty environment, with `folder` for a home.
pub fn bare(folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command
        .env_clear()
        .env("HOME", folder)
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// The command of `wrapper` with `command` behind it, in the folder and the environment of that one.
pub fn wrapped(wrapper: &[&str], command: &Command) -> Command {
    let mut whole = Command::new(wrapper[0]);
    whole
        .args(&wrapper[1..])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        whole.env(name, value.unwrap_or_default());
    }
    if let Some(folder) = command.get_current_dir() {
        whole.current_dir(folder);
    }
    whole
}

/// Carries out a command to its end.
pub fn finish(command: Command) -> Ended {
    let output = assert_cmd::Command::from_std(command)
        .timeout(LIMIT)
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    let is_of_the_disk = |line: &&str| line.contains("lies where nothing stays");
    let (disk, err) = err.split_inclusive('\n').partition(is_of_the_disk);
    Ended {
        code: code(output.status),
        out: String::from_utf8(output.stdout).unwrap(),
        err,
        disk,
    }
}

/// The exit code; of a process that was killed, the number of the signal, negative.
fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| -status.signal().unwrap_or(0))
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; a signal that killed it is negative.
    pub code: i32,
    pub out: String,
    pub err: String,
    /// What stderr said of a folder that lies in memory or in a container's layer: that depends on
    /// the machine.
    pub disk: String,
}

impl Ended {
    /// It ended with this exit code.
    #[track_caller]
    pub fn exit(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// It said this on stderr.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} is not in:\n{}", self.err);
        self
    }

    /// It said this on stdout.
    #[track_caller]
    pub fn says_out(self, text: &str) -> Self {
        assert!(self.out.contains(text), "{text:?} is not in:\n{}", self.out);
        self
    }

    /// It said nothing at all.
    #[track_caller]
    pub fn said_nothing(self) -> Self {
        assert_eq!((self.out.as_str(), self.err.as_str()), ("", ""));
        self
    }

    /// The words behind `refleet` of the command with `words` that it proposed to type.
    #[track_caller]
    pub fn proposed(&self, words: &str) -> Vec<String> {
        let mut commands = self
            .err
            .split('`')
            .filter(|text| text.starts_with("refleet "));
        let found = commands.find(|command| command.contains(words));
        let found = found.unwrap_or_else(|| panic!("{words:?} is proposed nowhere: {self}"));
        found
            .split_whitespace()
            .skip(1)
            .map(str::to_owned)
            .collect()
    }

    /// Everything that it said.
    pub fn said(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Its stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            out,
            err,
            disk,
        } = self;
        write!(f, "exit code {code}\nstdout:\n{out}\nstderr:\n{err}{disk}")
    }
}

/// A process that is watched while it works. Dropping it kills it.
pub struct Running {
    child: Child,
    out: Receiver<String>,
    /// A pipe that is read all the time: a file would have its place on a disk that a test fills.
    err: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    /// Lines of its stdout so far: its events, under `--events -`.
    pub lines: Vec<String>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, out) = mpsc::channel();
        let read_out = reader(child.stdout.take().unwrap(), move |line| {
            // Nobody may be left who wants to know.
            let _ = sender.send(line);
        });
        let err = Arc::new(Mutex::new(String::new()));
        let said = Arc::clone(&err);
        let read_err = reader(child.stderr.take().unwrap(), move |line| {
            let mut said = said.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        });
        Self {
            child,
            out,
            err,
            readers: vec![read_out, read_err],
            lines: Vec::new(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its stdin, where that is a pipe.
    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Waits for the `count`th event from now on that is like `wanted`.
    #[track_caller]
    pub fn wait(&mut self, count: usize, wanted: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + LIMIT;
        let mut left = count;
        while left > 0 {
            match self
                .out
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    let event = serde_json::from_str(&line).unwrap();
                    left -= usize::from(wanted(&event));
                    self.lines.push(line);
                }
                Err(error) => panic!("{error}; after these events:\n{}", self.lines.join("\n")),
            }
        }
    }

    /// Waits for the `count`th job that becomes `state`.
    #[track_caller]
    pub fn wait_for(&mut self, count: usize, state: &str) {
        self.wait(count, |event| {
            event["type"] == "job" && event["to"] == state
        });
    }

    /// Waits until it has ended, which gives its exit code, or until `stop` says that it is to be
    /// looked after.
    pub fn wait_until(&mut self, mut stop: impl FnMut() -> bool) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(code(status));
            }
            if stop() {
                return None;
            }
            assert!(began.elapsed() < LIMIT, "it does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sends it a signal: `INT`, `TERM`, `HUP`, `KILL`, …
    pub fn signal(&self, name: &str) {
        // The shell's own `kill` is everywhere.
        let kill = format!("kill -{name} {}", self.pid());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.unwrap().success());
    }

    /// Kills it, if it still works; how it has ended.
    pub fn kill(&mut self) -> i32 {
        let _ = self.child.kill();
        code(self.child.wait().unwrap())
    }

    /// Waits until it has said `text`.
    #[track_caller]
    pub fn wait_for_word(&mut self, text: &str) {
        let began = Instant::now();
        while !self.said().contains(text) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", self.said());
            assert!(began.elapsed() < LIMIT, "{}", self.said());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Everything that it has said so far.
    pub fn said(&mut self) -> String {
        if self.child.try_wait().unwrap().is_some() {
            self.join();
        }
        self.lines.extend(self.out.try_iter());
        let mut said = self.lines.join("\n");
        said.push('\n');
        said.push_str(&self.err.lock().unwrap());
        said
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let code = self.wait_until(|| false).unwrap();
        self.join();
        self.lines.extend(self.out.try_iter());
        Ended {
            code,
            out: self.lines.join("\n"),
            err: self.err.lock().unwrap().clone(),
            disk: String::new(),
        }
    }

    /// Waits until all is read that it has said before its end.
    fn join(&mut self) {
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where it has ended already, both say so, and that is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Hands each line of a process's output to `take`.
fn reader(
    output: impl Read + Send + 'static,
    mut take: impl FnMut(String) + Send + 'static,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            take(String::from_utf8_lossy(&line.unwrap()).into_owned());
        }
    })
}
