//! A path's own name.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::Unfit;

/// Links that are followed before it is called a loop, as Linux does.
const LINKS_MAX: usize = 40;

/// The own name of the file that `path` leads to, whether it exists or not: absolute, without
/// links, `.` and `..`. Links that lead nowhere yet are followed too: the file would be created
/// where they point.
pub fn resolve(path: &Path) -> Result<PathBuf, Unfit> {
    let broken = |reason: io::Error| match closed_folder(path) {
        Some(closed) if reason.kind() == io::ErrorKind::PermissionDenied => closed,
        Some(_) | None => Unfit::Unreachable {
            path: path.to_owned(),
            reason: reason.to_string(),
        },
    };
    if path.as_os_str().is_empty() {
        return Err(broken(io::Error::other("the path is empty")));
    }
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(Unfit::Directory {
            path: path.to_owned(),
        });
    }
    let mut rest = std::path::absolute(path).map_err(broken)?;
    for _ in 0..LINKS_MAX {
        match rest.canonicalize() {
            Ok(real) => return Ok(real),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(broken(error)),
            Err(_) => {}
        }
        // Something on the way does not exist: what comes before it is resolved, what comes
        // behind is taken as it stands.
        let (known, missing) = known_part(&rest).map_err(broken)?;
        let mut names = missing.components();
        let first = names.next().map(|first| known.join(first));
        let Some(first) = first else {
            return Ok(known);
        };
        match std::fs::read_link(&first) {
            Ok(target) => rest = known.join(target).join(names.as_path()),
            Err(_)
                if missing
                    .components()
                    .any(|part| part == Component::ParentDir) =>
            {
                return Err(broken(io::ErrorKind::NotFound.into()));
            }
            Err(_) => return Ok(known.join(missing)),
        }
    }
    Err(broken(io::Error::other("too many symbolic links")))
}

/// The longest part of `path` that exists, resolved, and the rest.
fn known_part(path: &Path) -> io::Result<(PathBuf, PathBuf)> {
    for ancestor in path.ancestors().skip(1) {
        match ancestor.canonicalize() {
            Ok(real) => {
                let rest = path.strip_prefix(ancestor).unwrap_or(Path::new(""));
                return Ok((real, rest.to_owned()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// The folder on the way to `path` that lets nobody in but its owner, where that is not us.
fn closed_folder(path: &Path) -> Option<Unfit> {
    let path = std::path::absolute(path).ok()?;
    let me = rustix::process::geteuid().as_raw();
    let is_closed = |folder: &&Path| {
        let may = accessat(CWD, *folder, Access::EXEC_OK, AtFlags::EACCESS);
        may == Err(rustix::io::Errno::ACCESS)
    };
    // The last one that can be looked at is the first that is closed.
    let folder = path
        .ancestors()
        .skip(1)
        .filter(is_closed)
        .find(|folder| folder.metadata().is_ok())?;
    let owner = folder.metadata().ok()?.uid();
    let parent = folder.parent().and_then(|parent| parent.metadata().ok());
    (owner != me).then(|| Unfit::Closed {
        path: path.clone(),
        folder: folder.to_owned(),
        is_below_ours: parent.is_some_and(|parent| parent.uid() == me),
        owner,
        me,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_path_is_resolved_whether_its_file_exists_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let at = |name: &str| real.join(name);
        std::fs::create_dir(at("state")).unwrap();
        symlink(at("state"), at("link")).unwrap();
        symlink("state/new.db", at("dangling.db")).unwrap();
        symlink("dangling.db", at("twice.db")).unwrap();
        symlink("nowhere", at("gone")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for (given, own) in [
            ("state/x.db", "state/x.db"),
            ("link/x.db", "state/x.db"),
            ("link/../x.db", "x.db"),
            ("state/./../state/x.db", "state/x.db"),
            ("dangling.db", "state/new.db"),
            ("twice.db", "state/new.db"),
            ("gone/x.db", "nowhere/x.db"),
            ("a/b/x.db", "a/b/x.db"),
        ] {
            assert_eq!(resolve(&at(given)).unwrap(), at(own), "{given}");
        }
        assert!(resolve(&at("loop")).is_err());
        assert!(resolve(&at("a/../x.db")).is_err(), "no such folder");
        assert!(resolve(Path::new("")).is_err());
        assert!(resolve(&at("a/")).is_err(), "a folder is meant");
    }
}
