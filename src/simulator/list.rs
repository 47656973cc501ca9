//! The list of the account's instances, and everything that may be odd about it.

use std::time::Duration;

use tokio::time::Instant;

use super::addresses::Addresses;
use super::config::Config;
use super::document::{self, Row};
use super::fleet::{Fleet, ListOrder, PageOf, Position};
use super::form::Fields;
use super::freeze::{FreezeAt, Frozen};
use super::image_names::Names;
use super::instance::Instance;
use super::timeline::View;
use crate::job::InstanceStatus;

/// A list without an end says that it holds so many rows.
const ENDLESS_ROWS: usize = 1_000_000_000;
/// The ids of rows that were made up for it begin here.
const INVENTED_IDS: i64 = 9_000_000_000;

/// What a list is made of.
#[derive(Clone, Copy)]
pub(super) struct ListSource<'a> {
    pub(super) config: &'a Config,
    pub(super) fleet: &'a Fleet,
    /// The list shows nothing that is older.
    pub(super) started: Instant,
}

/// One reading of the list, which decides what it shows of each instance.
struct Reading<'a> {
    never_shown: bool,
    names: Names,
    status_at: Instant,
    name_at: Instant,
    now: Instant,
    double_rows: bool,
    fleet: &'a Fleet,
    addresses: Addresses<'a>,
}

impl<'a> Reading<'a> {
    /// A reading that shows the moment `at`, less the lags of the account.
    fn of(account: ListSource<'a>, at: Instant, now: Instant) -> Self {
        let ListSource {
            config,
            fleet,
            started,
        } = account;
        let odd = &config.odd;
        let ago = |lag: Duration| {
            let moment = at.checked_sub(config.list_lag.saturating_add(lag));
            moment.unwrap_or(started)
        };
        Self {
            never_shown: odd.never_shown,
            names: odd.names,
            status_at: ago(odd.status_lag),
            name_at: ago(odd.name_lag),
            now,
            double_rows: odd.double_rows,
            fleet,
            addresses: Addresses { config, fleet },
        }
    }

    fn view(&self, instance: &Instance) -> View {
        let shown = |moment: Instant| {
            let moment = instance.frozen_at.map_or(moment, |at| at.min(moment));
            if self.never_shown {
                instance.untouched(moment)
            } else {
                instance.view(moment)
            }
        };
        View {
            status: shown(self.status_at).status.clone(),
            image: shown(self.name_at).image.clone(),
        }
    }

    fn ip(&self, instance: &'a Instance) -> &'a str {
        let position = self.fleet.position(instance.id);
        position.map_or(&instance.ip, |position| self.addresses.listed(position))
    }

    fn row(&self, instance: &'a Instance, view: &View) -> Row<'a> {
        let image = match self.names {
            // The usual case: a long list is shown without copying its names.
            Names::AsPreviewed => view.image.clone(),
            Names::Broken => format!("{}{}", view.image, document::BROKEN).into(),
            Names::Case
            | Names::Punctuation
            | Names::Longer
            | Names::Family
            | Names::Template
            | Names::Mixed => self.names.spell(&view.image, instance.id).into(),
        };
        Row {
            id: instance.id,
            readable: instance.readable,
            name: &instance.name,
            ip: self.ip(instance),
            datacenter: &instance.datacenter,
            status: view.status.clone(),
            image,
            padding: 0,
        }
    }

    /// Its row; under `double-rows` its two rows while something is being done to it, the true one
    /// first for every second instance.
    fn rows(&self, instance: &'a Instance) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let view = self.view(instance);
        let row = self.row(instance, &view);
        let before = instance.before_execution(self.now);
        let other = before
            .filter(|before| self.double_rows && **before != view)
            .map(|before| self.row(instance, before));
        let (first, second) = match other {
            Some(other) if instance.id % 2 == 0 => (other, Some(row)),
            other => (row, other),
        };
        std::iter::once(first).chain(second)
    }

    /// Whether a page with the instances `shown` shows the event that a freeze waits for.
    fn shows(&self, event: FreezeAt, shown: &[Position]) -> bool {
        shown.iter().any(|position| {
            let instance = self.fleet.at(*position);
            let view = self.view(instance);
            match event {
                FreezeAt::After(_) => false,
                FreezeAt::Rebuilding => *view.status == *InstanceStatus::Rebuilding.as_str(),
                FreezeAt::Renamed => view.image != instance.untouched(self.now).image,
            }
        })
    }
}

/// How far the list has moved, and which pages of it have frozen.
#[derive(Debug)]
pub(super) struct ListState {
    offset: usize,
    frozen: Frozen,
    /// Since when everything is as odd as it is.
    odd_since: Instant,
}

impl ListState {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            offset: 0,
            frozen: Frozen::default(),
            odd_since: now,
        }
    }

    /// The oddities have changed: whatever had frozen is up to date again.
    pub(super) fn thaw(&mut self, now: Instant) {
        self.frozen = Frozen::default();
        self.odd_since = now;
    }

    pub(super) fn odd_since(&self) -> Instant {
        self.odd_since
    }

    /// One page of the list.
    pub(super) fn page(
        &mut self,
        account: ListSource<'_>,
        fields: &Fields,
        now: Instant,
    ) -> Vec<u8> {
        let ListSource { config, fleet, .. } = account;
        let number = fields
            .get("p_num")
            .and_then(|text| text.parse().ok())
            .unwrap_or(1)
            .max(1);
        let size = config.page_size.max(1);
        let shown = fleet.page(PageOf {
            order: match fields.get("p_col") {
                Some("+id" | "id") => ListOrder::Ascending,
                Some("-id") => ListOrder::Descending,
                Some(_) | None => ListOrder::Own,
            },
            number,
            size,
            offset: self.offset,
        });
        self.offset += config.odd.shift;
        let frozen = config.odd.freeze.and_then(|freeze| {
            self.frozen
                .moment(freeze, number, self.odd_since, now, |event| {
                    Reading::of(account, now, now).shows(event, &shown)
                })
        });
        let reading = Reading::of(account, frozen.unwrap_or(now), now);
        let mut rows: Vec<_> = shown
            .iter()
            .flat_map(|position| reading.rows(fleet.at(*position)))
            .collect();
        let mut total = fleet.listed();
        if let Some(bytes) = config.odd.endless {
            total = ENDLESS_ROWS;
            if rows.is_empty() {
                rows = invented_rows(number, size, bytes);
            }
        }
        document::page(fields, &rows, config.odd.alien_rows, number, size, total)
    }
}

/// A page of invented rows, together about `bytes` long.
fn invented_rows(number: usize, size: usize, bytes: usize) -> Vec<Row<'static>> {
    (0..size)
        .map(|nth| {
            let position = number.saturating_mul(size).saturating_add(nth);
            Row {
                id: INVENTED_IDS.saturating_add_unsigned(position as u64),
                readable: true,
                name: "more",
                ip: "127.65.0.1",
                datacenter: "",
                status: InstanceStatus::Active.as_str().into(),
                image: "CentOS-7".into(),
                padding: bytes / size,
            }
        })
        .collect()
}
