//! What a person or a script sees while a run works: a bar, plain lines, NDJSON, and the closing
//! summary.
//!
//! The one fact to know: nothing here can stop or slow a run. [`EventSender::send`] never waits;
//! stderr and the event stream each have a thread and a bounded queue of their own, so a terminal
//! or a pipe that stalls costs lines (which are counted), and one that is closed costs nothing.
//! The numbers on the display are kept by the sender and are right whatever was lost.

mod bar;
mod forecast;
mod layout;
mod lines;
mod mailbox;
mod mode;
mod rate;
mod screen;
mod stream;
mod summary;
mod tally;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub use layout::fold;
pub use mode::{Choice, Mode, Surroundings, Verbosity};
pub use summary::{Ended, summary};

use bar::Bar;
use layout::Paint;
use mailbox::Mailbox;
use tally::Tally;

use crate::event::Event;
use crate::time;

/// Events that may wait for a reader: minutes of the fastest run, and a few megabytes.
const QUEUED_MAX: usize = 65_536;
/// How long the end of a run waits for each reader.
const FINISH_MAX: Duration = Duration::from_secs(2);
/// Events that come within this time are written together.
const STREAM_PACE: Duration = Duration::from_millis(20);

/// Where `--events` goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventsTo {
    /// `-`
    Stdout,
    /// Appended; created for its owner only.
    File(PathBuf),
}

/// How a run is shown.
#[derive(Debug, Clone)]
pub struct Options {
    /// On stderr.
    pub mode: Mode,
    /// How much of it.
    pub verbosity: Verbosity,
    /// Colours may be used on stderr.
    pub colour: bool,
    /// The stream for scripts.
    pub events: Option<EventsTo>,
    /// `--no-wait`: an accepted job has ended.
    pub no_wait: bool,
    /// How to call refleet on this database: `refleet`, or `refleet --db /srv/fleet.db`.
    pub command: String,
}

/// Why nothing can be shown.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `--events FILE` cannot be written.
    #[error("cannot open the event file `{}`", path.display())]
    OpenEvents {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No thread.
    #[error("cannot start a thread for the display")]
    Thread(#[source] io::Error),
}

/// Tells the display what happens. Cheap to clone; sending never waits and never fails.
#[derive(Debug, Clone)]
pub struct EventSender {
    shared: Arc<Shared>,
}

/// Ends the display.
#[derive(Debug)]
pub struct Handle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    mode: Mode,
    verbosity: Verbosity,
    command: String,
    tally: Mutex<Tally>,
    screen: Mailbox<Letter>,
    stream: Option<Mailbox<Letter>>,
    closing: Mutex<String>,
}

/// What the readers get.
#[derive(Debug)]
enum Letter {
    Event { at_ms: i64, event: Arc<Event> },
    Note(String),
}

/// Starts showing what will be sent.
pub fn start(options: &Options) -> Result<(EventSender, Handle), StartError> {
    let stream: Option<Box<dyn Write + Send>> = match &options.events {
        None => None,
        Some(EventsTo::Stdout) => Some(Box::new(io::stdout())),
        Some(EventsTo::File(path)) => match stream::open(path) {
            Ok(file) => Some(Box::new(file)),
            Err(source) => {
                return Err(StartError::OpenEvents {
                    path: path.clone(),
                    source,
                });
            }
        },
    };
    let mut mode = options.mode;
    if mode == Mode::Bar && options.events == Some(EventsTo::Stdout) && io::stdout().is_terminal() {
        // JSON written into a display that is redrawn would leave neither legible.
        mode = Mode::Plain;
    }
    let paint = Paint(options.colour);
    let shared = Arc::new(Shared::new(options, mode, stream.is_some()));
    if let Some(out) = stream {
        spawn("events", &shared, |shared| write_stream(shared, out))?;
    }
    spawn("display", &shared, move |shared| match mode {
        Mode::Bar => screen::show_bar(
            shared,
            &Bar::new(console::Term::buffered_stderr(), paint),
            paint,
        ),
        Mode::Plain | Mode::None => screen::show_lines(shared, &mut io::stderr()),
    })?;
    Ok((
        EventSender {
            shared: Arc::clone(&shared),
        },
        Handle { shared },
    ))
}

fn spawn(
    name: &str,
    shared: &Arc<Shared>,
    show: impl FnOnce(&Shared) + Send + 'static,
) -> Result<(), StartError> {
    let shared = Arc::clone(shared);
    // Never joined: a thread that hangs in a write must not keep the process.
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || show(&shared))
        .map(drop)
        .map_err(StartError::Thread)
}

impl EventSender {
    /// Shows `event`.
    pub fn send(&self, event: Event) {
        let shared = &*self.shared;
        shared.tally().apply(&event, shared.started.elapsed());
        let shown = lines::is_shown(&event, shared.mode, shared.verbosity);
        if !shown && shared.stream.is_none() {
            return;
        }
        let at_ms = time::now_ms();
        let event = Arc::new(event);
        if shown {
            shared.screen.post(Letter::Event {
                at_ms,
                event: Arc::clone(&event),
            });
        }
        if let Some(stream) = &shared.stream {
            stream.post(Letter::Event { at_ms, event });
        }
    }
}

impl Handle {
    /// Jobs that ended since the start, for [`Ended::completed`].
    pub fn completed(&self) -> u64 {
        self.shared.tally().completed()
    }

    /// Why the run halts, for [`Ended::halted`].
    pub fn halted(&self) -> Option<String> {
        self.shared.tally().halted()
    }

    /// Takes the display away and prints `closing` in its place (a [`summary()`], or nothing).
    /// Returns when everything sent before was shown, or after a few seconds: a reader that does
    /// not read is not waited for.
    pub fn finish(self, closing: &str) {
        let shared = &*self.shared;
        if let Some(stream) = &shared.stream {
            stream.close();
            // First, so that what it has to complain about is still shown.
            stream.wait_done(Instant::now() + FINISH_MAX);
        }
        closing.clone_into(
            &mut shared
                .closing
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        shared.screen.close();
        shared.screen.wait_done(Instant::now() + FINISH_MAX);
    }
}

impl Shared {
    fn new(options: &Options, mode: Mode, stream: bool) -> Self {
        Self {
            started: Instant::now(),
            mode,
            verbosity: options.verbosity,
            command: options.command.clone(),
            tally: Mutex::new(Tally::new(options.no_wait)),
            screen: Mailbox::new(QUEUED_MAX),
            stream: stream.then(|| Mailbox::new(QUEUED_MAX)),
            closing: Mutex::new(String::new()),
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn closing(&self) -> String {
        self.closing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The thread of the event stream.
fn write_stream(shared: &Shared, mut out: impl Write) {
    let Some(mailbox) = &shared.stream else {
        return;
    };
    let mut earliest = Instant::now();
    loop {
        let batch = mailbox.take(earliest, None);
        earliest = Instant::now() + STREAM_PACE;
        let mut text = Vec::new();
        for letter in &batch.letters {
            match letter {
                Letter::Event { at_ms, event } => stream::write_event(&mut text, *at_ms, event),
                Letter::Note(_) => {} // for people
            }
        }
        if batch.lost > 0 {
            stream::write_gap(&mut text, time::now_ms(), batch.lost);
        }
        let written = out.write_all(&text).and_then(|()| out.flush());
        if let Err(error) = &written {
            // Half a line may be out: nothing that followed could be read.
            mailbox.close();
            shared.screen.post(Letter::Note(format!(
                "warning: the run goes on without --events, which cannot be written: {error}"
            )));
        }
        if written.is_err() || batch.closed {
            mailbox.done();
            return;
        }
    }
}
