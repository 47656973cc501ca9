//! The table of the instances that are about to be rebuilt.

use std::collections::HashMap;

use console::{measure_text_width, pad_str, truncate_str};

use super::fate::{Fate, Outlook};
use crate::job::ServiceId;
use crate::queue::Target;
use crate::text::brief;

/// A cell of the table is not cut below this.
const CELL_COLUMNS_MIN: usize = 8;

/// Nor is a cell wider than this.
const CELL_COLUMNS_MAX: usize = 24;

/// The lines of the table of `targets`, at most `columns` wide. They are gone through twice: how wide
/// a column is, its last cell may decide. `starts`: when those of them that are known start.
pub fn lines<'a>(
    outlook: Outlook<'a>,
    targets: impl Iterator<Item = Target> + Clone + 'a,
    starts: &'a HashMap<ServiceId, String>,
    columns: usize,
) -> impl Iterator<Item = String> + 'a {
    let heading = ["service", "name", "ip", "image now", "image then", "starts"];
    // Where nothing waits, nobody misses the column.
    let count = heading.len() - usize::from(starts.is_empty());
    let heading = heading.map(str::to_owned);
    let rows = [heading]
        .into_iter()
        .chain(targets.map(move |target| row(outlook, &target, starts)));
    let rows = rows.map(move |row| row.into_iter().take(count).collect::<Vec<_>>());
    let mut widths = vec![0; count];
    for row in rows.clone() {
        for (width, cell) in widths.iter_mut().zip(&row) {
            *width = measure_text_width(cell).max(*width);
        }
    }
    shrink(&mut widths, columns);
    rows.map(move |row| {
        let cells: Vec<_> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| {
                let cell = truncate_str(cell, *width, "…");
                pad_str(&cell, *width, console::Alignment::Left, None).into_owned()
            })
            .collect();
        format!("  {}\n", cells.join("  ").trim_end())
    })
}

fn row(outlook: Outlook<'_>, target: &Target, starts: &HashMap<ServiceId, String>) -> [String; 6] {
    let listed = outlook.account.list.get(target.service);
    let cell = |text: Option<&String>| {
        text.map_or_else(|| "?".to_owned(), |text| brief(text, CELL_COLUMNS_MAX))
    };
    let now = cell(listed.and_then(|listed| listed.observation.image.as_ref()));
    let (now, then) = match outlook.fate(target) {
        Fate::Unseen => ("not shown".to_owned(), "NOT SENT".to_owned()),
        Fate::Absent => ("not in the list".to_owned(), "NOT SENT".to_owned()),
        Fate::Differs(_) => (now, "NOT SENT: not as expected".to_owned()),
        Fate::NotReady(status) => (now, format!("NOT SENT: {}", brief(&status, 14))),
        Fate::Sent if outlook.is_same_again(target) => (now, "the same again".to_owned()),
        Fate::Sent => {
            let name = |image| outlook.account.image_names.get(&image);
            let then = match (target.image, target.image.and_then(name)) {
                (Some(_), Some(name)) => brief(name, CELL_COLUMNS_MAX),
                (Some(image), None) => format!("? {image}"),
                (None, _) => "as it is".to_owned(),
            };
            (now, then)
        }
    };
    [
        target.service.to_string(),
        cell(listed.and_then(|listed| listed.name.as_ref())),
        cell(listed.and_then(|listed| listed.ip.as_ref())),
        now,
        then,
        starts.get(&target.service).cloned().unwrap_or_default(),
    ]
}

/// Makes the widest cells narrower until the table fits into `columns`.
fn shrink(widths: &mut [usize], columns: usize) {
    loop {
        let taken: usize = widths.iter().map(|width| width + 2).sum();
        // The service id is never cut.
        let widest = widths[1..].iter_mut().max_by_key(|width| **width);
        match widest {
            Some(widest) if taken > columns && *widest > CELL_COLUMNS_MIN => *widest -= 1,
            Some(_) | None => return,
        }
    }
}
