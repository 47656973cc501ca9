//! The thread that tells the monitors.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, timeout_at};

use super::document::End;
use super::metrics::Metrics;
use super::options::Monitors;
use super::standing::{Command, Standing};
use super::watch::{Ending, Order, Shared, Watch, lock};
use super::{notify, on_end, ping};
use crate::exit::Exit;
use crate::time;

/// From one writing of the metrics to the next.
const METRICS_EVERY: Duration = Duration::from_secs(15);

/// So long all monitors together may delay the end of the process.
const TOGETHER_MAX: Duration = Duration::from_secs(10);

/// So long each of them may take: what is left is for ending a command, and for saying so.
const EACH_MAX: Duration = Duration::from_millis(9_500);

/// Tells the monitors of the process from its start to its end.
pub struct Herald {
    shared: Shared,
    told: Receiver<Vec<String>>,
}

impl Herald {
    /// Starts the thread, where there is a monitor. `Err`: it cannot be started.
    pub fn start(monitors: Monitors, command: Command) -> std::io::Result<Option<Self>> {
        if monitors.is_empty() {
            return Ok(None);
        }
        let id = uuid::Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid();
        let standing = Standing::new(command, id, time::now_ms());
        let standing = Arc::new(Mutex::new(standing));
        let (orders, received) = unbounded_channel();
        let (tell, told) = mpsc::channel();
        let known = Arc::clone(&standing);
        // Never joined: a monitor that hangs must not keep the process.
        thread::Builder::new()
            .name("monitors".to_owned())
            .spawn(move || work(monitors, &known, received, &tell))?;
        Ok(Some(Self {
            shared: Shared { standing, orders },
            told,
        }))
    }

    /// What runs tell it with.
    pub fn watch(&self) -> Watch {
        Watch(Some(self.shared.clone()))
    }

    /// Tells all monitors that the process ends with `exit`; `said` is what a person was told of it. Returns a
    /// line for each that could not be told, after ten seconds at the latest.
    pub fn ended(self, exit: Exit, said: &str) -> Vec<String> {
        let ending = Box::new(Ending {
            exit,
            said: said.to_owned(),
        });
        let sent = self.shared.orders.send(Order::End(ending));
        let told = match sent {
            Ok(()) => self.told.recv_timeout(TOGETHER_MAX),
            Err(_) => Err(RecvTimeoutError::Disconnected),
        };
        told.unwrap_or_else(|error| {
            vec![match error {
                RecvTimeoutError::Timeout => format!(
                    "warning: not all monitors were told within {} s",
                    TOGETHER_MAX.as_secs()
                ),
                RecvTimeoutError::Disconnected => {
                    "warning: the monitors were not told: a bug in refleet".to_owned()
                }
            }]
        })
    }
}

/// The whole life of the thread.
fn work(
    monitors: Monitors,
    standing: &Mutex<Standing>,
    orders: UnboundedReceiver<Order>,
    tell: &mpsc::Sender<Vec<String>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let lines = match runtime {
        Ok(runtime) => {
            let lines = runtime.block_on(until_ended(monitors, standing, orders));
            // A name look-up that hangs must not keep the lines.
            runtime.shutdown_background();
            lines
        }
        Err(error) => vec![format!("warning: the monitors were not told: {error}")],
    };
    // Nobody may be left who wants to know.
    let _ = tell.send(lines);
}

async fn until_ended(
    monitors: Monitors,
    standing: &Mutex<Standing>,
    mut orders: UnboundedReceiver<Order>,
) -> Vec<String> {
    let metrics = monitors.metrics.as_deref().map(Metrics::open);
    if let Some(metrics) = &metrics {
        lock(standing).is_left_running = metrics.left_running(time::now_ms());
    }
    let mut started: Option<AbortHandle> = None;
    let mut has_begun = false;
    let mut beat = interval(METRICS_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ending = loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(Order::Begun) => {
                    if !has_begun && let Some(to) = &monitors.ping {
                        started = Some(ping::start(to, &lock(standing)));
                    }
                    has_begun = true;
                    beat.reset();
                }
                Some(Order::End(ending)) => break ending,
                // Whoever could say how it ended is gone.
                None => return Vec::new(),
            },
            _ = beat.tick(), if has_begun => {}
        }
        if has_begun && let Some(metrics) = &metrics {
            // What is wrong with it is told at the end.
            let text = metrics.text(&lock(standing), None);
            let _ = metrics.write(&text);
        }
    };
    // One that arrived after the end would have the check wait for another end.
    if let Some(started) = started {
        started.abort();
    }
    let end = End::new(&lock(standing), ending.exit, ending.said, time::now_ms());
    the_end(&monitors, metrics, standing, &end).await
}

/// Tells all of them at the same time.
async fn the_end(
    monitors: &Monitors,
    metrics: Option<Metrics>,
    standing: &Mutex<Standing>,
    end: &End,
) -> Vec<String> {
    let deadline = Instant::now() + EACH_MAX;
    let metrics = async {
        let metrics = metrics?;
        let text = metrics.text(&lock(standing), Some(end));
        // A file system that hangs hangs alone.
        let written = tokio::task::spawn_blocking(move || metrics.write(&text)).await;
        written.unwrap_or_else(|error| Err(error.to_string())).err()
    };
    let ping = async { ping::end(monitors.ping.as_ref()?, end).await.err() };
    let notify = async { notify::end(monitors.notify.as_ref()?, end).await.err() };
    let on_end = async {
        on_end::carry_out(monitors.on_end.as_deref()?, end)
            .await
            .err()
    };
    let (metrics, ping, notify, on_end) = tokio::join!(
        within(deadline, metrics),
        within(deadline, ping),
        within(deadline, notify),
        within(deadline, on_end),
    );
    let path = monitors.metrics.as_ref();
    let address = monitors.notify.as_ref().map(|notify| &notify.to);
    [
        (
            "--metrics",
            path.map(|it| it.display().to_string()),
            metrics,
        ),
        (
            "--ping",
            monitors.ping.as_ref().map(ToString::to_string),
            ping,
        ),
        ("--notify", address.map(ToString::to_string), notify),
        // Its text may hold a secret.
        ("--on-end", None, on_end),
    ]
    .into_iter()
    .filter_map(|(option, to, why)| Some(line(option, to.as_deref(), &why?)))
    .collect()
}

/// What went wrong, or that it took too long; Ctrl-C ends the waiting.
async fn within(deadline: Instant, told: impl Future<Output = Option<String>>) -> Option<String> {
    tokio::select! {
        told = timeout_at(deadline.into(), told) => {
            told.unwrap_or_else(|_| Some("it took too long, and was not waited for".to_owned()))
        }
        _ = tokio::signal::ctrl_c() => Some("it was not waited for: interrupted".to_owned()),
    }
}

fn line(option: &str, to: Option<&str>, why: &str) -> String {
    let to = to.map_or_else(String::new, |to| format!(" {}", crate::text::printable(to)));
    format!("warning: {option}{to}: {why}")
}
