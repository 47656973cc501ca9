//! The least that can stand in for the API: takes a form, says `ok`, and remembers when. Who comes with the
//! token of an account is told more ([`crate::fleet`]).
//!
//! It runs as a process of its own (this very program, with [`SERVE`] in its environment), so that
//! whoever is measured shares the machine with it in the same way.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream as Blocking};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::fleet::Fleet;

/// The variable that makes this program the server: milliseconds that each answer takes.
pub const SERVE: &str = "REFLEET_BENCH_SERVE";

/// Every so many forms the time is noted.
pub const MARK_EVERY: usize = 500;

/// The field with which a form is submitted.
const SUBMITTED: &[u8] = b"name=\"sok\"";

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 27\r\n\r\n{\"doc\":{\"ok\":{\"$\":\"done\"}}}";

/// What has happened so far, and what the accounts have.
#[derive(Default)]
struct State {
    seen: Mutex<Seen>,
    fleet: Fleet,
}

/// A server that runs until it is dropped.
pub struct Server {
    child: Child,
    address: SocketAddr,
}

/// What it has seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Forms that were submitted, and not asked for.
    pub forms: usize,
    /// When the first, and then each [`MARK_EVERY`]th more, arrived, in microseconds of Unix time.
    pub marks_us: Vec<u64>,
    /// Instances that were submitted more than once since the server began, of the accounts.
    pub repeated: usize,
}

impl Server {
    /// Starts one that answers after `delay`.
    pub fn start(delay: Duration) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(SERVE, delay.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self { child, address })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// What it has seen since the last look with `reset`.
    pub fn seen(&self, reset: bool) -> io::Result<Seen> {
        let mut stream = Blocking::connect(self.address)?;
        let path = if reset { "/reset" } else { "/seen" };
        write!(
            stream,
            "GET {path} HTTP/1.1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let (forms, marks_us, repeated) = serde_json::from_str(body).map_err(io::Error::other)?;
        Ok(Seen {
            forms,
            marks_us,
            repeated,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Now, in microseconds of Unix time: the clock that both processes share.
pub fn now_us() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

/// Is the server: answers each form after `delay`, until its standard input ends.
pub fn serve(delay: Duration) -> io::Result<()> {
    // Whoever started it has died without a word: so must this.
    std::thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        {
            let mut stdout = io::stdout().lock();
            writeln!(stdout, "{}", listener.local_addr()?)?;
            stdout.flush()?;
        }
        let state = Arc::new(State::default());
        loop {
            let (stream, _) = listener.accept().await?;
            let _ = stream.set_nodelay(true);
            let state = Arc::clone(&state);
            tokio::spawn(async move {
                let _ = converse(stream, delay, &state).await;
            });
        }
    })
}

async fn converse(mut stream: TcpStream, delay: Duration, state: &State) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(8192);
    loop {
        let (head, length) = loop {
            if let Some(found) = head(&buffer)
                && buffer.len() >= found.0 + found.1
            {
                break found;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        if buffer.starts_with(b"GET ") {
            let body = {
                let mut seen = state.seen.lock().unwrap_or_else(PoisonError::into_inner);
                let repeated = state.fleet.repeated();
                let body = serde_json::to_string(&(seen.forms, &seen.marks_us, repeated))?;
                if buffer.starts_with(b"GET /reset") {
                    *seen = Seen::default();
                }
                body
            };
            return stream.write_all(&answer(&body, "close")).await;
        }
        let asked = &buffer[head..head + length];
        let of_account = state.fleet.answer(&String::from_utf8_lossy(asked));
        if asked.windows(SUBMITTED.len()).any(|some| some == SUBMITTED) {
            let mut seen = state.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.forms.is_multiple_of(MARK_EVERY) {
                seen.marks_us.push(now_us());
            }
            seen.forms += 1;
        }
        buffer.drain(..head + length);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match of_account {
            Some(body) => stream.write_all(&answer(&body, "keep-alive")).await?,
            None => stream.write_all(OK).await?,
        }
    }
}

fn answer(body: &str, connection: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: {connection}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Lengths of head and body of the request that `bytes` begin with.
fn head(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    Some((end, length.unwrap_or(0)))
}
