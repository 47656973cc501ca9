//! The paths that the operator gives: what was meant by them, and what must not be written over.

use std::path::{Path, PathBuf};

use super::error::{CliError, typed};
use super::output::tell_prose;
use super::{Command, Global, credentials, options};
use crate::queue::{Note, Open, Precious, Queue, QueueError, no_database, precious, unexpanded};

/// Refuses paths of the command line that were surely not meant, and files to be written that hold
/// something else, before anything is done.
pub fn check(global: &Global, command: &Command) -> Result<(), CliError> {
    if let Some(path) = &global.db {
        const OPTION: &str = "--db or REFLEET_DB";
        check_meant(OPTION, path)?;
        refuse_if(no_database(path), OPTION, path)?;
    }
    let (manifest, target) = paths(command);
    if let Some(path) = manifest {
        check_meant("the manifest", path)?;
    }
    if let Some((option, path)) = target {
        check_meant(option, path)?;
        check_target(global, option, path, manifest)?;
    }
    Ok(())
}

/// The manifest that the command reads, and the file that it writes with its option's name.
fn paths(command: &Command) -> (Option<&Path>, Option<(&'static str, &Path)>) {
    let (manifest, target) = match command {
        Command::Run(args) => (
            args.manifest.as_deref(),
            args.events.as_deref().map(|path| ("--events", path)),
        ),
        Command::Check(args) => (Some(args.manifest.as_path()), None),
        Command::Load(args) => (Some(args.manifest.as_path()), None),
        Command::Report(args) => (None, args.output.as_deref().map(|path| ("--output", path))),
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
        | Command::Verify(_)
        | Command::Adopt(_) => (None, None),
    };
    let is_stream = |path: &Path| path.as_os_str() == "-";
    (
        manifest.filter(|path| !is_stream(path)),
        target.filter(|(_, path)| !is_stream(path)),
    )
}

/// Refuses a path that nobody has expanded, and that names no file.
pub fn check_meant(option: &str, path: &Path) -> Result<(), CliError> {
    refuse_if(unexpanded(path), option, path)
}

fn refuse_if(what: Option<&'static str>, option: &str, path: &Path) -> Result<(), CliError> {
    match what {
        Some(what) => Err(CliError::NotMeant {
            option: option.to_owned(),
            path: path.to_owned(),
            what,
        }),
        None => Ok(()),
    }
}

/// Refuses to write over what is worth more than what would be written.
fn check_target(
    global: &Global,
    option: &'static str,
    path: &Path,
    manifest: Option<&Path>,
) -> Result<(), CliError> {
    let databases = [options::DATABASE, options::SIMULATION_DATABASE];
    let mut known: Vec<(PathBuf, Precious)> = databases
        .into_iter()
        .filter_map(|file| Some((global.database(file).ok()?, Precious::Database)))
        .collect();
    known.extend(manifest.map(|path| (path.to_owned(), Precious::Manifest)));
    let secrets = credentials::files().map(|path| (path, Precious::Credentials));
    known.extend(secrets);
    refuse_precious(option, path, &known)
}

/// Refuses to write over one of `known`, or over what looks like one.
pub fn refuse_precious(
    option: &'static str,
    path: &Path,
    known: &[(PathBuf, Precious)],
) -> Result<(), CliError> {
    match precious(path, known) {
        Some(what) => Err(CliError::Precious {
            option,
            path: path.to_owned(),
            what,
        }),
        None => Ok(()),
    }
}

/// Opens the database of `global`, and says what is to be known about where it lies.
pub async fn open(global: &Global, mode: Open) -> Result<Queue, CliError> {
    let path = global.database(options::DATABASE)?;
    let queue = match Queue::open(&path, mode).await {
        Err(QueueError::NotFound { .. }) if global.db.is_none() => {
            // A rehearsal has a database of its own, and whoever rehearsed asks for that one.
            let rehearsal = global.database(options::SIMULATION_DATABASE)?;
            return Err(if rehearsal.exists() {
                CliError::OnlyRehearsed { path, rehearsal }
            } else {
                QueueError::NotFound { path }.into()
            });
        }
        opened => opened?,
    };
    tell_notes(global, queue.notes());
    Ok(queue)
}

/// Says what is to be known about where a database lies: also to those who want to hear nothing but
/// what needs a human.
pub fn tell_notes<'a>(global: &Global, notes: impl IntoIterator<Item = &'a Note>) {
    for note in notes {
        tell_prose(&format!("warning: {note}\n"));
        for remedy in note.remedies() {
            let remedy = typed(&remedy, &global.command(None));
            tell_prose(&format!("hint: {remedy}\n"));
        }
    }
}

/// Says that nothing of what was wiped before stands in the database: a path that was mistyped once
/// forgets all of it.
pub async fn announce_if_empty(queue: &mut Queue) -> Result<(), CliError> {
    if queue.batches().await?.is_empty() {
        tell_prose(&format!(
            "{} is a new database: it knows of nothing that was wiped before\n",
            crate::text::printable(&queue.path().display().to_string())
        ));
    }
    Ok(())
}
