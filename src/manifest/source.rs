//! Where a manifest comes from, so that it can be read twice.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::zeroize::Zeroizing;

use super::blob::Blob;
use super::error::ManifestError;
use super::limits::HELD_BYTES_MAX;
use super::offers::Offers;
use super::sheet_options::SheetOptions;
use crate::job::Action;
use crate::text;

/// Such an input is held in pieces of this size: they never move, so that no copy of a password
/// stays behind where a growing buffer has been.
const PIECE_BYTES: usize = 64 * 1024;

/// A manifest of an action that can be read as often as needed.
///
/// A file is opened again for each pass; standard input, and what else flows by only once, is held
/// in memory (at most `HELD_BYTES_MAX`) and wiped afterwards.
#[derive(Debug, Clone)]
pub struct Source {
    action: Action,
    name: String,
    origin: Origin,
    ignored_columns: Arc<[String]>,
    sheet: SheetOptions,
    /// `None`: names of images and keys were not looked up yet.
    offers: Option<Arc<Offers>>,
}

#[derive(Clone)]
enum Origin {
    /// Opened anew by each reading.
    Path(PathBuf),
    /// Opened, or held, once and for all.
    Blob(Blob),
}

impl Source {
    /// The file at `path`, which orders `action`; `-` is standard input, which is read to its end.
    pub fn open(action: Action, path: &Path) -> Result<Self, ManifestError> {
        if path.as_os_str() == "-" {
            let stdin = io::stdin().lock();
            return Self::hold(action, "<stdin>".to_owned(), stdin, HELD_BYTES_MAX);
        }
        let name = text::printable(&path.to_string_lossy()).into_owned();
        let unreadable = |source| ManifestError::Unreadable {
            name: name.clone(),
            source,
        };
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(ManifestError::Directory { name });
        }
        let file = File::open(path).map_err(unreadable)?;
        if metadata.is_file() {
            Ok(Self::of(action, name, Origin::Path(path.to_owned())))
        } else {
            // A pipe (`<(…)` in a shell, /dev/stdin) gives its bytes once.
            Self::hold(action, name, file, HELD_BYTES_MAX)
        }
    }

    /// A manifest that is in memory already.
    pub fn from_bytes(action: Action, name: &str, bytes: &[u8]) -> Result<Self, ManifestError> {
        let name = text::printable(name).into_owned();
        Self::hold(action, name, bytes, HELD_BYTES_MAX)
    }

    fn of(action: Action, name: String, origin: Origin) -> Self {
        Self {
            action,
            name,
            origin,
            ignored_columns: Arc::default(),
            sheet: SheetOptions::default(),
            offers: None,
        }
    }

    /// With what the names of images and keys stand for.
    #[must_use]
    pub fn with_offers(self, offers: Offers) -> Self {
        Self {
            offers: Some(Arc::new(offers)),
            ..self
        }
    }

    pub fn offers(&self) -> Option<&Offers> {
        self.offers.as_deref()
    }

    /// Passes over the columns of these names, whatever they look like. A name that the header
    /// does not have is a fault.
    #[must_use]
    pub fn ignoring(self, columns: &[String]) -> Self {
        Self {
            ignored_columns: columns.into(),
            ..self
        }
    }

    /// Reads its sheet so.
    #[must_use]
    pub fn reading(self, sheet: SheetOptions) -> Self {
        Self { sheet, ..self }
    }

    pub fn sheet(&self) -> &SheetOptions {
        &self.sheet
    }

    pub fn ignored_columns(&self) -> &[String] {
        &self.ignored_columns
    }

    /// What is to be done to its instances.
    pub fn action(&self) -> Action {
        self.action
    }

    /// The path as it was given, or `<stdin>`; safe to print.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn hold(
        action: Action,
        name: String,
        mut input: impl Read,
        bytes_max: usize,
    ) -> Result<Self, ManifestError> {
        let mut pieces = Vec::new();
        loop {
            let mut piece = Zeroizing::new(vec![0; PIECE_BYTES]);
            let filled = match fill(&mut input, &mut piece) {
                Ok(filled) => filled,
                Err(source) => return Err(ManifestError::Unreadable { name, source }),
            };
            if filled == 0 {
                let blob = Blob::held(Arc::new(pieces));
                return Ok(Self::of(action, name, Origin::Blob(blob)));
            }
            if pieces.len() == bytes_max / PIECE_BYTES {
                return Err(ManifestError::TooLarge { name });
            }
            piece.truncate(filled);
            pieces.push(piece);
        }
    }

    /// The bytes from the beginning.
    pub fn read(&self) -> io::Result<Box<dyn Read + Send>> {
        match &self.origin {
            Origin::Path(path) => Ok(Box::new(File::open(path)?)),
            Origin::Blob(blob) => Ok(Box::new(BlobReader {
                blob: blob.clone(),
                offset: 0,
            })),
        }
    }

    /// The same, whose readings are all of the file that has the name now.
    pub fn pinned(self) -> io::Result<Self> {
        let blob = self.blob()?;
        Ok(Self {
            origin: Origin::Blob(blob),
            ..self
        })
    }

    /// Its bytes, any of them at any time.
    pub fn blob(&self) -> io::Result<Blob> {
        match &self.origin {
            Origin::Path(path) => Blob::of_file(File::open(path)?),
            Origin::Blob(blob) => Ok(blob.clone()),
        }
    }

    /// This manifest could not be read.
    pub fn unreadable(&self, source: io::Error) -> ManifestError {
        ManifestError::Unreadable {
            name: self.name.clone(),
            source,
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "Path({})", path.display()),
            Self::Blob(blob) => write!(f, "Blob({} bytes)", blob.len),
        }
    }
}

/// Reads until `buffer` is full or the input ends.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

struct BlobReader {
    blob: Blob,
    offset: u64,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.blob.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_has_a_limit_and_is_read_as_it_came() {
        let bytes: Vec<u8> = (0..=255).cycle().take(2 * PIECE_BYTES).collect();
        let hold = |bytes_max| {
            let bytes = bytes.as_slice();
            Source::hold(Action::Rebuild, "x".to_owned(), bytes, bytes_max)
        };
        assert!(matches!(
            hold(PIECE_BYTES),
            Err(ManifestError::TooLarge { .. })
        ));
        let source = hold(2 * PIECE_BYTES).unwrap();
        for _pass in 1..=2 {
            let mut read = Vec::new();
            source.read().unwrap().read_to_end(&mut read).unwrap();
            assert!(read == bytes);
        }
    }
}
