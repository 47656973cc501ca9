//! A running simulator, from its start to its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::account::Account;
use super::change::{AccountChange, InstanceChange};
use super::config::Config;
use super::fault::Script;
use super::record::{CallRecord, Record, ServiceRecord};
use super::serve;
use super::shared::Shared;
use super::ssh;
use super::wire::{Link, Port};
use crate::job::ServiceId;

/// How long answers under way may still take when the simulator is shut down.
const GRACE: Duration = Duration::from_secs(1);

/// A running simulator. Dropping it stops it.
#[derive(Debug)]
pub struct Simulator {
    url: String,
    pub(super) shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    ssh_port: Option<u16>,
    /// Counts the connections: the port and each open connection hold a clone.
    connections: Arc<()>,
}

impl Simulator {
    /// Starts on `listen` (port 0: any free one), within the current tokio runtime.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the address is not on loopback: it must never be mistaken for the real
    /// thing by another machine. `ResourceBusy` if another simulator has the journal open;
    /// `InvalidData`, with file and line, if that holds what no simulator wrote. `Unsupported` if the
    /// instances are to answer by SSH, and their port cannot be kept on loopback. Otherwise what the
    /// operating system says about listening there, or about the journal.
    pub async fn start(config: Config, listen: SocketAddr) -> io::Result<Self> {
        if !listen.ip().is_loopback() {
            let message = format!(
                "the simulator listens on loopback only, not on {}",
                listen.ip()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = TcpListener::bind(listen).await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let ssh = config.ssh_port.map(ssh::listen).transpose()?;
        let (stop, stopping) = watch::channel(false);
        let shared = Arc::new(Shared::new(Account::new(config)?, stopping));
        let mut ssh_port = None;
        if let Some(listener) = ssh {
            ssh_port = Some(listener.local_addr()?.port());
            tokio::spawn(ssh::serve(listener, Arc::clone(&shared)));
        }
        let service =
            serve::router(Arc::clone(&shared)).into_make_service_with_connect_info::<Link>();
        let at_end = Arc::clone(&shared);
        let stopped = async move { at_end.stopped().await };
        let connections = Arc::new(());
        let port = Port {
            listener,
            connections: Arc::clone(&connections),
        };
        let serving = axum::serve(port, service).with_graceful_shutdown(stopped);
        let server = tokio::spawn(async move {
            // It never returns an error: what fails is one connection.
            let _ = serving.await;
        });
        Ok(Self {
            url,
            shared,
            stop,
            server,
            ssh_port,
            connections,
        })
    }

    /// Where it listens, with a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port at which all instances answer by SSH, each at its own address; `None`: none does.
    pub fn ssh_port(&self) -> Option<u16> {
        self.ssh_port
    }

    /// Can instances answer by SSH here? Only where the system keeps their port on loopback.
    pub fn has_ssh() -> bool {
        ssh::listen(0).is_ok()
    }

    /// The truth.
    pub fn record(&self) -> Record {
        self.shared.account().record(Instant::now())
    }

    /// The truth about one service; `None`: there is no such instance.
    pub fn service(&self, service: ServiceId) -> Option<ServiceRecord> {
        self.shared.account().service(service, Instant::now())
    }

    /// The first 200,000 calls, each with the time of its arrival.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.shared.account().calls()
    }

    /// Connections that are open: calls of a client that has died may be under way in them.
    pub fn connections(&self) -> usize {
        Arc::strong_count(&self.connections).saturating_sub(2)
    }

    /// Queues exact faults for the next matching calls.
    pub fn script(&self, script: Script) {
        self.shared.account().script(script);
    }

    pub fn clear_scripts(&self) {
        self.shared.account().clear_scripts();
    }

    /// Holds submissions: the next `passes` go through; each later one is noted as arrived, and is
    /// neither executed nor answered before [`release_submissions`](Self::release_submissions).
    /// What is held when the simulator stops is never executed.
    pub fn hold_submissions(&self, passes: u64) {
        self.shared.hold.begin(passes);
    }

    /// Executes and answers the submissions that are held, and holds none any more.
    pub fn release_submissions(&self) {
        self.shared.hold.release();
    }

    /// Changes an instance behind the client's back; `false`: there is no such instance.
    #[must_use]
    pub fn change(&self, service: ServiceId, change: &InstanceChange) -> bool {
        self.shared
            .account()
            .change(service, change, Instant::now())
    }

    pub fn set(&self, change: AccountChange) {
        self.shared.account().set(change, Instant::now());
    }

    /// Stops listening, lets answers under way be finished (for a second at most), and returns
    /// the truth.
    pub async fn shutdown(mut self) -> Record {
        self.stop.send_replace(true);
        if tokio::time::timeout(GRACE, &mut self.server).await.is_err() {
            self.server.abort();
        }
        // Under one lock: what comes too late for this record is not executed.
        let mut account = self.shared.account();
        account.close_journal();
        account.record(Instant::now())
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        // Calls under way may hold the account for longer; the next simulator must not wait.
        self.shared.account().close_journal();
    }
}
