//! The command.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::account::SimulateArgs;
use crate::cli::error::CliError;
use crate::cli::manifest::ManifestArgs;
use crate::cli::signals;
use crate::exit::Exit;
use crate::simulator::{FleetRow, Record, Simulator};
use crate::text;

/// Run the API simulator on loopback.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SimulateCommand {
    /// A manifest whose services and images the simulated account has
    pub manifest: Option<PathBuf>,

    #[command(flatten)]
    pub sheet: ManifestArgs,

    #[command(flatten)]
    pub args: SimulateArgs,
}

const EXAMPLES: &str = "\
Examples:
  refleet simulate fleet.csv
  refleet simulate --services 500 --fault-rate 0.2 --listen 127.0.0.1:8080
  refleet simulate fleet.csv --ssh-port 2222
  refleet simulate fleet.csv --odd freeze=renamed,always=429@submission:1m..3m";

pub async fn run(command: &SimulateCommand) -> Result<Exit, CliError> {
    let mut rows = Vec::new();
    if let Some(path) = &command.manifest {
        rows = super::fleet::rows(&command.sheet.open(path)?)?;
    }
    if rows.is_empty() && command.args.services.is_none() {
        return Err(CliError::Usage(
            "the simulated account would be empty: name a manifest, or give --services".to_owned(),
        ));
    }
    simulate(&command.args, rows, &mut io::stdout())
        .await
        .map_err(CliError::Simulator)?;
    Ok(Exit::Done)
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
    let (ssh, ssh_port) = match simulator.ssh_port() {
        Some(port) => (
            format!("SSH port of each instance: {port}\n"),
            format!(" --ssh-port {port}"),
        ),
        None => (String::new(), String::new()),
    };
    let credentials = match &args.session {
        Some(token) => format!("ZOMRO_AUTH={token}"),
        None => format!("ZOMRO_USERNAME={username} ZOMRO_PASSWORD={password}"),
    };
    let credentials = match &args.totp {
        Some(code) => {
            let command = format!("echo {}", text::shell_word(code));
            format!(
                "{credentials} ZOMRO_TOTP_COMMAND={}",
                text::shell_word(&command)
            )
        }
        None if args.authinfo_only => format!("{credentials} ZOMRO_LOGIN=authinfo"),
        None => credentials,
    };
    said(write!(
        out,
        "simulator listening on {url}\n\
         {instances} instances, none of them real. To work with them, elsewhere:\n  \
         export REFLEET_API_URL={url} REFLEET_DB=simulator.db\n  \
         export {credentials}\n  \
         refleet run MANIFEST{ssh_port}\n\
         {ssh}\
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

pub fn summary(record: &Record) -> String {
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
        sum(|service| service.executed),
        sum(|service| service.completed),
    );
    for violation in &record.violations {
        text.push_str("violation: ");
        text.push_str(&text::printable(violation));
        text.push('\n');
    }
    text
}

/// The signals that end the simulator.
struct Stop {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

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
