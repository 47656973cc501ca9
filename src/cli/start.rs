//! A process from its first line to its exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::CommandFactory as _;

use super::arguments::{Cli, Command};
use super::error::{self, CliError};
use super::global::{Global, LogFormat};
use super::service::WorkArgs;
use super::systemd::Systemd;
use super::{
    adopt, catalogue, check, completions, config_show, configured, control, ended, given_paths,
    hooks, hosts, list, load, man, monitors, output, plan, report, resolve, run, service, show,
    signals, simulate, status, trace, verify,
};
use crate::config::Account;
use crate::exit::Exit;
use crate::monitor::Herald;
use crate::{log, text};

/// Parses the arguments, carries out the command, and says how it ended: to a person, to the monitors, and to
/// whoever started it.
pub fn main() -> ExitCode {
    keep_memory_private();
    let arguments = arguments();
    log::set_json(LogFormat::foreseen(&arguments) == LogFormat::Json);
    say_what_a_bug_is();
    let parsed = configured::parse(&arguments);
    let (herald, parsed) = herald(parsed, &arguments);
    let (exit, said) = match parsed {
        Ok(mut cli) => {
            cli.global.watch = herald.as_ref().map(Herald::watch).unwrap_or_default();
            let systemd = systemd_of(&cli.command);
            cli.global.systemd = systemd.clone();
            let (exit, said) = until_ended(cli);
            systemd.ended(exit == Exit::Done);
            (exit, said)
        }
        Err(error) => (error.exit(), tell(&error, "refleet")),
    };
    if let Some(herald) = herald {
        for line in herald.ended(exit, &said) {
            output::tell_prose(&format!("{line}\n"));
        }
    }
    exit.into()
}

/// Who tells the monitors of this process, if there are any; a monitor that cannot be told refuses the
/// command.
fn herald(
    parsed: Result<Cli, CliError>,
    arguments: &[OsString],
) -> (Option<Herald>, Result<Cli, CliError>) {
    let Some(given) = monitors::given(&parsed, arguments) else {
        return (None, parsed);
    };
    let parsed = match given.refused {
        Some(refused) => parsed.and(Err(refused)),
        None => parsed,
    };
    match Herald::start(given.monitors, given.command) {
        Ok(herald) => (herald, parsed),
        Err(error) => {
            output::tell_prose(&format!("warning: no monitor is told: {error}\n"));
            (None, parsed)
        }
    }
}

/// systemd, where it has started the command as a service.
fn systemd_of(command: &Command) -> Systemd {
    if matches!(command, Command::Run(_) | Command::Work(_)) {
        Systemd::of_environment()
    } else {
        Systemd::default()
    }
}

/// How the command has ended, and what a person was told of an error.
fn until_ended(cli: Cli) -> (Exit, String) {
    log::set_json(cli.global.log_format == LogFormat::Json);
    trace::start(&cli.global);
    let command = cli.command.command(&cli.global);
    let ended = std::panic::catch_unwind(|| carry_out(cli));
    match ended {
        Ok(Ok(exit)) => (exit, String::new()),
        Ok(Err(error)) => (error.exit(), tell(&error, &command)),
        Err(_) => (Exit::Bug, String::new()),
    }
}

/// Tells a person what went wrong; the text of it. What was asked for goes to stdout.
fn tell(error: &CliError, command: &str) -> String {
    let text = error.render(command);
    match error {
        CliError::CommandLine(error) if !(error.use_stderr() && log::is_json()) => {
            // In colour, where that can be seen. Nobody is left to be told that it cannot be written.
            let _ = error.print();
        }
        _ => output::tell_failure(&text, error.exit()),
    }
    text
}

/// A panic is told as what it is.
fn say_what_a_bug_is() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let what = panic.payload_as_str().unwrap_or("no message");
        let said = format!(
            "error: a bug in refleet, at {place}: {}\nhint: please report it; run again to resume, the ledger is intact\n",
            text::brief(what, 300)
        );
        output::tell_failure(&said, Exit::Bug);
    }));
}

/// The arguments. `refleet help --help` asks for what `refleet help` shows: clap takes the option
/// there for the name of a command.
fn arguments() -> Vec<OsString> {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|command| command == "help") {
        arguments.retain(|argument| argument != "--help" && argument != "-h");
    }
    arguments
}

/// This process holds passwords: it leaves no core dump, and other processes of the same user may
/// neither attach to it nor read its memory and its environment.
fn keep_memory_private() {
    // Other systems know no such thing.
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // A kernel that refuses this is no reason not to run.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// How many tasks are polled before the runtime looks for I/O. With tokio's default of 61 the
/// database's answer would wait for a millisecond.
const TASKS_PER_TURN: u32 = 8;

fn carry_out(cli: Cli) -> Result<Exit, CliError> {
    let Cli { global, command } = cli;
    given_paths::check(&global, &command)?;
    let mut builder = match &command {
        Command::Simulate(_) => tokio::runtime::Builder::new_multi_thread(),
        // SQLite and the display have threads of their own; one for all the rest is quicker than
        // several that wake each other.
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder
        .enable_all()
        .event_interval(TASKS_PER_TURN)
        .build()
        .map_err(CliError::System)?;
    // They may wait for a command that prints a secret, which has to end with them. The others see to
    // signals themselves, or a signal ends them as it ends any process.
    let interrupted = match &command {
        Command::Plan(_) | Command::Services(_) | Command::Images(_) | Command::Keys(_) => {
            Some("interrupted: nothing was changed, nothing was ordered")
        }
        Command::Load(_) | Command::Retry(_) => Some(
            "interrupted: what it was to change was changed whole or not at all, which `refleet status` shows",
        ),
        Command::Run(_)
        | Command::Work(_)
        | Command::Check(_)
        | Command::Status(_)
        | Command::List(_)
        | Command::Show(_)
        | Command::Resolve(_)
        | Command::Cancel(_)
        | Command::Pause(_)
        | Command::Go(_)
        | Command::Set(_)
        | Command::Drain(_)
        | Command::Hooks(_)
        | Command::Report(_)
        | Command::Verify(_)
        | Command::Adopt(_)
        | Command::Hosts(_)
        | Command::Config(_)
        | Command::Simulate(_)
        | Command::Completions(_)
        | Command::Man(_) => None,
    };
    let again = command.command(&global);
    let ended = runtime.block_on(async {
        let work = Box::pin(work(&global, command));
        match interrupted {
            Some(said) => until_signal(work, &error::typed(said, &again)).await,
            None => work.await,
        }
    });
    // A reader of a pipe or a name look-up that hangs must not keep the process.
    runtime.shutdown_background();
    ended
}

/// What the command does.
async fn work(global: &Global, command: Command) -> Result<Exit, CliError> {
    match command {
        Command::Run(args) => Box::pin(run::run(global, &args)).await,
        Command::Work(args) => Box::pin(service::work(global, &args, work_for)).await,
        Command::Check(args) => check::check(global, &args),
        Command::Plan(args) => plan::plan(global, &args).await,
        Command::Load(args) => load::load(global, &args).await,
        Command::Status(args) => status::status(global, &args).await,
        Command::List(args) => list::list(global, &args).await,
        Command::Show(args) => show::show(global, &args).await,
        Command::Retry(args) => resolve::retry(global, &args).await,
        Command::Resolve(args) => resolve::resolve(global, &args).await,
        Command::Cancel(args) => resolve::cancel(global, &args).await,
        Command::Pause(args) => control::pause(global, &args).await,
        Command::Go(args) => control::go(global, &args).await,
        Command::Set(args) => control::set(global, &args).await,
        Command::Drain(args) => control::drain(global, &args).await,
        Command::Hooks(args) => hooks::hooks(global, &args).await,
        Command::Report(args) => report::report(global, &args).await,
        Command::Verify(args) => verify::verify(global, &args).await,
        Command::Adopt(args) => adopt::adopt(global, &args).await,
        Command::Hosts(args) => hosts::hosts(global, &args).await,
        Command::Services(args) => catalogue::services(global, &args).await,
        Command::Config(args) => config_show::config(global, &args),
        Command::Images(args) => catalogue::images(global, &args).await,
        Command::Keys(args) => catalogue::keys(global, &args).await,
        Command::Simulate(args) => simulate::run(&args).await,
        Command::Completions(args) => completions::completions(&args, Cli::command()),
        Command::Man(args) => man::man(&args, Cli::command()),
    }
}

/// The command line of a service as it is for one of the accounts that it works for.
fn work_for(global: &Global, account: &Account) -> Result<(Global, WorkArgs), CliError> {
    let cli = configured::as_if_typed(global, account)?;
    let Command::Work(args) = cli.command else {
        return Err(CliError::Usage("this is no `refleet work`".to_owned()));
    };
    Ok((cli.global, *args))
}

/// A command that a signal ends where it waits; dropping it ends the command that it waits for, rolls its
/// transaction back, and removes the file that it has begun. `interrupted`: what is said then.
async fn until_signal(
    command: impl Future<Output = Result<Exit, CliError>>,
    interrupted: &str,
) -> Result<Exit, CliError> {
    let mut signals = signals::listen()?;
    tokio::select! {
        biased;
        Some(signal) = signals.recv() => {
            output::tell_prose(&format!("\n{interrupted}\n"));
            Ok(ended::of_signal(signal))
        }
        ended = command => ended,
    }
}
