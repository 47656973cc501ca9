//! Where a queue is kept, as `--db` says.

use std::path::{Path, PathBuf};

use super::{no_database, unexpanded};

/// Where a queue is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In one SQLite file.
    File(PathBuf),
}

impl Location {
    /// What the operator gave. `Err`: why that is surely not what was meant.
    pub fn parse(given: &Path) -> Result<Self, &'static str> {
        match unexpanded(given).or_else(|| no_database(given)) {
            Some(what) => Err(what),
            None => Ok(Self::File(given.to_owned())),
        }
    }

    /// As people are told: a file's path, as it was given.
    pub fn shown(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
        }
    }

    /// The file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_location_and_the_address_of_another_server_is_refused() {
        let file = Path::new("/srv/refleet.db");
        assert_eq!(Location::parse(file), Ok(Location::File(file.to_owned())));
        for given in ["postgres://fleet@db/refleet", "postgresql:refleet"] {
            assert_eq!(
                Location::parse(Path::new(given)),
                Err("is an address, and a file's path is wanted"),
                "{given}"
            );
        }
    }
}
