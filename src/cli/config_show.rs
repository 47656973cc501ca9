//! `refleet config show`: what applies, and where it came from. Never a secret.

use clap::CommandFactory as _;
use serde_json::json;

use super::arguments::Cli;
use super::config_args::{ConfigArgs, ConfigCommand};
use super::configured::known_options;
use super::credentials;
use super::error::CliError;
use super::global::{DATABASE, Global};
use super::monitors::shown;
use super::output::{print_json, print_text};
use crate::exit::Exit;
use crate::text;

/// Where nobody has said anything.
const DEFAULT: &str = "default";

/// What one name stands for.
struct Setting {
    name: String,
    value: String,
    /// An option, a variable, a place in the file, or [`DEFAULT`].
    from: String,
}

pub fn config(global: &Global, args: &ConfigArgs) -> Result<Exit, CliError> {
    let ConfigCommand::Show(args) = &args.command;
    let settings = settings(global)?;
    if args.json {
        let settings: Vec<_> = settings
            .iter()
            .map(|setting| {
                json!({"name": setting.name, "value": setting.value, "from": setting.from})
            })
            .collect();
        print_json(&json!({"version": 1, "settings": settings}))?;
    } else {
        print_text(&as_text(&settings))?;
    }
    Ok(Exit::Done)
}

fn as_text(settings: &[Setting]) -> String {
    let width = |of: fn(&Setting) -> &str| {
        let widths = settings.iter().map(|setting| of(setting).chars().count());
        widths.max().unwrap_or_default()
    };
    let (names, values) = (width(|one| &one.name), width(|one| &one.value));
    let mut lines = String::new();
    for Setting { name, value, from } in settings {
        let line = format!("{name:<names$}  {value:<values$}  {from}");
        lines.push_str(&text::printable(&line));
        lines.push('\n');
    }
    lines
}

fn settings(global: &Global) -> Result<Vec<Setting>, CliError> {
    let mut settings = Vec::new();
    let mut add = |name: &str, value: String, from: String| {
        settings.push(Setting {
            name: name.to_owned(),
            value,
            from,
        });
    };
    let file = global.configured.file.as_deref();
    let account = global.configured.account();
    let given = |name, variable| given(global, name, variable);
    match file {
        Some(file) if global.config.is_none() => {
            add(
                "config",
                file.path.display().to_string(),
                "found there".to_owned(),
            );
        }
        Some(file) => {
            let path = file.path.display().to_string();
            add("config", path, given("config", "REFLEET_CONFIG"));
        }
        None => add("config", "none".to_owned(), DEFAULT.to_owned()),
    }
    match (account, &global.account) {
        (Some((_, account)), Some(_)) => {
            let from = given("account", "REFLEET_ACCOUNT");
            add("account", account.name.clone(), from);
        }
        (Some((_, account)), None) => {
            let from = "the only one of the file".to_owned();
            add("account", account.name.clone(), from);
        }
        (None, _) => add("account", "none".to_owned(), DEFAULT.to_owned()),
    }
    let place = |line| account.map_or_else(String::new, |(config, _)| config.place(line));
    let own = account.map(|(_, account)| account);

    for (name, (value, from)) in ["db", "api-url"].into_iter().zip(places(global)?) {
        add(name, value, from);
    }
    for (name, value, from) in credentials::origins(global) {
        add(name, value, from);
    }
    for (name, help, variable) in options() {
        let default = own.and_then(|account| account.options.iter().find(|one| one.name == name));
        let of_environment = variable.and_then(|variable| {
            let value = std::env::var(&variable).ok()?;
            Some((value, variable))
        });
        let (value, from) = match (of_environment, default) {
            (Some((value, variable)), _) => (value, variable),
            (None, Some(default)) => (default.values.join(", "), place(default.line)),
            (None, None) => (help, DEFAULT.to_owned()),
        };
        let is_set = from != DEFAULT;
        let value = if is_set { shown(&name, value) } else { value };
        add(&name, value, from);
    }
    Ok(settings)
}

/// The option where it was typed, else the variable.
fn given(global: &Global, name: &str, variable: &str) -> String {
    if global.configured.is_typed(name) {
        format!("--{name}")
    } else {
        variable.to_owned()
    }
}

/// The database and the API, each with where it came from.
fn places(global: &Global) -> Result<[(String, String); 2], CliError> {
    let account = global.configured.account();
    let place = |line| account.map_or_else(String::new, |(config, _)| config.place(line));
    let own = account.map(|(_, account)| account);
    let db = own.and_then(|account| account.db.as_ref());
    let db_from = match (&global.db, db) {
        (Some(_), _) => given(global, "db", "REFLEET_DB"),
        (None, Some(db)) => place(db.line),
        (None, None) => DEFAULT.to_owned(),
    };
    let url = own.and_then(|account| account.api_url.as_ref());
    let url_from = match (&global.api_url, url) {
        (Some(_), _) => given(global, "api-url", "REFLEET_API_URL"),
        (None, Some(url)) => place(url.line),
        (None, None) => DEFAULT.to_owned(),
    };
    // In the endpoint's spelling: what was given may hold a password.
    let api_url = global.endpoint()?.to_string();
    let db = global.database(DATABASE)?.shown().display().to_string();
    Ok([(db, db_from), (api_url, url_from)])
}

/// The options of which a file may give defaults, each with what it does by itself, and its variable.
fn options() -> Vec<(String, String, Option<String>)> {
    let mut command = Cli::command();
    command.build();
    let run = command.find_subcommand("run");
    let by_itself = |name: &str| {
        let argument = run?
            .get_arguments()
            .find(|argument| argument.get_long() == Some(name))?;
        // Those that depend on the kind of run are told by the help text.
        let help = argument.get_help().map(ToString::to_string);
        let told = help.as_deref().and_then(|help| {
            let (_, told) = help.rsplit_once("[default: ")?;
            told.strip_suffix(']').map(str::to_owned)
        });
        let by_clap = argument.get_default_values().first();
        let by_clap = by_clap.map(|value| value.to_string_lossy().into_owned());
        let by_itself = told.or(by_clap).unwrap_or_else(|| "none".to_owned());
        let variable = argument.get_env();
        Some((
            by_itself,
            variable.map(|it| it.to_string_lossy().into_owned()),
        ))
    };
    known_options()
        .into_iter()
        .filter(|known| known.refused.is_none())
        .filter_map(|known| {
            let (by_itself, variable) = by_itself(&known.name)?;
            Some((known.name, by_itself, variable))
        })
        .collect()
}
