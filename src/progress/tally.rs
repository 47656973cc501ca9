//! Where a run stands right now, kept up to date by the sender, so that the numbers stay right
//! however many lines a stalled terminal costs.

use std::fmt::Write as _;
use std::time::Duration;

use super::counters::{counters, record};
use super::ended::Slowest;
use super::forecast::Forecast;
use super::layout::{Paint, Tone, edges, fit, flow};
use super::lines::{describe_activity, stopping};
use super::rate::Rate;
use crate::event::{Activity, Event, JobEvent, Limit};
use crate::job::{BatchId, Counts, Evidence, Instruction, Limits, RunId, State, Terms};
use crate::pace::Pace;
use crate::text::{MESSAGE_CHARS_MAX, brief};
use crate::time;

/// A bar of fewer columns shows little; on a narrow terminal it gets a quarter.
const BAR_COLUMNS_MIN: usize = 12;

/// Where a run stands. Moments are durations since the display started.
#[derive(Debug)]
pub struct Tally {
    terms: &'static Terms,
    counts: Counts,
    begun: bool,
    ids: Option<(RunId, BatchId)>,
    simulated: bool,
    no_wait: bool,
    activity: Option<(Activity, Duration)>,
    paused: Option<(String, Duration)>,
    halting: Option<String>,
    stopping: Option<usize>,
    in_flight_max: Option<usize>,
    completed: u64,
    rate: Rate,
    forecast: Forecast,
    /// The one that took longest, of those that this run has seen to complete.
    slowest: Option<Slowest>,
    /// The most that had ended: a bar never runs backwards.
    ended_max: u64,
}

/// The display at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// The terminal's width.
    pub width: usize,
    /// Ended jobs and all jobs; `None` before the run has begun.
    pub ended: Option<(u64, u64)>,
    /// What stands right of the bar.
    pub tail: String,
    /// The lines below it.
    pub below: Vec<String>,
}

impl Frame {
    /// Lines of the display, the bar included.
    pub fn rows(&self) -> usize {
        usize::from(self.ended.is_some()) + self.below.len()
    }
}

impl Tally {
    /// `no_wait`: a job has ended for this run when it was accepted.
    pub fn new(terms: &'static Terms, no_wait: bool) -> Self {
        Self {
            terms,
            counts: Counts::default(),
            begun: false,
            ids: None,
            simulated: false,
            no_wait,
            activity: None,
            paused: None,
            halting: None,
            stopping: None,
            in_flight_max: None,
            completed: 0,
            rate: Rate::new(),
            forecast: Forecast::default(),
            slowest: None,
            ended_max: 0,
        }
    }

    pub fn apply(&mut self, event: &Event, now: Duration) {
        match event {
            Event::RunStarted {
                run,
                batch,
                counts,
                simulated,
                workers,
                rate,
                images,
                ..
            } => {
                self.counts = *counts;
                self.simulated = *simulated;
                self.begun = true;
                self.ids = Some((*run, *batch));
                self.forecast.expect(images);
                self.forecast.limit(&Limits {
                    workers: Some(*workers),
                    rate_per_s: Some(*rate),
                    ..Limits::default()
                });
            }
            Event::Activity(activity) => {
                self.activity = Some((activity.clone(), now));
                if self.is_held_back() {
                    self.forecast.begins_anew();
                }
            }
            Event::Job(job) => self.step(job, now),
            Event::Recounted { counts } => self.counts = *counts,
            Event::Warning { .. } | Event::StartOrder(_) => {}
            Event::Control(entry) => match &entry.instruction {
                Instruction::Set(limits) => self.forecast.limit(limits),
                Instruction::Pause
                | Instruction::Go
                | Instruction::Release
                | Instruction::Drain => self.forecast.begins_anew(),
            },
            Event::Paused { reason } => {
                self.paused = Some((brief(reason, MESSAGE_CHARS_MAX), now));
            }
            Event::Resumed => {
                self.paused = None;
                self.forecast.begins_anew();
            }
            Event::BudgetLimits { in_flight_max } => {
                self.in_flight_max = Some(*in_flight_max);
                self.forecast.budget(*in_flight_max);
            }
            Event::Halting { reason } => self.halting = Some(brief(reason, MESSAGE_CHARS_MAX)),
            Event::Stopping { calls } => self.stopping = Some(*calls),
            Event::RunEnded { counts, .. } => self.counts = *counts,
        }
    }

    fn step(&mut self, job: &JobEvent, now: Duration) {
        self.rate.begin(now);
        let ended_before = self.ended();
        self.counts.step(job.from, job.to, job.held);
        if job.from != job.to {
            if job.from == State::Queued {
                self.forecast.left_queue(job.image);
            } else if job.to == State::Queued {
                self.forecast.queued(job.image);
            }
        }
        match job.to {
            State::Submitting => self.forecast.sent(job.service, job.image, now),
            // Under --no-wait nobody looks after it any more: a million of them are not to be kept.
            State::InProgress if self.no_wait => {
                self.forecast.ended(job.service, job.image, None);
            }
            State::InProgress => {}
            State::Queued | State::InDoubt | State::Done | State::Failed | State::Cancelled => {
                self.forecast.ended(job.service, job.image, job.took);
            }
        }
        let is_seen = job.evidence.is_some_and(Evidence::is_seen);
        if let Some(took) = job.took.filter(|took| {
            let slowest = self.slowest.as_ref();
            is_seen && slowest.is_none_or(|slowest| *took > slowest.took)
        }) {
            self.slowest = Some(Slowest {
                service: job.service,
                name: job.name.clone(),
                took,
            });
        }
        self.completed += self.ended().saturating_sub(ended_before);
        // What never started (not listed, cancelled) says nothing about the pace.
        if self.ended() > ended_before && job.from != State::Queued {
            self.rate.completed(now);
        }
    }

    /// Jobs that this run has nothing left to do for.
    fn ended(&self) -> u64 {
        let accepted = if self.no_wait {
            self.counts.in_progress
        } else {
            0
        };
        self.counts.ended() + accepted
    }

    /// The run, and what it works on; before it has begun, nobody knows.
    pub fn ids(&self) -> Option<(RunId, BatchId)> {
        self.ids
    }

    /// Jobs that ended since the start.
    pub fn completed(&self) -> u64 {
        self.completed
    }

    /// The one that took longest, of those that completed since the start.
    pub fn slowest(&self) -> Option<Slowest> {
        self.slowest.clone()
    }

    /// Why the run ends early.
    pub fn halted(&self) -> Option<String> {
        self.halting.clone()
    }

    /// The display for a terminal of `width` columns.
    pub fn frame(&mut self, now: Duration, width: usize, paint: Paint) -> Frame {
        let (doing, tone) = self.doing(now);
        let elapsed = time::short(now);
        let mut below = Vec::new();
        let mut ended = None;
        let mut tail = String::new();
        if let Some(pace) = self.pace(now) {
            self.ended_max = self.ended_max.max(pace.ended);
            ended = Some((self.ended_max, pace.total));
            tail = Self::tail(&pace, width);
            let pieces: Vec<String> = counters(&self.counts)
                .into_iter()
                .map(|(text, tone)| paint.apply(tone, &text))
                .collect();
            below = flow(&pieces, width);
        }
        let simulation = if self.simulated { "SIMULATION  " } else { "" };
        let line = edges(&format!("{simulation}{doing}"), &elapsed, width);
        below.push(paint.apply(tone, &line));
        Frame {
            width,
            ended,
            tail,
            below,
        }
    }

    /// `312/500  62%  7.4/min  ETA 25m 10s`, or as much of it as leaves room for a bar.
    fn tail(pace: &Pace, width: usize) -> String {
        // Two brackets and a space stand beside the bar.
        let room = width.saturating_sub(3 + BAR_COLUMNS_MIN.min(width / 4));
        let mut pieces = vec![format!("{}/{}", pace.ended, pace.total)];
        let percent = format!("{}%", pace.percent());
        let eta = format!("ETA {}", pace.eta_in_words());
        for piece in [percent, eta, pace.rate_in_words()] {
            let taken: usize = pieces.iter().map(|piece| piece.chars().count() + 2).sum();
            if taken + piece.chars().count() <= room {
                pieces.push(piece);
            } else {
                break;
            }
        }
        fit(&pieces.join("  "), room)
    }

    /// Nothing starts before something has happened of which nobody knows when it does.
    fn is_held_back(&self) -> bool {
        match &self.activity {
            Some((Activity::HeldBack { by }, _)) => match by {
                Limit::Window | Limit::Canary | Limit::Groups | Limit::Pause | Limit::Drain => true,
                Limit::Rate | Limit::Workers | Limit::FailureBudget | Limit::Instances => false,
            },
            Some(_) | None => false,
        }
    }

    /// How far it is; before the run has begun, nobody knows.
    pub fn pace(&mut self, now: Duration) -> Option<Pace> {
        if !self.begun {
            return None;
        }
        let (ended, total) = (self.ended(), self.counts.total());
        let ends = self.paused.is_some() || self.halting.is_some() || self.stopping.is_some();
        let until = if ends || self.is_held_back() || ended >= total {
            None
        } else if self.no_wait {
            self.rate.eta(total - ended, now)
        } else {
            self.forecast.by_completions(&self.counts, now)
        };
        Some(Pace {
            ended,
            total,
            per_minute: self.rate.per_minute(now),
            eta: self.forecast.show(until, now),
        })
    }

    /// What is happening right now.
    fn doing(&self, now: Duration) -> (String, Tone) {
        if let Some(reason) = &self.halting {
            return (format!("halting: {reason}"), Tone::Bad);
        }
        if let Some(calls) = self.stopping {
            return (stopping(calls), Tone::Uncertain);
        }
        if let Some((reason, since)) = &self.paused {
            let long = time::short(now.saturating_sub(*since));
            return (format!("paused for {long}: {reason}"), Tone::Uncertain);
        }
        let Some((activity, since)) = &self.activity else {
            return ("starting".to_owned(), Tone::Faint);
        };
        let in_flight = self.counts.submitting + self.counts.in_progress;
        let mut text = match activity {
            Activity::Working if self.counts.submitting > 0 => {
                format!("submitting {}", self.counts.submitting)
            }
            Activity::WaitingForCompletion if in_flight > 0 => self.waiting_for(in_flight),
            Activity::HeldBack {
                by:
                    Limit::Workers
                    | Limit::FailureBudget
                    | Limit::Window
                    | Limit::Canary
                    | Limit::Groups,
            } if in_flight > 0 => {
                format!(
                    "{}, {}",
                    self.waiting_for(in_flight),
                    describe_activity(activity, self.terms)
                )
            }
            Activity::WaitingToRetry { remaining } => {
                let waited = now.saturating_sub(*since);
                let remaining = remaining.saturating_sub(waited);
                describe_activity(&Activity::WaitingToRetry { remaining }, self.terms)
            }
            Activity::LoggingIn
            | Activity::ReadingList { .. }
            | Activity::Working
            | Activity::HeldBack { .. }
            | Activity::WaitingForCompletion
            | Activity::ReadingHostKeys
            | Activity::WatchingDoubts { .. } => describe_activity(activity, self.terms),
        };
        let is_said = match activity {
            Activity::Working | Activity::WaitingForCompletion => false,
            Activity::HeldBack { by } => *by == Limit::FailureBudget,
            Activity::LoggingIn
            | Activity::ReadingList { .. }
            | Activity::WaitingToRetry { .. }
            | Activity::ReadingHostKeys
            | Activity::WatchingDoubts { .. } => true,
        };
        if let Some(in_flight_max) = self.in_flight_max.filter(|_| !is_said) {
            let _ = write!(text, " (at most {in_flight_max} at once: --max-failures)");
        }
        (text, Tone::Faint)
    }

    fn waiting_for(&self, in_flight: u64) -> String {
        match in_flight {
            1 => format!("waiting for 1 {}", self.terms.noun),
            count => format!("waiting for {count} {}", self.terms.nouns),
        }
    }

    /// The display as one line, for a log in which nothing was written for a while.
    pub fn heartbeat(&mut self, now: Duration) -> Option<String> {
        let pace = self.pace(now)?;
        Some(format!(
            "{}/{} ended: {}; {}, ETA {}; {}",
            pace.ended,
            pace.total,
            record(&self.counts),
            pace.rate_in_words(),
            pace.eta_in_words(),
            self.doing(now).0
        ))
    }
}
