//! What a shell completes, as a script for it.

use clap::Args;
use clap_complete::Shell;

use super::error::CliError;
use super::output::print;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  refleet completions bash > ~/.local/share/bash-completion/completions/refleet
  refleet completions zsh > ~/.zfunc/_refleet    where $fpath has that folder
  refleet completions fish > ~/.config/fish/completions/refleet.fish";

/// Print the script that lets a shell complete commands and options.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// `program`: the whole command line.
pub fn completions(args: &CompletionsArgs, mut program: clap::Command) -> Result<Exit, CliError> {
    let name = program.get_name().to_owned();
    // A generator that cannot write panics: a pipe may be closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, name, &mut script);
    print(|out| out.write_all(&script))?;
    Ok(Exit::Done)
}
