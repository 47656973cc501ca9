//! A plan that was written, as a person reads it: from its file alone, so that whoever has to approve it
//! needs neither the account nor the sheet.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};

use super::args::FormatArg;
use super::file::{PlanFile, Row, Sent, Starts};
use super::text::lookups;
use crate::cli::error::CliError;
use crate::cli::global::Global;
use crate::cli::output::print_text;
use crate::cli::words::{instances, named, short_digest};
use crate::exit::Exit;
use crate::job::{Expected, ServiceId};
use crate::report::{Format, Listing};
use crate::text::{brief, printable};
use crate::time;

/// Services that are named in a line.
const NAMED_MAX: usize = 20;

/// So much of a file shows whether it may be a plan.
const BEGINNING_BYTES: u64 = 64;

/// Of the table.
const COLUMNS: [&str; 6] = [
    "service",
    "name",
    "ip",
    "image_now",
    "image_then",
    "starts_(UTC)",
];

/// What may be typed beside the file: all else is for a plan that is made.
const TYPED: [&str; 9] = [
    "manifest",
    "format",
    "config",
    "account",
    "db",
    "api-url",
    "account-field",
    "verbose",
    "quiet",
];

/// The file at `path` is a plan, whole or not: a manifest never begins like one.
pub fn is_plan(path: &Path) -> bool {
    let begins_like_one = || -> std::io::Result<bool> {
        // A pipe gives its bytes once.
        if !path.metadata()?.is_file() {
            return Ok(false);
        }
        let mut beginning = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(BEGINNING_BYTES).read_to_end(&mut beginning)?;
        let text = beginning.trim_ascii_start();
        Ok(text.starts_with(b"{") && PlanFile::is_in(path)?)
    };
    path.as_os_str() != "-" && begins_like_one().unwrap_or(false)
}

/// Prints the plan in the file at `path`.
pub fn show(global: &Global, format: FormatArg, path: &Path) -> Result<Exit, CliError> {
    let mut typed = global.configured.typed.iter();
    if let Some(option) = typed.find(|typed| !TYPED.contains(&typed.name.as_str())) {
        return Err(CliError::Usage(format!(
            "{} is a plan already, and is only shown: --{} is for one that is made of a manifest",
            printable(&path.display().to_string()),
            option.name
        )));
    }
    let plan = PlanFile::read(path)?;
    match format {
        FormatArg::Json => print_text(&plan.to_json())?,
        FormatArg::Table => print_text(&text(&plan, path, time::now_ms()))?,
    }
    Ok(Exit::Done)
}

/// All of it, as it stands at `now_ms`.
fn text(plan: &PlanFile, path: &Path, now_ms: i64) -> String {
    let mut text = format!(
        "plan {} in {}, made {} ({} ago) of {}\n",
        short_digest(&plan.digest),
        printable(&path.display().to_string()),
        time::human(plan.created_ms),
        time::short(time::between(plan.created_ms, now_ms)),
        printable(&plan.manifest)
    );
    let account = plan.account.as_ref();
    let account = account.map_or_else(String::new, |owner| format!(" of account {owner}"));
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{}{account} at {}, for the queue in {}\n",
        instances(plan.rows.len() as u64),
        brief(&plan.api_url, 200),
        printable(&plan.database.display().to_string())
    );
    text.push_str(&table(&plan.rows));
    text.push('\n');
    text.push_str(&images(&plan.rows));
    text.push('\n');
    text.push_str(&left_out(&plan.rows));
    let options = plan.options.words().concat().join(" ");
    let _ = writeln!(text, "It holds {}.", printable(options.trim_end()));
    text.push_str(&lookups(plan.lookup_calls));
    for line in &plan.said {
        let _ = writeln!(text, "{}", printable(line));
    }
    text
}

fn sent(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|row| row.sent == Sent::Yes)
}

fn table(rows: &[Row]) -> String {
    let cell = |text: Option<&String>| match text.map(String::as_str) {
        None => json!("?"),
        Some(text) => json!(text),
    };
    let starts = rows.iter().filter_map(|row| row.starts.as_ref());
    let makes_wait = starts.into_iter().any(|starts| starts.held_by.is_some());
    // Where no rule makes any of them wait, nobody misses the last one.
    let columns = &COLUMNS[..COLUMNS.len() - usize::from(!makes_wait)];
    let row = |row: &Row| -> Vec<Value> {
        let absent = Expected::default();
        let now = row.now.as_ref().unwrap_or(&absent);
        let then = match &row.sent {
            Sent::Yes => row
                .image_name
                .clone()
                .or(row.image.map(|id| id.to_string())),
            Sent::NotNow(_) => Some("NOT SENT".to_owned()),
            Sent::LeftOut => Some("left out".to_owned()),
        };
        let starts = row.starts.as_ref().map(Starts::words);
        let cells = [
            json!(row.service_id.to_string()),
            cell(now.name.as_ref()),
            cell(now.ip.as_ref()),
            cell(now.image.as_ref()),
            json!(then),
            json!(starts),
        ];
        cells.into_iter().take(columns.len()).collect()
    };
    let listing = Listing {
        name: "rows",
        columns,
        rows: rows.iter().map(row).collect(),
    };
    let mut text = Vec::new();
    listing
        .write(Format::Table, &mut text)
        .expect("memory takes all");
    String::from_utf8_lossy(&text).into_owned()
}

/// How many get each image.
fn images(rows: &[Row]) -> String {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for row in sent(rows) {
        let Some(id) = row.image else { continue };
        let image = match &row.image_name {
            Some(name) => format!("{} ({id})", brief(name, 40)),
            None => format!("{id} (name not known)"),
        };
        *counts.entry(image).or_default() += 1;
    }
    let lines = counts.iter();
    lines.fold(String::new(), |text, (image, count)| {
        text + &format!("{count:>6} x {image}\n")
    })
}

/// Who is left out of the order; who is in it and not sent, is said with the rest.
fn left_out(rows: &[Row]) -> String {
    let left_out = rows.iter().filter(|row| row.sent == Sent::LeftOut);
    let left_out: Vec<ServiceId> = left_out.map(|row| row.service_id).collect();
    if left_out.is_empty() {
        return String::new();
    }
    let named = named(&left_out, NAMED_MAX);
    format!("Left out, since they are done already or not due: {named}.\n")
}
