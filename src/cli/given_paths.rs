//! The paths of a command line, looked at before anything is done.

use std::path::{Path, PathBuf};

use super::arguments::Command;
use super::credentials;
use super::error::CliError;
use super::format::{FormatArgs, Formats};
use super::global::{DATABASE, Global, SIMULATION_DATABASE, location};
use super::paths::{check_meant, refuse_precious};
use crate::queue::Precious;

/// Refuses paths of the command line that were surely not meant, and files to be written that hold
/// something else, before anything is done.
pub fn check(global: &Global, command: &Command) -> Result<(), CliError> {
    if let Some(path) = &global.db {
        location(path)?;
    }
    let (manifest, target) = paths(command);
    if let Some(path) = manifest {
        check_meant("the manifest", path)?;
    }
    let plan = plan(command);
    if let Some(path) = plan {
        check_meant("--plan", path)?;
    }
    if let Some((option, path)) = target {
        check_meant(option, path)?;
        let manifest = manifest.map(|path| (path.to_owned(), Precious::Manifest));
        let plan = plan.map(|path| (path.to_owned(), Precious::Plan));
        check_target(global, option, path, manifest.into_iter().chain(plan))?;
    }
    if let Some(path) = metrics(command) {
        check_meant("--metrics", path)?;
        let manifest = manifest.map(|path| (path.to_owned(), Precious::Manifest));
        let plan = plan.map(|path| (path.to_owned(), Precious::Plan));
        check_target(global, "--metrics", path, manifest.into_iter().chain(plan))?;
    }
    match command {
        Command::Plan(args) if args.out.as_deref().is_some_and(is_stream) => {
            Err(CliError::Usage(
                "--out - : a plan is written into a file, whole or not at all; `--format json` prints it".to_owned(),
            ))
        }
        Command::Man(args) => match &args.dir {
            Some(dir) => check_meant("the folder", dir),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// The file that tells Prometheus how it stands.
fn metrics(command: &Command) -> Option<&Path> {
    match command {
        Command::Run(args) => args.monitors.metrics.as_deref(),
        Command::Work(args) => args.monitors.metrics.as_deref(),
        _ => None,
    }
}

/// The plan that the command goes by.
fn plan(command: &Command) -> Option<&Path> {
    match command {
        Command::Run(args) => args.plan.as_deref(),
        _ => None,
    }
}

/// It stands for standard input or output.
fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The manifest that the command reads, and the file that it writes with its option's name.
fn paths(command: &Command) -> (Option<&Path>, Option<(&'static str, &Path)>) {
    let (manifest, target) = match command {
        Command::Run(args) => (
            args.manifest.as_deref(),
            args.events.as_deref().map(|path| ("--events", path)),
        ),
        Command::Work(args) => (None, args.events.as_deref().map(|path| ("--events", path))),
        Command::Check(args) => (Some(args.manifest.as_path()), None),
        Command::Plan(args) => (
            Some(args.manifest.as_path()),
            args.out.as_deref().map(|path| ("--out", path)),
        ),
        Command::Load(args) => (Some(args.manifest.as_path()), None),
        Command::Report(args) => (None, output(&args.format)),
        Command::Services(args) => (None, output(&args.format)),
        Command::Images(args) => (None, output(&args.format)),
        Command::Keys(args) => (None, output(&args.format)),
        Command::Hosts(args) => (None, output(&args.format)),
        Command::Hooks(args) => (None, output(&args.format)),
        Command::Simulate(command) => (
            command.manifest.as_deref(),
            command
                .args
                .journal
                .as_deref()
                .map(|path| ("--journal", path)),
        ),
        Command::Status(_)
        | Command::List(_)
        | Command::Show(_)
        | Command::Retry(_)
        | Command::Resolve(_)
        | Command::Cancel(_)
        | Command::Pause(_)
        | Command::Go(_)
        | Command::Set(_)
        | Command::Drain(_)
        | Command::Verify(_)
        | Command::Adopt(_)
        | Command::Config(_)
        | Command::Completions(_)
        | Command::Man(_) => (None, None),
    };
    (
        manifest.filter(|path| !is_stream(path)),
        target.filter(|(_, path)| !is_stream(path)),
    )
}

fn output<F: Formats>(args: &FormatArgs<F>) -> Option<(&'static str, &Path)> {
    args.output.as_deref().map(|path| ("--output", path))
}

/// Refuses to write over what is worth more than what would be written.
fn check_target(
    global: &Global,
    option: &'static str,
    path: &Path,
    read: impl Iterator<Item = (PathBuf, Precious)>,
) -> Result<(), CliError> {
    let databases = [DATABASE, SIMULATION_DATABASE];
    let mut known: Vec<(PathBuf, Precious)> = databases
        .into_iter()
        .filter_map(|file| {
            let location = global.database(file).ok()?;
            Some((location.file()?.to_owned(), Precious::Database))
        })
        .collect();
    known.extend(read);
    let secrets = credentials::files(global).map(|path| (path, Precious::Credentials));
    known.extend(secrets);
    refuse_precious(option, path, &known)
}
