//! All commands, as clap reads them.

use clap::{Parser, Subcommand};

use super::adopt::AdoptArgs;
use super::catalogue::{ImagesArgs, KeysArgs, ServicesArgs};
use super::check::CheckArgs;
use super::completions::CompletionsArgs;
use super::config_args::ConfigArgs;
use super::control::{DrainArgs, GoArgs, PauseArgs, SetArgs};
use super::global::{Global, SIMULATION_DATABASE};
use super::hooks::HooksArgs;
use super::hosts::HostsArgs;
use super::list::ListArgs;
use super::load::LoadArgs;
use super::man::ManArgs;
use super::plan::PlanArgs;
use super::report::ReportArgs;
use super::resolve::{CancelArgs, ResolveArgs, RetryArgs};
use super::run::RunArgs;
use super::service::WorkArgs;
use super::show::ShowArgs;
use super::simulate::SimulateCommand;
use super::status::StatusArgs;
use super::verify::VerifyArgs;

/// What `refleet -h` ends with.
const EXAMPLES: &str = "\
Examples:
  refleet check fleet.csv                  validate the sheet, ask nobody
  refleet plan fleet.csv --out plan.json   what will be lost, to be approved
  refleet run fleet.csv --plan plan.json   exactly that
  refleet run fleet.csv --simulate --yes   rehearse, nothing real is touched
  refleet run fleet.csv                    rebuild; run it again to resume
  refleet report --output results.csv      what happened to each";

/// What `refleet --help` ends with, besides.
const CREDENTIALS_AND_CODES: &str = "\
Credentials:
  From the environment or a file, never from an argument:
  ZOMRO_USERNAME and ZOMRO_PASSWORD   log in, and renew the session
  ZOMRO_AUTH                          a session token that somebody else opened;
                                      not used where the two above are set
  Each also as …_FILE with the path of a file that holds it.
  ZOMRO_TOTP_COMMAND                  prints the code of a second factor
  ZOMRO_LOGIN=authinfo                name and password with each call
  Or from an account in config.toml: `refleet config show` says what applies.

Exit codes:
  0    all done
  1    some failed
  2    invalid input: nothing was sent
  3    some are in doubt: `refleet resolve`
  4    halted by an outage, or drained: run again
  5    the window closed with work left
  6    halted by the failure budget, a canary, a group or a pause: look into it
  7    credentials refused
  8    this address is blocked
  70   a bug
  74   the database cannot be written
  75   busy: another process works on it
  130  interrupted by SIGINT: run again to resume
  143  interrupted by SIGTERM or SIGHUP: run again to resume";

/// Rebuild a whole fleet of Zomro Cloud VPS instances from a spreadsheet.
///
/// A rebuild destroys all data on the instance. refleet may be killed at any moment, on a network
/// that fails in any way, and afterwards it still knows which instances were wiped, which were not,
/// and which are in doubt; and it never wipes one twice on its own guess.
#[derive(Debug, Parser)]
#[command(name = "refleet", version, after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{CREDENTIALS_AND_CODES}"), max_term_width = 100)]
// When an option is given twice the last one counts: aliases and wrappers put theirs in front.
#[command(args_override_self = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,

    #[command(subcommand)]
    pub command: Command,
}

// The help of each command stands at its arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    Run(Box<RunArgs>),
    Work(Box<WorkArgs>),
    Check(CheckArgs),
    Plan(Box<PlanArgs>),
    Load(LoadArgs),
    Status(StatusArgs),
    List(ListArgs),
    Show(ShowArgs),
    Retry(RetryArgs),
    Resolve(ResolveArgs),
    Cancel(CancelArgs),
    Pause(PauseArgs),
    Go(GoArgs),
    Set(SetArgs),
    Drain(DrainArgs),
    Hooks(HooksArgs),
    Report(ReportArgs),
    Verify(VerifyArgs),
    Adopt(AdoptArgs),
    Hosts(HostsArgs),
    Services(ServicesArgs),
    Config(ConfigArgs),
    Images(ImagesArgs),
    Keys(KeysArgs),
    Simulate(Box<SimulateCommand>),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

impl Command {
    /// How to call refleet on the same queue again.
    pub fn command(&self, global: &Global) -> String {
        if let Self::Run(args) = self
            && args.simulate
            && let Ok(database) = global.database(SIMULATION_DATABASE)
        {
            return global.command(Some(&database.shown()));
        }
        global.command(None)
    }
}

#[cfg(test)]
mod tests {
    use clap::{ArgAction, CommandFactory as _};

    use super::*;

    /// What an option of this kind may be given, in the order of trial.
    const VALUES: &[&str] = &[
        "7",
        "3",
        "0.5",
        "0.25",
        "5%",
        "10%",
        "10%",
        "25%",
        "2s",
        "1m",
        "5%",
        "7%",
        "127.0.0.1:1",
        "http://127.0.0.1:1/",
        "auto",
        "none",
        "table",
        "json",
        "done",
        "failed",
        "dropped",
        "01:00-05:00",
        "22:00-06:00",
        "UTC",
        "Europe/Berlin",
        "always",
        "change",
        "slack",
        "lost",
        "service.history",
        "authlog",
        "a.csv",
        "b.csv",
    ];

    /// Two values that `option` takes on this command line.
    fn two_values(line: &[String], option: &str) -> Option<[String; 2]> {
        let possible = |value: &&str| {
            let line = line.iter().cloned().chain([format!("{option}={value}")]);
            Cli::try_parse_from(line).is_ok()
        };
        let mut taken = VALUES.iter().copied().filter(possible);
        let first = taken.next()?;
        Some([first, taken.next().unwrap_or(first)].map(str::to_owned))
    }

    // Field case E10.
    #[test]
    fn of_an_option_that_is_given_twice_the_last_one_counts() {
        let mut tree = Cli::command();
        tree.build();
        let mut tried = 0;
        for command in tree
            .get_subcommands()
            .filter(|command| command.get_name() != "help")
        {
            let mut line = vec!["refleet".to_owned(), command.get_name().to_owned()];
            match command.get_name() {
                "check" | "load" | "plan" | "run" | "simulate" => {
                    line.push("fleet.csv".to_owned());
                }
                "show" => line.push("5113119".to_owned()),
                "completions" => line.push("bash".to_owned()),
                "config" => line.push("show".to_owned()),
                "images" | "keys" => line.push("--catalogue".to_owned()),
                _ => {}
            }
            for argument in command.get_arguments() {
                let Some(name) = argument.get_long() else {
                    continue;
                };
                // An option that may be repeated collects what it is given.
                if ["help", "version"].contains(&name)
                    || matches!(argument.get_action(), ArgAction::Append)
                {
                    continue;
                }
                let option = format!("--{name}");
                let mut line = line.clone();
                // What these ask for besides.
                let others: &[&str] = match command.get_name() {
                    "resolve" if name == "suggested" => &[],
                    "resolve" => &["--all", "--as=failed", "--reason=seen"],
                    "retry" => &["--failed", "--from=a.csv"],
                    "cancel" => &["--all"],
                    "report" if name == "rows" => &["--from=a.csv", "--output=b.csv"],
                    "report" => &["--from=a.csv"],
                    "set" if name == "workers" => &["--rate=1"],
                    "set" => &["--workers=3"],
                    _ => &[],
                };
                let required = command
                    .get_arguments()
                    .filter(|other| other.is_required_set());
                let reason = required.filter_map(|other| other.get_long());
                let reason = reason.filter(|name| *name == "reason");
                let others = others.iter().map(ToString::to_string);
                let others = others.chain(reason.map(|name| format!("--{name}=seen")));
                line.extend(others.filter(|other| !other.starts_with(&option)));
                tried += 1;
                if !argument.get_action().takes_values() {
                    line.push(option.clone());
                    // Some flags exclude those that the line has already.
                    if Cli::try_parse_from(&line).is_ok() {
                        line.push(option.clone());
                        let parsed = Cli::try_parse_from(&line);
                        assert!(parsed.is_ok(), "{line:?}: {}", parsed.unwrap_err());
                    }
                    continue;
                }
                // Some go with another one only.
                let values = two_values(&line, &option).or_else(|| {
                    line.push("--simulate".to_owned());
                    two_values(&line, &option)
                });
                let [first, last] = values.unwrap_or_else(|| panic!("no value: {line:?} {option}"));
                line.extend([format!("{option}={first}"), format!("{option}={last}")]);
                let matches = Cli::command().try_get_matches_from(&line);
                let matches = matches.unwrap_or_else(|error| panic!("{line:?}: {error}"));
                let (_, matches) = matches.subcommand().unwrap();
                let mut values = matches.get_raw(argument.get_id().as_str()).unwrap();
                assert_eq!(values.len(), 1, "{line:?}");
                assert_eq!(values.next_back().unwrap(), last.as_str(), "{line:?}");
            }
        }
        assert!(tried > 60, "{tried}");
    }

    /// Every command, those within others included.
    fn all_commands() -> Vec<clap::Command> {
        fn add(command: &clap::Command, all: &mut Vec<clap::Command>) {
            all.push(command.clone());
            let below = command.get_subcommands();
            for below in below.filter(|below| below.get_name() != "help") {
                add(below, all);
            }
        }
        let mut tree = Cli::command();
        tree.build();
        let mut all = Vec::new();
        add(&tree, &mut all);
        all
    }

    /// The commands of `refleet` in a line of a shell. What follows two spaces is a remark.
    fn typed(line: &str) -> Vec<Vec<String>> {
        let mut commands = vec![Vec::new()];
        let mut word = String::new();
        let mut quote = None;
        let line = line.trim_start();
        for (at, character) in line.char_indices() {
            match (quote, character) {
                (Some(open), _) if open == character => quote = None,
                (None, '\'' | '"') => quote = Some(character),
                (None, ' ') if line[at..].starts_with("  ") => break,
                (None, ' ') => {
                    let word = std::mem::take(&mut word);
                    match word.as_str() {
                        "|" | "&&" | ">" => commands.push(Vec::new()),
                        _ => commands.last_mut().unwrap().push(word),
                    }
                }
                (Some(_) | None, _) => word.push(character),
            }
        }
        commands.last_mut().unwrap().push(word);
        commands.retain(|words| words[0] == "refleet");
        commands
    }

    #[test]
    fn every_command_has_examples_and_each_can_be_typed() {
        let mut tried = 0;
        for command in all_commands() {
            let name = command.get_bin_name().unwrap_or("refleet").to_owned();
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            let examples = help.strip_prefix("Examples:\n");
            let examples = examples.unwrap_or_else(|| panic!("{name} has no examples: {help}"));
            let examples = examples.split("\n\n").next().unwrap();
            assert!(
                examples.contains(&format!("  {name}")),
                "{name}: {examples}"
            );
            for line in examples.lines() {
                let commands = typed(line);
                assert!(!commands.is_empty(), "{name}: {line}");
                for words in commands {
                    let parsed = Cli::try_parse_from(&words);
                    assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
                    tried += 1;
                }
            }
        }
        assert!(tried > 70, "{tried}");
    }

    #[test]
    fn what_stands_below_the_options_fits_on_a_terminal_as_it_is() {
        for command in all_commands() {
            let texts = [command.get_after_help(), command.get_after_long_help()];
            for text in texts.into_iter().flatten() {
                let text = text.to_string();
                let long = text.lines().find(|line| line.chars().count() > 80);
                assert_eq!(long, None, "{:?}", command.get_bin_name());
            }
        }
    }

    #[test]
    fn the_long_help_has_every_option_and_the_short_one_those_of_the_first_night() {
        for mut command in all_commands() {
            let long = command.render_long_help().to_string();
            let shown = command.get_opts().filter(|option| !option.is_hide_set());
            for name in shown.filter_map(clap::Arg::get_long) {
                let option = format!("--{name}");
                let words = |text: &str| {
                    text.split(|c: char| c.is_whitespace() || c == ',')
                        .any(|word| word == option || word == format!("{option}..."))
                };
                assert!(words(&long), "{:?}: {option}", command.get_bin_name());
            }
        }
        let mut tree = Cli::command();
        tree.build();
        let run = tree.find_subcommand_mut("run").unwrap();
        let short = run.render_help().to_string();
        for (option, is_basic) in [
            ("--yes", true),
            ("--simulate", true),
            ("--canary", true),
            ("--db", true),
            ("--backoff-max", false),
            ("--include-hidden", false),
            ("--odd", false),
        ] {
            assert_eq!(short.contains(option), is_basic, "{option}: {short}");
        }
    }

    #[test]
    fn of_two_manifests_none_is_taken() {
        for command in ["run", "load", "check", "plan"] {
            let line = ["refleet", command, "one.csv", "two.csv"];
            assert!(Cli::try_parse_from(line).is_err(), "{command}");
        }
    }
}
