//! Where a queue is kept, as `--db` says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Server, no_database, unexpanded};

/// Where a queue is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In one SQLite file.
    File(PathBuf),
    /// On a PostgreSQL server.
    Server(Server),
}

impl Location {
    /// What the operator gave. `Err`: why that is surely not what was meant, in words that can follow it.
    pub fn parse(given: &Path) -> Result<Self, String> {
        if let Some(address) = given.to_str().filter(|given| Server::is_meant(given)) {
            return Server::parse(address).map(Self::Server);
        }
        match unexpanded(given).or_else(|| no_database(given)) {
            Some(what) => Err(what.to_owned()),
            None => Ok(Self::File(given.to_owned())),
        }
    }

    /// Where the lease of an account lasts so long that is not renewed, this machine is called `host`
    /// (`None`: as its system calls it), and keeps in `marks` how far it has seen ledgers.
    #[must_use]
    pub fn held(self, lease: Duration, host: Option<&str>, marks: Option<PathBuf>) -> Self {
        let Self::Server(server) = self else {
            return self;
        };
        let server = server.with_lease(lease).with_marks(marks);
        Self::Server(match host {
            Some(host) => server.with_host(host.to_owned()),
            None => server,
        })
    }

    /// As people are told: a file's path as it was given, a server's address without its password.
    pub fn shown(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Server(server) => PathBuf::from(server.to_string()),
        }
    }

    /// The file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Server(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_a_server_are_told_apart() {
        let file = Path::new("/srv/refleet.db");
        assert_eq!(Location::parse(file), Ok(Location::File(file.to_owned())));
        let server = Location::parse(Path::new("postgres://fleet:s3cret@db/refleet")).unwrap();
        assert_eq!(server.file(), None);
        assert_eq!(
            server.shown(),
            Path::new("postgres://fleet@db:5432/refleet")
        );
        for given in ["postgresql:refleet", "sqlite:refleet.db"] {
            assert_eq!(
                Location::parse(Path::new(given)),
                Err("is an address, and a file's path is wanted".to_owned()),
                "{given}"
            );
        }
    }
}
