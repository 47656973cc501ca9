//! What outlives the process: a file with a line for each accepted submission and each ok given.
//!
//! The one fact to know: a line is written *before* a client can see what it says. So everything
//! that a client may know of is in the file, and a killed process loses nothing: what has reached
//! the kernel stays. (Nothing is synchronised: a power failure may lose lines.) Once a line could
//! not be written, nothing is executed and no ok is given any more.

use std::borrow::Cow;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::action::Planned;
use super::behaviour::Outcome;
use super::submission::Course;
use crate::text::brief;

/// The first line of every journal. A file that begins otherwise is not ours, and is left alone.
const HEAD: &[u8] = b"{\"journal\":\"refleet simulator\",\"format\":1}\n";
const REASON_CHARS_MAX: usize = 200;

/// Something that happened: one line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum JournalEntry<'a> {
    #[serde(borrow)]
    Accepted(Accepted<'a>),
    Answered(Answered),
}

/// The API has said ok to a submission, and this is how it goes on. Times are Unix times.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Accepted<'a> {
    pub(super) service: i64,
    /// Submissions of this service that had arrived by then, this one included.
    pub(super) submissions: u64,
    pub(super) at_ms: i64,
    /// When its status begins to show.
    pub(super) begins_ms: i64,
    /// When it ends, if its outcome is one that ends.
    pub(super) ends_ms: i64,
    pub(super) outcome: Outcome,
    /// What the list showed at that moment.
    pub(super) status_before: Cow<'a, str>,
    pub(super) image_before: Cow<'a, str>,
    /// What was accepted, by the word of its action.
    pub(super) planned: Cow<'a, Planned>,
}

/// The ok of a service's nth execution (from 0) is about to be handed to the connection.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answered {
    pub(super) service: i64,
    pub(super) nth: usize,
}

/// Why a line cannot be what happened.
#[derive(Debug, thiserror::Error)]
pub(super) enum Misfit {
    #[error("not a journal of the simulator")]
    Head,
    #[error("{}", brief(&.0.to_string(), REASON_CHARS_MAX))]
    Shape(#[from] serde_json::Error),
    #[error("its times are out of order or out of range")]
    Times,
    #[error("execution {nth} of service {service} is not in the lines before it")]
    NoSuchExecution { service: i64, nth: usize },
}

/// The journal is closed, or could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotWritten;

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    pub(super) now: Instant,
    pub(super) now_ms: i64,
}

impl Clocks {
    /// The moment of this Unix time; `None`: beyond what the system can represent.
    fn moment(self, unix_ms: i64) -> Option<Instant> {
        let since_ms = unix_ms.checked_sub(self.now_ms)?;
        let distance = Duration::from_millis(since_ms.unsigned_abs());
        if since_ms < 0 {
            self.now.checked_sub(distance)
        } else {
            self.now.checked_add(distance)
        }
    }
}

impl Accepted<'_> {
    /// When it was accepted, and how it goes on.
    pub(super) fn course(&self, clocks: Clocks) -> Result<(Instant, Course), Misfit> {
        let distance = |from_ms: i64, to_ms: i64| {
            let distance_ms = to_ms.checked_sub(from_ms)?;
            u64::try_from(distance_ms).ok().map(Duration::from_millis)
        };
        let course = || {
            // The end is not used here, but it must be a moment that can be represented.
            clocks.moment(self.ends_ms)?;
            let course = Course {
                accept_lag: distance(self.at_ms, self.begins_ms)?,
                duration: distance(self.begins_ms, self.ends_ms)?,
                outcome: self.outcome,
            };
            Some((clocks.moment(self.at_ms)?, course))
        };
        course().ok_or(Misfit::Times)
    }
}

#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// `None`: closed.
    file: Option<File>,
    /// Reused for each line.
    buffer: Vec<u8>,
}

impl Journal {
    /// Opens or creates the file (readable by its owner only), hands its lines to `replay`, and
    /// cuts off a last line that its writer was killed in.
    ///
    /// # Errors
    ///
    /// `ResourceBusy`: another simulator has it open. `InvalidData`: a line is none of ours, or
    /// `replay` refused it; the file is as it was. Otherwise what the operating system says.
    pub(super) fn open(
        path: &Path,
        replay: impl FnMut(JournalEntry<'_>) -> Result<(), Misfit>,
    ) -> io::Result<Self> {
        let file = open_file(path).and_then(|file| replay_file(file, replay));
        // The error of the operating system does not name the file.
        let file = file.map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        Ok(Self {
            path: path.to_owned(),
            file: Some(file),
            buffer: Vec::new(),
        })
    }

    pub(super) fn write(&mut self, entry: &JournalEntry<'_>) -> Result<(), NotWritten> {
        let file = self.file.as_mut().ok_or(NotWritten)?;
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, entry).expect("a line goes into memory");
        self.buffer.push(b'\n');
        file.write_all(&self.buffer).map_err(|error| {
            tracing::error!(
                path = %self.path.display(), %error,
                "the simulator's journal cannot be written: it executes nothing any more"
            );
            // No other line may follow on half of this one.
            self.file = None;
            NotWritten
        })
    }

    /// Lets go of the file, for the next simulator.
    pub(super) fn close(&mut self) {
        self.file = None;
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    if !file.metadata()?.is_file() {
        let message = "the journal must be a regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let message = "another simulator keeps its journal here";
            Err(io::Error::new(io::ErrorKind::ResourceBusy, message))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn replay_file(
    mut file: File,
    mut replay: impl FnMut(JournalEntry<'_>) -> Result<(), Misfit>,
) -> io::Result<File> {
    let mut reader = BufReader::new(&file);
    let mut line = Vec::new();
    let mut whole_bytes = 0;
    for number in 1_u64.. {
        line.clear();
        reader.read_until(b'\n', &mut line)?;
        // The empty rest behind the last line is not a whole line either.
        let is_whole = line.ends_with(b"\n");
        let replayed = match number {
            1 if HEAD.starts_with(&line) => Ok(()),
            1 => Err(Misfit::Head),
            _ if is_whole => serde_json::from_slice(&line)
                .map_err(Misfit::from)
                .and_then(&mut replay),
            _ => Ok(()),
        };
        replayed.map_err(|misfit| {
            let message = format!("line {number}: {misfit}");
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        if !is_whole {
            break;
        }
        whole_bytes += line.len() as u64;
    }
    if !line.is_empty() {
        file.set_len(whole_bytes)?;
    }
    file.seek(SeekFrom::End(0))?;
    if whole_bytes == 0 {
        file.write_all(HEAD)?;
    }
    Ok(file)
}
