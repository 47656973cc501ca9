//! The second factor of an account, asked for at a terminal.
//!
//! The one fact to know: it is asked for before anything else is done, and never later: in the middle
//! of the night nobody is there to answer. A login that has to be renewed then needs a command.

use std::time::Duration;

use secrecy::SecretString;

use super::error::CliError;
use super::output::{can_ask, tell};
use super::typed::answer;
use crate::job::Action;
use crate::run::Halt;
use crate::run::session::LOGIN_PAUSE;
use crate::zomro::{Client, HalfSession, Keepalive, LoginError};

/// A code is mistyped, or has just run out.
const TRIES: u32 = 3;

/// Opens the session at a terminal where the account may ask for a code, and gives it the one that is
/// typed. What else goes wrong is left to the calls that follow, which have the patience for it; but a
/// login that was refused is not tried again.
pub async fn sign_in(client: &Client, rate_per_s: f64, action: Action) -> Result<(), CliError> {
    if !client.can_login() || client.can_confirm() || client.generation() > 0 || !can_ask() {
        return Ok(());
    }
    let halted = |halt| CliError::Account { action, halt };
    let pause = if rate_per_s > 0.0 {
        Duration::from_secs_f64(1.0 / rate_per_s)
    } else {
        Duration::ZERO
    };
    let wants_code = match client.login().await {
        Ok(_) => {
            tokio::time::sleep(pause).await;
            let wants_code = client.whoami().await == Keepalive::Half(HalfSession::SecondFactor);
            tokio::time::sleep(pause).await;
            wants_code
        }
        Err(LoginError::SecondFactor) => true,
        Err(error @ LoginError::Refused { .. }) if !error.is_temporary_lock() => {
            return Err(halted(Halt::Credentials(error.to_string())));
        }
        Err(error @ (LoginError::Refused { .. } | LoginError::PasswordChanged { .. })) => {
            // The calls that follow log in at once, and the API locks the account for so long.
            let error = error.to_string();
            tell(&format!(
                "{}; the next login is in {} s\n",
                crate::text::printable(&error),
                LOGIN_PAUSE.as_secs()
            ));
            tokio::time::sleep(LOGIN_PAUSE).await;
            false
        }
        Err(_) => false,
    };
    if !wants_code {
        return Ok(());
    }
    tell("The account asks for a second factor.\n");
    for left in (0..TRIES).rev() {
        let code = answer("Code: ").await.unwrap_or_default();
        let code = code.trim();
        if code.is_empty() {
            break;
        }
        match client.confirm_with(&SecretString::from(code)).await {
            Ok(_) => return Ok(()),
            Err(error @ LoginError::WrongCode { .. }) if left > 0 => {
                tell(&format!("{}\n", crate::text::printable(&error.to_string())));
            }
            Err(error) => return Err(halted(Halt::NotConfirmed(error.to_string()))),
        }
    }
    Err(halted(Halt::SecondFactor))
}
