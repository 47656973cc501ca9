//! From the key exchange to the end of a command. Commands are recorded, and never executed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use russh::server::{self, Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session};
use russh::{Channel, ChannelId, ChannelMsg, Disconnect, MethodKind, MethodSet, Pty};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};

use super::host_keys::host_keys;
use crate::simulator::installation::Installation;
use crate::simulator::machine::Machine;
use crate::simulator::record::CommandRecord;
use crate::simulator::shared::Shared;
use crate::simulator::ssh_oddity::KeyAlgorithm;

/// How long a client may say nothing.
const INACTIVITY: Duration = Duration::from_mins(1);
/// A command to which nothing has been said for so long reads nothing; it ends.
const SILENCE: Duration = Duration::from_secs(1);
/// So much of what a command reads is kept.
const STDIN_BYTES_MAX: usize = 64 * 1024;

/// Holds a connection to `machine` until it ends, or the simulator does. Returns whether somebody has logged in.
pub(super) async fn hold<S>(stream: S, machine: Machine, shared: &Arc<Shared>) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Machine {
        keys,
        only,
        installation,
    } = machine;
    let seed = shared.account().seed();
    let keys = if only == Some(KeyAlgorithm::Rsa) {
        // To make one takes its time, which is not the other connections'.
        tokio::task::spawn_blocking(move || host_keys(seed, &keys, only)).await
    } else {
        Ok(host_keys(seed, &keys, only))
    };
    let Ok(keys) = keys else {
        return false;
    };
    let config = server::Config {
        methods: MethodSet::from(&[MethodKind::Password][..]),
        keys,
        auth_rejection_time: Duration::ZERO,
        inactivity_timeout: Some(INACTIVITY),
        nodelay: true,
        ..server::Config::default()
    };
    let has_logged_in = Arc::new(AtomicBool::new(false));
    let visitor = Visitor {
        installation,
        has_logged_in: Arc::clone(&has_logged_in),
        shared: Arc::clone(shared),
    };
    // A client that does not get that far is its own affair.
    let Ok(session) = server::run_stream(Arc::new(config), stream, visitor).await else {
        return false;
    };
    let handle = session.handle();
    tokio::select! {
        _ = session => {}
        () = shared.stopped() => {
            let why = Disconnect::ByApplication;
            let _ = handle.disconnect(why, String::new(), String::new()).await;
        }
    }
    has_logged_in.load(Ordering::Acquire)
}

/// Whoever is at the other end.
struct Visitor {
    /// `None`: nobody may log in here.
    installation: Option<Installation>,
    has_logged_in: Arc<AtomicBool>,
    shared: Arc<Shared>,
}

impl Handler for Visitor {
    type Error = russh::Error;

    async fn auth_none(&mut self, _: &str) -> Result<Auth, russh::Error> {
        self.shared.account().traffic().login_attempted();
        Ok(Auth::reject())
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        self.shared.account().traffic().login_attempted();
        let now = Instant::now();
        let is_right = self.installation.is_some_and(|installation| {
            user == "root" && self.shared.account().opens(installation, password, now)
        });
        if !is_right {
            return Ok(Auth::reject());
        }
        self.has_logged_in.store(true, Ordering::Release);
        Ok(Auth::Accept)
    }

    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        _: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        self.shared.account().traffic().login_attempted();
        Ok(Auth::reject())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        if let Some(installation) = self.installation {
            reply.accept().await;
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move { command(channel, installation, &shared).await });
        }
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }
}

/// Takes the command that comes by `channel` and what it reads, records both, and says that it has succeeded.
async fn command(mut channel: Channel<Msg>, installation: Installation, shared: &Shared) {
    let mut ordered: Option<Vec<u8>> = None;
    let (mut stdin, mut stdin_bytes) = (Vec::new(), 0);
    loop {
        let patience = match ordered {
            Some(_) if stdin_bytes == 0 => SILENCE,
            Some(_) | None => INACTIVITY,
        };
        match timeout(patience, channel.wait()).await {
            Ok(Some(ChannelMsg::Exec { command, .. })) => ordered = Some(command),
            Ok(Some(ChannelMsg::Data { data })) => {
                stdin_bytes += data.len() as u64;
                let rest = STDIN_BYTES_MAX.saturating_sub(stdin.len());
                stdin.extend_from_slice(&data[..data.len().min(rest)]);
            }
            Ok(Some(ChannelMsg::Eof | ChannelMsg::Close) | None) | Err(_) => break,
            Ok(Some(_)) => {}
        }
    }
    let Some(ordered) = ordered else {
        return;
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let record = CommandRecord {
        command: text(&ordered),
        stdin: text(&stdin),
        stdin_bytes,
    };
    let now = Instant::now();
    let is_there = shared.account().commanded(installation, record, now);
    // A client that is gone need not know. One whose machine is gone never hears how the command has ended.
    if is_there {
        let _ = channel.exit_status(0).await;
        let _ = channel.eof().await;
    }
    let _ = channel.close().await;
}
