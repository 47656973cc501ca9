//! The account's instances, and in which order they stand in the list.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::config::Config;
use super::instance::Instance;
use super::timeline::View;
use crate::job::ServiceId;

/// Where an instance stands among the account's own.
pub(super) type Position = usize;

#[derive(Debug)]
pub(super) struct Fleet {
    instances: Vec<Instance>,
    by_service: HashMap<i64, Position>,
    /// In ascending order of the service, for `p_col`.
    sorted: Vec<Position>,
    unlisted: usize,
}

/// The order of a list (`p_col`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListOrder {
    Own,
    Ascending,
    Descending,
}

/// One page of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageOf {
    pub(super) order: ListOrder,
    /// Counted from 1.
    pub(super) number: usize,
    pub(super) size: usize,
    /// By how many rows the list has moved.
    pub(super) offset: usize,
}

impl Fleet {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        let mut names: HashMap<String, Arc<str>> = HashMap::new();
        let mut shared = |text: &str| {
            let name = names.entry(text.to_owned());
            Arc::clone(name.or_insert_with(|| text.into()))
        };
        let instances: Vec<_> = config
            .instances
            .iter()
            .map(|instance| {
                let status = config.odd.baseline.as_ref().unwrap_or(&instance.status);
                let view = View {
                    status: shared(status),
                    image: shared(&instance.image),
                };
                Instance::new(instance, view, now)
            })
            .collect();
        let by_service = instances
            .iter()
            .enumerate()
            .map(|(position, instance)| (instance.id, position))
            .collect();
        let mut sorted: Vec<Position> = (0..instances.len()).collect();
        sorted.sort_unstable_by_key(|position| instances[*position].id);
        Self {
            instances,
            by_service,
            sorted,
            unlisted: 0,
        }
    }

    pub(super) fn position(&self, service: i64) -> Option<Position> {
        self.by_service.get(&service).copied()
    }

    pub(super) fn find(&self, service: ServiceId) -> Option<&Instance> {
        let position = self.position(service.get())?;
        Some(&self.instances[position])
    }

    pub(super) fn at(&self, position: Position) -> &Instance {
        &self.instances[position]
    }

    pub(super) fn at_mut(&mut self, position: Position) -> &mut Instance {
        &mut self.instances[position]
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Instance> {
        self.instances.iter()
    }

    pub(super) fn set_listed(&mut self, position: Position, listed: bool) {
        let instance = &mut self.instances[position];
        if listed == instance.listed {
            return;
        }
        instance.listed = listed;
        if listed {
            self.unlisted -= 1;
        } else {
            self.unlisted += 1;
        }
    }

    /// How many instances the list shows.
    pub(super) fn listed(&self) -> usize {
        self.instances.len() - self.unlisted
    }

    pub(super) fn page(&self, page: PageOf) -> Vec<Position> {
        let count = self.instances.len();
        let position = |row: usize| {
            let row = (row + page.offset) % count;
            match page.order {
                ListOrder::Own => row,
                ListOrder::Ascending => self.sorted[row],
                ListOrder::Descending => self.sorted[count - 1 - row],
            }
        };
        let first = (page.number - 1).saturating_mul(page.size);
        if self.unlisted == 0 {
            let end = first.saturating_add(page.size).min(count);
            return (first.min(end)..end).map(position).collect();
        }
        (0..count)
            .map(position)
            .filter(|position| self.instances[*position].listed)
            .skip(first)
            .take(page.size)
            .collect()
    }
}
