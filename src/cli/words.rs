//! Numbers and lists as people read them.

use crate::job::ServiceId;

/// The first `max` services by name, the rest by number.
pub fn named(services: &[ServiceId], max: usize) -> String {
    let first = services.iter().take(max).map(ToString::to_string);
    let first = first.collect::<Vec<_>>().join(", ");
    match services.len().saturating_sub(max) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// So much of a plan's digest as a person compares.
pub fn short_digest(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// `1 job waits`, `7 jobs wait`.
pub fn jobs_wait(count: u64) -> String {
    let verb = if count == 1 { "waits" } else { "wait" };
    format!("{} {verb}", jobs(count))
}

/// `1 job`, `7 jobs`.
pub fn jobs(count: u64) -> String {
    match count {
        1 => "1 job".to_owned(),
        count => format!("{count} jobs"),
    }
}

pub fn services(count: u64) -> String {
    match count {
        1 => "1 service".to_owned(),
        count => format!("{count} services"),
    }
}

pub fn instances(count: u64) -> String {
    match count {
        1 => "1 instance".to_owned(),
        count => format!("{count} instances"),
    }
}
