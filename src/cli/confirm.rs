//! The question before anything is destroyed: what will be lost, from the account's live list.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _};

use super::error::CliError;
use super::output::tell;
use crate::job::{ImageId, NewJob, ServiceId};
use crate::progress::Verbosity;
use crate::runner::{Account, Fleet, read_account};
use crate::text::brief;
use crate::zomro::Client;

/// Rows that are shown before the rest is only counted.
const ROWS_MAX: usize = 15;
/// Images whose names are asked for.
const IMAGES_MAX: usize = 12;

/// An instance about to be rebuilt.
pub struct Victim {
    /// The instance.
    pub service: ServiceId,
    /// The image it gets.
    pub image: ImageId,
}

impl From<&NewJob> for Victim {
    fn from(job: &NewJob) -> Self {
        Self {
            service: job.service,
            image: job.image,
        }
    }
}

/// What is about to be rebuilt: the first ones by name, all by number.
#[derive(Default)]
pub struct Victims {
    first: Vec<Victim>,
    count: u64,
    images: BTreeMap<ImageId, (ServiceId, u64)>,
}

impl Victims {
    /// One more.
    pub fn add(&mut self, victim: Victim) {
        self.count += 1;
        // One row of a million has an image of its own only by mistake; the map stays small.
        if self.images.len() < 10_000 || self.images.contains_key(&victim.image) {
            self.images
                .entry(victim.image)
                .or_insert((victim.service, 0))
                .1 += 1;
        }
        if self.first.len() < ROWS_MAX {
            self.first.push(victim);
        }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.count
    }
}

/// Asks on the terminal. Returns what was read of the account, which the run goes on with.
pub async fn confirm(
    victims: &Victims,
    client: &Client,
    rate_per_s: f64,
    api_url: &str,
    verbosity: Verbosity,
) -> Result<Fleet, CliError> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(CliError::NobodyToAsk {
            instances: victims.count,
        });
    }
    let images: Vec<(ImageId, ServiceId)> = victims
        .images
        .iter()
        .take(IMAGES_MAX)
        .map(|(image, (service, _))| (*image, *service))
        .collect();
    // A call a second and a large account take their time: never in silence.
    let say = |doing: &str| {
        if verbosity != Verbosity::Quiet {
            tell(&format!("\r\x1b[K{doing}"));
        }
    };
    say("reading the account's list");
    let mut progress = |read: u64, total: Option<u64>| match total {
        Some(total) if read < total => {
            say(&format!(
                "reading the account's list: {read} of {total} instances"
            ));
        }
        Some(_) => say("asking for the names of the images"),
        None => say(&format!("reading the account's list: {read} instances")),
    };
    let account = read_account(client, rate_per_s, &images, &mut progress).await;
    tell("\r\x1b[K");
    let account = account.map_err(CliError::Account)?;
    tell(&question(victims, &account, api_url));
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    })
    .await;
    match answer {
        Ok(Ok(line)) if line.trim() == victims.count.to_string() => Ok(account.fleet),
        _ => Err(CliError::NotConfirmed),
    }
}

fn question(victims: &Victims, account: &Account, api_url: &str) -> String {
    let Account { fleet, image_names } = account;
    let mut text = format!(
        "{} at {} will be rebuilt.\nALL DATA ON THEM WILL BE DESTROYED.\n\n",
        match victims.count {
            1 => "1 instance".to_owned(),
            count => format!("{count} instances"),
        },
        brief(api_url, 200)
    );
    let mut rows = vec![["service", "name", "ip", "image now", "image then"].map(str::to_owned)];
    rows.extend(
        victims
            .first
            .iter()
            .map(|victim| row(victim, fleet, image_names)),
    );
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &rows {
        let line: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}", line.join("  ").trim_end());
    }
    let unnamed = victims.count - victims.first.len() as u64;
    if unnamed > 0 {
        let _ = writeln!(text, "  … and {unnamed} more");
    }
    text.push('\n');
    for (image, (_, count)) in victims.images.iter().take(IMAGES_MAX) {
        let _ = writeln!(text, "  {count:>6} x {}", image_name(*image, image_names));
    }
    if victims.images.len() > IMAGES_MAX {
        let _ = writeln!(
            text,
            "  … and {} more images",
            victims.images.len() - IMAGES_MAX
        );
    }
    let missing = victims
        .first
        .iter()
        .filter(|victim| fleet.get(victim.service).is_none())
        .count();
    if missing > 0 {
        let _ = writeln!(
            text,
            "\n{missing} of those shown are not in the account's list and will not be sent (is a filter set in the panel?)."
        );
    }
    let _ = write!(
        text,
        "\nType the number of instances to go on, anything else to stop: "
    );
    text
}

fn row(victim: &Victim, fleet: &Fleet, names: &HashMap<ImageId, String>) -> [String; 5] {
    let listed = fleet.get(victim.service);
    let cell = |text: Option<&String>| text.map_or_else(|| "?".to_owned(), |text| brief(text, 24));
    [
        victim.service.to_string(),
        cell(listed.and_then(|listed| listed.name.as_ref())),
        cell(listed.and_then(|listed| listed.ip.as_ref())),
        match listed {
            Some(listed) => cell(listed.sighting.image.as_ref()),
            None => "not in the list".to_owned(),
        },
        names
            .get(&victim.image)
            .map_or_else(|| victim.image.to_string(), |name| brief(name, 24)),
    ]
}

fn image_name(image: ImageId, names: &HashMap<ImageId, String>) -> String {
    match names.get(&image) {
        Some(name) => format!("{} ({image})", brief(name, 40)),
        None => image.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::zomro::{Instance, Page};

    fn service(number: i64) -> ServiceId {
        ServiceId::new(number).unwrap()
    }

    fn image(number: u32) -> ImageId {
        format!("18d0ee2e-4d57-4f40-9b56-{number:012}")
            .parse()
            .unwrap()
    }

    /// An account with the first two services.
    fn account() -> Account {
        let instance = |number, name: &str, image: Option<&str>| Instance {
            service: service(number),
            status: "active".to_owned(),
            image: image.map(str::to_owned),
            name: Some(name.to_owned()),
            ip: Some(format!("192.0.2.{number}")),
        };
        let page = Page {
            number: 1,
            per_page: None,
            total: 2,
            rows: 2,
            instances: vec![
                instance(1, "web-1", Some("CentOS-7")),
                instance(2, "a name\x1b[2J with an escape", None),
            ],
        };
        let mut fleet = Fleet::default();
        fleet.begin_walk();
        fleet.read(1, &page, Instant::now());
        Account {
            fleet,
            image_names: HashMap::from([(image(1), "AlmaLinux-8".to_owned())]),
        }
    }

    fn ask(victims: impl IntoIterator<Item = (i64, u32)>) -> String {
        let mut all = Victims::default();
        for (number, picture) in victims {
            all.add(Victim {
                service: service(number),
                image: image(picture),
            });
        }
        question(&all, &account(), "https://api.zomro.com/")
    }

    #[test]
    fn the_question_says_what_will_be_lost() {
        let one = ask([(1, 1)]);
        let some = ask([(1, 1), (2, 2), (3, 1)]);
        let many = ask((1..=40).map(|number| (number, u32::try_from(number).unwrap())));
        insta::assert_snapshot!(format!("{one}\n----\n{some}\n----\n{many}"));
    }
}
