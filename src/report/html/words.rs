//! Words and signs for where a job is: no colour says anything alone.

use maud::{Markup, html};

use crate::job::{Action, Evidence, Executed, State};

/// How a state is shown.
#[derive(Debug, Clone, Copy)]
pub struct Sign {
    /// The class that gives it its colour.
    pub class: &'static str,
    /// Stands before the word.
    pub glyph: &'static str,
    pub word: &'static str,
}

/// `held`: in doubt, and only somebody's word can settle it.
pub fn sign(state: State, held: bool) -> Sign {
    let (class, glyph, word) = match (state, held) {
        (State::Done, _) => ("done", "✓", "done"),
        (State::Failed, _) => ("failed", "✕", "failed"),
        (State::InDoubt, true) => ("doubt", "?", "in doubt, held"),
        (State::InDoubt, false) => ("doubt", "?", "in doubt"),
        (State::InProgress, _) => ("busy", "▸", "in progress"),
        (State::Submitting, _) => ("busy", "▸", "submitting"),
        (State::Queued, _) => ("waits", "○", "queued"),
        (State::Cancelled, _) => ("gone", "–", "cancelled"),
    };
    Sign { class, glyph, word }
}

pub fn badge(sign: Sign) -> Markup {
    html! {
        span class={ "state " (sign.class) } { span aria-hidden="true" { (sign.glyph) } " " (sign.word) }
    }
}

/// Whether the instance was touched, as the action calls it.
pub fn touched(executed: Executed, action: Action) -> String {
    let touched = action.terms().touched;
    match executed {
        Executed::No => format!("not {touched}"),
        Executed::Maybe => format!("perhaps {touched}"),
        Executed::Yes => touched.to_owned(),
    }
}

/// What proves that it was done.
pub fn proof(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Observed => "seen to go and come back",
        Evidence::Image => "its image changed",
        Evidence::HostKey => "its SSH host key is new",
        Evidence::Accepted => "by the API's word alone",
        Evidence::Operator => "by somebody's word",
    }
}
