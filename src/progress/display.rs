//! Starts the threads that show a run, and hands events to them.

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::bar::Bar;
use super::ended::Slowest;
use super::layout::Paint;
use super::mode::Mode;
use super::options::{EventsTo, Options};
use super::shared::{Letter, Shared};
use super::{log_lines, screen, selection, stream};
use crate::event::Event;
use crate::job::RunId;
use crate::{log, time};

/// How long the end of a run waits for each reader.
const FINISH_MAX: Duration = Duration::from_secs(2);

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
    pub shared: Arc<Shared>,
}

/// Ends the display.
#[derive(Debug)]
pub struct Handle {
    pub shared: Arc<Shared>,
}

/// Where the events go can be written. Asked before anything is ordered: an order whose run then could not
/// begin would stand in the queue.
pub fn check_events(events: &EventsTo) -> Result<(), StartError> {
    open(events).map(drop)
}

fn open(events: &EventsTo) -> Result<Box<dyn Write + Send>, StartError> {
    match events {
        EventsTo::Stdout => Ok(Box::new(io::stdout())),
        EventsTo::File(path) => match stream::open(path) {
            Ok(file) => Ok(Box::new(file)),
            Err(source) => Err(StartError::OpenEvents {
                path: path.clone(),
                source,
            }),
        },
    }
}

/// Starts showing what will be sent.
pub fn start(options: &Options) -> Result<(EventSender, Handle), StartError> {
    let stream = options.events.as_ref().map(open).transpose()?;
    let mut mode = options.mode;
    if mode == Mode::Bar && options.events == Some(EventsTo::Stdout) && io::stdout().is_terminal() {
        // JSON written into a display that is redrawn would leave neither legible.
        mode = Mode::Plain;
    }
    let paint = Paint(options.colour);
    let shared = Arc::new(Shared::new(options, mode, stream.is_some()));
    if let Some(out) = stream {
        spawn("events", &shared, |shared| stream::write(shared, out))?;
    }
    spawn("display", &shared, move |shared| match mode {
        Mode::Bar => screen::show_bar(
            shared,
            &Bar::new(console::Term::buffered_stderr(), paint),
            paint,
        ),
        Mode::Plain | Mode::None if log::is_json() => {
            log_lines::write(shared, screen::HEARTBEAT, &mut io::stderr());
        }
        Mode::Plain | Mode::None => screen::show_lines(shared, &mut io::stderr()),
    })?;
    Ok((
        EventSender {
            shared: Arc::clone(&shared),
        },
        Handle { shared },
    ))
}

pub fn spawn(
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
        let shown = selection::is_shown(&event, shared.mode, shared.verbosity);
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
    /// Jobs that ended since the start, for [`Ended::completed`](super::Ended::completed).
    pub fn completed(&self) -> u64 {
        self.shared.tally().completed()
    }

    /// For [`Ended::slowest`](super::Ended::slowest).
    pub fn slowest(&self) -> Option<Slowest> {
        self.shared.tally().slowest()
    }

    /// Where the run stands, in one line; before it has begun, nobody knows.
    pub fn standing(&self) -> Option<String> {
        let elapsed = self.shared.started.elapsed();
        self.shared.tally().heartbeat(elapsed)
    }

    /// The run that is shown, once it has begun.
    pub fn run(&self) -> Option<RunId> {
        self.shared.tally().ids().map(|(run, _)| run)
    }

    /// Why the run halts, for [`Ended::halted`](super::Ended::halted).
    pub fn halted(&self) -> Option<String> {
        self.shared.tally().halted()
    }

    /// Takes the display away and prints `closing` in its place (a [`summary`](super::summary()), or nothing).
    /// Returns when everything sent before was shown, or after a few seconds: a reader that does
    /// not read is not waited for.
    pub fn finish(self, closing: &str) {
        let shared = &*self.shared;
        if let Some(stream) = &shared.stream {
            stream.close();
            // The stream ends before the screen, so that a warning of its thread is still shown.
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
