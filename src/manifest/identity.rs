//! Which order a manifest is: the digest that makes two files the same batch.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::job::{AccessKind, Action, NewJob};

/// A digest of the action and, independent of their order, of (service, image, zone, kind of access)
/// of all rows.
///
/// Each row's SHA-256 is summed modulo 2²⁵⁶, so that nothing needs to be sorted, and the sum is
/// hashed with the action's word and the number of rows. Passwords, key ids and notes are not part
/// of it, nor is anything of the file itself: order of rows and columns, line ends, delimiter,
/// quoting, encoding.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity([u8; 32]);

impl Identity {
    /// The digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}

/// The [`Identity`] of the rows so far.
#[derive(Debug, Clone, Copy)]
pub struct Sum {
    action: Action,
    rows: u64,
    /// 256 bits, the least significant 64 first.
    limbs: [u64; 4],
}

impl Sum {
    /// Of no rows.
    pub fn new(action: Action) -> Self {
        Self {
            action,
            rows: 0,
            limbs: [0; 4],
        }
    }

    /// Adds one row.
    pub fn add(&mut self, job: &NewJob) {
        self.rows += 1;
        let mut carry = false;
        for (limb, bytes) in self.limbs.iter_mut().zip(row(job).as_chunks::<8>().0) {
            let (sum, first) = limb.overflowing_add(u64::from_le_bytes(*bytes));
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = first | second;
        }
    }

    /// The identity of what was added.
    pub fn identity(&self) -> Identity {
        let mut hash = Sha256::new();
        // What follows always has the same length, so that the word needs no mark of its end.
        hash.update(self.action.as_str());
        hash.update(b"refleet manifest 1");
        hash.update(self.rows.to_le_bytes());
        for limb in self.limbs {
            hash.update(limb.to_le_bytes());
        }
        Identity(hash.finalize().into())
    }
}

fn row(job: &NewJob) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(job.service.get().to_le_bytes());
    // All rows order the same action, so that all of them have an image or none has.
    if let Some(image) = job.order.image() {
        hash.update(image.as_bytes());
    }
    // Numbers of our own: the order of an enum's variants is no promise.
    hash.update([match job.order.access_kind() {
        None => 0,
        Some(AccessKind::Password) => 1,
        Some(AccessKind::SshKey) => 2,
        Some(AccessKind::Image) => 3,
    }]);
    // The zone comes last, so that its length needs no mark; its absence does.
    if let Some(zone) = job.order.zone() {
        hash.update([1]);
        hash.update(zone);
    }
    hash.finalize().into()
}
