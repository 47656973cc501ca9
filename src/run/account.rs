//! Reading the account before a run: for the question that is asked before anything is destroyed.
//!
//! The same machine reads it as in a run, with an empty store: it renews the session, keeps to the
//! rate, and does what the API asks for. Only its patience is a person's.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::time::Duration;

use super::backoff::Backoff;
use super::driver::drive;
use super::evidence::Rules;
use super::machine::{Input, LeftInFlight, Looked, Machine, Start};
use super::process::Process;
use super::session::Session;
use super::{
    Durations, Halt, InstanceList, Now, Options, Rollout, Tolerance, Tolerances, Witnesses,
};
use crate::event::{Activity, Event};
use crate::job::{
    BatchId, Control, ControlEntry, Counts, ImageId, JobId, Owner, RunId, ServiceId, State,
    Transition,
};
use crate::queue::{
    Admission, Harm, Lease, Pending, QueuedJob, Ready, Recorded, RolloutProgress, Store,
    StoreError, Strays,
};
use crate::zomro::{Client, Lookup};

/// Documents that are asked for before the next ones.
const LOOKUPS_AT_ONCE: usize = 16;

/// A person waits: an outage is better reported than sat out.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first delay before a call that did not get through goes again, and the longest.
const BACKOFF: Backoff = Backoff {
    initial: Duration::from_millis(500),
    max: Duration::from_secs(2),
};

/// The account, as a person is shown it.
#[derive(Debug)]
pub struct Account {
    /// Whose it is; `None`: the API does not say.
    pub owner: Option<Owner>,
    /// The whole list.
    pub list: InstanceList,
    /// Names of images, as far as previews gave them.
    pub image_names: HashMap<ImageId, String>,
    /// Images that no preview offered which was asked for them.
    pub not_offered: HashSet<ImageId>,
}

/// An image whose name is wanted, and the instances whose previews may give it.
pub type Named = (ImageId, Vec<ServiceId>);

/// Reads the whole list, and asks for the names of images: `wanted` tells, given the list, which
/// ones and through which instances. `progress` is told the instances read so far, and how many
/// there are. `expected`: the account that it has to be, where it has to be one. `Err`: why a run
/// would not come further either.
pub async fn read_account(
    client: &Client,
    rate_per_s: f64,
    expected: Option<&Owner>,
    wanted: &(dyn Fn(&InstanceList) -> Vec<Named> + Sync),
    progress: &(dyn Fn(u64, Option<u64>) + Send + Sync),
) -> Result<Account, Halt> {
    let events = |event| {
        if let Event::Activity(Activity::ReadingList { read, total }) = event {
            progress(read, total);
        }
    };
    let mut machine = to_look(client, options(rate_per_s), expected);
    go_on(&mut machine, client, &events, Input::Time).await?;
    let total = machine.list().total();
    progress(total, Some(total));
    // A name that is not to be had is shown as the bare id, and so is one where no more can be read.
    let named = wanted(machine.list());
    let _ = go_on(&mut machine, client, &events, Input::Name(named)).await;
    let (image_names, not_offered) = machine.image_names();
    Ok(Account {
        owner: machine.owner().cloned(),
        list: machine.into_list(),
        image_names,
        not_offered,
    })
}

/// Whose account it is, and nothing else: a service has many to ask. `None`: the API does not say.
pub async fn read_owner(client: &Client, rate_per_s: f64) -> Result<Option<Owner>, Halt> {
    let options = Options {
        no_wait: true,
        ..options(rate_per_s)
    };
    let (start, now) = to_start(client, options, None);
    let mut machine = Machine::to_ask_owner(start, now);
    go_on(&mut machine, client, &|_| (), Input::Time).await?;
    Ok(machine.owner().cloned())
}

/// Reads documents, and not the list: all within one session and one rate, where what one holds decides
/// which is read next.
pub struct Looker<'a> {
    client: &'a Client,
    machine: Machine,
}

impl<'a> Looker<'a> {
    /// Nothing is read yet.
    pub fn new(client: &'a Client, rate_per_s: f64) -> Self {
        let options = Options {
            no_wait: true,
            ..options(rate_per_s)
        };
        Self {
            client,
            machine: to_look(client, options, None),
        }
    }

    /// Reads these documents. `progress` is told how many are left. `Err`: why a run would not come
    /// further either.
    pub async fn look_up(
        &mut self,
        lookups: Vec<Lookup>,
        progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<Vec<Looked>, Halt> {
        let mut looked = Vec::with_capacity(lookups.len());
        let mut lookups = lookups.into_iter();
        loop {
            let some: Vec<Lookup> = lookups.by_ref().take(LOOKUPS_AT_ONCE).collect();
            if some.is_empty() {
                return Ok(looked);
            }
            let input = Input::LookUp(some);
            go_on(&mut self.machine, self.client, &|_| (), input).await?;
            looked.extend(self.machine.take_looked());
            progress(lookups.len());
        }
    }
}

fn to_look(client: &Client, options: Options, expected: Option<&Owner>) -> Machine {
    let (start, now) = to_start(client, options, expected);
    Machine::to_look(start, now)
}

fn to_start(client: &Client, options: Options, expected: Option<&Owner>) -> (Start, Now) {
    let now = Now::read();
    let start = Start {
        options,
        counts: Counts::default(),
        owner: expected.cloned(),
        session: Session::new(client.can_login(), client.generation(), now.at)
            .confirmed_by_code(client.can_confirm()),
        list: InstanceList::default(),
        in_flight: LeftInFlight::default(),
        failures: Harm::default(),
        durations: Durations::default(),
        control: Control::default(),
        seed: fastrand::u64(..),
    };
    (start, now)
}

/// Until all is read that was asked for.
async fn go_on(
    machine: &mut Machine,
    client: &Client,
    events: &(dyn Fn(Event) + Send + Sync),
    input: Input,
) -> Result<(), Halt> {
    let mut nothing = Nothing;
    let mut process = Process::new(&mut nothing, client.clone(), None, events);
    let lease = Lease::new(BatchId(0), RunId(0), 0);
    drive(machine, &mut process, &lease, input).await;
    match machine.halt() {
        None => Ok(()),
        Some(Halt::Outage { error, .. }) => Err(Halt::Unread(error.clone())),
        Some(Halt::SlowedDown { .. }) => Err(Halt::Unread("the API asks to slow down".to_owned())),
        Some(halt) => Err(halt.clone()),
    }
}

fn options(rate_per_s: f64) -> Options {
    Options {
        workers: 1,
        rate_per_s,
        backoff: BACKOFF,
        outage_timeout: PATIENCE,
        rules: Rules {
            settle: PATIENCE,
            poll_interval: BACKOFF.initial,
            unseen_after: PATIENCE,
            rebuild_timeout: PATIENCE,
            request_timeout: PATIENCE,
            silence_counts: false,
            hooks: false,
            retries: 0,
        },
        tolerances: Tolerances {
            failures: Tolerance::Percent(100),
            mismatches: Tolerance::Percent(100),
        },
        rollout: Rollout::default(),
        witnesses: Witnesses::default(),
        no_wait: false,
        stale: true,
    }
}

/// A store with nothing in it.
struct Nothing;

impl Store for Nothing {
    async fn ready(
        &mut self,
        _: BatchId,
        _: i64,
        _: usize,
        _: &Admission,
    ) -> Result<Ready, StoreError> {
        Ok(Ready {
            is_all: true,
            ..Ready::default()
        })
    }

    async fn strays(&mut self, _: BatchId) -> Result<Strays, StoreError> {
        Ok(Strays::default())
    }

    async fn in_flight(&mut self, _: BatchId, _: &[State]) -> Result<Vec<QueuedJob>, StoreError> {
        Ok(Vec::new())
    }

    async fn failures(&mut self, _: BatchId) -> Result<Harm, StoreError> {
        Ok(Harm::default())
    }

    async fn queued(
        &mut self,
        _: BatchId,
        _: Option<JobId>,
        _: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        Ok(Vec::new())
    }

    async fn rollout(
        &mut self,
        _: BatchId,
        _: Option<NonZeroU32>,
    ) -> Result<RolloutProgress, StoreError> {
        Ok(RolloutProgress::default())
    }

    async fn queued_jobs(&mut self, _: &[JobId]) -> Result<Vec<QueuedJob>, StoreError> {
        Ok(Vec::new())
    }

    async fn has_queued(&mut self, _: BatchId) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn counts(&mut self, _: BatchId) -> Result<Counts, StoreError> {
        Ok(Counts::default())
    }

    async fn bind(&mut self, _: BatchId, owner: &Owner) -> Result<Owner, StoreError> {
        Ok(owner.clone())
    }

    async fn control(
        &mut self,
        _: BatchId,
        _: i64,
    ) -> Result<Vec<(i64, ControlEntry)>, StoreError> {
        Ok(Vec::new())
    }

    async fn record(&mut self, _: &Lease, _: &[&Transition]) -> Result<Recorded, StoreError> {
        Ok(Recorded::default())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;
    use crate::simulator::{Call, Config, FaultKind, Script, Simulator};
    use crate::zomro::{AccountField, Credentials, Endpoint, Incurable, Settings};

    /// A simulated account, and a client that has not called yet.
    async fn client_of(config: Config, address: SocketAddr) -> (Client, Simulator) {
        let credentials = Credentials::Login {
            username: config.username.clone(),
            password: config.password.clone().into(),
        };
        let simulator = Simulator::start(config, address).await.unwrap();
        let client = Client::new(Settings {
            endpoint: Endpoint::parse(simulator.url()).unwrap(),
            credentials,
            account_field: AccountField::default(),
            timeout: Duration::from_secs(5),
            follow_interval: Duration::from_millis(10),
            follow_timeout: Duration::from_secs(5),
        });
        (client.unwrap(), simulator)
    }

    /// Reads a simulated account of three instances in which these calls go wrong. Returns the logins
    /// too.
    async fn read(faults: &[(Call, FaultKind, u64)]) -> (Result<u64, Halt>, u64) {
        let services = (1..=3).map(|number| ServiceId::new(number).unwrap());
        let config = Config::for_fleet(Config::example_rows(services));
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (client, simulator) = client_of(config, any_port).await;
        for &(call, kind, times) in faults {
            let script = Script::next(call, kind);
            simulator.script(Script { times, ..script });
        }
        let account = read_account(&client, 0.0, None, &|_| Vec::new(), &|_, _| {}).await;
        let logins = simulator.record().calls.get(&Call::Auth).copied();
        simulator.shutdown().await;
        (
            account.map(|account| account.list.total()),
            logins.unwrap_or(0),
        )
    }

    // Field case D10.
    #[tokio::test]
    async fn whose_an_account_is_costs_no_reading_of_its_list() {
        let services = (1..=3).map(|number| ServiceId::new(number).unwrap());
        let config = Config::for_fleet(Config::example_rows(services));
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (client, simulator) = client_of(config, any_port).await;
        let owner = read_owner(&client, 0.0).await;
        assert!(matches!(owner, Ok(Some(_))), "{owner:?}");
        let calls = simulator.record().calls;
        assert_eq!(calls.get(&Call::Instances), None, "{calls:?}");
        assert_eq!(client.calls(), 2, "{calls:?}");
        simulator.shutdown().await;
    }

    #[tokio::test]
    async fn a_session_that_expires_while_the_list_is_read_is_renewed() {
        let (read, logins) = read(&[(Call::Instances, FaultKind::SessionExpiry, 1)]).await;
        assert_eq!((read, logins), (Ok(3), 2));
    }

    // Field cases A7, D4 and D10.
    #[tokio::test]
    async fn what_ends_a_run_at_once_ends_the_question_at_once() {
        let ever = u64::MAX;
        for (faults, halt, logins) in [
            (
                [Call::Instances, Call::Keepalive]
                    .map(|call| (call, FaultKind::SecondFactor, ever)),
                Halt::SecondFactor,
                1,
            ),
            (
                [Call::Instances, Call::Keepalive].map(|call| (call, FaultKind::Forbidden, ever)),
                Halt::Blocked { status: 403 },
                1,
            ),
            (
                [Call::Auth, Call::Instances].map(|call| (call, FaultKind::NotFound, ever)),
                Halt::Incurable(Incurable::NoApi { status: 404 }),
                1,
            ),
        ] {
            assert_eq!(read(&faults).await, (Err(halt), logins));
        }
        let (read, logins) = read(&[(Call::Auth, FaultKind::Captcha, ever)]).await;
        assert!(matches!(read, Err(Halt::Credentials(_))), "{read:?}");
        assert_eq!(logins, 1);
    }
}
