//! What a plan says to a person.

use std::path::Path;

use super::forecast::Forecast;
use crate::cli::question::Question;
use crate::cli::words::named;
use crate::job::ServiceId;
use crate::queue::Changes;
use crate::text::shell_path;

/// Services that are named in a line.
const NAMED_MAX: usize = 20;

/// How the order differs from the last one: a line for each kind of difference.
pub fn differences(changes: &Changes) -> Vec<String> {
    let Changes {
        last,
        services,
        added,
        other_image,
        gone,
    } = changes;
    let line = |what: &str, services: &[ServiceId]| {
        let count = services.len();
        (count > 0).then(|| format!("{what}: {count} ({}).", named(services, NAMED_MAX)))
    };
    let lines = [
        line("NEW in this order", added),
        line("ANOTHER IMAGE than the last time", other_image),
        line("NOT in this order any more", gone),
    ];
    let mut lines: Vec<String> = lines.into_iter().flatten().collect();
    lines.insert(
        0,
        if lines.is_empty() {
            format!("The same {services} services and images as in batch {last}, the last order of this manifest.")
        } else {
            format!("Compared with batch {last}, the last order of this manifest, which was for {services}:")
        },
    );
    lines
}

/// The whole plan, for the terminal. `calls`: what looking up its names took.
pub fn text(question: &Question<'_>, forecast: &Forecast, calls: u64) -> String {
    let columns = usize::from(console::Term::stdout().size().1);
    let mut text: String = question.list(columns).collect();
    text.push_str(&forecast.sentence());
    text.push('\n');
    text.push_str(&lookups(calls));
    text
}

/// A line on the calls that names cost; nothing where the sheet has none.
pub fn lookups(calls: u64) -> String {
    match calls {
        0 => String::new(),
        calls => {
            format!(
                "Looking up its names took {calls} calls, and takes about as many when it is run.\n"
            )
        }
    }
}

/// What to type to do what the plan says.
pub fn next(command: &str, manifest: &Path, plan: &Path, options: &str) -> String {
    format!(
        "hint: `{command} run {} --plan {}{options}` does exactly this, within --plan-age\n",
        shell_path(manifest),
        shell_path(plan)
    )
}
