//! What to do when a run ends before its batch has ended.

use crate::job::{Action, Executed, ServiceId, State, Terms};
use crate::run::Halt;
use crate::text;

/// One line each. `command`: how to call refleet on this database; `of_batch`: what makes a command speak of
/// the batch, where it is not the newest; `manifest`: its file and how that is read, as words of a command line.
#[expect(clippy::too_many_lines, reason = "a table: one arm for each halt")]
pub fn hint(
    halt: &Halt,
    action: Action,
    command: &str,
    of_batch: &str,
    manifest: Option<&str>,
) -> Vec<String> {
    let terms = action.terms();
    let line = match halt {
        Halt::FailureBudget { .. } => {
            format!(
                "see what went wrong (`{command} list --state failed,in_doubt{of_batch}`), deal with it (retry, resolve, cancel) or raise --max-failures, then run again"
            )
        }
        Halt::NotListed { .. } => format!(
            "clear the filter in the panel and run again; what the account really lacks is dropped with `{command} cancel SERVICE_ID...`"
        ),
        Halt::PlanMismatch { .. } => format!(
            "see whether rows of the sheet have slipped or its instances have changed; mend the sheet and run it again; what has failed goes again with `{command} retry --failed --from {}{of_batch}`",
            manifest.unwrap_or("MANIFEST")
        ),
        Halt::WindowClosed { .. } => {
            "nothing is lost: run it again when the window is open, by cron for example".to_owned()
        }
        Halt::Canary {
            service,
            state,
            executed,
        } => {
            return after_canary(*service, (*state, *executed), terms, (command, of_batch));
        }
        Halt::GroupDown {
            service,
            state,
            other_batch,
            ..
        } => {
            let own = of_batch;
            let of_batch =
                other_batch.map_or(own.to_owned(), |batch| format!(" --batch {batch}"));
            match state {
                State::Failed => format!(
                    "look at it; `{command} retry --wiped {service}{of_batch}` rebuilds it once more, `{command} resolve {service} --as done --reason TEXT{of_batch}` says that it is back, `{command} resolve {service} --as failed --reason TEXT{of_batch}` that the others may go on without it; then run again"
                ),
                State::Queued => format!(
                    "it is to be sent again, and does not start: see why (`{command} show {service}`), or drop it with `{command} cancel {service}{own}`; then run again"
                ),
                State::Submitting
                | State::InProgress
                | State::InDoubt
                | State::Done
                | State::Cancelled => format!(
                    "look at it, and say what happened: `{command} resolve {service} --as WORD --reason TEXT{of_batch}` (done, requeue or failed); then run again"
                ),
            }
        }
        Halt::Unfenced { host, .. } => format!(
            "once you know that it is down, `{command} hosts fence {} --reason TEXT` says so; then run again",
            text::shell_word(host)
        ),
        Halt::StoodStill { .. } => format!(
            "make sure that the servers are still to be {}, then go on with `{command} run --stale`",
            terms.touched
        ),
        Halt::Credentials(_) => {
            format!("check the account's login (`{command} config show` says where it comes from), or ZOMRO_USERNAME and ZOMRO_PASSWORD, or ZOMRO_AUTH (a session ends an hour after its last call), then run again")
        }
        Halt::OtherAccount { theirs, .. } => format!(
            "nothing more was sent: give the credentials of account {} (ZOMRO_USERNAME and ZOMRO_PASSWORD, or ZOMRO_AUTH), then run again; `{command} status` shows the batch",
            theirs.id
        ),
        Halt::UnknownAccount { theirs, .. } => format!(
            "nothing more was sent: give the credentials of account {} with which it was begun (ZOMRO_USERNAME and ZOMRO_PASSWORD, or ZOMRO_AUTH), or say with --account-field where the API names the account, then run again; `{command} status` shows the batch",
            theirs.id
        ),
        Halt::SecondFactor => {
            "start it at a terminal, which asks for the code at the beginning, or give a command that prints one: ZOMRO_TOTP_COMMAND, or `totp_command` of the account; a session that was opened in the panel does too: its token as ZOMRO_AUTH, without ZOMRO_USERNAME and ZOMRO_PASSWORD".to_owned()
        }
        Halt::NotConfirmed(_) => {
            "see to ZOMRO_TOTP_COMMAND, or `totp_command` of the account, and to this machine's clock (`date`), then run again".to_owned()
        }
        Halt::Rights(_) => format!(
            "give this user the right to list and {} instances, or use the account's owner, then run again",
            terms.verb
        ),
        Halt::Incurable(why) => why.remedy().to_owned(),
        Halt::Blocked { .. } => {
            "wait a while, leave VPNs and shared addresses, lower --rate, then run again".to_owned()
        }
        Halt::Paused { .. } => format!(
            "nothing was sent: `{command} go --reason TEXT{of_batch}` lifts the pause, then run again"
        ),
        Halt::Drained { .. } => "run again to go on with the rest".to_owned(),
        Halt::Unread(_) => "nothing was sent: deal with the reason, then run again".to_owned(),
        Halt::SlowedDown { .. } => {
            "wait for the API, give a lower --rate, then run again: nothing is lost".to_owned()
        }
        Halt::Outage { .. } => {
            "see to the network, or wait for the API, then run again: nothing is lost".to_owned()
        }
    };
    vec![line]
}

/// What to do about `service`, which was to go first and did not end well.
fn after_canary(
    service: ServiceId,
    (state, executed): (State, Executed),
    terms: &Terms,
    (command, of_batch): (&str, &str),
) -> Vec<String> {
    let resolve =
        |word: &str| format!("`{command} resolve {service} --as {word} --reason TEXT{of_batch}`");
    let go = format!("`{command} go --canaries --reason TEXT{of_batch}`");
    let mut lines = vec![format!("see what happened: `{command} show {service}`")];
    match (state, executed) {
        (State::Done, _) => {}
        (State::InDoubt, _) => lines.extend([
            format!("if it is as it should be: {}", resolve("done")),
            format!("to {} it once more: {}", terms.verb, resolve("requeue")),
        ]),
        (_, Executed::No) => {
            lines.push(format!(
                "to send it again: `{command} retry {service}{of_batch}`"
            ));
        }
        (_, Executed::Maybe | Executed::Yes) => lines.extend([
            format!("if it is as it should be: {}", resolve("done")),
            format!(
                "to {} it once more: `{command} retry --wiped {service}{of_batch}`",
                terms.verb
            ),
        ]),
    }
    lines.push(format!("to let the others start all the same: {go}"));
    lines.push("then run again".to_owned());
    lines
}
