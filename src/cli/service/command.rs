//! The loop: look, take what is there and nobody works on, wait, and look again.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::sleep_until;

use super::args::WorkArgs;
use super::crew::{Crew, Ended};
use super::left_hooks;
use super::login::{Candidate, OfAccount};
use super::order::{Next, Work, Worked, waits};
use crate::cli::error::{CliError, storage_hints, typed};
use crate::cli::global::{DATABASE, Global};
use crate::cli::output::tell_prose;
use crate::cli::run::Pools;
use crate::cli::{database, ended, left_alone, run, signals};
use crate::exit::Exit;
use crate::hook::Phase;
use crate::job::{BatchId, Owner};
use crate::progress::{self, Verbosity};
use crate::queue::{
    AccountKey, Backend as _, Batch, OpenOrder, OpenOrders, PostgresQueue, Queue, StoreError,
};
use crate::run::hosts::Keeper;
use crate::run::{Signal, Signals};
use crate::text;

/// So long is waited before the next look, at most.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// After a task has ended the next look is no sooner: several end together.
const SOON: Duration = Duration::from_millis(100);

/// From one look to the next, so many times what a look takes: of a thousand accounts one ends each second.
const LOOK_SHARE: u32 = 5;

/// Connections that all accounts at work share: each has one for the length of a transaction.
const CONNECTIONS: usize = 8;

/// A login that did not succeed is tried again after so long.
const AFTER_NO_LOGIN: Duration = Duration::from_mins(10);

/// `of_account`: what the command line comes to for one of several accounts.
pub async fn work(
    global: &Global,
    args: &WorkArgs,
    of_account: OfAccount,
) -> Result<Exit, CliError> {
    let mut signals = signals::listen()?;
    let global = &of_one_queue(global)?;
    let database = global.database(DATABASE)?;
    if database.file().is_some() {
        return Err(CliError::Usage(
            "a queue in a file is one machine's, and `refleet run` works on it; several hosts share a queue on a PostgreSQL server (--db postgres://…)"
                .to_owned(),
        ));
    }
    if args.pace.no_wait {
        return Err(CliError::Usage(
            "--no-wait is for one run: a service waits for what it has sent; leave it out"
                .to_owned(),
        ));
    }
    if let Some(events) = args.of_run().events_to() {
        progress::check_events(&events)?;
    }
    let candidates = Candidate::all(global, args, of_account);
    let starting = async {
        if let [only] = candidates.as_slice() {
            only.check().await?;
        }
        Ok::<_, CliError>(Queue::open_for_load(&database).await?)
    };
    let mut queue = tokio::select! {
        biased;
        Some(signal) = signals.recv() => return Ok(ended::of_signal(signal)),
        opened = starting => opened?,
    };
    let service = Service::new(global, args, candidates, &mut queue)?;
    global.watch.serves();
    let tasks = LocalSet::new();
    let work = Box::pin(service.until_ended(&mut queue, &mut signals));
    let ended = tasks.run_until(work).await;
    // Everything was on the server's disk before.
    let _ = queue.close().await;
    ended
}

/// Several accounts are worked for on one queue: the one that was given, or that all of them name.
fn of_one_queue(global: &Global) -> Result<Global, CliError> {
    let mut global = global.clone();
    let Some(file) = (global.configured.file.as_ref())
        .filter(|file| global.configured.account.is_none() && file.accounts.len() > 1)
    else {
        return Ok(global);
    };
    if global.db.is_none() {
        let accounts = file.accounts.iter();
        let queues = accounts.map(|account| account.db.as_ref().map(|db| &db.value));
        let queues: BTreeSet<Option<&PathBuf>> = queues.collect();
        let mut queues = queues.into_iter();
        let (Some(Some(db)), None) = (queues.next(), queues.next()) else {
            return Err(CliError::Usage(format!(
                "the accounts of {} do not all name one `db`: say with --db which queue is meant, or with --account for whom to work",
                text::printable(&file.path.display().to_string())
            )));
        };
        global.db = Some(db.clone());
    }
    Ok(global)
}

/// A service, between two looks.
struct Service<'a> {
    global: &'a Global,
    crew: Crew,
    /// What each run is given a handle of.
    queue: PostgresQueue,
    keeper: Rc<Keeper>,
    /// The hooks of all orders, those too that have ended.
    pools: Rc<Pools>,
    /// Nothing new is taken before: the API blocks this host.
    blocked_until: Option<Instant>,
    /// Batches that nobody works on, and accounts without a login, that were named.
    named: HashSet<BatchId>,
    unknown: HashSet<AccountKey>,
    /// Contradictory orders are held.
    has_contradictions: bool,
    /// What it waits for, as it was told last.
    said: String,
}

impl<'a> Service<'a> {
    fn new(
        global: &'a Global,
        args: &WorkArgs,
        candidates: Vec<Candidate>,
        queue: &mut Queue,
    ) -> Result<Self, CliError> {
        let Some(shared) = queue.shared() else {
            return Err(CliError::Usage("this queue is a file".to_owned()));
        };
        let at_once = usize::try_from(args.accounts.get()).unwrap_or(usize::MAX);
        let connections = CONNECTIONS.min(at_once).min(candidates.len());
        Ok(Self {
            global,
            crew: Crew::new(candidates, at_once),
            queue: shared.sharing(connections),
            keeper: Rc::new(Keeper::start(shared.renewal()).map_err(CliError::System)?),
            pools: Rc::default(),
            blocked_until: None,
            named: HashSet::new(),
            unknown: HashSet::new(),
            has_contradictions: false,
            said: String::new(),
        })
    }

    async fn until_ended(
        mut self,
        queue: &mut Queue,
        signals: &mut Signals,
    ) -> Result<Exit, CliError> {
        let ended = match self.until_stopped(queue, signals).await {
            Ok(Stop::Signal(signal)) => {
                self.crew.signal(signal);
                Ok(ended::of_signal(signal))
            }
            Ok(Stop::End(ended)) => {
                self.crew.signal(Signal::Terminate);
                ended
            }
            Err(error) => {
                self.crew.signal(Signal::Terminate);
                Err(error)
            }
        };
        self.pools.go_no_further_than(Phase::Stop);
        self.global.systemd.stopping();
        if !self.pools.have_ended() {
            tell_prose("hooks that were started are waited for: a second signal ends them\n");
        }
        let rounds = self.global.systemd.watch();
        let mut coming = pin!(rounds.keep_coming());
        // What works sees its calls through; a second signal is heard by it, too, and ends the hooks at work.
        while self.crew.working() > 0 || !self.pools.have_ended() {
            tokio::select! {
                biased;
                Some(signal) = signals.recv() => {
                    self.crew.signal(signal);
                    self.pools.go_no_further_than(Phase::Kill);
                }
                Some(task) = self.crew.ended() => {
                    if let Ended::Worked(_, worked) = task {
                        self.has_contradictions |= worked.is_contradictory;
                    }
                }
                () = self.pools.ended(), if self.crew.working() == 0 => {}
                () = &mut coming => {}
            }
        }
        match ended {
            Ok(_) if self.has_contradictions => Ok(Exit::Bug),
            ended => ended,
        }
    }

    async fn until_stopped(
        &mut self,
        queue: &mut Queue,
        signals: &mut Signals,
    ) -> Result<Stop, CliError> {
        let mut look_at = Instant::now();
        let mut took = Duration::ZERO;
        let systemd = &self.global.systemd;
        let rounds = systemd.watch();
        loop {
            rounds.come_round();
            tokio::select! {
                biased;
                Some(signal) = signals.recv() => return Ok(Stop::Signal(signal)),
                Some(task) = self.crew.ended() => {
                    if let Some(stop) = self.heed(task) {
                        return Ok(stop);
                    }
                    look_at = look_at.min(Instant::now() + SOON.max(LOOK_SHARE * took));
                    continue;
                }
                () = sleep_until(look_at.into()) => {}
            }
            let began = Instant::now();
            let looked = tokio::select! {
                biased;
                Some(signal) = signals.recv() => return Ok(Stop::Signal(signal)),
                looked = look(queue) => looked,
            };
            let turn = match looked {
                Ok(open) => {
                    self.global.watch.looked();
                    let turn = self.turn(queue, open).await;
                    // Nobody is served before it is known whose the login is.
                    if turn.is_ok() && !self.crew.is_opening() {
                        systemd.ready();
                    }
                    systemd.status(|| self.standing());
                    turn
                }
                Err(error) => Err(error),
            };
            match turn {
                Ok(()) => {}
                Err(error) if waits(&error) => self.tell_wait(&error),
                Err(error) => return Err(error),
            }
            took = began.elapsed();
            look_at = Instant::now() + self.pause();
        }
    }

    /// What a task has come to.
    fn heed(&mut self, task: Ended) -> Option<Stop> {
        match task {
            Ended::Opened(nth, _, Ok(login)) => self.crew.free(nth, login),
            Ended::Opened(nth, candidate, Err(error)) => {
                if !self.crew.is_many() {
                    return Some(Stop::End(Err(error)));
                }
                let command = candidate.global.command(None);
                tell_prose(&format!(
                    "account {} is left alone for a while: {}",
                    candidate.name(),
                    error.render(&command).replacen("error: ", "", 1)
                ));
                self.crew.rest(nth, candidate, AFTER_NO_LOGIN);
            }
            Ended::Worked(nth, worked) => return self.heed_work(nth, worked),
        }
        None
    }

    fn heed_work(&mut self, nth: usize, worked: Worked) -> Option<Stop> {
        let Worked {
            login,
            batch,
            next,
            is_contradictory,
        } = worked;
        self.said.clear();
        self.has_contradictions |= is_contradictory;
        match next {
            Next::Look => self.crew.free(nth, login),
            Next::Wait(why) => {
                self.tell_once(&format!("batch {batch}: {why}: waiting"));
                self.crew.free(nth, login);
            }
            Next::LeaveAccount { exit, lasts } => {
                if exit == Exit::Blocked {
                    self.blocked_until = Some(Instant::now() + lasts);
                }
                if exit == Exit::Outage {
                    self.crew.free(nth, login);
                } else {
                    self.crew.rest(nth, Box::new(login.candidate), 2 * lasts);
                }
            }
            Next::End(ended) => return Some(Stop::End(ended)),
        }
        None
    }

    /// Takes what is there, as far as this host can.
    async fn turn(&mut self, queue: &mut Queue, open: OpenOrders) -> Result<(), CliError> {
        let unserved = self.see_to_left_hooks(queue, &open).await?;
        let mut wanted: Vec<(AccountKey, Owner, Batch)> = Vec::new();
        let mut seen: HashSet<AccountKey> = HashSet::new();
        let mut stands_by = None;
        for order in &open.orders {
            let owner = order.batch.owner.clone().filter(|_| order.is_ordered);
            let Some(owner) = owner else {
                self.name(queue, &open, order).await?;
                continue;
            };
            let key = (order.batch.provider.clone(), owner.id.clone());
            if open.rests(order).is_some() || !seen.insert(key.clone()) {
                continue;
            }
            if self.crew.works_for(&key) {
                continue;
            }
            match open.at_work.get(&key) {
                Some((host, pid)) => {
                    stands_by = Some(StandsBy {
                        key,
                        owner,
                        host: host.clone(),
                        pid: *pid,
                    });
                }
                None => wanted.push((key, owner, order.batch.clone())),
            }
        }
        let is_blocked = (self.blocked_until).is_some_and(|until| Instant::now() < until);
        let mut without_login = Vec::new();
        for (key, owner, batch) in wanted {
            if self.crew.is_full() || is_blocked {
                break;
            }
            match self.crew.take(&key) {
                Some((nth, login)) => {
                    let (sender, signals) = mpsc::unbounded_channel();
                    let work = Work {
                        login,
                        queue: Queue::Postgres(self.queue.another()),
                        batch,
                        keeper: Rc::clone(&self.keeper),
                        pools: Rc::clone(&self.pools),
                        signals,
                        is_one_of_many: self.crew.is_many(),
                        word: 0,
                    };
                    self.crew.put_to_work(nth, work, sender);
                }
                None => without_login.push((key, owner)),
            }
        }
        // Whether its only login is worth anything, somebody may want to know at once; but what another host
        // works for may be that account, whose calls are that host's.
        let is_only = !self.crew.is_many() && open.at_work.is_empty();
        let owners = without_login.iter().map(|(_, owner)| owner.clone());
        let owners: Vec<Owner> = owners.chain(unserved).collect();
        if (is_only || !owners.is_empty()) && !is_blocked {
            self.crew.open(&owners);
        }
        self.tell_standing(without_login, stands_by);
        Ok(())
    }

    /// Carries out what nobody looks after of the hooks of its accounts. Returns those for which nobody has logged in.
    async fn see_to_left_hooks(
        &self,
        queue: &mut Queue,
        open: &OpenOrders,
    ) -> Result<Vec<Owner>, CliError> {
        let mut unserved = Vec::new();
        for (key, owner, batch) in left_hooks::left(open, &self.pools) {
            match self.crew.free_login(&key) {
                Some(login) => {
                    left_hooks::carry_out(batch, login, queue, &self.queue, &self.pools).await?;
                }
                None if self.crew.works_for(&key) => {}
                None => unserved.push(owner.clone()),
            }
        }
        Ok(unserved)
    }

    /// Says what it waits for, where it has nothing to do.
    fn tell_standing(
        &mut self,
        without_login: Vec<(AccountKey, Owner)>,
        stands_by: Option<StandsBy>,
    ) {
        if self.crew.is_many() && self.crew.knows_all() {
            for (key, owner) in without_login {
                if self.unknown.insert(key) {
                    tell_prose(&format!(
                        "no login of this host is account {}'s, for which there is an open order\n",
                        text::brief(&owner.to_string(), 100)
                    ));
                }
            }
        }
        if self.crew.is_many() {
            if self.crew.working() == 0 && self.crew.knows_all() {
                self.tell_once("nothing to do for any account: waiting");
            }
            return;
        }
        let only = self
            .crew
            .only()
            .map(|login| (login.key(), login.owner.clone()));
        let is_its = |key: &AccountKey| only.as_ref().is_none_or(|(own, _)| own == key);
        match (stands_by.filter(|stands_by| is_its(&stands_by.key)), only) {
            (
                Some(StandsBy {
                    owner, host, pid, ..
                }),
                _,
            ) if self.crew.working() == 0 => {
                let host = text::brief(&host, 64);
                self.tell_once(&format!(
                    "process {pid} on {host} works for account {owner}: standing by"
                ));
            }
            (None, Some((_, owner))) => {
                self.tell_once(&format!("nothing to do for account {owner}: waiting"));
            }
            (Some(_) | None, Some(_) | None) => {}
        }
    }

    /// What it does, for systemd; of one account's work that says more.
    fn standing(&self) -> Option<String> {
        match self.crew.working() {
            0 => (!self.said.is_empty()).then(|| self.said.clone()),
            _ if !self.crew.is_many() => None,
            1 => Some("at work for 1 account".to_owned()),
            working => Some(format!("at work for {working} accounts")),
        }
    }

    /// Says once that nobody has ordered a batch, or that it belongs to nobody, and what to do about it.
    async fn name(
        &mut self,
        queue: &mut Queue,
        open: &OpenOrders,
        order: &OpenOrder,
    ) -> Result<(), CliError> {
        let id = order.batch.id;
        if self.named.insert(id)
            && let Some(why) = left_alone::why(self.global, queue, open, order).await?
        {
            tell_prose(&format!("batch {id} is left alone: {why}\n"));
        }
        Ok(())
    }

    /// Says what is waited for, and what to do where it does not pass by itself.
    fn tell_wait(&mut self, error: &CliError) {
        let mut said = format!("{error}: waiting");
        if let CliError::Store(another @ StoreError::Another { .. }) = error {
            for hint in storage_hints(another) {
                said.push_str(". ");
                said.push_str(&typed(&hint, &self.global.command(None)));
            }
        }
        self.tell_once(&said);
    }

    /// Says what is waited for, unless that was the last thing that was said.
    fn tell_once(&mut self, what: &str) {
        if self.said != what {
            what.clone_into(&mut self.said);
            if self.global.verbosity() != Verbosity::Quiet {
                tell_prose(&format!("{}\n", text::printable(what)));
            }
        }
    }

    /// Until the next look. Hosts that were started together don't look together.
    fn pause(&self) -> Duration {
        PAUSE_MAX
            .min(self.global.lease / 3)
            .mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// What there is. What earlier runs of this machine could not say is handed in before: whoever works instead
/// of it may wait for that.
async fn look(queue: &mut Queue) -> Result<OpenOrders, CliError> {
    database::make_sure(queue).await?;
    run::hand_in(queue).await?;
    match queue.shared() {
        Some(queue) => Ok(queue.open_orders().await?),
        None => Ok(OpenOrders::default()),
    }
}

/// An account for which somebody else works.
struct StandsBy {
    key: AccountKey,
    owner: Owner,
    host: String,
    pid: u32,
}

/// Why a service ends.
enum Stop {
    Signal(Signal),
    End(Result<Exit, CliError>),
}
