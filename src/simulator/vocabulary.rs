//! The words of the command line, the scripts and the control interface, as tables.

/// One word, and what it stands for.
#[derive(Debug)]
pub(super) struct Term<T> {
    pub(super) word: &'static str,
    /// What follows it after a `=`; empty: nothing does.
    pub(super) takes: &'static str,
    pub(super) value: T,
}

impl<T> Term<T> {
    /// A word by itself.
    pub(super) const fn plain(word: &'static str, value: T) -> Self {
        Self::with(word, "", value)
    }

    /// A word that is followed by what it `takes`.
    pub(super) const fn with(word: &'static str, takes: &'static str, value: T) -> Self {
        Self { word, takes, value }
    }

    pub(super) fn find<'t>(table: &'t [Self], word: &str) -> Option<&'t Self> {
        table.iter().find(|known| known.word == word)
    }

    /// All words of a table, for whoever wrote another one.
    pub(super) fn list(table: &[Self]) -> String {
        let words: Vec<_> = table.iter().map(|known| known.word).collect();
        words.join(", ")
    }
}
