//! Whom a command line, the environment and the configuration name, also where one of them is refused.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser as _, ValueEnum as _};
use sha2::{Digest as _, Sha256};

use super::arguments::{self, Cli};
use super::error::CliError;
use super::monitor_args::{FormatArg, MonitorArgs, WhenArg};
use crate::config::{self, Found};
use crate::monitor::{Address, Command, Monitors, Notify};

/// The options, by their long names.
const NAMES: [&str; 6] = [
    "metrics",
    "ping",
    "notify",
    "notify-format",
    "notify-when",
    "on-end",
];

/// Bytes of a digest that name a file.
const NAME_BYTES: usize = 16;

/// What was called, and whom to tell of it.
pub struct Given {
    pub command: Command,
    pub monitors: Monitors,
    /// Why one of them cannot be told; the others can.
    pub refused: Option<CliError>,
}

/// Whom to tell of the process that these arguments began. `None`: nobody is told of this command.
///
/// Where something is refused, what can be read of it is taken, which is a guess at worst: an option of the
/// command line before its variable, and that before the file.
pub fn given(parsed: &Result<Cli, CliError>, arguments: &[OsString]) -> Option<Given> {
    let words: Vec<Cow<'_, str>> = arguments.iter().map(|it| it.to_string_lossy()).collect();
    if let Ok(cli) = parsed {
        let (called, args) = Called::of(cli)?;
        let mut args = args.clone();
        if called.is_rehearsal {
            args = only_typed(args, &words);
        }
        let (monitors, refused) = called.monitors(&args);
        return Some(Given {
            command: called.command,
            monitors,
            refused,
        });
    }
    let called = match Cli::try_parse_from(arguments) {
        Ok(cli) => Called::of(&cli)?.0,
        // Help was asked for.
        Err(error) if !error.use_stderr() => return None,
        Err(_) => Called::of_words(&words)?,
    };
    let mut values = HashMap::new();
    if !called.is_rehearsal {
        values.extend(called.of_file());
        values.extend(NAMES.iter().filter_map(|name| {
            let value = std::env::var(variable(name)).ok()?;
            Some(((*name).to_owned(), value))
        }));
    }
    values.extend(NAMES.iter().filter_map(|name| {
        let value = typed(&words, name)?;
        Some(((*name).to_owned(), value.to_owned()))
    }));
    // What else is wrong with them is not what the command is refused for.
    let (monitors, _) = called.monitors(&args_of(&values));
    Some(Given {
        command: called.command,
        monitors,
        refused: None,
    })
}

/// An address or a command for a person: whoever knows the whole of it could use it.
pub fn shown(name: &str, value: String) -> String {
    match name {
        "ping" | "notify" => {
            Address::parse(&value).map_or_else(|| "set".to_owned(), |it| it.to_string())
        }
        "on-end" => "set".to_owned(),
        _ => value,
    }
}

/// What tells one kind of process from another.
struct Called {
    command: Command,
    is_rehearsal: bool,
    manifest: Option<PathBuf>,
    config: Option<PathBuf>,
    account: Option<String>,
    db: Option<PathBuf>,
}

impl Called {
    /// The command, where it is one of those that have monitors, with its options for them.
    fn of(cli: &Cli) -> Option<(Self, &MonitorArgs)> {
        let (command, args, manifest, is_rehearsal) = match &cli.command {
            arguments::Command::Run(args) => {
                let manifest = args.manifest.clone();
                (Command::Run, &args.monitors, manifest, args.simulate)
            }
            arguments::Command::Work(args) => (Command::Work, &args.monitors, None, false),
            _ => return None,
        };
        let called = Self {
            command,
            is_rehearsal,
            manifest,
            config: cli.global.config.clone(),
            account: cli.global.account.clone(),
            db: cli.global.db.clone(),
        };
        Some((called, args))
    }

    /// The same of a command line that clap does not take: its first word that is the name of a command.
    fn of_words(words: &[Cow<'_, str>]) -> Option<Self> {
        let cli = Cli::command();
        let is_command = |word: &&Cow<'_, str>| cli.find_subcommand(word.as_ref()).is_some();
        let command = match words.iter().skip(1).find(is_command)?.as_ref() {
            "run" => Command::Run,
            "work" => Command::Work,
            _ => return None,
        };
        let given = |name: &str| {
            let typed = typed(words, name).map(str::to_owned);
            typed.or_else(|| std::env::var(variable(name)).ok())
        };
        Some(Self {
            command,
            is_rehearsal: words.iter().any(|word| word == "--simulate"),
            manifest: None,
            config: given("config").map(PathBuf::from),
            account: given("account"),
            db: given("db").map(PathBuf::from),
        })
    }

    /// What the configuration gives, though it may be the configuration that is refused.
    fn of_file(&self) -> Vec<(String, String)> {
        let found = || match config::search()? {
            Found::File(path) => Some(path),
            Found::Closed(_) => None,
        };
        let path = self.config.clone().or_else(found);
        let path = path.and_then(|path| std::path::absolute(path).ok());
        let Some(path) = path else {
            return Vec::new();
        };
        let mut values = config::glimpse(&path, self.account.as_deref(), &NAMES);
        let folder = path.parent().unwrap_or(Path::new("/"));
        for (_, value) in values.iter_mut().filter(|(name, _)| name == "metrics") {
            *value = folder.join(&*value).to_string_lossy().into_owned();
        }
        values
    }

    /// Whom to tell, and why one of them cannot be told.
    fn monitors(&self, args: &MonitorArgs) -> (Monitors, Option<CliError>) {
        let mut refused = None;
        let mut address = |name: &str, text: Option<&String>| {
            let text = text.filter(|text| !text.is_empty())?;
            let address = Address::parse(text);
            if address.is_none() {
                // Its text may be a secret.
                let error = CliError::Usage(format!(
                    "--{name} (or {}, or `{name}` in config.toml) is no address: write the whole of it, from http:// or https:// on",
                    variable(name)
                ));
                refused.get_or_insert(error);
            }
            address
        };
        let ping = address("ping", args.ping.as_ref());
        let notify = address("notify", args.notify.as_ref());
        let notify = notify.map(|to| Notify {
            memory: self.memory(args.notify.as_deref().unwrap_or_default()),
            to,
            format: args.notify_format.into(),
            when: args.notify_when.into(),
        });
        let metrics = args.metrics.clone();
        if metrics
            .as_deref()
            .is_some_and(|path| path.as_os_str() == "-")
        {
            let error = "--metrics - : they are written into a file, whole or not at all; name one";
            refused.get_or_insert(CliError::Usage(error.to_owned()));
        }
        let monitors = Monitors {
            metrics: metrics.filter(|path| path.as_os_str() != "-"),
            ping,
            notify,
            on_end: args.on_end.clone().filter(|command| !command.is_empty()),
        };
        (monitors, refused)
    }

    /// Where it is kept what this webhook was told last of this kind of process.
    fn memory(&self, address: &str) -> Option<PathBuf> {
        let state = config::own_folder("XDG_STATE_HOME", ".local/state")?;
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let manifest = self.manifest.as_deref().map(absolute);
        let whole = format!(
            "{address}\n{:?}\n{manifest:?}\n{:?}\n{:?}\n{:?}",
            self.command, self.config, self.account, self.db
        );
        let digest = Sha256::digest(whole);
        let mut name = String::new();
        for byte in &digest[..NAME_BYTES] {
            // Writing to a String cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        Some(state.join("refleet/monitors").join(name))
    }
}

/// What of `args` was typed: a rehearsal tells nobody whom the environment or the file names.
fn only_typed(args: MonitorArgs, words: &[Cow<'_, str>]) -> MonitorArgs {
    let is_typed = |name| typed(words, name).is_some();
    MonitorArgs {
        metrics: args.metrics.filter(|_| is_typed("metrics")),
        ping: args.ping.filter(|_| is_typed("ping")),
        notify: args.notify.filter(|_| is_typed("notify")),
        on_end: args.on_end.filter(|_| is_typed("on-end")),
        ..args
    }
}

/// What was typed behind an option, the last time.
fn typed<'a>(words: &'a [Cow<'_, str>], name: &str) -> Option<&'a str> {
    let option = format!("--{name}");
    let mut found = None;
    for (nth, word) in words.iter().enumerate() {
        let rest = word.strip_prefix(&option);
        if rest == Some("") {
            found = words.get(nth + 1).map(AsRef::as_ref);
        } else if let Some(value) = rest.and_then(|rest| rest.strip_prefix('=')) {
            found = Some(value);
        }
    }
    found
}

/// The variable of an option.
fn variable(name: &str) -> String {
    format!("REFLEET_{}", name.to_uppercase().replace('-', "_"))
}

/// The options that these texts come to; one that cannot be read is as if it were not there.
fn args_of(values: &HashMap<String, String>) -> MonitorArgs {
    let value = |name: &str| values.get(name).filter(|value| !value.is_empty()).cloned();
    let format = value("notify-format").and_then(|it| FormatArg::from_str(&it, false).ok());
    let when = value("notify-when").and_then(|it| WhenArg::from_str(&it, false).ok());
    MonitorArgs {
        metrics: value("metrics").map(PathBuf::from),
        ping: value("ping"),
        notify: value("notify"),
        notify_format: format.unwrap_or_default(),
        notify_when: when.unwrap_or_default(),
        on_end: value("on-end"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::*;

    #[test]
    fn what_was_typed_last_is_found_on_a_line_that_clap_refuses() {
        let words = [
            "refleet",
            "run",
            "--ping=a",
            "--pings=b",
            "--ping",
            "c",
            "--bogus",
        ];
        let words = words.map(Cow::Borrowed);
        assert_eq!(typed(&words, "ping"), Some("c"));
        assert_eq!(typed(&words, "notify"), None);
        assert_eq!(
            Called::of_words(&words).map(|it| it.command),
            Some(Command::Run)
        );
        let other = ["refleet", "--bogus", "report", "run"].map(Cow::Borrowed);
        assert!(Called::of_words(&other).is_none());
    }

    #[test]
    fn every_option_is_found_in_the_environment_by_its_name() {
        let command = MonitorArgs::augment_args(clap::Command::new("run"));
        let options = || command.get_arguments();
        let names: Vec<&str> = options().filter_map(clap::Arg::get_long).collect();
        assert_eq!(names, NAMES);
        for option in options() {
            let name = option.get_long().unwrap();
            assert_eq!(option.get_env().unwrap().to_str().unwrap(), variable(name));
        }
    }
}
