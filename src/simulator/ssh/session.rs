//! From the key exchange to the end of a command. Commands are recorded, and never executed.

use std::sync::Arc;
use std::time::Duration;

use russh::server::{self, Auth, ChannelOpenHandle, Handler, Msg, Session};
use russh::{Channel, ChannelId, ChannelMsg, Disconnect, MethodKind, MethodSet, Pty};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::host_keys::host_keys;
use crate::simulator::machine::Installation;
use crate::simulator::shared::Shared;

/// How long a client may say nothing.
const INACTIVITY: Duration = Duration::from_mins(1);
/// A command to which nothing has been said for so long reads nothing; it ends.
const SILENCE: Duration = Duration::from_secs(1);
/// So much of what a command reads is kept.
const STDIN_BYTES_MAX: usize = 64 * 1024;

/// Holds a connection to `installation` until it ends, or the simulator does.
pub(super) async fn hold(stream: TcpStream, installation: Installation, shared: &Arc<Shared>) {
    let config = server::Config {
        methods: MethodSet::from(&[MethodKind::Password][..]),
        keys: host_keys(shared.account().seed(), installation),
        auth_rejection_time: Duration::ZERO,
        inactivity_timeout: Some(INACTIVITY),
        nodelay: true,
        ..server::Config::default()
    };
    let visitor = Visitor {
        installation,
        shared: Arc::clone(shared),
    };
    // A client that does not get that far is its own affair.
    let Ok(session) = server::run_stream(Arc::new(config), stream, visitor).await else {
        return;
    };
    let handle = session.handle();
    tokio::select! {
        _ = session => {}
        () = shared.stopped() => {
            let why = Disconnect::ByApplication;
            let _ = handle.disconnect(why, String::new(), String::new()).await;
        }
    }
}

/// Whoever is at the other end.
struct Visitor {
    installation: Installation,
    shared: Arc<Shared>,
}

impl Handler for Visitor {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        let is_right = user == "root"
            && (self.shared.account()).opens(self.installation, password, Instant::now());
        Ok(if is_right {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        let (shared, service) = (Arc::clone(&self.shared), self.installation.service);
        tokio::spawn(async move { command(channel, service, &shared).await });
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
async fn command(mut channel: Channel<Msg>, service: i64, shared: &Shared) {
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
    shared
        .account()
        .commanded(service, &ordered, &stdin, stdin_bytes);
    // A client that is gone need not know.
    let _ = channel.exit_status(0).await;
    let _ = channel.eof().await;
    let _ = channel.close().await;
}
