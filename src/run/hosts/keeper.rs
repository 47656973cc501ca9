//! Who keeps the lease alive while a run works: a thread of its own, with a connection of its own,
//! that no busy loop and no slow statement of the run can starve.

use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;

use super::trust::{BootTime, LeaseTerms, Trust};
use crate::queue::{Renewal, StoreError};

/// A renewal that failed is tried again so soon.
const AGAIN: Duration = Duration::from_secs(1);

/// Renews a lease until it is dropped. A renewal that is under way then does nothing any more where the
/// lease was given back.
pub struct Keeper {
    trust: Trust,
    /// Dropped with it, and so the thread ends.
    _stop: Sender<()>,
}

impl Keeper {
    /// Keeps the lease alive that was asked for at `acquired`.
    pub fn start(renewal: Renewal, acquired: BootTime) -> std::io::Result<Self> {
        let terms = LeaseTerms {
            lease: renewal.lasts(),
        };
        let trust = Trust::new(acquired, terms);
        let (stop, stopped) = mpsc::channel();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let of_thread = trust.clone();
        thread::Builder::new()
            .name("lease".to_owned())
            .spawn(move || {
                let mut renewal = renewal;
                let mut pause = terms.renew_every();
                // Nothing is ever sent through it: it tells that the run has ended.
                while stopped.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
                    pause = runtime.block_on(renew(&mut renewal, &of_thread, terms));
                    if of_thread.is_lost() {
                        return;
                    }
                }
            })?;
        Ok(Self { trust, _stop: stop })
    }

    /// Whether the lease can be believed in.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }
}

/// One renewal; returns after what pause the next one is due.
async fn renew(renewal: &mut Renewal, trust: &Trust, terms: LeaseTerms) -> Duration {
    let began = BootTime::now();
    match timeout(terms.renew_every(), renewal.renew()).await {
        Ok(Ok(())) => {
            trust.renewed(began);
            terms.renew_every()
        }
        Ok(Err(StoreError::LeaseLost { .. })) => {
            trust.lose();
            terms.renew_every()
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "the lease was not renewed");
            AGAIN.min(terms.renew_every())
        }
        Err(_) => {
            tracing::debug!("the lease was not renewed in time");
            AGAIN.min(terms.renew_every())
        }
    }
}
