//! The zip archive that a workbook is, and its parts.
//!
//! The archive says how large everything is, and it may lie. So whatever it says is held against a
//! limit before it is believed, and against what really comes while it is unpacked.
//!
//! The `zip` crate is not used, because it has no limit on the list of parts, of which it holds four
//! times the size before anything can be asked (`zip` 9.8: 44 MiB for a file of 11 MB that is nothing
//! but a list), and because what it unpacks borrows the archive, while a sheet is read on for as long
//! as somebody asks for rows.

use std::io;

use flate2::bufread::DeflateDecoder;

use super::fault::Fault;
use super::part::{Packed, Part, Unpack, too_large};
use crate::manifest::blob::Blob;
use crate::manifest::limits::{PARTS_BYTES_MAX, PARTS_MAX};
use crate::manifest::sheet_fault::SheetFault;

/// The record at the end, without its comment; and the longest comment.
const END_BYTES: usize = 22;
const COMMENT_BYTES_MAX: usize = 65_535;
const END_MARK: &[u8] = b"PK\x05\x06";
const LARGE_LOCATOR_BYTES: u64 = 20;
const LARGE_LOCATOR_MARK: &[u8] = b"PK\x06\x07";
const LARGE_END_MARK: &[u8] = b"PK\x06\x06";
const ENTRY_BYTES: usize = 46;
const ENTRY_MARK: &[u8] = b"PK\x01\x02";
const HEADER_BYTES: usize = 30;
const HEADER_MARK: &[u8] = b"PK\x03\x04";
/// The field that holds what does not fit into 32 bits.
const LARGE_FIELD: u16 = 1;
const ENCRYPTED_FLAG: u16 = 1;

/// A zip archive whose parts are known by name.
pub struct Archive {
    blob: Blob,
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    flags: u16,
    method: u16,
    sum: u32,
    packed: u64,
    unpacked: u64,
    header: u64,
}

impl Archive {
    pub fn open(blob: Blob) -> Result<Self, Fault> {
        let (count, bytes, offset) = directory(&blob)?;
        if count > PARTS_MAX || bytes > PARTS_BYTES_MAX {
            return Err(Fault::too_large(format!(
                "it has more than {PARTS_MAX} parts"
            )));
        }
        let mut list = vec![0; usize::try_from(bytes).unwrap_or_default()];
        read(&blob, &mut list, offset)?;
        let mut entries = Vec::new();
        let mut rest = list.as_slice();
        for _ in 0..count {
            let (entry, behind) = Entry::parse(rest).ok_or_else(no_zip)?;
            entries.push(entry);
            rest = behind;
        }
        Ok(Self { blob, entries })
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    pub fn has(&self, name: &str) -> bool {
        self.names().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// The part of this name, which may unpack to `bytes_max`.
    pub fn part(&self, name: &str, bytes_max: u64) -> Result<Part, Fault> {
        let shown = || super::place::shown(name);
        let mut named = self
            .entries
            .iter()
            .filter(|entry| entry.name.eq_ignore_ascii_case(name));
        let entry = named.next();
        let entry = entry.ok_or_else(|| Fault::damaged(format!("{} is missing", shown())))?;
        // Programs would not agree which of the two is meant.
        if named.next().is_some() {
            return Err(Fault::damaged(format!("{} is there twice", shown())));
        }
        if entry.flags & ENCRYPTED_FLAG != 0 {
            return Err(Fault::of(SheetFault::Encrypted, ""));
        }
        if entry.unpacked > bytes_max {
            return Err(Fault::too_large(too_large(&shown(), bytes_max)));
        }
        let mut header = [0; HEADER_BYTES];
        read(&self.blob, &mut header, entry.header)?;
        if !header.starts_with(HEADER_MARK) {
            return Err(no_zip());
        }
        let before_data = u64::from(u16_at(&header, 26)) + u64::from(u16_at(&header, 28));
        let start = entry.header + HEADER_BYTES as u64 + before_data;
        let packed = Packed::new(self.blob.clone(), start, entry.packed);
        let unpack = match entry.method {
            0 => Unpack::Stored(packed),
            8 => Unpack::Deflated(DeflateDecoder::new(packed)),
            _ => {
                return Err(Fault::damaged(format!(
                    "{} is packed in an unknown way",
                    shown()
                )));
            }
        };
        Ok(Part::new(
            shown(),
            unpack,
            bytes_max,
            (entry.sum, entry.unpacked),
        ))
    }
}

impl Entry {
    /// The first entry of a list, and the list behind it.
    fn parse(list: &[u8]) -> Option<(Self, &[u8])> {
        let (fixed, rest) = list.split_at_checked(ENTRY_BYTES)?;
        if !fixed.starts_with(ENTRY_MARK) {
            return None;
        }
        let (name, rest) = rest.split_at_checked(usize::from(u16_at(fixed, 28)))?;
        let (fields, rest) = rest.split_at_checked(usize::from(u16_at(fixed, 30)))?;
        let (_comment, rest) = rest.split_at_checked(usize::from(u16_at(fixed, 32)))?;
        let mut entry = Self {
            // Some programs write paths of Windows, and paths from the root.
            name: String::from_utf8_lossy(name)
                .replace('\\', "/")
                .trim_start_matches('/')
                .to_owned(),
            flags: u16_at(fixed, 8),
            method: u16_at(fixed, 10),
            sum: u32_at(fixed, 16),
            packed: u64::from(u32_at(fixed, 20)),
            unpacked: u64::from(u32_at(fixed, 24)),
            header: u64::from(u32_at(fixed, 42)),
        };
        let mut large = large_field(fields).unwrap_or_default();
        for value in [&mut entry.unpacked, &mut entry.packed, &mut entry.header] {
            if *value == u64::from(u32::MAX) {
                let (bytes, behind) = large.split_at_checked(8)?;
                *value = u64_at(bytes, 0);
                large = behind;
            }
        }
        Some((entry, rest))
    }
}

fn large_field(mut fields: &[u8]) -> Option<&[u8]> {
    loop {
        let (head, rest) = fields.split_at_checked(4)?;
        let (field, behind) = rest.split_at_checked(usize::from(u16_at(head, 2)))?;
        if u16_at(head, 0) == LARGE_FIELD {
            return Some(field);
        }
        fields = behind;
    }
}

/// Number of entries, and size and place of their list.
fn directory(blob: &Blob) -> Result<(u64, u64, u64), Fault> {
    let tail_bytes = blob.len.min((END_BYTES + COMMENT_BYTES_MAX) as u64);
    let tail_at = blob.len - tail_bytes;
    let mut tail = vec![0; usize::try_from(tail_bytes).unwrap_or_default()];
    read(blob, &mut tail, tail_at)?;
    let starts = (0..tail.len().saturating_sub(END_BYTES - 1)).rev();
    let at = starts
        .filter(|at| tail[*at..].starts_with(END_MARK))
        .find(|at| at + END_BYTES + usize::from(u16_at(&tail[*at..], 20)) == tail.len())
        .ok_or_else(no_zip)?;
    let end = &tail[at..];
    let (count, bytes, offset) = (u16_at(end, 10), u32_at(end, 12), u32_at(end, 16));
    if count != u16::MAX && bytes != u32::MAX && offset != u32::MAX {
        return Ok((count.into(), bytes.into(), offset.into()));
    }
    let locator_at = tail_at + at as u64;
    let locator_at = locator_at
        .checked_sub(LARGE_LOCATOR_BYTES)
        .ok_or_else(no_zip)?;
    let mut locator = [0; 20];
    read(blob, &mut locator, locator_at)?;
    let mut large = [0; 56];
    read(blob, &mut large, u64_at(&locator, 8))?;
    if !locator.starts_with(LARGE_LOCATOR_MARK) || !large.starts_with(LARGE_END_MARK) {
        return Err(no_zip());
    }
    Ok((u64_at(&large, 32), u64_at(&large, 40), u64_at(&large, 48)))
}

/// A place that lies behind the end of the file is one more thing that is wrong with it.
fn read(blob: &Blob, buffer: &mut [u8], offset: u64) -> Result<(), Fault> {
    blob.read_exact_at(buffer, offset)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => no_zip(),
            _ => Fault::Io(error),
        })
}

fn no_zip() -> Fault {
    Fault::damaged("the list of its parts is missing or wrong, as when a file was cut off")
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
