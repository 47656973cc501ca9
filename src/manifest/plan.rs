//! What a manifest orders, in numbers.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::cell::Named;
use super::rebuild::Unresolved;
use crate::job::{AccessKind, Action, Expected, Group, ImageId, NewJob};
use crate::text;

/// Images, and zones, that are counted each for itself. A fleet has a handful; a file that gives
/// each row one of its own must not fill the memory.
const KEYS_MAX: usize = 1000;
/// Lines that [`Plan`]'s `Display` spends on images, and on zones.
const SHOWN_MAX: usize = 20;

/// Number of instances of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frequencies<K> {
    /// The first 1000 kinds.
    pub counts: BTreeMap<K, u64>,
    /// Instances of all further kinds.
    pub others: u64,
}

impl<K> Default for Frequencies<K> {
    fn default() -> Self {
        Self {
            counts: BTreeMap::new(),
            others: 0,
        }
    }
}

impl<K: Ord + Clone> Frequencies<K> {
    fn add(&mut self, key: &K) {
        if let Some(count) = self.counts.get_mut(key) {
            *count += 1;
        } else if self.counts.len() < KEYS_MAX {
            self.counts.insert(key.clone(), 1);
        } else {
            self.others += 1;
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Instances of this kind, if it is among those that are counted for themselves.
    pub fn of(&self, key: &K) -> u64 {
        self.counts.get(key).copied().unwrap_or_default()
    }

    /// The most frequent first.
    fn ranked(&self) -> Vec<(&K, u64)> {
        let mut ranked: Vec<_> = self
            .counts
            .iter()
            .map(|(key, count)| (key, *count))
            .collect();
        ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        ranked
    }
}

/// What a manifest orders. How one gets in afterwards is `access`: `access.of(&AccessKind::Password)`
/// instances get a password, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What is to be done.
    action: Action,
    /// To how many instances.
    pub rows: u64,
    /// By the image they get.
    pub images: Frequencies<ImageId>,
    /// By the image's zone; `None`: what the preview says.
    pub zones: Frequencies<Option<String>>,
    /// By the image's name, where that is still to be looked up.
    pub image_names: Frequencies<String>,
    /// By the name of an SSH key, likewise.
    pub key_names: Frequencies<String>,
    /// By how one gets in afterwards.
    pub access: Frequencies<AccessKind>,
    /// Rows that pin the name, the address, and the image that must stand there.
    pub pins: [u64; 3],
    /// Groups, and how many rows each has.
    pub groups: Frequencies<Group>,
    /// Columns that mean nothing, as the header names them (safe to print).
    pub ignored: Vec<String>,
    /// Rows that a person took out with `#`, remarks between the rows included.
    pub taken_out: u64,
}

impl Plan {
    /// Of no rows; `ignored`: columns that mean nothing.
    pub fn new(action: Action, ignored: Vec<String>) -> Self {
        Self {
            action,
            rows: 0,
            images: Frequencies::default(),
            image_names: Frequencies::default(),
            key_names: Frequencies::default(),
            zones: Frequencies::default(),
            access: Frequencies::default(),
            pins: [0; 3],
            groups: Frequencies::default(),
            ignored,
            taken_out: 0,
        }
    }

    pub fn add(&mut self, job: &NewJob) {
        self.rows += 1;
        if let Some(image) = job.order.image() {
            self.images.add(&image);
            self.zones.add(&job.order.zone().map(str::to_owned));
        }
        if let Some(access) = job.order.access_kind() {
            self.access.add(&access);
        }
        let Expected {
            name,
            ip,
            image,
            status: _,
            seen: _,
            contradicted: _,
        } = &job.expected;
        for (count, pin) in self.pins.iter_mut().zip([name, ip, image]) {
            *count += u64::from(pin.is_some());
        }
        if let Some(group) = &job.group {
            self.groups.add(group);
        }
    }

    /// Adds a row whose names are still to be looked up.
    pub fn add_named(&mut self, row: &Unresolved) {
        self.rows += 1;
        match &row.image {
            Named::Id(image) => self.images.add(image),
            Named::Name(name) => self.image_names.add(name),
        }
        if let Some(Named::Name(name)) = &row.key {
            self.key_names.add(name);
        }
        self.zones.add(&row.zone);
        self.access.add(&row.access);
    }

    /// Whether nobody is given a way in: each instance keeps what its image holds.
    pub fn gives_no_access(&self) -> bool {
        self.access.of(&AccessKind::Image) == self.rows
    }

    /// What of the sheet is not used, a line for each: ignored columns, rows that were taken out.
    /// Empty if all of it is.
    pub fn passed_over(&self) -> String {
        let mut text = String::new();
        if !self.ignored.is_empty() {
            let names = self.ignored_names();
            let columns = if self.ignored.len() == 1 {
                "column"
            } else {
                "columns"
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "ignored {columns}: {names}");
        }
        if self.taken_out > 0 {
            let _ = writeln!(text, "{}", taken_out(self.taken_out));
        }
        text
    }

    fn ignored_names(&self) -> String {
        let names = self.ignored.iter().map(|name| format!("`{name}`"));
        names.collect::<Vec<_>>().join(", ")
    }
}

fn taken_out(rows: u64) -> String {
    match rows {
        1 => "1 row is taken out with `#`".to_owned(),
        rows => format!("{rows} rows are taken out with `#`"),
    }
}

/// For people, 80 columns wide.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instances = if self.rows == 1 {
            "instance"
        } else {
            "instances"
        };
        let verb = self.action.terms().verb;
        writeln!(f, "{} {instances} to {verb}", self.rows)?;
        section(f, "image", &self.images, ImageId::to_string)?;
        section(f, "image", &self.image_names, |name| {
            format!("{} (to be looked up)", text::brief(name, 22))
        })?;
        section(f, "SSH key", &self.key_names, |name| {
            format!("{} (to be looked up)", text::brief(name, 22))
        })?;
        section(f, "zone", &self.zones, |zone| {
            zone.as_deref().map_or_else(
                || "as the API's preview says".to_owned(),
                |zone| text::brief(zone, 40),
            )
        })?;
        section(f, "access", &self.access, |kind| {
            match kind {
                AccessKind::Password => "password",
                AccessKind::SshKey => "SSH key",
                AccessKind::Image => "what the image itself holds",
            }
            .to_owned()
        })?;
        let titles = ["pinned", "", ""];
        let pins = ["by name", "by address", "by image"];
        let pins = pins.into_iter().zip(self.pins);
        for (title, (pin, count)) in titles.into_iter().zip(pins.filter(|(_, count)| *count > 0)) {
            writeln!(f, "  {title:<8}{pin:<42}{count:>9}")?;
        }
        section(f, "group", &self.groups, |group| {
            text::brief(group.as_str(), 40)
        })?;
        if !self.ignored.is_empty() {
            super::diagnostics::wrap(f, "  ignored ", &self.ignored_names())?;
        }
        if self.taken_out > 0 {
            writeln!(f, "  {}", taken_out(self.taken_out))?;
        }
        Ok(())
    }
}

fn section<K: Ord + Clone>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    tally: &Frequencies<K>,
    name: impl Fn(&K) -> String,
) -> fmt::Result {
    let ranked = tally.ranked();
    for (index, (key, count)) in ranked.iter().take(SHOWN_MAX).enumerate() {
        let title = if index == 0 { title } else { "" };
        writeln!(f, "  {title:<8}{:<42}{count:>9}", name(key))?;
    }
    let hidden = ranked
        .iter()
        .skip(SHOWN_MAX)
        .map(|(_, count)| count)
        .sum::<u64>()
        + tally.others;
    if hidden > 0 {
        writeln!(f, "  {:<8}{:<42}{hidden:>9}", "", "others")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_its_own_for_each_row_does_not_fill_the_memory() {
        let mut tally = Frequencies::default();
        for key in (0..2 * KEYS_MAX).chain([0]) {
            tally.add(&key);
        }
        assert_eq!(tally.counts.len(), KEYS_MAX);
        assert_eq!(tally.others, KEYS_MAX as u64);
        assert_eq!(tally.ranked().first(), Some(&(&0, 2)));
    }
}
