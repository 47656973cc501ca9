//! What a run is about to destroy, in words. Knows no terminal.
//!
//! The one fact to know: the number to type is that of the instances that will lose their data, and
//! what matters most stands last, because a screen keeps its last lines.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use super::fate::{Fate, Outlook};
use super::table;
use super::targets::{IMAGES_MAX, Targets, ranked};
use crate::cli::words::{instances, named};
use crate::job::{AccessKind, Action, ImageId, ServiceId};
use crate::progress::fold;
use crate::queue::{FirstOfEach, Target};
use crate::run::budget::lacks_too_many;
use crate::run::{Account, Rollout};
use crate::text::brief;
use crate::time;

/// Services that a line names before it counts the rest.
const NAMED_MAX: usize = 5;

/// Instances that are not as expected of which it is said why.
const DIFFERENCES_MAX: usize = 3;

/// Rows of the table that are shown on a screen however small.
const ROWS_MIN: usize = 3;

/// Services of which a line names the first few, and counts the rest.
#[derive(Debug, Default)]
struct Few {
    first: Vec<ServiceId>,
    count: usize,
}

impl Few {
    fn add(&mut self, service: ServiceId) {
        if self.first.len() < NAMED_MAX {
            self.first.push(service);
        }
        self.count += 1;
    }
}

impl fmt::Display for Few {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&named(&self.first, NAMED_MAX))?;
        match self.count - self.first.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// What the question rests on.
#[derive(Debug)]
pub struct Question<'a> {
    /// What is to be done.
    pub action: Action,
    pub targets: &'a Targets,
    /// What the account says of it.
    pub account: &'a Account,
    /// The API, for people.
    pub api_url: &'a str,
    /// Stands before everything else; whole lines.
    pub heading: &'a str,
    /// Stand where nobody misses them.
    pub warnings: &'a [String],
    /// Jobs of the batch, those included that are not asked about.
    pub jobs: u64,
    /// `--no-wait`: everything is sent, whatever the list says.
    pub no_wait: bool,
    /// Who goes first, and who never goes down together.
    pub rollout: Rollout,
    /// How long an instance that is not ready is waited for.
    pub rebuild_timeout: Duration,
    /// When those that are sent start, where somebody has worked that out and rules make them wait.
    pub starts: HashMap<ServiceId, String>,
}

impl Question<'_> {
    pub fn outlook(&self) -> Outlook<'_> {
        Outlook {
            action: self.action,
            account: self.account,
            no_wait: self.no_wait,
        }
    }

    pub fn sent(&self) -> impl Iterator<Item = Target> {
        let targets = self.targets.iter();
        targets.filter(|target| self.outlook().fate(target) == Fate::Sent)
    }

    /// How many will lose their data: the number to type.
    pub fn count(&self) -> u64 {
        self.sent().count() as u64
    }

    /// Everything above the prompt, for a terminal of `rows` and `columns`.
    pub fn text(&self, rows: usize, columns: usize) -> String {
        let done = self.action.terms().done;
        let what = fold(&format!("{} will be {done}.", self.whose()), columns);
        let heading = format!("{}{}\n\n", self.heading, what.join("\n"));
        let images = self.images((rows / 6).clamp(4, IMAGES_MAX));
        let closing = self.closing(columns);
        // The table's own, a blank line before and behind the images, the two lines of the prompt.
        let around: usize = [&heading, &images, &closing]
            .iter()
            .map(|text| text.lines().count())
            .sum();
        let room = rows.saturating_sub(around + 6).max(ROWS_MIN);
        let mut text = heading;
        let shown = self.targets.iter().take(room);
        text.extend(table::lines(self.outlook(), shown, &self.starts, columns));
        let more = self.targets.count().saturating_sub(room as u64);
        if more > 0 {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  … and {more} more");
        }
        text.push('\n');
        text.push_str(&images);
        text.push('\n');
        text.push_str(&closing);
        text
    }

    /// How many, of which account, where.
    fn whose(&self) -> String {
        let instances = instances(self.targets.count());
        let api_url = brief(self.api_url, 200);
        match &self.account.owner {
            Some(owner) => format!("{instances} of account {owner} at {api_url}"),
            None => format!("{instances} at {api_url}"),
        }
    }

    /// The whole list, for a pager, line by line: of a million instances it is not made at once.
    pub fn list(&self, columns: usize) -> impl Iterator<Item = String> {
        let heading = format!("{}\n\n", self.whose());
        let end = format!("\n{}\n{}", self.images(usize::MAX), self.closing(columns));
        // Nothing is cut: a pager can be scrolled.
        let all = self.targets.iter();
        let table = table::lines(self.outlook(), all, &self.starts, usize::MAX);
        [heading].into_iter().chain(table).chain([end])
    }

    /// What stands right above the prompt: what is lost, what is not sent, how one gets in.
    pub fn closing(&self, columns: usize) -> String {
        let mut text = String::new();
        for line in self.sentences() {
            for line in fold(&line, columns) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }

    /// The same, line by line.
    pub fn sentences(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.not_sent(&mut lines);
        self.odd_images(&mut lines);
        lines.extend_from_slice(self.warnings);
        self.rollout(&mut lines);
        if self.targets.iter().any(|target| target.access.is_some()) {
            lines.push(format!("Way in afterwards: {}.", self.access()));
        }
        let terms = self.action.terms();
        lines.push(terms.warning(&instances(self.count())));
        lines
    }

    fn not_sent(&self, lines: &mut Vec<String>) {
        let mut absent = Few::default();
        let mut unseen = Few::default();
        let mut not_ready: Vec<(String, Few)> = Vec::new();
        let mut differing = 0;
        for target in self.targets.iter() {
            match self.outlook().fate(&target) {
                Fate::Sent => {}
                Fate::Absent => absent.add(target.service),
                Fate::Unseen => unseen.add(target.service),
                Fate::Differs(what) => {
                    differing += 1;
                    if differing <= DIFFERENCES_MAX {
                        lines.push(format!("NOT SENT: {}: {what}.", target.service));
                    }
                }
                Fate::NotReady(status) => {
                    let known = not_ready.iter().position(|(known, _)| *known == status);
                    let known = known.unwrap_or_else(|| {
                        not_ready.push((status, Few::default()));
                        not_ready.len() - 1
                    });
                    not_ready[known].1.add(target.service);
                }
            }
        }
        if unseen.count > 0 {
            lines.push(format!(
                "NOT SENT: {} not shown by the account's list, which contradicts itself: {}.",
                are(unseen.count),
                unseen
            ));
        }
        if absent.count > 0 {
            lines.push(format!(
                "NOT SENT: {} not in the account's list (is a filter set in the panel?): {}.",
                are(absent.count),
                absent
            ));
            if lacks_too_many(absent.count as u64, self.jobs) {
                lines.push(format!(
                    "MORE THAN A TENTH OF THE {} IS MISSING: the run will halt before it sends anything. Clear the filter, or take these rows out.",
                    self.jobs
                ));
            }
        }
        if differing > DIFFERENCES_MAX {
            lines.push(format!(
                "NOT SENT: {} not as expected either: have the rows of the sheet slipped?",
                are(differing - DIFFERENCES_MAX)
            ));
        }
        for (status, services) in not_ready {
            lines.push(format!(
                "NOT SENT unless that ends within {}: {} {}: {}.",
                time::short(self.rebuild_timeout),
                are(services.count),
                brief(&status, 40),
                services
            ));
        }
    }

    /// What keeps them from all starting at once.
    fn rollout(&self, lines: &mut Vec<String>) {
        if let Some(each) = self.rollout.canary {
            let mut of_each = FirstOfEach::new(each);
            let (mut first, mut not_sent) = (Few::default(), Few::default());
            let mut not_ready = Few::default();
            for target in self.targets.iter() {
                if !of_each.is_one(target.image) {
                    continue;
                }
                first.add(target.service);
                match self.outlook().fate(&target) {
                    Fate::Sent => {}
                    Fate::NotReady(_) => not_ready.add(target.service),
                    Fate::Absent | Fate::Unseen | Fate::Differs(_) => not_sent.add(target.service),
                }
            }
            if (first.count as u64) < self.targets.count() {
                lines.push(format!(
                    "First {each} of each image: {first}. The others start when these are done and were seen to be."
                ));
                if not_sent.count > 0 {
                    lines.push(format!(
                        "OF THOSE THAT GO FIRST, {} NOT SENT: {not_sent}. THE OTHERS WILL NOT START without your word (`go --canaries`): take the rows out, or mend them.",
                        are(not_sent.count)
                    ));
                }
                if not_ready.count > 0 {
                    lines.push(format!(
                        "OF THOSE THAT GO FIRST, {} not ready yet: {not_ready}. The others wait for that, and will not start without your word (`go --canaries`) if it does not end.",
                        are(not_ready.count)
                    ));
                }
            } else {
                lines.push(format!(
                    "--canary {each} holds nobody back: of no image are there more instances than that."
                ));
            }
        }
        let groups = self.targets.groups();
        if !groups.is_empty() {
            let (max, members) = (self.rollout.max_per_group, groups.values().sum());
            let of = match groups.len() {
                1 => "1 group".to_owned(),
                groups => format!("{groups} groups"),
            };
            lines.push(format!(
                "In {of}: {}. At most {max} of a group {} down at once.",
                instances(members),
                if max.get() == 1 { "is" } else { "are" },
            ));
        }
        if let Some(window) = &self.rollout.window {
            lines.push(format!(
                "Window {window}: nothing starts that would not be back before it closes."
            ));
        }
    }

    fn odd_images(&self, lines: &mut Vec<String>) {
        let mut unknown = Few::default();
        let mut same = 0_u64;
        for target in self.sent() {
            if (target.image).is_some_and(|image| self.account.not_offered.contains(&image)) {
                unknown.add(target.service);
            }
            same += u64::from(self.outlook().is_same_again(&target));
        }
        if unknown.count > 0 {
            lines.push(format!(
                "UNKNOWN IMAGE: {} to get one that the API does not offer: {}.",
                are(unknown.count),
                unknown
            ));
        }
        if same > 0 {
            lines.push(format!(
                "Same image again: {same} of them, {} all the same.",
                self.action.terms().touched
            ));
        }
    }

    fn access(&self) -> String {
        let mut counts = [0_u64; 3];
        for target in self.sent() {
            counts[match target.access {
                Some(AccessKind::Password) => 0,
                Some(AccessKind::SshKey) => 1,
                Some(AccessKind::Image) => 2,
                None => continue,
            }] += 1;
        }
        ways_in(counts)
    }

    fn images(&self, lines_max: usize) -> String {
        let mut counts: HashMap<ImageId, u64> = HashMap::new();
        for image in self.sent().filter_map(|target| target.image) {
            *counts.entry(image).or_default() += 1;
        }
        let ranked = ranked(counts.into_iter());
        let mut text = String::new();
        for (image, count) in ranked.iter().take(lines_max) {
            let name = match self.account.image_names.get(image) {
                Some(name) => format!("{} ({image})", brief(name, 26)),
                None if self.account.not_offered.contains(image) => {
                    format!("{image} (unknown: not offered)")
                }
                None => format!("{image} (name not known)"),
            };
            let _ = writeln!(text, "  {count:>6} x {name}");
        }
        if ranked.len() > lines_max {
            let others: u64 = ranked[lines_max..].iter().map(|(_, count)| count).sum();
            let _ = writeln!(
                text,
                "  {others:>6} x {} more images",
                ranked.len() - lines_max
            );
        }
        text
    }
}

/// How one gets in afterwards: so many by password, by key, and with neither.
fn ways_in(counts: [u64; 3]) -> String {
    let words = [
        "by the manifest's password",
        "by SSH key",
        "ONLY WITH WHAT THE IMAGE ITSELF HOLDS",
    ];
    let pieces: Vec<String> = counts
        .iter()
        .zip(words)
        .filter(|(count, _)| **count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    if pieces.is_empty() {
        "none".to_owned()
    } else {
        pieces.join(", ")
    }
}

fn are(count: usize) -> String {
    match count {
        1 => "1 is".to_owned(),
        count => format!("{count} are"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Instant;

    use console::measure_text_width;

    use super::*;
    use crate::job::{AccountId, Expected, Owner};
    use crate::run::InstanceList;
    use crate::zomro::{Instance, Page};

    fn service(number: i64) -> ServiceId {
        ServiceId::new(number).unwrap()
    }

    fn image(number: u32) -> ImageId {
        format!("18d0ee2e-4d57-4f40-9b56-{number:012}")
            .parse()
            .unwrap()
    }

    /// An account with the first four services, the third of which is suspended.
    fn account(images: u32) -> Account {
        let instance = |number, name: &str, image: Option<&str>, status: &str| Instance {
            service: service(number),
            status: status.into(),
            image: image.map(str::to_owned),
            name: Some(name.to_owned()),
            ip: Some(format!("192.0.2.{number}")),
            datacenter: None,
        };
        let page = Page {
            number: 1,
            per_page: None,
            total: 4,
            rows: 4,
            instances: vec![
                instance(1, "web-1", Some("CentOS-7"), "active"),
                instance(2, "a name\x1b[2J with an escape", None, "rebooting"),
                instance(
                    3,
                    "a very long name of a server in 日本語",
                    Some("CentOS-7"),
                    "suspended",
                ),
                instance(4, "same", Some("almalinux 8"), "stopped"),
            ],
        };
        let mut list = InstanceList::default();
        list.begin_scan();
        list.read(1, &page, Instant::now());
        Account {
            owner: Some(Owner {
                id: AccountId::new("70001"),
                label: Some("ops@example.com".to_owned()),
            }),
            list,
            image_names: HashMap::from([(image(1), "AlmaLinux-8".to_owned())]),
            not_offered: (2..=images).map(image).collect::<HashSet<_>>(),
        }
    }

    fn ask(targets: impl IntoIterator<Item = (i64, u32)>, size: (usize, usize)) -> String {
        let mut all = Targets::default();
        for (number, picture) in targets {
            all.add(Target {
                service: service(number),
                image: Some(image(picture)),
                access: [AccessKind::Password, AccessKind::SshKey, AccessKind::Image]
                    .get(usize::try_from(number % 3).unwrap())
                    .copied(),
                is_touched: false,
                group: None,
                expected: Expected::default(),
            });
        }
        let account = account(2);
        let question = Question {
            action: Action::Rebuild,
            targets: &all,
            account: &account,
            api_url: "https://api.zomro.com/",
            heading: "",
            warnings: &[],
            jobs: all.count(),
            no_wait: false,
            rollout: Rollout::default(),
            rebuild_timeout: Duration::from_hours(1),
            starts: HashMap::new(),
        };
        let text = question.text(size.0, size.1);
        for line in text.lines() {
            assert!(measure_text_width(line) <= size.1, "{line}");
        }
        format!("{text}[{}]\n", question.count())
    }

    #[test]
    fn the_question_says_what_will_be_lost() {
        let usual = (24, 80);
        let one = ask([(1, 1)], usual);
        let some = ask([(1, 1), (2, 2), (3, 1), (4, 1), (5, 3)], usual);
        let many = ask(
            (1..=4)
                .chain(1..=40)
                .map(|number| (number, u32::try_from(number).unwrap())),
            usual,
        );
        assert!(many.lines().count() <= 23, "the prompt has no room: {many}");
        insta::assert_snapshot!(format!("{one}\n----\n{some}\n----\n{many}"));
    }

    #[test]
    fn without_waiting_everything_is_sent_whatever_the_list_says() {
        let mut all = Targets::default();
        for number in 1..=5 {
            all.add(Target {
                service: service(number),
                image: Some(image(1)),
                access: Some(AccessKind::Image),
                is_touched: false,
                group: None,
                expected: Expected::default(),
            });
        }
        let account = account(0);
        let mut question = Question {
            action: Action::Rebuild,
            targets: &all,
            account: &account,
            api_url: "",
            heading: "",
            warnings: &[],
            jobs: all.count(),
            no_wait: true,
            rollout: Rollout::default(),
            rebuild_timeout: Duration::from_hours(1),
            starts: HashMap::new(),
        };
        assert_eq!(question.count(), 5);
        question.no_wait = false;
        assert_eq!(
            question.count(),
            3,
            "one is suspended, one is not in the list"
        );
    }
}
