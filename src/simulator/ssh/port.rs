//! The one socket at which all instances are asked.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::penalties::Penalties;
use super::session;
use super::trap::{self, Trapped};
use crate::simulator::shared::Shared;

/// Connections that wait to be taken.
const BACKLOG: u32 = 1024;
/// Connections at the same time: so many files, at most. Others wait.
const CONNECTIONS_MAX: usize = 512;
/// How long a shortage of files is waited out.
const SHORTAGE: Duration = Duration::from_millis(50);

/// Listens at `port` (0: any free one) of every loopback address, and of no other.
///
/// # Errors
///
/// `Unsupported`: the system has no way to keep the port on loopback. Otherwise what it says.
pub(in crate::simulator) fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    keep_on_loopback(&socket)?;
    // A simulator that is started again gets its port back.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
    socket.listen(BACKLOG)
}

/// One socket for a thousand addresses has to be bound to all there are. What keeps other machines out is the
/// device: nothing that comes by a network reaches it.
#[cfg(target_os = "linux")]
fn keep_on_loopback(socket: &TcpSocket) -> io::Result<()> {
    socket.bind_device(Some(b"lo")).map_err(|error| {
        // Before Linux 5.7 only root may do that.
        let message = format!(
            "the instances' SSH port cannot be kept on loopback ({error}): leave SSH away on this system"
        );
        io::Error::new(io::ErrorKind::Unsupported, message)
    })
}

#[cfg(not(target_os = "linux"))]
fn keep_on_loopback(_: &TcpSocket) -> io::Result<()> {
    let message = "the instances' SSH port can be kept on loopback on Linux only: leave SSH away on this system";
    Err(io::Error::new(io::ErrorKind::Unsupported, message))
}

/// Serves until the simulator stops.
pub(in crate::simulator) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let penalties = Arc::new(Penalties::default());
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let accepting = async {
        loop {
            let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let (penalties, shared) = (Arc::clone(&penalties), Arc::clone(&shared));
                    tokio::spawn(async move {
                        connection(stream, peer, &penalties, &shared).await;
                        drop(permit);
                    });
                }
                Err(_) => sleep(SHORTAGE).await,
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shared.stopped() => {}
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    penalties: &Penalties,
    shared: &Arc<Shared>,
) {
    shared.account().traffic().ssh_connected();
    let asked = stream.local_addr().map(|address| address.ip());
    let Ok(IpAddr::V4(asked)) = asked else {
        return;
    };
    // This machine reaches its other addresses by loopback, too.
    let met = if asked.is_loopback() && peer.ip().is_loopback() {
        shared.account().met_at(asked, Instant::now())
    } else {
        None
    };
    let Some(met) = met else {
        return trap::refuse(&stream);
    };
    match (met.trap, met.machine) {
        (None, Some(machine)) => {
            session::hold(stream, machine, shared).await;
        }
        (None, None) => trap::refuse(&stream),
        (Some(trap), machine) => {
            let trapped = Trapped {
                service: met.service,
                machine,
                penalties,
                shared,
            };
            tokio::select! {
                // An error is that the client has left.
                _ = trap::meet(trap, stream, trapped) => {}
                () = shared.stopped() => {}
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_comes_by_a_network_does_not_reach_the_socket() {
        let socket = TcpSocket::new_v4().unwrap();
        keep_on_loopback(&socket).unwrap();
        assert_eq!(socket.device().unwrap().as_deref(), Some(&b"lo"[..]));
    }
}
