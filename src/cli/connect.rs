//! The API of a command, as the global options, the environment and the account name it.

use std::time::Duration;

use super::credentials::{self, Access};
use super::error::CliError;
use super::global::Global;
use crate::zomro::{Client, Endpoint, Settings};

/// The longest time a long request is followed.
const FOLLOW_TIMEOUT: Duration = Duration::from_mins(10);

/// The longest duration of one call, for commands that have no option for it.
pub const TIMEOUT: Duration = Duration::from_mins(1);

/// The API that the global options name, with the credentials of the environment or of the account.
pub async fn connect(global: &Global, timeout: Duration) -> Result<Client, CliError> {
    let endpoint = global.endpoint()?;
    client(global, endpoint, credentials::find(global).await?, timeout)
}

/// A client for `endpoint`; nothing is sent yet.
pub fn client(
    global: &Global,
    endpoint: Endpoint,
    access: Access,
    timeout: Duration,
) -> Result<Client, CliError> {
    let settings = Settings {
        endpoint,
        credentials: access.credentials,
        account_field: global.account_field.clone(),
        timeout,
        follow_interval: Duration::from_secs(2).min(timeout),
        follow_timeout: FOLLOW_TIMEOUT,
    };
    Ok(Client::with_sources(settings, access.sources)?)
}
