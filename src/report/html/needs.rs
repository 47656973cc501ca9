//! What needs a human: each instance with the commands to type.

use maud::{Markup, html};

use super::super::summary::{Instance, Need, NeedKind, Subject, Summary};
use super::figures::{command, foreign, moment, number};
use super::words::touched;
use crate::job::Action;

/// Instances that are shown before one has to ask for more.
const OPEN: usize = 4;

pub fn section(summary: &Summary) -> Markup {
    html! {
        section #needs aria-labelledby="needs-title" {
            h2 #needs-title { "What needs a human" }
            @if summary.needs.is_empty() {
                p.all-well { "Nothing. Every job has ended well, or was cancelled." }
            }
            @for (place, need) in summary.needs.iter().enumerate() {
                (one(place, need, &summary.subject))
            }
        }
    }
}

fn one(place: usize, need: &Need, subject: &Subject) -> Markup {
    let action = subject.action;
    let Need {
        kind,
        count,
        instances,
        commands,
    } = need;
    let (title, advice) = words(*kind, subject);
    let at = format!("/needs/{place}/count");
    let listed = (instances.len() as u64) < *count || instances.is_empty();
    html! {
        section.need {
            h3 { (number(&at, *count)) " " (title) }
            p { (advice) }
            @if !instances.is_empty() {
                ul.instances {
                    @for instance in instances.iter().take(OPEN) { (item(instance, action)) }
                }
            }
            @if instances.len() > OPEN {
                details {
                    summary { (instances.len() - OPEN) " more of them" }
                    ul.instances {
                        @for instance in &instances[OPEN..] { (item(instance, action)) }
                    }
                }
            }
            @if listed {
                @if !instances.is_empty() { p { "All of them:" } }
                ul.commands { @for line in commands { li { (command(line)) } } }
            }
        }
    }
}

/// What they are, behind their number, and what to do.
fn words(kind: NeedKind, subject: &Subject) -> (String, Markup) {
    let terms = subject.action.terms();
    let (done, touched) = (terms.done, terms.touched);
    match kind {
        NeedKind::Doubt => (
            "in doubt".to_owned(),
            html! {
                "Whether they were " (done) " cannot be told from here, and nothing is sent to them until you have said
                 so. Look at each, then say " b { "done" } " if it was " (done) ", " b { "requeue" }
                " if it was not and shall be, or " b { "failed" } " to leave it as it is."
            },
        ),
        NeedKind::FailedTouched => (
            format!("failed after they were {touched}, or perhaps {touched}"),
            html! {
                "They may be out of service. See why, then " (terms.verb) " them anew, or say that one is well after
                 all."
            },
        ),
        NeedKind::FailedUntouched => (
            "failed, and were not touched".to_owned(),
            html! { "See why (below, by cause), mend it, put them back in the queue and run again." },
        ),
        NeedKind::Flagged => (
            "done, but listed under another image's name".to_owned(),
            html! { "Look at the instances: the list shows another image than the one that was ordered." },
        ),
        NeedKind::Unfinished => (
            "not finished".to_owned(),
            html! { "The command below " (foreign(&subject.commands.next.what)) "." },
        ),
    }
}

fn item(instance: &Instance, action: Action) -> Markup {
    html! {
        li.instance {
            div.who {
                (named(instance))
                p.why {
                    (touched(instance.executed, action))
                    @if let Some(at) = instance.submitted_at { ", submitted " (moment(at)) }
                    @if let Some(kind) = &instance.error_kind {
                        br; b { (foreign(kind.as_str())) }
                        @if let Some(error) = &instance.error { ": " (foreign(error)) }
                    }
                }
            }
            ul.commands {
                @for line in &instance.commands { li { (command(line)) } }
            }
        }
    }
}

/// An instance by its name, number and address, and the line of the manifest.
pub fn named(instance: &Instance) -> Markup {
    let service = instance.service_id;
    html! {
        p.name {
            b { @match &instance.name { Some(name) => (foreign(name)), None => (service) } }
            " " span.ids {
                @if instance.name.is_some() { (service) " · " }
                @if let Some(ip) = &instance.ip { (foreign(ip)) " · " }
                "line " (instance.line)
            }
        }
    }
}
