//! `refleet simulate`: the API simulator as a process of its own.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::error::CliError;
use super::sheet::SheetArgs;
use super::{exit, signals};
use crate::job::ServiceId;
use crate::manifest;
use crate::simulator::{
    Config, FaultKind, FaultPlan, FleetRow, ImageAt, InvalidOddity, Oddities, Record, Simulator,
    UnknownFaultKind,
};
use crate::time::parse_duration;

/// The vendor's own example of a service id.
const FIRST_SERVICE: i64 = 5_113_119;
const SERVICES_MAX: i64 = 1_000_000;

/// What goes wrong in a simulation.
#[derive(Debug, Clone, Args)]
pub struct FaultArgs {
    /// Share of the simulated calls that go wrong, 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = parse_share)]
    pub fault_rate: f64,

    /// What goes wrong [default: 429,503,reset-before,reset-after,timeout-after,garbage,session-expiry,instance-error]
    ///
    /// Also known: 301, 403, 404, 405, 460, maintenance, html, link-storm, timeout-before, cut-off,
    /// close-soon, trickle, empty, truncated, other-shape, huge, long-request, bom, gzip,
    /// header-noise, half-surrogate, cut-utf8, control-characters, windows-1251, koi8-r, unnamed-charset, busy,
    /// secret-echo, ok-and-error, ok-elsewhere, other-func, other-elid, form, other-page,
    /// second-factor, captcha.
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', value_parser = parse_drawn_kind)]
    pub fault_kinds: Vec<FaultKind>,

    /// What is odd all the time; several times, or with commas between
    ///
    /// never-shown (the list shows no rebuild); freeze=DURATION|rebuilding|renamed (the list goes
    /// on showing that moment), freeze-pages (each page by itself), thaw=DURATION (for so long
    /// only); status-lag=DURATION, name-lag=DURATION (how old those are in the list);
    /// names=case|punctuation|longer|family|template|mixed|broken (how it spells images);
    /// double-rows (while it is rebuilt, an instance has a second row, as it was);
    /// alien-rows=ROWS (of each page, unreadable); endless=BYTES (pages of so many bytes, without
    /// end); shift=ROWS (its order moves after each call); unlisted=ID (a filter hides it);
    /// unreadable=ID (its row has no id).
    ///
    /// baseline=STATUS (of all instances at the start); fails-at-once=SHARE, rolls-back=SHARE,
    /// ignored=SHARE, third-name=SHARE (rebuilds that end so); preview-lacks=ID, preview-fails=ID
    /// (its form); zone=ZONE (where all images stand), strict-zone (the zone `image` is refused);
    /// session-calls=CALLS (a session lasts so many).
    ///
    /// always=KIND[@CALL][:FROM[..UNTIL]] (what every call meets that meets no other fault, for
    /// example 429@submission, or 403:2s..5s after the start; calls are auth, keepalive, instances,
    /// preview, submission, long-request, other); retry-after=TEXT|past (of every 429 and 503).
    #[allow(
        rustdoc::broken_intra_doc_links,
        reason = "the brackets are the command line's"
    )]
    #[arg(long, value_name = "KIND[=VALUE],...", value_delimiter = ',', value_parser = parse_oddity)]
    pub odd: Vec<String>,

    /// The same seed gives the same faults
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
}

impl FaultArgs {
    /// Whether they ask for anything that the usual simulation does not do.
    pub fn is_odd(&self) -> bool {
        self.fault_rate > 0.0 || !self.odd.is_empty()
    }

    /// The standing oddities that they describe.
    ///
    /// # Panics
    ///
    /// If a word is none: each has been read once before.
    pub fn oddities(&self) -> Oddities {
        let words = self.odd.iter().map(String::as_str);
        Oddities::parse(words).expect("each word was understood before")
    }

    /// The plan they describe.
    pub fn plan(&self) -> FaultPlan {
        let usual = FaultPlan::default();
        FaultPlan {
            rate: self.fault_rate,
            kinds: if self.fault_kinds.is_empty() {
                usual.kinds
            } else {
                self.fault_kinds.clone()
            },
            seed: self.seed,
        }
    }
}

/// Run the API simulator on loopback.
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// Where to listen: loopback only, port 0 takes any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,

    /// Instances to invent, beside those of a manifest: their number, or the first and the last service id
    #[arg(long, value_name = "N|FIRST..LAST", value_parser = parse_services)]
    pub services: Option<Services>,

    /// Rows of one page of the list
    #[arg(long, value_name = "ROWS", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub page_size: u32,

    /// From the acceptance of a rebuild until its status shows
    #[arg(long, value_name = "DURATION", default_value = "300ms", value_parser = parse_duration)]
    pub accept_lag: Duration,

    /// How long a rebuild then takes, 30 % more or less
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = parse_duration)]
    pub rebuild_duration: Duration,

    /// Show the new image's name from the acceptance on, not only from the end
    #[arg(long)]
    pub image_at_accept: bool,

    /// How old the list is that a call gets
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
    pub list_lag: Duration,

    /// How long each call takes
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
    pub latency: Duration,

    /// A session unused for so long is forgotten
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
    pub session_ttl: Duration,

    /// A session token that exists from the start, for `ZOMRO_AUTH` (the simulator's, no secret)
    #[arg(long, value_name = "TOKEN")]
    pub session: Option<String>,

    /// Keeps what happened over restarts: the same file again goes on where it stopped
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,

    /// What goes wrong.
    #[command(flatten)]
    pub faults: FaultArgs,
}

impl SimulateArgs {
    /// The account they describe; `fleet`: the rows of a manifest, which are known to it.
    pub fn config(&self, fleet: impl IntoIterator<Item = FleetRow>) -> Config {
        let invented = self.services.iter().flat_map(Services::rows);
        Config {
            page_size: self.page_size as usize,
            accept_lag: self.accept_lag,
            rebuild_duration: self.rebuild_duration,
            image_at: if self.image_at_accept {
                ImageAt::Accept
            } else {
                ImageAt::End
            },
            list_lag: self.list_lag,
            latency: self.latency,
            session_ttl: self.session_ttl,
            session: self.session.clone(),
            faults: self.faults.plan(),
            odd: self.faults.oddities(),
            journal: self.journal.clone(),
            ..Config::for_fleet(fleet.into_iter().chain(invented))
        }
    }
}

/// Service ids to invent instances for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Services {
    first: i64,
    last: i64,
}

impl Services {
    fn rows(&self) -> impl Iterator<Item = FleetRow> + use<> {
        Config::example_rows((self.first..=self.last).filter_map(ServiceId::new))
    }
}

/// Why a text names no services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a number like 100, or the first and the last id like 5113119..5113218; at most {SERVICES_MAX} services"
)]
pub struct InvalidServices;

fn parse_services(text: &str) -> Result<Services, InvalidServices> {
    let services = if let Some((first, last)) = text.split_once("..") {
        let id = |text: &str| text.parse::<ServiceId>().map_err(|_| InvalidServices);
        Services {
            first: id(first)?.get(),
            last: id(last)?.get(),
        }
    } else {
        let count: u32 = text.parse().map_err(|_| InvalidServices)?;
        Services {
            first: FIRST_SERVICE,
            last: FIRST_SERVICE + i64::from(count) - 1,
        }
    };
    let count = services.last.saturating_sub(services.first);
    if (0..SERVICES_MAX).contains(&count) {
        Ok(services)
    } else {
        Err(InvalidServices)
    }
}

/// Why a text is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a share from 0 to 1, for example 0.05")]
struct InvalidShare;

fn parse_share(text: &str) -> Result<f64, InvalidShare> {
    let share: f64 = text.parse().map_err(|_| InvalidShare)?;
    (0.0..=1.0)
        .contains(&share)
        .then_some(share)
        .ok_or(InvalidShare)
}

/// Why a word is no fault kind for a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum InvalidKind {
    #[error(transparent)]
    Unknown(#[from] UnknownFaultKind),
    #[error("`{0}` needs a script that says more: it cannot be drawn")]
    NeedsScript(FaultKind),
}

fn parse_drawn_kind(word: &str) -> Result<FaultKind, InvalidKind> {
    let kind: FaultKind = word.trim().parse()?;
    if kind.can_be_drawn() {
        Ok(kind)
    } else {
        Err(InvalidKind::NeedsScript(kind))
    }
}

fn parse_oddity(word: &str) -> Result<String, InvalidOddity> {
    Oddities::parse([word]).map(|_| word.trim().to_owned())
}

/// Run the API simulator on loopback.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SimulateCommand {
    /// A manifest whose services and images the simulated account has
    pub manifest: Option<PathBuf>,

    /// How it is read.
    #[command(flatten)]
    pub sheet: SheetArgs,

    /// The simulated account.
    #[command(flatten)]
    pub args: SimulateArgs,
}

const EXAMPLES: &str = "\
Examples:
  refleet simulate fleet.csv
  refleet simulate --services 500 --fault-rate 0.2 --listen 127.0.0.1:8080
  refleet simulate fleet.csv --odd freeze=renamed,names=family,always=429@submission:1m..3m";

/// Carries out the command.
pub async fn run(command: &SimulateCommand) -> Result<u8, CliError> {
    let mut rows = Vec::new();
    if let Some(path) = &command.manifest {
        let source = command.sheet.open(path)?;
        manifest::validated(&source)?;
        for row in manifest::rows(&source)? {
            rows.push(FleetRow::from(&row?));
        }
    }
    if rows.is_empty() && command.args.services.is_none() {
        return Err(CliError::Usage(
            "the simulated account would be empty: name a manifest, or give --services".to_owned(),
        ));
    }
    simulate(&command.args, rows, &mut io::stdout())
        .await
        .map_err(CliError::Simulator)?;
    Ok(exit::DONE)
}

/// Starts the simulator, says on `out` where it is (the URL ends the first line) and how to use it,
/// serves until SIGINT or SIGTERM, and closes with what happened.
///
/// # Errors
///
/// The address is not on loopback or cannot be listened on; signals cannot be caught. A reader of
/// `out` that is gone stops nothing.
pub async fn simulate(
    args: &SimulateArgs,
    fleet: impl IntoIterator<Item = FleetRow>,
    out: &mut impl Write,
) -> io::Result<()> {
    // Before the first line is out: a test that has read it may send its signal at once.
    let stop = Stop::listen()?;
    let config = args.config(fleet);
    let (instances, username, password) = (
        config.instances.len(),
        config.username.clone(),
        config.password.clone(),
    );
    let simulator = Simulator::start(config, args.listen).await?;
    let url = simulator.url().to_owned();
    let credentials = match &args.session {
        Some(token) => format!("ZOMRO_AUTH={token}"),
        None => format!("ZOMRO_USERNAME={username} ZOMRO_PASSWORD={password}"),
    };
    said(write!(
        out,
        "simulator listening on {url}\n\
         {instances} instances, none of them real. To work with them, elsewhere:\n  \
         export REFLEET_API_URL={url} REFLEET_DB=simulator.db\n  \
         export {credentials}\n  \
         refleet run MANIFEST\n\
         What really happened: {url}_simulator/record\n\
         Ctrl-C ends it.\n"
    ))?;
    said(out.flush())?;
    stop.wait().await;
    let record = simulator.shutdown().await;
    said(out.write_all(summary(&record).as_bytes()))?;
    said(out.flush())
}

/// A closed stdout is no reason to stop.
fn said(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn summary(record: &Record) -> String {
    let calls: u64 = record.calls.values().sum();
    let faults: u64 = record.faults.values().sum();
    let sum = |count: fn(&crate::simulator::ServiceRecord) -> u64| -> u64 {
        record.services.values().map(count).sum()
    };
    let twice = record
        .services
        .values()
        .filter(|service| service.wiped > 1)
        .count();
    let mut text = format!(
        "calls: {calls}, faults: {faults}; submissions: {}, accepted: {}, executed: {}, \
         completed: {}; instances rebuilt more than once: {twice}\n",
        sum(|service| service.submissions),
        sum(|service| service.accepted),
        sum(|service| service.wiped),
        sum(|service| service.completed),
    );
    for violation in &record.violations {
        text.push_str("violation: ");
        text.push_str(&crate::text::printable(violation));
        text.push('\n');
    }
    text
}

/// The signals that end the simulator.
#[cfg(unix)]
struct Stop {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Stop {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::SignalKind;
        Ok(Self {
            interrupt: signals::heeded(SignalKind::interrupt())?,
            terminate: signals::heeded(SignalKind::terminate())?,
        })
    }

    async fn wait(mut self) {
        tokio::select! {
            () = signals::next(&mut self.interrupt) => {}
            () = signals::next(&mut self.terminate) => {}
        }
    }
}

/// The signal that ends the simulator.
#[cfg(not(unix))]
struct Stop;

#[cfg(not(unix))]
impl Stop {
    #[expect(clippy::unnecessary_wraps, reason = "it can fail elsewhere")]
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn wait(self) {
        // Without signals nothing but the end of the process ends it.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: SimulateArgs,
    }

    fn parse(words: &[&str]) -> Result<SimulateArgs, clap::Error> {
        Line::try_parse_from([&["simulate"], words].concat()).map(|line| line.args)
    }

    #[test]
    fn services_are_a_number_or_a_range_with_both_ends() {
        assert_eq!(
            parse_services("3"),
            Ok(Services {
                first: 5_113_119,
                last: 5_113_121
            })
        );
        assert_eq!(parse_services("7..9"), Ok(Services { first: 7, last: 9 }));
        let largest = format!("{0}..{0}", i64::MAX);
        assert!(parse_services(&largest).is_ok());
        for text in [
            "",
            "0",
            "9..7",
            "0..5",
            "1..",
            "-3",
            "1..1000001",
            "1000001",
            "a..b",
        ] {
            assert_eq!(parse_services(text), Err(InvalidServices), "{text:?}");
        }
    }

    #[test]
    fn the_defaults_are_a_world_without_faults() {
        let config = parse(&["--services", "120"]).unwrap().config([]);
        assert_eq!(config.instances.len(), 120);
        assert!(config.faults.rate.abs() < f64::EPSILON);
        assert_eq!(config.page_size, 50);
        let usual = Config::default();
        assert_eq!(config.accept_lag, usual.accept_lag);
        assert_eq!(config.rebuild_duration, usual.rebuild_duration);
        assert_eq!(config.session_ttl, usual.session_ttl);
        assert_eq!(config.journal, None);
    }

    #[test]
    fn a_journal_is_kept_where_the_command_line_says() {
        let config = parse(&["--journal", "kept.ndjson"]).unwrap().config([]);
        assert_eq!(config.journal, Some(PathBuf::from("kept.ndjson")));
    }

    #[test]
    fn faults_are_read_from_the_command_line() {
        let args = parse(&[
            "--fault-rate",
            "0.25",
            "--fault-kinds",
            "429,reset-after",
            "--seed",
            "9",
        ]);
        let plan = args.unwrap().faults.plan();
        let kinds = vec![FaultKind::TooManyRequests, FaultKind::ResetAfter];
        assert_eq!(
            plan,
            FaultPlan {
                rate: 0.25,
                kinds,
                seed: 9
            }
        );
        assert_eq!(parse(&[]).unwrap().faults.plan(), FaultPlan::default());
        for words in [
            ["--fault-rate", "1.5"],
            ["--fault-rate", "NaN"],
            ["--fault-kinds", "resett"],
            ["--fault-kinds", "error"],
            ["--services", "0"],
            ["--page-size", "0"],
        ] {
            assert!(parse(&words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn the_help_names_every_kind_and_the_usual_ones_as_default() {
        let help = Line::command().render_long_help().to_string();
        let words = |text: &str| -> Vec<String> {
            let words = text.split(|c: char| c.is_whitespace() || ",.]".contains(c));
            words
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let kinds = help.split("--fault-kinds").nth(1).unwrap();
        let (usual, rest) = kinds.split_once("Also known:").unwrap();
        let (usual, rest) = (words(usual), words(rest.split("--odd").next().unwrap()));
        for kind in FaultKind::ALL {
            let word = kind.as_str().to_owned();
            let is_usual = FaultKind::USUAL.contains(kind);
            assert_eq!(usual.contains(&word), is_usual, "{kind}");
            assert_eq!(
                rest.contains(&word),
                kind.can_be_drawn() && !is_usual,
                "{kind}"
            );
        }
    }

    #[test]
    fn oddities_are_read_from_the_command_line_and_all_are_named_in_its_help() {
        let args = parse(&["--odd", "freeze=2s,name-lag=1s", "--odd", "never-shown"]);
        let config = args.unwrap().config([]);
        let words = ["freeze=2s", "name-lag=1s", "never-shown"];
        assert_eq!(Ok(config.odd), Oddities::parse(words));
        assert_eq!(parse(&[]).unwrap().config([]).odd, Oddities::default());
        let error = parse(&["--odd", "freeze=soon"]).unwrap_err().to_string();
        assert!(error.contains("a duration"), "{error}");
        let help = Line::command().render_long_help().to_string();
        let help: Vec<_> = help
            .split(|c: char| c.is_whitespace() || "=,;()".contains(c))
            .collect();
        for (word, ..) in Oddities::WORDS {
            assert!(help.contains(word), "{word} is not in the help");
        }
    }

    #[test]
    fn a_manifest_and_invented_services_may_overlap() {
        let args = parse(&["--services", "2"]).unwrap();
        let image = "00000000-0000-4000-8000-000000000001".parse().unwrap();
        let row = FleetRow {
            service: ServiceId::new(FIRST_SERVICE).unwrap(),
            image,
            zone: Some("own".to_owned()),
            ssh_key: None,
        };
        let config = args.config([row]);
        assert_eq!(config.instances.len(), 2);
        assert!(
            config
                .images
                .iter()
                .any(|known| known.id == image && known.zone == "own")
        );
    }

    #[tokio::test]
    async fn other_addresses_than_loopback_are_refused_before_anything_is_said() {
        let args = parse(&["--listen", "0.0.0.0:0"]).unwrap();
        let mut out = Vec::new();
        let error = simulate(&args, [], &mut out).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(out.is_empty());
    }

    #[test]
    fn the_closing_line_counts_what_happened_and_names_violations() {
        let mut record: Record = serde_json::from_str(
            r#"{"services":{"5":{"submissions":3,"accepted":2,"wiped":2,"completed":1,"answered":1,
                "status":"active","image":"x","wipes":[]}},"calls":{"submission":3,"auth":1},
                "faults":{"reset-after":1},"violations":[],"submissions_in_flight_max":1,
                "rebuilds_max":1}"#,
        )
        .unwrap();
        let line = "calls: 4, faults: 1; submissions: 3, accepted: 2, executed: 2, completed: 1; \
                    instances rebuilt more than once: 1\n";
        assert_eq!(summary(&record), line);
        record.violations.push("p_cnt\u{1b}".to_owned());
        assert_eq!(
            summary(&record),
            format!("{line}violation: p_cnt\\u{{1b}}\n")
        );
    }
}
