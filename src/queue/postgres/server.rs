//! Which server, and which database on it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use crate::queue::lease::host;

/// How long a lease lasts that is not renewed.
///
/// It need not outlast the silence after which a server closes a connection (commonly 60 to 75 s). The model
/// shows what a form costs that is handed over later than that: two hosts call one account at once, and a
/// pause is not over so soon. Of an instance it costs nothing, since no silence ends an orphan and no word does
/// before its sender is down; only `adopt` relies on such an end, and waits for minutes. So another host takes
/// over after one minute, and not after four.
const LEASE: Duration = Duration::from_mins(1);

/// What an address may say behind its question mark. Of anything else sqlx would only write a warning,
/// with its value.
const PARAMETERS: &[&str] = &[
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// Those that are shown with the address: what is not in the address itself by then, and no secret.
const REPEATED: &[&str] = &["options", "sslcert", "sslkey", "sslmode", "sslrootcert"];

/// A database on a PostgreSQL server, as `--db` names it. What is shown of it never holds the password.
#[derive(Clone)]
pub struct Server {
    address: SecretString,
    shown: String,
    lease: Duration,
    /// This machine's name, as leases show it.
    host: String,
    /// Where this machine keeps how far it has seen ledgers; `None`: nowhere.
    marks: Option<PathBuf>,
}

impl Server {
    /// `given` is the address of a server, and no path.
    pub fn is_meant(given: &str) -> bool {
        given.starts_with("postgres://") || given.starts_with("postgresql://")
    }

    /// `Err`: what is wrong with the address, in words that can follow it.
    pub fn parse(given: &str) -> Result<Self, String> {
        if !Self::is_meant(given) {
            return Err("is not the address of a PostgreSQL server".to_owned());
        }
        if let Some(key) = unknown_parameter(given) {
            return Err(format!(
                "has a parameter that refleet does not know: {key}; it knows {}",
                PARAMETERS.join(", ")
            ));
        }
        let options = PgConnectOptions::from_str(given)
            .map_err(|error| format!("is not the address of a PostgreSQL server: {error}"))?;
        Ok(Self {
            address: SecretString::from(given),
            shown: shown(&options) + &repeated(given),
            lease: LEASE,
            host: host(),
            marks: None,
        })
    }

    /// With leases that last so long.
    #[must_use]
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Where this machine is to be called so: the name of a container changes with each start.
    #[must_use]
    pub fn with_host(self, host: String) -> Self {
        Self { host, ..self }
    }

    /// Where this machine keeps in `folder` how far it has seen ledgers.
    #[must_use]
    pub fn with_marks(self, folder: Option<PathBuf>) -> Self {
        Self {
            marks: folder,
            ..self
        }
    }

    pub(super) fn marks(&self) -> Option<&Path> {
        self.marks.as_deref()
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// How long a lease lasts that is not renewed.
    pub(super) fn lease(&self) -> Duration {
        self.lease
    }

    pub(super) fn lease_ms(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX)
    }

    /// How to connect to it.
    pub(super) fn options(&self) -> PgConnectOptions {
        PgConnectOptions::from_str(self.address.expose_secret())
            .expect("it was read before")
            .application_name("refleet")
            .disable_statement_logging()
    }

    /// The role, and the database's name.
    pub(super) fn names(&self) -> (String, String) {
        let options = self.options();
        let role = options.get_username().to_owned();
        let database = options.get_database().unwrap_or(&role).to_owned();
        (role, database)
    }
}

fn unknown_parameter(address: &str) -> Option<&str> {
    let mut keys =
        parameters(address).map(|pair| pair.split_once('=').map_or(pair, |(key, _)| key));
    keys.find(|key| !key.is_empty() && !PARAMETERS.contains(key))
}

/// As they stand behind the question mark.
fn parameters(address: &str) -> impl Iterator<Item = &str> {
    let (_, parameters) = address.split_once('?').unwrap_or_default();
    parameters.split('#').next().unwrap_or_default().split('&')
}

/// The parameters that have to be typed again where the environment does not have them.
fn repeated(address: &str) -> String {
    let parameters = parameters(address).filter(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        // A key may be given itself, in place of the file that it stands in.
        REPEATED.contains(&key) && !value.contains("BEGIN")
    });
    let parameters: Vec<&str> = parameters.collect();
    if parameters.is_empty() {
        String::new()
    } else {
        format!("?{}", parameters.join("&"))
    }
}

fn shown(options: &PgConnectOptions) -> String {
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    let port = options.get_port();
    match options.get_socket() {
        Some(socket) => format!("postgres://{user}@{}:{port}/{database}", socket.display()),
        None => format!("postgres://{user}@{}:{port}/{database}", options.get_host()),
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.shown).finish()
    }
}

impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        self.address.expose_secret() == other.address.expose_secret()
            && (self.lease, &self.host) == (other.lease, &other.host)
    }
}

impl Eq for Server {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_so_that_it_can_be_typed_and_never_with_its_password() {
        let plain = "postgres://fleet@db.example:5433/refleet";
        for (address, parameters) in [
            (
                "postgres://fleet:s3cret@db.example:5433/refleet?sslmode=verify-full",
                "?sslmode=verify-full",
            ),
            (
                "postgresql://fleet@db.example:5433/refleet?password=s3cret",
                "",
            ),
            (
                "postgres://db.example:5433/refleet?user=fleet&password=s3cret&sslmode=require&sslrootcert=%2Fetc%2Fca.pem",
                "?sslmode=require&sslrootcert=%2Fetc%2Fca.pem",
            ),
            (
                "postgres://fleet@db.example:5433/refleet?sslkey=-----BEGIN%20KEY-----s3cret&sslcert=c.pem",
                "?sslcert=c.pem",
            ),
        ] {
            let server = Server::parse(address).unwrap();
            assert_eq!(
                server.to_string(),
                format!("{plain}{parameters}"),
                "{address}"
            );
            assert!(!format!("{server:?}").contains("s3cret"), "{address}");
            let again = Server::parse(&server.to_string()).unwrap();
            assert_eq!(again.to_string(), server.to_string());
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said_without_its_password() {
        for (address, wrong) in [
            (
                "mysql://fleet:s3cret@db/refleet",
                "is not the address of a PostgreSQL server",
            ),
            (
                "postgres://fleet:s3cret@db/refleet?sslmod=require",
                "sslmod",
            ),
            (
                "postgres://fleet:s3cret@db/refleet?sslmode=some",
                "ssl_mode",
            ),
            ("postgres://fleet:s3cret@db:port/refleet", "port"),
        ] {
            let said = Server::parse(address).unwrap_err();
            assert!(said.contains(wrong), "{address}: {said}");
            assert!(!said.contains("s3cret"), "{address}: {said}");
        }
    }

    #[test]
    fn a_socket_is_shown_as_the_folder_that_it_lies_in() {
        let server = Server::parse("postgres://fleet@%2Frun%2Fpostgresql/refleet").unwrap();
        assert_eq!(
            server.to_string(),
            "postgres://fleet@/run/postgresql:5432/refleet"
        );
    }
}
