//! The times with which runs are tested.

/// A rebuild takes a fraction of a second, and a busy machine is given time: what most tests take.
pub const QUICK: &[&str] = &[
    "--rate",
    "0",
    "--poll-interval",
    "50ms",
    "--settle",
    "400ms",
    "--unseen-after",
    "2s",
    "--rebuild-timeout",
    "1m",
    "--timeout",
    "1s",
    "--backoff-initial",
    "20ms",
    "--backoff-max",
    "200ms",
    "--outage-timeout",
    "20s",
    "--max-failures",
    "100%",
];

/// A hundred to a thousand times the usual pace, for tests of many runs.
const BRISK: &[&str] = &[
    "--progress",
    "none",
    "--rate",
    "0",
    "--backoff-initial",
    "5ms",
    "--backoff-max",
    "30ms",
    "--timeout",
    "400ms",
    "--outage-timeout",
    "2s",
    "--poll-interval",
    "20ms",
    "--settle",
    "400ms",
    "--unseen-after",
    "800ms",
    "--rebuild-timeout",
    "3s",
    "--max-failures",
    "100%",
];

/// Options of a run, each with its value.
#[derive(Debug, Clone)]
pub struct Pace(Vec<(&'static str, String)>);

impl Pace {
    pub fn quick() -> Self {
        Self::of(QUICK)
    }

    pub fn brisk() -> Self {
        Self::of(BRISK)
    }

    fn of(words: &[&'static str]) -> Self {
        let pairs = words.chunks(2).map(|pair| (pair[0], pair[1].to_owned()));
        Self(pairs.collect())
    }

    /// The same with another value of `option`.
    #[must_use]
    pub fn with(mut self, option: &'static str, value: impl Into<String>) -> Self {
        self.set(option, value);
        self
    }

    pub fn set(&mut self, option: &'static str, value: impl Into<String>) {
        self.0.retain(|(known, _)| *known != option);
        self.0.push((option, value.into()));
    }

    pub fn words(&self) -> impl Iterator<Item = &str> {
        let words = |(option, value)| [option, value];
        self.0
            .iter()
            .map(|(option, value)| (*option, value.as_str()))
            .flat_map(words)
    }
}

/// `run MANIFEST --yes` with the options of [`QUICK`], except those that `more` gives.
pub fn quick<'a>(manifest: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["run", manifest, "--yes"];
    for pair in QUICK.chunks(2).filter(|pair| !more.contains(&pair[0])) {
        args.extend_from_slice(pair);
    }
    args.extend_from_slice(more);
    args
}
