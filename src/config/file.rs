//! Where the file is, and its bytes.

use std::env;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::account::{Config, Options};
use super::document;
use super::fault::{ConfigError, Faults};
use super::rules;

/// Where a package puts the file of the whole machine.
const SYSTEM_FILE: &str = "/etc/refleet/config.toml";

/// No such file is larger by far.
pub(super) const BYTES_MAX: u64 = 1 << 20;

/// Where the operator's own files of one kind are: what `variable` names, else `below_home`. A path in
/// these variables that is not absolute is none. `None`: the environment does not say it.
pub fn own_folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home)))
}

/// The file that nobody named.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The operator's own, else the machine's.
    File(PathBuf),
    /// The machine's, which this user may not read: a package lets only the service's group read it, and
    /// whoever is not in it works without.
    Closed(PathBuf),
}

/// Looks for the file that nobody named. `None`: there is none.
pub fn search() -> Option<Found> {
    let own = own_folder("XDG_CONFIG_HOME", ".config");
    let own = own.map(|folder| folder.join("refleet/config.toml"));
    search_in(own, Path::new(SYSTEM_FILE), |path| {
        rustix::fs::access(path, Access::READ_OK) == Err(Errno::ACCESS)
    })
}

fn search_in(
    own: Option<PathBuf>,
    system: &Path,
    is_closed: impl Fn(&Path) -> bool,
) -> Option<Found> {
    // A link that leads nowhere was meant to be a file, and so was one in a closed folder.
    let is_there = |path: &Path| {
        path.symlink_metadata()
            .err()
            .is_none_or(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    };
    if let Some(own) = own.filter(|own| is_there(own)) {
        Some(Found::File(own))
    } else if !is_there(system) {
        None
    } else if is_closed(system) {
        Some(Found::Closed(system.to_owned()))
    } else {
        Some(Found::File(system.to_owned()))
    }
}

/// Reads the file at `path`.
pub fn read(path: &Path, options: Options<'_>) -> Result<Config, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    // A pipe would be waited for, so it is looked at before it is opened.
    let metadata = fs::metadata(path).map_err(unreadable)?;
    let no_file = |what| ConfigError::NoFile {
        path: path.to_owned(),
        what,
    };
    if metadata.is_dir() {
        return Err(no_file("a folder"));
    }
    if !metadata.is_file() {
        return Err(no_file("no regular file"));
    }
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    // It may hold a password.
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(metadata.len().min(BYTES_MAX) + 2).unwrap_or_default(),
    ));
    file.take(BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(no_file("larger than 1 MiB"));
    }
    let absolute = std::path::absolute(path).map_err(unreadable)?;
    let mut faults = Faults::default();
    let mut accounts = Vec::new();
    match std::str::from_utf8(&bytes) {
        Ok(text) => {
            let folder = absolute.parent().unwrap_or(Path::new("/"));
            accounts = document::accounts(text, folder, options, &mut faults);
            rules::check_together(&accounts, &mut faults);
            rules::check_mode(&absolute, metadata.mode(), &accounts, &mut faults);
            let users = [metadata.uid(), rustix::process::geteuid().as_raw()];
            rules::check_owner(&absolute, users, &accounts, &mut faults);
        }
        Err(error) => {
            let before = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n');
            let line = before.count();
            faults.add(line, "this is no UTF-8: save the file as UTF-8");
        }
    }
    if faults.is_empty() {
        Ok(Config {
            path: absolute,
            accounts,
        })
    } else {
        Err(ConfigError::Invalid(faults.of(&absolute)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_file_of_the_machine_is_left_out_and_one_of_ones_own_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let [own, system] = ["own.toml", "system.toml"].map(|name| folder.path().join(name));
        let found = |is_closed| search_in(Some(own.clone()), &system, |_| is_closed);
        assert_eq!(found(true), None);
        fs::write(&system, "").unwrap();
        assert_eq!(found(false), Some(Found::File(system.clone())));
        assert_eq!(found(true), Some(Found::Closed(system.clone())));
        fs::write(&own, "").unwrap();
        assert_eq!(found(true), Some(Found::File(own.clone())));
    }
}
