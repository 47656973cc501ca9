//! How an order differs from an earlier one.

use crate::job::{BatchId, ServiceId};

/// What an order has otherwise than the last one of its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The last order.
    pub last: BatchId,
    /// How many services that was for.
    pub services: u64,
    /// Services that it was not for.
    pub added: Vec<ServiceId>,
    /// Those that get another image than it ordered.
    pub other_image: Vec<ServiceId>,
    /// Those that it was for, and this order is not.
    pub gone: Vec<ServiceId>,
}

impl Changes {
    /// Services in which the two differ.
    pub fn count(&self) -> u64 {
        (self.added.len() + self.other_image.len() + self.gone.len()) as u64
    }

    /// They differ in more services than `percent` of the last order's.
    pub fn exceed(&self, percent: u8) -> bool {
        self.count().saturating_mul(100) > self.services.saturating_mul(u64::from(percent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_the_last_orders_services() {
        let service = |number| ServiceId::new(number).unwrap();
        let changes = Changes {
            last: BatchId(1),
            services: 100,
            added: vec![service(1), service(2)],
            other_image: vec![service(3)],
            gone: vec![service(4), service(5)],
        };
        assert!(changes.exceed(4) && !changes.exceed(5));
        let none = Changes {
            added: Vec::new(),
            other_image: Vec::new(),
            gone: Vec::new(),
            ..changes
        };
        assert!(!none.exceed(0));
    }
}
