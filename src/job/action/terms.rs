//! How people speak of an action.

/// The words for an action, as they stand in sentences.
#[derive(Debug, PartialEq, Eq)]
pub struct Terms {
    /// One of them: "waiting for 1 rebuild".
    pub noun: &'static str,
    /// Several: "waiting for 3 rebuilds".
    pub nouns: &'static str,
    /// What is to be done: "3 instances to rebuild".
    pub verb: &'static str,
    /// What something does: "--again rebuilds all of them once more".
    pub does: &'static str,
    /// What is done, or was: "3 instances will be rebuilt".
    pub done: &'static str,
    /// What that means for what stood there before: "it may have been wiped".
    pub touched: &'static str,
    /// The same as something to be done: "pass --wiped to wipe it once more".
    pub touch: &'static str,
    /// The same as something that is done: "`retry --wiped` wipes it once more".
    pub touches: &'static str,
    /// What it costs the owner, as something to be done: "to destroy all data on 3 instances".
    pub cost: &'static str,
    /// The same as something that is done: "this destroys 3 instances".
    pub costs: &'static str,
    /// The same as the last line above the prompt, see [`Terms::warning`].
    pub(super) warning: &'static str,
}

/// Stands in [`Terms::warning`] where the instances are to be named.
const INSTANCES: &str = "{instances}";

impl Terms {
    /// What is about to happen to `instances`, so that nobody misses it.
    pub fn warning(&self, instances: &str) -> String {
        self.warning.replace(INSTANCES, instances)
    }
}

pub(super) const REBUILD: Terms = Terms {
    noun: "rebuild",
    nouns: "rebuilds",
    verb: "rebuild",
    does: "rebuilds",
    done: "rebuilt",
    touched: "wiped",
    touch: "wipe",
    touches: "wipes",
    cost: "destroy all data on",
    costs: "destroys",
    warning: "ALL DATA on {instances} will be DESTROYED.",
};
