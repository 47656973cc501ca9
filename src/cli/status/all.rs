//! The status of every account's queue.

use std::sync::Arc;

use serde_json::{Value, json};

use super::args::StatusArgs;
use super::json::as_json;
use super::read::Status;
use super::text::as_text;
use crate::cli::batches;
use crate::cli::error::CliError;
use crate::cli::global::{DATABASE, Global};
use crate::cli::output::{print_json, print_text, tell_prose};
use crate::config::{Account, Config};
use crate::exit::Exit;
use crate::queue::{Open, Queue};
use crate::text;

/// Ends as the account would that ends worst by itself; the others are told all the same.
pub async fn all(global: &Global, args: &StatusArgs) -> Result<Exit, CliError> {
    let config = accounts(global)?;
    let mut exit = Exit::Done;
    let mut texts = Vec::new();
    let mut values = Vec::new();
    for account in &config.accounts {
        let global = of(global, account);
        let name = &account.name;
        let database = global.database(DATABASE)?;
        let path = database.shown().display().to_string();
        let mut said = |text: String, status: Value, error: Option<String>| {
            texts.push(format!("account {name}\n{text}"));
            values.push(json!({"name": name, "database": path, "status": status, "error": error}));
        };
        if let Some(file) = database.file()
            && let Err(error) = file.symlink_metadata()
            && error.kind() == std::io::ErrorKind::NotFound
        {
            let text = format!(
                "  nothing was ordered yet: {} does not exist\n",
                text::printable(&path)
            );
            said(text, Value::Null, None);
            continue;
        }
        match read(&global, args).await {
            Ok((status, queue)) => said(
                as_text(&status, &queue.shown()),
                as_json(&status, &queue.shown()),
                None,
            ),
            Err(error) => {
                tell_prose(&error.render(&global.command(None)));
                exit = exit.max(error.exit());
                let text = format!("  cannot be read: {}\n", text::printable(&path));
                said(text, Value::Null, Some(error.to_string()));
            }
        }
    }
    if args.json {
        print_json(&json!({"version": 1, "accounts": values}))?;
    } else {
        print_text(&texts.join("\n"))?;
    }
    Ok(exit)
}

/// The file whose accounts are meant.
fn accounts(global: &Global) -> Result<Arc<Config>, CliError> {
    if global.db.is_some() {
        return Err(CliError::Usage(
            "--all speaks of each account's own queue: leave --db and REFLEET_DB away".to_owned(),
        ));
    }
    if global.configured.is_typed("account") {
        return Err(CliError::Usage(
            "--all speaks of every account: leave --account away".to_owned(),
        ));
    }
    let file = global.configured.file.clone();
    file.filter(|file| !file.accounts.is_empty()).ok_or_else(|| {
        CliError::Usage(
            "there is no configuration file with accounts: name it with --config or REFLEET_CONFIG, or leave --all away"
                .to_owned(),
        )
    })
}

/// The options for one of the accounts.
fn of(global: &Global, account: &Account) -> Global {
    let mut global = global.clone();
    global.configured.account = Some(Arc::new(account.clone()));
    global
}

async fn read(global: &Global, args: &StatusArgs) -> Result<(Status, Queue), CliError> {
    let (mut queue, batch) = batches::open(global, &args.batch, Open::Read).await?;
    let status = Status::read(global, &mut queue, batch).await?;
    Ok((status, queue))
}
