//! Who of this host's logins does what: the state of each, and the tasks that work for accounts.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use super::login::{Candidate, Login};
use super::order::{Work, Worked};
use crate::cli::error::CliError;
use crate::job::Owner;
use crate::queue::AccountKey;
use crate::run::Signal;

/// Logins that are tried at once: each takes two calls and, in its own time, one or two seconds.
const OPENING_MAX: usize = 32;

/// What one login does.
enum Seat {
    /// Nobody knows yet whose account it is.
    Unopened(Box<Candidate>),
    Opening,
    Free(Box<Login>),
    AtWork(AccountKey, UnboundedSender<Signal>),
    /// It could not log in, or the API has refused it.
    Rests(Box<Candidate>, Instant),
}

/// What a task has come to.
pub enum Ended {
    /// A login was tried.
    Opened(usize, Box<Candidate>, Result<Box<Login>, CliError>),
    /// An order was worked on.
    Worked(usize, Worked),
}

/// All logins of this host.
pub struct Crew {
    seats: Vec<Seat>,
    tasks: JoinSet<Ended>,
    opening: usize,
    working: usize,
    working_max: usize,
}

impl Crew {
    pub fn new(candidates: Vec<Candidate>, working_max: usize) -> Self {
        let unopened = |candidate| Seat::Unopened(Box::new(candidate));
        Self {
            seats: candidates.into_iter().map(unopened).collect(),
            tasks: JoinSet::new(),
            opening: 0,
            working: 0,
            working_max,
        }
    }

    /// There are others beside each.
    pub fn is_many(&self) -> bool {
        self.seats.len() > 1
    }

    pub fn working(&self) -> usize {
        self.working
    }

    /// A login is being tried.
    pub fn is_opening(&self) -> bool {
        self.opening > 0
    }

    /// No further account can be taken before one has ended.
    pub fn is_full(&self) -> bool {
        self.working >= self.working_max
    }

    /// The account is worked for by this very process.
    pub fn works_for(&self, key: &AccountKey) -> bool {
        (self.seats.iter()).any(|seat| matches!(seat, Seat::AtWork(at, _) if at == key))
    }

    /// The one account, where there is one login and it has logged in.
    pub fn only(&self) -> Option<&Login> {
        match self.seats.as_slice() {
            [Seat::Free(login)] => Some(login),
            _ => None,
        }
    }

    /// Nobody knows yet whose account one of the logins is, and it is not left alone.
    pub fn knows_all(&self) -> bool {
        !(self.seats.iter()).any(|seat| matches!(seat, Seat::Unopened(_) | Seat::Opening))
    }

    /// A free login of this account.
    pub fn free_login(&self, key: &AccountKey) -> Option<&Login> {
        self.seats.iter().find_map(|seat| match seat {
            Seat::Free(login) if login.key() == *key => Some(&**login),
            Seat::Free(_)
            | Seat::Unopened(_)
            | Seat::Opening
            | Seat::AtWork(..)
            | Seat::Rests(..) => None,
        })
    }

    /// A free login of this account, with the place that it has to come back to.
    pub fn take(&mut self, key: &AccountKey) -> Option<(usize, Box<Login>)> {
        let is_its = |seat: &Seat| matches!(seat, Seat::Free(login) if login.key() == *key);
        let nth = self.seats.iter().position(is_its)?;
        match std::mem::replace(&mut self.seats[nth], Seat::Opening) {
            Seat::Free(login) => Some((nth, login)),
            other => {
                self.seats[nth] = other;
                None
            }
        }
    }

    /// Lets the login of `nth` work; `signal` reaches it.
    pub fn put_to_work(&mut self, nth: usize, work: Work, signal: UnboundedSender<Signal>) {
        self.seats[nth] = Seat::AtWork(work.login.key(), signal);
        self.working += 1;
        let work = Box::pin(work.until_ended());
        (self.tasks).spawn_local(async move { Ended::Worked(nth, work.await) });
    }

    /// Tries logins of which nobody knows whose they are: those that may be `wanted`'s, or else all.
    pub fn open(&mut self, wanted: &[Owner]) {
        self.wake();
        let is_wanted = |seat: &Seat| match seat {
            Seat::Unopened(candidate) => wanted.iter().any(|owner| candidate.may_be(owner)),
            Seat::Opening | Seat::Free(_) | Seat::AtWork(..) | Seat::Rests(..) => false,
        };
        let is_unopened = |seat: &Seat| matches!(seat, Seat::Unopened(_));
        let mut tried = self.places(is_wanted);
        if tried.is_empty() {
            tried = self.places(is_unopened);
        }
        for nth in tried {
            if self.opening >= OPENING_MAX {
                return;
            }
            match std::mem::replace(&mut self.seats[nth], Seat::Opening) {
                Seat::Unopened(candidate) => {
                    self.opening += 1;
                    self.tasks.spawn_local(async move {
                        let again = candidate.clone();
                        let opened = candidate.open().await;
                        Ended::Opened(nth, again, opened.map(Box::new))
                    });
                }
                other => self.seats[nth] = other,
            }
        }
    }

    fn places(&self, is_one: impl Fn(&Seat) -> bool) -> Vec<usize> {
        let seats = self.seats.iter().enumerate();
        let ones = seats.filter(|(_, seat)| is_one(seat));
        ones.map(|(nth, _)| nth).collect()
    }

    /// Those that have rested long enough are tried again.
    fn wake(&mut self) {
        let now = Instant::now();
        for seat in &mut self.seats {
            if let Seat::Rests(candidate, until) = seat
                && now >= *until
            {
                *seat = Seat::Unopened(candidate.clone());
            }
        }
    }

    /// The next task that ends; `None`: there is none. Nothing is lost where it is dropped.
    pub async fn ended(&mut self) -> Option<Ended> {
        let ended = self.tasks.join_next().await?;
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        match &ended {
            Ended::Opened(..) => self.opening -= 1,
            Ended::Worked(..) => self.working -= 1,
        }
        Some(ended)
    }

    /// The login is free.
    pub fn free(&mut self, nth: usize, login: Box<Login>) {
        self.seats[nth] = Seat::Free(login);
    }

    /// The login is not used for so long.
    pub fn rest(&mut self, nth: usize, candidate: Box<Candidate>, lasts: Duration) {
        self.seats[nth] = Seat::Rests(candidate, Instant::now() + lasts);
    }

    /// Lets all that work hear of a signal.
    pub fn signal(&self, signal: Signal) {
        for seat in &self.seats {
            if let Seat::AtWork(_, sender) = seat {
                // One that has just ended needs none.
                let _ = sender.send(signal);
            }
        }
    }
}
