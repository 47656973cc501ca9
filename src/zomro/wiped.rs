//! Bytes that may hold a password: wiped when they are dropped, and when they move to a larger place.

use zeroize::Zeroize as _;

/// A growing buffer whose old places are wiped.
#[derive(Default)]
pub(super) struct Wiped(Vec<u8>);

impl Wiped {
    /// With room for so many bytes.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Appends. A `Vec` that grows by itself would leave its bytes at the old place.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.max(self.0.capacity().saturating_mul(2)));
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Shows the length, and nothing of the content.
impl std::fmt::Debug for Wiped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_as_a_vec_does_and_shows_nothing() {
        let mut bytes = Wiped::with_capacity(2);
        for byte in 0..=255_u8 {
            bytes.push(&[byte; 3]);
        }
        assert_eq!(bytes.len(), 768);
        assert!((0..768).all(|at| usize::from(bytes.as_ref()[at]) == at / 3));
        bytes.push(b"Secret77");
        assert_eq!(format!("{bytes:?}"), "776 bytes");
    }
}
