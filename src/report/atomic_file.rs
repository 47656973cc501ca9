//! A file that is there whole, or not at all.
//!
//! Where the system can do that, it has no name before it is whole: a process that is killed leaves nothing
//! behind, and what it writes may hold passwords.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, linkat};
use tempfile::{Builder, NamedTempFile};

/// A file that takes the place of `path` when it is [`commit`](Self::commit)ted. Until then, and
/// when it is dropped without, what stood there stays as it was.
#[derive(Debug)]
pub struct AtomicFile {
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// In the directory of `path`, where no one sees it.
    Unnamed { file: File, path: PathBuf },
    /// The same, under a name of its own, where files without one cannot be.
    Replace {
        temporary: NamedTempFile,
        path: PathBuf,
    },
    /// A device or a pipe: nothing to be replaced.
    Direct(File),
}

impl AtomicFile {
    /// Begins a file for `path`, in the same directory. A new file gets the permissions that the
    /// umask leaves; one that is replaced passes its own on, and a symbolic link keeps pointing.
    pub fn create(path: &Path) -> io::Result<Self> {
        // A report holds no secrets: like any other file, it gets what the umask leaves of this.
        Self::create_with(path, None)
    }

    /// The same, for what only its owner may read, whatever stood there.
    pub fn create_private(path: &Path) -> io::Result<Self> {
        Self::create_with(path, Some(Permissions::from_mode(0o600)))
    }

    /// Where a file of this name lies.
    pub fn folder(path: &Path) -> &Path {
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    fn create_with(path: &Path, private: Option<Permissions>) -> io::Result<Self> {
        let (path, permissions) = match fs::canonicalize(path) {
            Ok(real) => {
                let metadata = real.metadata()?;
                if metadata.is_dir() {
                    return Err(io::ErrorKind::IsADirectory.into());
                }
                if !metadata.is_file() {
                    let file = File::options().write(true).open(&real)?;
                    return Ok(Self {
                        target: Target::Direct(file),
                    });
                }
                if metadata.permissions().readonly() {
                    return Err(io::ErrorKind::PermissionDenied.into());
                }
                (real, Some(metadata.permissions()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (path.to_owned(), None),
            Err(error) => return Err(error),
        };
        let directory = Self::folder(&path);
        let of_new = Permissions::from_mode(0o666);
        let of_new = private.clone().unwrap_or(of_new);
        if let Some(file) = unnamed(directory, of_new.mode()) {
            if let Some(permissions) = private.or(permissions) {
                file.set_permissions(permissions)?;
            }
            return Ok(Self {
                target: Target::Unnamed { file, path },
            });
        }
        let temporary = builder()
            .permissions(of_new)
            .tempfile_in(directory)
            .map_err(|error| plain(&error))?;
        if let Some(permissions) = private.or(permissions) {
            temporary.as_file().set_permissions(permissions)?;
        }
        Ok(Self {
            target: Target::Replace { temporary, path },
        })
    }

    /// Makes the file durable, then gives it its name.
    pub fn commit(self) -> io::Result<()> {
        match self.target {
            Target::Direct(mut file) => file.flush(),
            Target::Unnamed { file, path } => {
                file.sync_all()?;
                let named = named(&file, Self::folder(&path))?;
                named.persist(&path).map_err(|error| error.error)?;
                sync_directory(&path)
            }
            Target::Replace { temporary, path } => {
                temporary.as_file().sync_all()?;
                temporary.persist(&path).map_err(|error| error.error)?;
                sync_directory(&path)
            }
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.target {
            Target::Replace { temporary, .. } => temporary.write(bytes),
            Target::Unnamed { file, .. } | Target::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Replace { temporary, .. } => temporary.flush(),
            Target::Unnamed { file, .. } | Target::Direct(file) => file.flush(),
        }
    }
}

/// Of names in a directory that a file has until it gets its own.
fn builder() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(".refleet-");
    builder
}

/// A file in `directory` that has no name; `None`: this system, or what the directory lies on, has no such.
#[cfg(target_os = "linux")]
fn unnamed(directory: &Path, mode: u32) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    // A name is given by way of this folder.
    if !Path::new("/proc/self/fd").exists() {
        return None;
    }
    let flags = rustix::fs::OFlags::TMPFILE.bits().cast_signed();
    let mut options = File::options();
    options
        .read(true)
        .write(true)
        .mode(mode)
        .custom_flags(flags);
    options.open(directory).ok()
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_directory: &Path, _mode: u32) -> Option<File> {
    None
}

/// Gives `file` some name in `directory`, from which it can take the place of another.
fn named(file: &File, directory: &Path) -> io::Result<NamedTempFile<()>> {
    let from = format!("/proc/self/fd/{}", file.as_raw_fd());
    builder().make_in(directory, |to| {
        linkat(CWD, &from, CWD, to, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from)
    })
}

/// An error without the name of the temporary file, which nobody knows.
fn plain(error: &io::Error) -> io::Error {
    let cause = error.get_ref().and_then(std::error::Error::source);
    match cause {
        Some(cause) => io::Error::new(error.kind(), cause.to_string()),
        None => error.kind().into(),
    }
}

/// The new name is as durable as the file.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(AtomicFile::folder(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.csv");
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert!(!path.exists());
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(directory.path()), ["report.csv"]);
    }

    /// Nothing takes a file away whose process was killed.
    #[cfg(target_os = "linux")]
    #[test]
    fn until_it_is_whole_it_has_no_name() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = AtomicFile::create_private(&directory.path().join("rows.csv")).unwrap();
        file.write_all(b"5113104,Sesame").unwrap();
        assert_eq!(names(directory.path()), [""; 0]);
        file.commit().unwrap();
        assert_eq!(names(directory.path()), ["rows.csv"]);
    }

    #[test]
    fn what_was_there_stays_when_writing_fails() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.csv");
        fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(directory.path()), ["report.csv"]);
    }

    #[test]
    fn a_directory_is_no_file_and_a_missing_one_is_named_as_such() {
        let directory = tempfile::tempdir().unwrap();
        let error = AtomicFile::create(directory.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        let error = AtomicFile::create(&directory.path().join("no/report.csv")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!error.to_string().contains(".refleet-"), "{error}");
    }

    #[test]
    fn a_link_keeps_pointing_and_permissions_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().join("real.csv");
        let link = directory.path().join("link.csv");
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut file = AtomicFile::create(&link).unwrap();
        file.write_all(b"new").unwrap();
        file.commit().unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        let mut file = AtomicFile::create(Path::new("/dev/null")).unwrap();
        file.write_all(b"gone").unwrap();
        file.commit().unwrap();
        assert!(!Path::new("/dev/null").metadata().unwrap().is_file());
    }
}
