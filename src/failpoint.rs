//! Named places at which the crash harness kills the process (`tests/it/crash.rs`).
//!
//! `REFLEET_FAILPOINT=name` aborts the process at its first passage of that place, `name:3` at the
//! third, and `panic@name` panics there, as a bug would. Debug builds have the failpoints, so that a
//! plain `cargo test` runs the crash histories; a release build has them only with the feature
//! `failpoints`, and without it they compile to nothing.

/// Every place, in the order in which a batch meets them.
pub const NAMES: [&str; 19] = [
    // The database is made.
    "file_created",
    "migration_begun",
    "migration_done",
    // A manifest becomes a batch.
    "load_before_commit",
    "load_after_commit",
    // A run: the main file says that its log belongs to it.
    "log_begun",
    "log_carried",
    "log_awaited",
    // Each turn of the dispatcher, and around each request.
    "before_commit",
    "after_commit",
    "before_send",
    "form_handed_over",
    "after_answer",
    "outcome_taken",
    "run_ended",
    // An operator's command.
    "operate_before_commit",
    "operate_after_commit",
    // The results become a file.
    "report_before_rename",
    "report_after_rename",
];

/// The same for hooks, which only some batches have: around the start of each, and around its end.
pub const OF_HOOKS: [&str; 5] = [
    "hook_before_claim",
    "hook_claimed",
    "hook_spawned",
    "hook_ended",
    "hook_recorded",
];

/// Dies here if the environment names this place.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(any(debug_assertions, feature = "failpoints"))]
        $crate::failpoint::pass($name);
    };
}

/// What the environment names.
#[cfg(any(debug_assertions, feature = "failpoints"))]
struct Armed {
    name: String,
    passages_left: std::sync::atomic::AtomicU32,
    death: Death,
}

#[cfg(any(debug_assertions, feature = "failpoints"))]
#[derive(Debug, PartialEq, Eq)]
enum Death {
    /// No destructor runs and nothing is flushed: as hard as SIGKILL.
    Abort,
    Panic,
}

#[cfg(any(debug_assertions, feature = "failpoints"))]
impl Armed {
    /// Reads `name`, `name:3` or `panic@name`.
    fn parse(text: &str) -> Option<Self> {
        let (death, place) = match text.strip_prefix("panic@") {
            Some(place) => (Death::Panic, place),
            None => (Death::Abort, text),
        };
        let (name, nth) = place.split_once(':').unwrap_or((place, "1"));
        Some(Self {
            name: name.to_owned(),
            passages_left: nth.parse::<u32>().ok()?.into(),
            death,
        })
    }
}

/// What [`failpoint!`](crate::failpoint!) calls in a build that has failpoints.
#[cfg(any(debug_assertions, feature = "failpoints"))]
pub fn pass(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::Ordering;

    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    assert!(
        NAMES.contains(&name) || OF_HOOKS.contains(&name),
        "`{name}` is in no list"
    );
    let armed = ARMED.get_or_init(|| Armed::parse(&std::env::var("REFLEET_FAILPOINT").ok()?));
    if let Some(armed) = armed
        && armed.name == name
        && armed.passages_left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        assert!(armed.death == Death::Abort, "the failpoint `{name}`");
        std::process::abort();
    }
}
