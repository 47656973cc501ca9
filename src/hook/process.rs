//! One try of one hook: a process of its own, in a group of its own.
//!
//! The one fact to know: its password goes through a pipe, and stands neither among its arguments nor in its
//! environment nor in what is kept of it. The pipe becomes descriptor 3 inside its own shell: no descriptor of
//! ours is ever open to the children that other parts of this process start.

use std::collections::VecDeque;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::oneshot;

use crate::job::{HookEnd, HookExit};
use crate::shell::{self, Running};

/// Bytes of what it says that are kept while it runs: the last ones.
const TAIL_BYTES: usize = 8 << 10;

/// Characters of that which are kept for good.
const TAIL_CHARS: usize = 400;

/// What a pipe surely holds before anybody reads it.
const PIPE_BYTES: usize = 60 << 10;

/// How long the end of what it says is waited for when it has ended.
const AFTER_ITS_END: Duration = Duration::from_millis(200);

/// The number of the descriptor from which it reads the password, for the shell and for its environment.
const PASSWORD_FD: &str = "REFLEET_PASSWORD_FD";

/// Takes the password from where stderr will be, and starts the command of the first argument.
const WITH_PASSWORD: &str = "exec 3<&2 2>&1; exec sh -c \"$1\"";

/// What a hook is started with.
pub struct Start {
    pub command: String,
    /// For its stdin.
    pub document: String,
    pub password: Option<SecretString>,
    pub lasts_max: Duration,
}

/// Carries it out, and says how it ended. Dropped before that, it is ended, with all that it started.
pub async fn carry_out(start: Start) -> HookEnd {
    match try_to(&start).await {
        Ok(end) => end,
        Err(error) => HookEnd {
            how: HookExit::NotStarted,
            said: error,
        },
    }
}

async fn try_to(start: &Start) -> Result<HookEnd, String> {
    let not_started = |error: io::Error| format!("cannot start it: {error}");
    let (said, out) = io::pipe().map_err(not_started)?;
    let (shell, given) = prepare(start, out).map_err(not_started)?;
    let mut running = Running::start(shell, true)?;
    crate::failpoint!("hook_spawned");
    // Only the process has these ends of the pipes now.
    drop(given);
    let tail = Tail::follow(said);
    let ended = running.ended(start.lasts_max).await;
    drop(running);
    let said = tail.finish().await;
    Ok(HookEnd {
        how: ended.map_or(HookExit::TimedOut, how_it_ended),
        said: kept(&said, start.password.as_ref()),
    })
}

/// The shell, and what must be open until it is started. All that it will read is in its pipes before: it
/// reads the whole of that whatever becomes of this process.
fn prepare(start: &Start, out: io::PipeWriter) -> io::Result<(Command, Vec<PipeReader>)> {
    let mut shell = shell::command(&start.command);
    let document = filled(&start.document)?;
    let mut given = Vec::with_capacity(2);
    if let Some(password) = &start.password {
        let password = filled(&format!("{}\n", password.expose_secret()))?;
        shell = shell::command(WITH_PASSWORD);
        shell.args(["sh", &start.command]).env(PASSWORD_FD, "3");
        shell.stderr(password.try_clone()?);
        given.push(password);
    } else {
        shell.env_remove(PASSWORD_FD);
        shell.stderr(out.try_clone()?);
    }
    shell.env_remove("PGPASSWORD");
    // The address of a server may hold its password; a file's path holds none.
    if std::env::var_os("REFLEET_DB").is_some_and(|db| db.to_string_lossy().contains("://")) {
        shell.env_remove("REFLEET_DB");
    }
    shell.stdin(document.try_clone()?).stdout(out);
    given.push(document);
    Ok((shell, given))
}

/// A pipe that holds `text`, and nothing behind it.
fn filled(text: &str) -> io::Result<PipeReader> {
    if text.len() > PIPE_BYTES {
        return Err(io::Error::other("what it is told is too long"));
    }
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(text.as_bytes())?;
    Ok(reader)
}

fn how_it_ended(status: ExitStatus) -> HookExit {
    match (status.code(), status.signal()) {
        (Some(code), _) => HookExit::Code(code),
        (None, Some(signal)) => HookExit::Signal(signal),
        (None, None) => HookExit::NotStarted,
    }
}

/// The last that a process says, while it runs.
struct Tail {
    bytes: Arc<Mutex<VecDeque<u8>>>,
    ended: oneshot::Receiver<()>,
}

impl Tail {
    fn follow(mut said: PipeReader) -> Self {
        let bytes = Arc::new(Mutex::new(VecDeque::with_capacity(TAIL_BYTES)));
        let (sender, ended) = oneshot::channel();
        let kept = Arc::clone(&bytes);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read) = said.read(&mut buffer)
                && read > 0
            {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(&buffer[..read]);
                let over = kept.len().saturating_sub(TAIL_BYTES);
                kept.drain(..over);
            }
            // Nobody may be left who wants to know.
            let _ = sender.send(());
        });
        Self { bytes, ended }
    }

    /// Its process has ended. What that left behind in the background is not waited for.
    async fn finish(self) -> String {
        let _ = tokio::time::timeout(AFTER_ITS_END, self.ended).await;
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(bytes.make_contiguous()).into_owned()
    }
}

/// The end of what it said, without its password.
fn kept(said: &str, password: Option<&SecretString>) -> String {
    let mut said = said.trim().to_owned();
    if let Some(password) = password {
        said = said.replace(password.expose_secret(), "***");
    }
    let over = said.chars().count().saturating_sub(TAIL_CHARS);
    if over > 0 {
        let rest: String = said.chars().skip(over).collect();
        return format!("…{rest}");
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(command: &str) -> Start {
        Start {
            command: command.to_owned(),
            document: "{\"ip\":\"192.0.2.1\"}\n".to_owned(),
            password: Some("Sesame-4711".to_owned().into()),
            lasts_max: Duration::from_secs(20),
        }
    }

    #[tokio::test]
    async fn it_gets_the_document_on_stdin_and_the_password_by_a_descriptor_alone() {
        let script = "read document; read password <&$REFLEET_PASSWORD_FD; \
            [ \"$password\" = Sesame-4711 ] || exit 9; \
            tr '\\0' '\\n' < /proc/$$/environ | grep -c Sesame; \
            tr '\\0' '\\n' < /proc/$$/cmdline | grep -c 'Sesame-4711$'; \
            echo \"$document\"; echo aside >&2; exit 3";
        let end = carry_out(start(script)).await;
        assert_eq!(end.how, HookExit::Code(3));
        assert_eq!(end.said, "0\n0\n{\"ip\":\"192.0.2.1\"}\naside");
    }

    #[tokio::test]
    async fn without_a_password_there_is_no_descriptor() {
        let script = "echo \"fd ${REFLEET_PASSWORD_FD-none}\"; [ ! -e /proc/$$/fd/3 ]";
        let without = Start {
            password: None,
            ..start(script)
        };
        let end = carry_out(without).await;
        assert_eq!(end.how, HookExit::Code(0));
        assert_eq!(end.said, "fd none");
    }

    #[tokio::test]
    async fn a_password_that_it_says_is_not_kept_nor_is_more_than_the_end() {
        let end = carry_out(start("cat <&3; seq 1 9999 | tr '\\n' ' '; kill -TERM $$")).await;
        assert_eq!(end.how, HookExit::Signal(15));
        assert_eq!(end.said.chars().count(), TAIL_CHARS + 1);
        assert!(end.said.ends_with("9998 9999"), "{}", end.said);
        let short = carry_out(start("echo it is $(cat <&3)")).await;
        assert_eq!(short.said, "it is ***");
    }

    #[tokio::test]
    async fn one_that_takes_too_long_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", path.display());
        let slow = Start {
            lasts_max: Duration::from_millis(300),
            ..start(&script)
        };
        let end = carry_out(slow).await;
        assert_eq!(end.how, HookExit::TimedOut);
        let pid = std::fs::read_to_string(&path).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let is_gone = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
        while !is_gone() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
