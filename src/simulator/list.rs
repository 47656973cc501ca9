//! The list of the account's instances, and everything that may be odd about it.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::account::Account;
use super::answer::{self, Refusal, Row};
use super::form::Fields;
use super::instance::{Instance, View};
use super::oddity::{Freeze, FreezeAt, Names};

/// A list without an end says that it holds so many rows.
const ENDLESS_ROWS: usize = 1_000_000_000;
/// The ids of rows that were made up for it begin here.
const INVENTED_IDS: i64 = 9_000_000_000;

/// Which pages show which moment instead of now.
#[derive(Debug, Default)]
pub(super) struct Frozen(HashMap<usize, Instant>);

impl Frozen {
    /// The moment that page `number` shows at `now`, if it is frozen then. `event`: what a page that
    /// waits for something to be shown waits for has been shown by this reading of it.
    fn moment(
        &mut self,
        freeze: Freeze,
        number: usize,
        started: Instant,
        now: Instant,
        event: impl FnOnce(FreezeAt) -> bool,
    ) -> Option<Instant> {
        let page = if freeze.by_page { number } else { 0 };
        let begins = match freeze.at {
            FreezeAt::After(after) => {
                let pages = u32::try_from(page.max(1)).unwrap_or(u32::MAX);
                Some(started + after.saturating_mul(pages)).filter(|begins| *begins <= now)
            }
            FreezeAt::Rebuilding | FreezeAt::Renamed => {
                if !self.0.contains_key(&page) && event(freeze.at) {
                    self.0.insert(page, now);
                }
                self.0.get(&page).copied()
            }
        }?;
        let thaws = freeze.thaw_after.map(|thaw_after| begins + thaw_after);
        thaws.is_none_or(|thaws| now < thaws).then_some(begins)
    }
}

/// One reading: what it shows of each instance.
struct Reading<'a> {
    never_shown: bool,
    names: Names,
    status_at: Instant,
    name_at: Instant,
    now: Instant,
    double_rows: bool,
    account: &'a Account,
}

impl<'a> Reading<'a> {
    /// Of the moment `at`, as the account's lags have it.
    fn of(account: &'a Account, at: Instant, now: Instant) -> Self {
        let (config, odd) = (&account.config, &account.config.odd);
        let ago = |lag: Duration| {
            let moment = at.checked_sub(config.list_lag.saturating_add(lag));
            moment.unwrap_or(account.started)
        };
        Self {
            never_shown: odd.never_shown,
            names: odd.names,
            status_at: ago(odd.status_lag),
            name_at: ago(odd.name_lag),
            now,
            double_rows: odd.double_rows,
            account,
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

    fn row(&self, instance: &'a Instance, view: &View) -> Row<'a> {
        let image = match self.names {
            // The usual one, of long lists as well: nothing is copied.
            Names::AsPreviewed => view.image.clone(),
            Names::Broken => format!("{}{}", view.image, answer::BROKEN).into(),
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
            ip: &instance.ip,
            status: view.status.clone(),
            image,
            padding: 0,
        }
    }

    /// Its row; or its two rows, the true one first on every second instance.
    fn rows(&self, instance: &'a Instance) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let view = self.view(instance);
        let row = self.row(instance, &view);
        let before = instance.before_rebuild(self.now);
        let other = before
            .filter(|before| self.double_rows && **before != view)
            .map(|before| self.row(instance, before));
        let (first, second) = match other {
            Some(other) if instance.id % 2 == 0 => (other, Some(row)),
            other => (row, other),
        };
        std::iter::once(first).chain(second)
    }

    /// Does page `shown` show what a freeze waits for?
    fn shows(&self, event: FreezeAt, shown: &[usize]) -> bool {
        shown.iter().any(|index| {
            let instance = &self.account.instances[*index];
            let view = self.view(instance);
            match event {
                FreezeAt::After(_) => false,
                FreezeAt::Rebuilding => &*view.status == "rebuilding",
                FreezeAt::Renamed => view.image != instance.untouched(self.now).image,
            }
        })
    }
}

impl Account {
    /// One page of the list.
    pub(super) fn list(&mut self, fields: &Fields, now: Instant) -> Result<Vec<u8>, Refusal> {
        self.authorise(fields, now)?;
        if let Some(size) = fields
            .get("p_cnt")
            .and_then(|text| text.parse::<usize>().ok())
        {
            // Kept for the panel and for everybody else: that is why no client may send it.
            self.config.page_size = size.clamp(5, 10_000);
        }
        let number = fields
            .get("p_num")
            .and_then(|text| text.parse().ok())
            .unwrap_or(1)
            .max(1);
        let size = self.config.page_size.max(1);
        let shown = self.positions(fields.get("p_col"), number, size);
        self.list_offset += self.config.odd.shift;
        let frozen = self.config.odd.freeze.and_then(|freeze| {
            let mut pages = std::mem::take(&mut self.frozen);
            let moment = pages.moment(freeze, number, self.odd_since, now, |event| {
                Reading::of(self, now, now).shows(event, &shown)
            });
            self.frozen = pages;
            moment
        });
        let reading = Reading::of(self, frozen.unwrap_or(now), now);
        let mut rows: Vec<_> = shown
            .iter()
            .flat_map(|index| reading.rows(&self.instances[*index]))
            .collect();
        let mut total = self.instances.len() - self.unlisted;
        if let Some(bytes) = self.config.odd.endless {
            total = ENDLESS_ROWS;
            if rows.is_empty() {
                rows = invented_rows(number, size, bytes);
            }
        }
        let alien = self.config.odd.alien_rows;
        Ok(answer::page(fields, &rows, alien, number, size, total))
    }

    /// The instances of a page, as indices.
    fn positions(&self, order: Option<&str>, number: usize, size: usize) -> Vec<usize> {
        let count = self.instances.len();
        let index = |position: usize| {
            let position = (position + self.list_offset) % count;
            match order {
                Some("+id" | "id") => self.sorted[position],
                Some("-id") => self.sorted[count - 1 - position],
                _ => position,
            }
        };
        let first = (number - 1).saturating_mul(size);
        if self.unlisted == 0 {
            let end = first.saturating_add(size).min(count);
            return (first.min(end)..end).map(index).collect();
        }
        (0..count)
            .map(index)
            .filter(|index| self.instances[*index].listed)
            .skip(first)
            .take(size)
            .collect()
    }
}

/// A page of rows of nobody, together about `bytes` long.
fn invented_rows(number: usize, size: usize, bytes: usize) -> Vec<Row<'static>> {
    (0..size)
        .map(|nth| {
            let position = number.saturating_mul(size).saturating_add(nth);
            Row {
                id: INVENTED_IDS.saturating_add_unsigned(position as u64),
                readable: true,
                name: "more",
                ip: "192.0.2.250",
                status: "active".into(),
                image: "CentOS-7".into(),
                padding: bytes / size,
            }
        })
        .collect()
}
