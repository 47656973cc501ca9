//! Reading the account before a run: for the question that is asked before anything is destroyed.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until};

use super::Halt;
use super::list::InstanceList;
use super::rate_limiter::{Purpose, RateLimiter};
use super::session::LOGIN_PAUSE;
use crate::job::{ImageId, ServiceId};
use crate::zomro::{Client, HalfSession, Keepalive, LoginError, Read, ReadError, Reply};

/// Tries of each call. A person waits: an outage is better reported than sat out.
const TRIES_MAX: u32 = 3;

/// Pause between two tries of a call, unless the API asks for a longer one.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest pause that a person is made to wait for.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The account, as a person is shown it.
#[derive(Debug)]
pub struct Account {
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
/// there are. `Err`: why a run would not come further either.
pub async fn read_account(
    client: &Client,
    rate_per_s: f64,
    wanted: &(dyn Fn(&InstanceList) -> Vec<Named> + Sync),
    progress: &mut (dyn FnMut(u64, Option<u64>) + Send),
) -> Result<Account, Halt> {
    let mut reader = Reader {
        client,
        rate: RateLimiter::new(rate_per_s, Instant::now()),
        reached: false,
        renewed: false,
    };
    if client.generation() == 0 {
        reader.log_in().await?;
    }
    let mut list = InstanceList::default();
    list.begin_scan();
    while let Some(page) = list.scan_page() {
        let reply = reader.tried(|| client.list_page(page)).await?;
        list.read(page, &reply.value, reply.requested_at);
        if let Some((read, total)) = list.scan_progress() {
            progress(read, total);
        }
    }
    let mut image_names = HashMap::new();
    let mut not_offered = HashSet::new();
    for (image, services) in wanted(&list) {
        for service in services {
            // A name that is not to be had is shown as the bare id.
            let Ok(reply) = reader.tried(|| client.preview(service)).await else {
                break;
            };
            if let Some(found) = reply.value.image(image) {
                image_names.insert(image, found.name.clone());
                not_offered.remove(&image);
                break;
            }
            not_offered.insert(image);
        }
    }
    Ok(Account {
        list,
        image_names,
        not_offered,
    })
}

struct Reader<'a> {
    client: &'a Client,
    rate: RateLimiter,
    /// The API has answered something.
    reached: bool,
    /// The session was renewed, and no call has succeeded since.
    renewed: bool,
}

impl Reader<'_> {
    async fn tried<T, F: Future<Output = Read<T>>>(
        &mut self,
        call: impl Fn() -> F,
    ) -> Result<Reply<T>, Halt> {
        let mut tries = 0;
        loop {
            self.wait().await;
            let error = match call().await {
                Ok(reply) => {
                    (self.reached, self.renewed) = (true, false);
                    return Ok(reply);
                }
                Err(error) => error,
            };
            tries += 1;
            let last = tries == TRIES_MAX;
            match error {
                ReadError::Unauthorized { .. } if self.client.can_login() && !self.renewed => {
                    self.renewed = true;
                    self.log_in().await?;
                }
                ReadError::Unauthorized { message, .. } => {
                    self.ask_session().await?;
                    return Err(Halt::Rights(message));
                }
                ReadError::HalfSession { asks_for } => {
                    self.ask_session().await?;
                    self.ask_whoami().await?;
                    if last {
                        return Err(outage(&format!(
                            "the API asks for {asks_for}, and then not"
                        )));
                    }
                }
                ReadError::Blocked { .. } => {
                    self.ask_session().await?;
                    if last {
                        return Err(outage(&error.to_string()));
                    }
                }
                ReadError::SlowDown { retry_after } => self.slow_down(retry_after, last)?,
                ReadError::Incurable(why) if !self.reached => return Err(Halt::Incurable(why)),
                ReadError::Incurable(_) | ReadError::Failed(_) => {
                    if last {
                        return Err(outage(&error.to_string()));
                    }
                    self.rate.hold(Instant::now() + PAUSE * tries);
                }
            }
        }
    }

    async fn log_in(&mut self) -> Result<(), Halt> {
        let mut tries = 0;
        loop {
            self.wait().await;
            let Err(error) = self.client.login().await else {
                self.reached = true;
                return Ok(());
            };
            tries += 1;
            let last = tries == TRIES_MAX;
            match error {
                LoginError::SlowDown { retry_after } => self.slow_down(retry_after, last)?,
                LoginError::Failed(_) if !last => {
                    self.rate.hold(Instant::now() + PAUSE * tries);
                }
                LoginError::Incurable(_) if self.reached && !last => {
                    self.rate.hold(Instant::now() + PAUSE * tries);
                }
                LoginError::Refused { .. } if error.is_temporary_lock() && !last => {
                    sleep(LOGIN_PAUSE).await;
                }
                LoginError::Incurable(why) if !self.reached => return Err(Halt::Incurable(why)),
                LoginError::Incurable(_) | LoginError::Failed(_) => {
                    return Err(outage(&error.to_string()));
                }
                LoginError::Blocked { status } => return Err(Halt::Blocked { status }),
                LoginError::SecondFactor => return Err(Halt::SecondFactor),
                LoginError::Refused { .. } | LoginError::NoCredentials | LoginError::NoToken => {
                    return Err(Halt::Credentials(error.to_string()));
                }
            }
        }
    }

    /// A call was refused: is it the session, the address, or only that call?
    async fn ask_session(&mut self) -> Result<(), Halt> {
        self.wait().await;
        self.judge(self.client.keepalive().await)
    }

    async fn ask_whoami(&mut self) -> Result<(), Halt> {
        self.wait().await;
        self.judge(self.client.whoami().await)
    }

    fn judge(&mut self, answer: Keepalive) -> Result<(), Halt> {
        match answer {
            Keepalive::Alive => {
                self.reached = true;
                Ok(())
            }
            Keepalive::Dead { message } => Err(Halt::Credentials(message)),
            Keepalive::Half(HalfSession::SecondFactor) => Err(Halt::SecondFactor),
            Keepalive::Half(HalfSession::Login) => Err(Halt::Credentials(
                "it answers every call by asking for a login".to_owned(),
            )),
            Keepalive::Blocked { status } => Err(Halt::Blocked { status }),
            Keepalive::SlowDown { retry_after } => self.slow_down(retry_after, false),
            Keepalive::Incurable(why) => Err(outage(&why.to_string())),
            Keepalive::Failed(failure) => Err(outage(&failure.error)),
        }
    }

    /// Waits with the next call, if that is not too long for the person who waits.
    fn slow_down(&mut self, retry_after: Option<Duration>, last: bool) -> Result<(), Halt> {
        self.reached = true;
        let pause = retry_after.unwrap_or_default().max(PAUSE);
        if last || pause > PAUSE_MAX {
            return Err(outage("the API asks to slow down"));
        }
        self.rate.hold(Instant::now() + pause);
        Ok(())
    }

    async fn wait(&mut self) {
        while !self.rate.take(Purpose::Submission, Instant::now()) {
            sleep_until(self.rate.free_at(Purpose::Submission).into()).await;
        }
    }
}

fn outage(error: &str) -> Halt {
    Halt::Unread(error.to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;
    use crate::simulator::{Call, Config, FaultKind, Script, Simulator};
    use crate::zomro::{Credentials, Endpoint, Incurable, Settings};

    /// Reads a simulated account of three instances in which these calls go wrong. Returns the logins
    /// too.
    async fn read(faults: &[(Call, FaultKind, u64)]) -> (Result<u64, Halt>, u64) {
        let services = (1..=3).map(|number| ServiceId::new(number).unwrap());
        let config = Config::for_fleet(Config::example_rows(services));
        let credentials = Credentials::Login {
            username: config.username.clone(),
            password: config.password.clone().into(),
        };
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let simulator = Simulator::start(config, any_port).await.unwrap();
        for &(call, kind, times) in faults {
            let script = Script::next(call, kind);
            simulator.script(Script { times, ..script });
        }
        let client = Client::new(Settings {
            endpoint: Endpoint::parse(simulator.url()).unwrap(),
            credentials,
            timeout: Duration::from_secs(5),
            follow_interval: Duration::from_millis(10),
            follow_timeout: Duration::from_secs(5),
        })
        .unwrap();
        let account = read_account(&client, 0.0, &|_| Vec::new(), &mut |_, _| {}).await;
        let logins = simulator.record().calls.get(&Call::Auth).copied();
        simulator.shutdown().await;
        (
            account.map(|account| account.list.total()),
            logins.unwrap_or(0),
        )
    }

    // field case D10
    #[tokio::test]
    async fn a_session_that_expires_while_the_list_is_read_is_renewed() {
        let (read, logins) = read(&[(Call::Instances, FaultKind::SessionExpiry, 1)]).await;
        assert_eq!((read, logins), (Ok(3), 2));
    }

    // field cases A7, D4, D10
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
