//! What the commands share that read the account: the way to the API, and the way out.

use std::io;
use std::path::Path;
use std::time::Duration;

use clap::Args;

use crate::cli::connect::connect;
use crate::cli::error::CliError;
use crate::cli::format::{self, FormatArgs, ListFormat};
use crate::cli::global::Global;
use crate::cli::options::{parse_positive, parse_rate};
use crate::cli::output::{can_write_over, print, tell, tell_prose};
use crate::cli::sign_in::sign_in;
use crate::exit::Exit;
use crate::job::Action;
use crate::progress::Verbosity;
use crate::report::{AtomicFile, Format, Listing};
use crate::run::Halt;
use crate::text;
use crate::zomro::Client;

/// How the account is read.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// API calls per second, evenly spaced; 0 for no limit
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_rate)]
    pub rate: f64,

    /// How long one API call may take
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_positive)]
    timeout: Duration,
}

impl LookArgs {
    /// The API, signed in to where the account asks a person for a code.
    pub async fn client(&self, global: &Global) -> Result<Client, CliError> {
        let client = connect(global, self.timeout).await?;
        sign_in(&client, self.rate, Action::Rebuild).await?;
        Ok(client)
    }
}

/// Says on stderr what is being done, on one line that is written over.
pub struct Doing {
    can_write_over: bool,
}

impl Doing {
    pub fn new(verbosity: Verbosity) -> Self {
        Self {
            can_write_over: verbosity != Verbosity::Quiet && can_write_over(),
        }
    }

    pub fn say(&self, doing: &str) {
        if self.can_write_over {
            tell(&format!("\r\x1b[K{doing}"));
        }
    }
}

impl Drop for Doing {
    fn drop(&mut self) {
        self.say("");
    }
}

/// Why the account was not read.
pub fn not_read(halt: Halt) -> CliError {
    CliError::Account {
        action: Action::Rebuild,
        halt,
    }
}

/// Writes the list to where it was asked for. `what` says what was written, for people.
pub fn write(
    listing: &Listing,
    what: &str,
    args: &FormatArgs<ListFormat>,
    global: &Global,
) -> Result<(), CliError> {
    let format = args.format()?.into();
    let Some(path) = args.file() else {
        return print(|out| listing.write(format, out));
    };
    write_file(listing, format, path).map_err(|source| CliError::Output {
        what: path.display().to_string(),
        source,
    })?;
    if global.verbosity() != Verbosity::Quiet {
        tell_prose(&format!(
            "{what} written to {} as {}\n",
            text::printable(&path.display().to_string()),
            format::called(format)
        ));
    }
    Ok(())
}

/// Writes what may be ordered, and says what is missing. `names`: one of it, and several.
pub fn finish(
    listing: &Listing,
    names: [&str; 2],
    is_whole: bool,
    args: &FormatArgs<ListFormat>,
    global: &Global,
) -> Result<Exit, CliError> {
    let [one, several] = names;
    let what = match listing.rows.len() {
        1 => format!("1 {one}"),
        count => format!("{count} {several}"),
    };
    write(listing, &what, args, global)?;
    if !is_whole {
        tell_prose(&format!(
            "warning: {what} could be read, and the API's list has others, or rows that cannot be read: type it again\n"
        ));
        return Ok(Exit::Failed);
    }
    if listing.rows.is_empty() && global.verbosity() != Verbosity::Quiet {
        tell_prose(&format!("the API offers no {one} here\n"));
    }
    Ok(Exit::Done)
}

fn write_file(listing: &Listing, format: Format, path: &Path) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    listing.write(format, &mut file)?;
    file.commit()
}
