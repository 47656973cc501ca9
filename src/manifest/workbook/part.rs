//! One part of a workbook, unpacked as it is read and held to its limits all the while.

use std::io::{self, BufRead, BufReader, Read};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use secrecy::zeroize::Zeroizing;

use super::fault::Fault;
use crate::manifest::blob::Blob;
use crate::manifest::limits::{UNPACKED_RATIO_MAX, XML_PIECE_BYTES_MAX};

const BUFFER_BYTES: usize = 32 * 1024;
/// So much may come of however little.
const RATIO_FROM_BYTES: u64 = 1024 * 1024;

/// The bytes of a part, unpacked.
pub struct Part {
    /// Safe to print.
    name: String,
    unpack: Unpack,
    bytes_max: u64,
    /// The checksum and the size that the archive claims.
    claimed: (u32, u64),
    sum: Crc,
    unpacked: u64,
    /// What may still be taken before [`Self::begin_piece`] is called again.
    piece_left: usize,
    buffer: Zeroizing<Vec<u8>>,
    taken: usize,
    filled: usize,
}

pub enum Unpack {
    Stored(BufReader<Packed>),
    Deflated(DeflateDecoder<BufReader<Packed>>),
}

impl Part {
    pub fn new(name: String, unpack: Unpack, bytes_max: u64, claimed: (u32, u64)) -> Self {
        Self {
            name,
            unpack,
            bytes_max,
            claimed,
            sum: Crc::new(),
            unpacked: 0,
            piece_left: XML_PIECE_BYTES_MAX,
            buffer: Zeroizing::new(vec![0; BUFFER_BYTES]),
            taken: 0,
            filled: 0,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is read from here on is another piece, which may be as long as a piece may be.
    pub fn begin_piece(&mut self) {
        self.piece_left = XML_PIECE_BYTES_MAX;
    }

    fn fill(&mut self) -> Result<(), Fault> {
        self.taken = 0;
        self.filled = self.unpack.read(&mut self.buffer).map_err(|error| {
            match error.kind() {
                // As the decoder calls bytes that nobody can have packed.
                io::ErrorKind::InvalidData
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::UnexpectedEof => {
                    Fault::damaged(format!("{} cannot be unpacked", self.name))
                }
                _ => Fault::Io(error),
            }
        })?;
        if self.filled == 0 {
            return if self.claimed == (self.sum.sum(), self.unpacked) {
                Ok(())
            } else {
                let what = format!("{} is not what the checksum says", self.name);
                Err(Fault::damaged(what))
            };
        }
        self.sum.update(&self.buffer[..self.filled]);
        self.unpacked += self.filled as u64;
        let packed = self.unpack.packed_bytes().max(1);
        if self.unpacked > self.bytes_max {
            Err(Fault::too_large(too_large(&self.name, self.bytes_max)))
        } else if self.unpacked > RATIO_FROM_BYTES && self.unpacked / packed > UNPACKED_RATIO_MAX {
            let what = format!(
                "{} unpacks to more than {UNPACKED_RATIO_MAX} times its size in the file",
                self.name
            );
            Err(Fault::too_large(what))
        } else {
            Ok(())
        }
    }
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Part {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken == self.filled {
            if self.piece_left == 0 {
                let limit = XML_PIECE_BYTES_MAX / 1024;
                let what = format!("{} has a tag or a text of more than {limit} KiB", self.name);
                return Err(Fault::too_large(what).into());
            }
            self.fill()?;
        }
        Ok(&self.buffer[self.taken..self.filled])
    }

    fn consume(&mut self, count: usize) {
        self.taken += count;
        self.piece_left = self.piece_left.saturating_sub(count);
    }
}

/// The part, which is safe to print, is larger than it may be.
pub fn too_large(part: &str, bytes_max: u64) -> String {
    format!(
        "{part} unpacks to more than {} MiB",
        bytes_max / (1024 * 1024)
    )
}

impl Unpack {
    /// Bytes of the file that were unpacked so far.
    fn packed_bytes(&self) -> u64 {
        match self {
            Self::Stored(packed) => packed.get_ref().at - packed.get_ref().start,
            Self::Deflated(decoder) => decoder.total_in(),
        }
    }
}

impl Read for Unpack {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stored(packed) => packed.read(buffer),
            Self::Deflated(decoder) => decoder.read(buffer),
        }
    }
}

/// The bytes of a part as they stand in the file.
pub struct Packed {
    blob: Blob,
    start: u64,
    at: u64,
    end: u64,
}

impl Packed {
    pub fn new(blob: Blob, start: u64, bytes: u64) -> BufReader<Self> {
        let packed = Self {
            blob,
            start,
            at: start,
            end: start.saturating_add(bytes),
        };
        BufReader::with_capacity(BUFFER_BYTES, packed)
    }
}

impl Read for Packed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(buffer.len());
        let count = left.min(buffer.len());
        let count = self.blob.read_at(&mut buffer[..count], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
