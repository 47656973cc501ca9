//! Who keeps leases alive while runs work: a thread of its own, with a connection of its own, that no
//! busy loop and no slow statement of a run can starve.

use std::collections::HashMap;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;

use super::trust::{BootTime, LeaseTerms, Trust};
use crate::job::RunId;
use crate::queue::{Lease, Renewal};

/// A renewal that failed is tried again so soon.
const AGAIN: Duration = Duration::from_secs(1);

/// Renews leases, all of them with one statement, until it is dropped.
pub struct Keeper {
    terms: LeaseTerms,
    leases: Arc<Leases>,
    /// Dropped with it, and so the thread ends.
    _stop: Sender<()>,
}

/// A lease that is kept alive until this is dropped. A renewal that is under way then does nothing any more
/// where the lease was given back.
pub struct Kept {
    run: RunId,
    trust: Trust,
    leases: Arc<Leases>,
}

/// Those that are to be renewed, each with who trusts it.
#[derive(Default)]
struct Leases(Mutex<HashMap<RunId, (Lease, Trust)>>);

impl Leases {
    fn all(&self) -> MutexGuard<'_, HashMap<RunId, (Lease, Trust)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper {
    /// Nothing is kept yet.
    pub fn start(renewal: Renewal) -> std::io::Result<Self> {
        let terms = LeaseTerms {
            lease: renewal.lasts(),
        };
        let leases = Arc::new(Leases::default());
        let (stop, stopped) = mpsc::channel();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let of_thread = Arc::clone(&leases);
        thread::Builder::new()
            .name("lease".to_owned())
            .spawn(move || {
                let mut renewal = renewal;
                let mut pause = terms.renew_every();
                // Nothing is ever sent through it: it tells that the work has ended.
                while stopped.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
                    pause = runtime.block_on(renew(&mut renewal, &of_thread, terms));
                }
            })?;
        Ok(Self {
            terms,
            leases,
            _stop: stop,
        })
    }

    /// Keeps the lease alive that was asked for at `acquired`.
    pub fn keep(&self, lease: &Lease, acquired: BootTime) -> Kept {
        let trust = Trust::new(acquired, self.terms);
        let run = lease.run();
        self.leases.all().insert(run, (*lease, trust.clone()));
        Kept {
            run,
            trust,
            leases: Arc::clone(&self.leases),
        }
    }
}

impl Kept {
    /// Whether the lease can be believed in.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.leases.all().remove(&self.run);
    }
}

/// One renewal of all; returns after what pause the next one is due.
async fn renew(renewal: &mut Renewal, leases: &Leases, terms: LeaseTerms) -> Duration {
    let held: Vec<(Lease, Trust)> = leases.all().values().cloned().collect();
    if held.is_empty() {
        return terms.renew_every();
    }
    let began = BootTime::now();
    let all: Vec<Lease> = held.iter().map(|(lease, _)| *lease).collect();
    let renewed = match timeout(terms.renew_every(), renewal.renew(&all)).await {
        Ok(Ok(renewed)) => renewed,
        Ok(Err(error)) => {
            tracing::debug!(%error, "no lease was renewed");
            return AGAIN.min(terms.renew_every());
        }
        Err(_) => {
            tracing::debug!("no lease was renewed in time");
            return AGAIN.min(terms.renew_every());
        }
    };
    let mut is_all = true;
    for (lease, trust) in held {
        if renewed.runs.contains(&lease.run()) {
            trust.renewed(began);
        } else if renewed.lost.contains(&lease.run()) {
            trust.lose();
            leases.all().remove(&lease.run());
        } else {
            is_all = false;
        }
    }
    if is_all {
        terms.renew_every()
    } else {
        AGAIN.min(terms.renew_every())
    }
}
