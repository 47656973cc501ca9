//! Somebody else, who rebuilds instances in the panel.

use super::vocabulary::Term;

/// Which image somebody else rebuilds an instance with, once a submission of it has arrived and was not executed.
/// That is no wipe of the client's, whatever it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanelRebuild {
    /// That which it runs.
    Same,
    /// That which was ordered.
    Ordered,
    /// Another one.
    Third,
}

impl PanelRebuild {
    const WORDS: [Term<Self>; 3] = [
        Term::plain("same", Self::Same),
        Term::plain("ordered", Self::Ordered),
        Term::plain("third", Self::Third),
    ];

    pub(super) fn parse(word: &str) -> Option<Self> {
        Term::find(&Self::WORDS, word).map(|known| known.value)
    }

    /// The name of the image, for an instance that runs the image `now` and whose order was for `ordered`.
    pub(super) fn image<'a>(
        self,
        now: &'a str,
        ordered: &'a str,
        mut offered: impl Iterator<Item = &'a str>,
    ) -> &'a str {
        match self {
            Self::Same => now,
            Self::Ordered => ordered,
            Self::Third => offered
                .find(|name| *name != now && *name != ordered)
                .unwrap_or("Panel-Image"),
        }
    }
}
