//! The rebuilds that took longest.

use serde::Serialize;

use crate::job::{ImageId, ResultRow, ServiceId};
use crate::time::whole_ms;

/// So many are named.
const NAMED_MAX: usize = 10;

/// A rebuild that took long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slow {
    pub line: u64,
    pub service_id: ServiceId,
    pub name: Option<String>,
    pub image: Option<ImageId>,
    pub image_name: Option<String>,
    pub took_ms: u64,
}

impl Slow {
    /// `None`: nobody has seen how long it took.
    pub fn of(row: &ResultRow) -> Option<Self> {
        Some(Self {
            line: row.line,
            service_id: row.service,
            name: row.name.clone(),
            image: row.image,
            image_name: row.image_name.clone(),
            took_ms: whole_ms(row.took()?),
        })
    }
}

/// The longest first.
#[derive(Debug, Default)]
pub struct Slowest(Vec<Slow>);

impl Slowest {
    pub fn row(&mut self, row: &ResultRow) {
        let Some(took) = row.took() else { return };
        let took_ms = whole_ms(took);
        let place = self.0.partition_point(|slow| slow.took_ms >= took_ms);
        if place < NAMED_MAX {
            self.0.truncate(NAMED_MAX - 1);
            self.0.splice(place..place, Slow::of(row));
        }
    }

    pub fn finish(self) -> Vec<Slow> {
        self.0
    }
}
