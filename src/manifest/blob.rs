//! The bytes of a manifest, any of them at any time: a workbook is not read from front to back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use secrecy::zeroize::Zeroizing;

/// One file, or what is held of an input that came once.
///
/// A file stays the one that was opened, even if another one takes its name meanwhile: the parts of
/// a workbook belong together.
#[derive(Clone)]
pub struct Blob {
    bytes: Bytes,
    pub len: u64,
}

#[derive(Clone)]
enum Bytes {
    File(Arc<File>),
    Held(Arc<Vec<Zeroizing<Vec<u8>>>>),
}

impl Blob {
    pub fn of_file(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        let bytes = Bytes::File(Arc::new(file));
        Ok(Self { bytes, len })
    }

    pub fn held(pieces: Arc<Vec<Zeroizing<Vec<u8>>>>) -> Self {
        let len = pieces.iter().map(|piece| piece.len() as u64).sum();
        let bytes = Bytes::Held(pieces);
        Self { bytes, len }
    }

    /// Some of the bytes from `offset` on; 0 behind the end.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let pieces = match &self.bytes {
            Bytes::File(file) => return file.read_at(buffer, offset),
            Bytes::Held(pieces) => pieces,
        };
        let mut start = offset;
        for piece in pieces.iter() {
            let len = piece.len() as u64;
            if start >= len {
                start -= len;
                continue;
            }
            let rest = &piece[usize::try_from(start).unwrap_or(piece.len())..];
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            return Ok(count);
        }
        Ok(0)
    }

    /// `buffer` full of the bytes from `offset` on; an error of the kind `UnexpectedEof` where they
    /// end before.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
