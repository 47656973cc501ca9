//! The first screen: what happened, and the five questions that people open a report with.

use maud::{Markup, html};

use super::super::summary::{NeedKind, Subject, Summary};
use super::charts::shares;
use super::figures::{foreign, grouped, moment_and_utc, number, took, zone};
use super::images::name_of;
use super::words::{badge, sign};
use crate::job::{Counter, State};

/// What happened, in a few words.
pub fn headline(summary: &Summary) -> String {
    let Summary { total, counts, .. } = summary;
    let of = |count: u64| format!("{} of {}", grouped(count), grouped(*total));
    let done = summary.subject.action.terms().done;
    if summary.needs_you > 0 {
        let verb = if summary.needs_you == 1 {
            "needs"
        } else {
            "need"
        };
        let rest = match counts.open() {
            0 => String::new(),
            1 => ", 1 is not finished".to_owned(),
            open => format!(", {} are not finished", grouped(open)),
        };
        format!("{} {verb} you{rest}", of(summary.needs_you))
    } else if counts.open() > 0 {
        format!("{} {done} so far", of(counts.done))
    } else if *total == 0 {
        "No jobs".to_owned()
    } else if counts.cancelled > 0 {
        format!("{} {done}, the others were cancelled", of(counts.done))
    } else {
        format!("All {} {done}", grouped(*total))
    }
}

pub fn head(summary: &Summary) -> Markup {
    let subject = &summary.subject;
    html! {
        header {
            p.kicker {
                "refleet report · " b { (foreign(&subject.manifest)) }
                " · batch " (subject.batch)
                @if let Some(account) = &subject.account { " · account " (foreign(&account.to_string())) }
                " · " (foreign(&subject.api_url)) " · times in " (zone())
            }
            @if subject.simulated {
                p.banner { "SIMULATION: nothing real was touched." }
            }
            h1 { (headline(summary)) }
            p.lead { (course(summary)) }
        }
    }
}

/// When it was, and how the last run ended.
fn course(summary: &Summary) -> Markup {
    let run = summary.subject.last_run.as_ref();
    html! {
        @if let Some(first) = summary.first_submitted_at {
            "From " (moment_and_utc(first))
            @if let Some(last) = summary.last_completed_at {
                " to " (moment_and_utc(last)) ": " b { (took("/elapsed_ms", summary.elapsed_ms)) } ". "
            } @else { ". " }
        } @else { "Nothing was sent. " }
        @match run {
            None => "No run has worked on it yet.",
            Some(run) => {
                @match run.exit_code {
                    Some(code) => {
                        "The last run ended with exit code " b { (number("/last_run/exit_code", u64::from(code))) }
                        @if let Some(why) = &run.why { ": " (foreign(why)) }
                        "."
                    }
                    None => b { "The last run has not ended yet, or died." },
                }
            }
        }
    }
}

pub fn tiles(summary: &Summary) -> Markup {
    html! {
        section.tiles aria-label="In short" {
            (left_for_me(summary))
            (which_failed(summary))
            (like_last_time(summary))
            (which_is_slow(summary))
            (all_rows(summary))
        }
    }
}

fn tile(class: &str, question: &str, answer: &Markup, more: (&str, &str)) -> Markup {
    let (href, text) = more;
    html! {
        section class={ "tile " (class) } {
            h2 { (question) }
            (answer)
            p.more { a href=(href) { (text) } }
        }
    }
}

fn left_for_me(summary: &Summary) -> Markup {
    let nothing = summary.needs.is_empty();
    let answer = html! {
        @if nothing {
            p.big { "Nothing" }
            p { "Every job has ended well, or was cancelled." }
        } @else {
            p.big { (number("/needs_you", summary.needs_you)) }
            ul.short {
                @for (place, need) in summary.needs.iter().enumerate() {
                    li { (number(&format!("/needs/{place}/count"), need.count)) " " (brief(need.kind, &summary.subject)) }
                }
            }
        }
    };
    let class = if nothing { "calm" } else { "urgent" };
    tile(
        class,
        "What is left for me?",
        &answer,
        ("#needs", "What to do"),
    )
}

/// What is left to be done, behind a number.
fn brief(kind: NeedKind, subject: &Subject) -> String {
    match kind {
        NeedKind::Doubt => "in doubt: look, then say so".to_owned(),
        NeedKind::FailedTouched => {
            format!(
                "failed, perhaps {}: look at them",
                subject.action.terms().touched
            )
        }
        NeedKind::FailedUntouched => "failed untouched: try again".to_owned(),
        NeedKind::Flagged => "done, but to be looked at".to_owned(),
        NeedKind::Unfinished if subject.commands.next.needs_a_word => {
            "not finished: held back until somebody has looked".to_owned()
        }
        NeedKind::Unfinished => "not finished: the next run goes on".to_owned(),
    }
}

fn which_failed(summary: &Summary) -> Markup {
    const TOLD: usize = 3;
    let causes = &summary.causes;
    let answer = html! {
        p.big {
            (number("/counts/failed", summary.counts.failed)) small { " failed" }
            @if summary.counts.in_doubt > 0 {
                small { ", " } (number("/counts/in_doubt", summary.counts.in_doubt)) small { " in doubt" }
            }
        }
        @if causes.is_empty() {
            p { "No job failed, and none is in doubt." }
        } @else {
            ul.short {
                @for (place, cause) in causes.iter().take(TOLD).enumerate() {
                    li {
                        (number(&format!("/causes/{place}/count"), cause.count)) " × "
                        b { (foreign(cause.error_kind.as_str())) }
                        @if cause.state == State::InDoubt { " (in doubt)" }
                        @if let Some(error) = &cause.error { span.clip { (foreign(error)) } }
                    }
                }
            }
        }
    };
    let more = match causes.len() {
        0..=TOLD => "All causes".to_owned(),
        all => format!("All {all} causes"),
    };
    tile("", "Which failed, and why?", &answer, ("#failures", &more))
}

fn like_last_time(summary: &Summary) -> Markup {
    let answer = match &summary.earlier {
        None => html! {
            p.big { "First time" }
            p { "No earlier order of this manifest is in the queue." }
        },
        Some(then) => html! {
            p.big {
                (number("/earlier/troubled_now_only", then.troubled_now_only)) small { " went wrong only now" }
            }
            ul.short {
                li { (number("/earlier/troubled_both", then.troubled_both)) " both times" }
                li { (number("/earlier/recovered", then.recovered)) " only last time, and done now" }
                li {
                    (took("/took/median_ms", summary.took.median_ms))
                    " each; " (took("/earlier/median_ms", then.took.median_ms)) " then"
                }
            }
        },
    };
    tile(
        "",
        "Was it like last time?",
        &answer,
        ("#earlier", "Then and now"),
    )
}

fn which_is_slow(summary: &Summary) -> Markup {
    const TOLD: usize = 3;
    let known = summary.images.iter().enumerate();
    let known = known.filter(|(_, of)| of.took.median_ms.is_some());
    let known: Vec<_> = known.take(TOLD).collect();
    let answer = html! {
        @match known.first() {
            None => {
                p.big { "–" }
                p { "Nobody has seen yet how long one takes." }
            }
            Some((_, of)) => {
                p.big.text { (name_of(of.image, of.image_name.as_deref())) }
                ul.short {
                    @for (rank, (place, of)) in known.iter().enumerate() {
                        li {
                            @if rank > 0 { b { (name_of(of.image, of.image_name.as_deref())) } ": " }
                            (took(&format!("/images/{place}/median_ms"), of.took.median_ms))
                            @if rank == 0 { " usually" }
                            ", slowest " (took(&format!("/images/{place}/slowest_ms"), of.took.slowest_ms))
                        }
                    }
                }
            }
        }
    };
    tile(
        "",
        "Which image is slow?",
        &answer,
        ("#images", "All images"),
    )
}

fn all_rows(summary: &Summary) -> Markup {
    let rows = &summary.subject.rows;
    let missing = summary.rows_unaccounted;
    let answer = html! {
        @if missing == 0 {
            p.big { "Yes" small { ", all " (number("/rows/all", rows.all)) } }
        } @else {
            p.big { "No" small { ", " (number("/rows_unaccounted", missing)) " are not" } }
        }
        (bar(summary))
        ul.counts {
            @for state in shown(summary) {
                li {
                    (badge(sign(state, false))) " "
                    b { (number(&format!("/counts/{state}"), summary.counts.of(state))) }
                }
            }
        }
        @if summary.rows_left_out > 0 {
            p { (number("/rows_left_out", summary.rows_left_out)) " left out" }
        }
    };
    let class = if missing == 0 { "" } else { "urgent" };
    tile(
        class,
        "Every row accounted for?",
        &answer,
        ("#sheet", "Row by row"),
    )
}

/// The states that any job is in.
pub fn shown(summary: &Summary) -> impl Iterator<Item = State> {
    let all = [
        State::Done,
        State::Failed,
        State::InDoubt,
        State::InProgress,
        State::Submitting,
        State::Queued,
        State::Cancelled,
    ];
    all.into_iter()
        .filter(|state| summary.counts.of(*state) > 0)
}

/// How all jobs stand, as a bar.
pub fn bar(summary: &Summary) -> Markup {
    let counted = Counter::ALL.map(|counter| (counter, counter.of(&summary.counts)));
    let told = counted.iter().filter(|(_, count)| *count > 0);
    let told: Vec<String> = told
        .map(|(counter, count)| format!("{count} {}", counter.words()))
        .collect();
    let parts: Vec<_> = shown(summary)
        .map(|state| (sign(state, false).class, summary.counts.of(state)))
        .collect();
    shares(&parts, &told.join(", "))
}
