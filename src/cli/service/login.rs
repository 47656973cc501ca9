//! The logins of this host: one, or each account of the configuration.

use std::sync::Arc;

use super::args::WorkArgs;
use crate::cli::error::CliError;
use crate::cli::global::{Configured, Global};
use crate::cli::next;
use crate::cli::plan::Bounds;
use crate::cli::recorded::{Repeated, keep_to};
use crate::cli::run::{RunArgs, RunContext};
use crate::cli::sign_in::sign_in;
use crate::config::Account;
use crate::job::{Action, Owner};
use crate::queue::{AccountKey, Batch, Overview as _, Queue, StoreError};
use crate::run::{Options, read_owner};

/// What the command line comes to with `--account` and the name of this one.
pub type OfAccount = fn(&Global, &Account) -> Result<(Global, WorkArgs), CliError>;

/// What it takes to log in.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub global: Global,
    args: WorkArgs,
    of_account: OfAccount,
    /// One of several accounts of the configuration; `None`: what the command line names.
    account: Option<Arc<Account>>,
}

impl Candidate {
    /// Those of the command line: one, or all accounts of its configuration where it names none.
    pub fn all(global: &Global, args: &WorkArgs, of_account: OfAccount) -> Vec<Self> {
        let configured = &global.configured;
        let several = (configured.file.as_ref())
            .filter(|file| configured.account.is_none() && file.accounts.len() > 1);
        let candidate = |account| Self {
            global: global.clone(),
            args: args.clone(),
            of_account,
            account,
        };
        match several {
            None => vec![candidate(None)],
            Some(file) => {
                let accounts = file.accounts.iter();
                let accounts = accounts.map(|account| candidate(Some(Arc::new(account.clone()))));
                accounts.collect()
            }
        }
    }

    /// Its name in the configuration, for people.
    pub fn name(&self) -> &str {
        (self.account.as_ref()).map_or("", |account| account.name.as_str())
    }

    /// People may call an account by the name with which it logs in: such a login is tried first.
    pub fn may_be(&self, owner: &Owner) -> bool {
        let username = (self.account.as_ref()).and_then(|account| account.username.as_ref());
        username.map(|name| &name.value) == owner.label.as_ref()
    }

    /// Whether there is all that a login needs: while another host works, nothing is asked of the API, and what is
    /// missing would show when this one is to take over. Of one among several that is told when it is tried.
    pub async fn check(&self) -> Result<(), CliError> {
        RunContext::new(&self.global, &self.args.of_run(), None).await?;
        Ok(())
    }

    /// Logs in, and learns whose account that is.
    pub async fn open(self) -> Result<Login, CliError> {
        let (global, args) = match &self.account {
            None => (self.global.clone(), self.args.of_run()),
            Some(account) => {
                let (global, args) = (self.of_account)(&self.global, account)?;
                (global, args.of_run())
            }
        };
        let context = RunContext::new(&global, &args, None).await?;
        let action = Action::Rebuild;
        let rate_per_s = context.options.rate_per_s;
        if self.account.is_none() {
            // Of several nobody is asked for a code.
            sign_in(&context.client, rate_per_s, action).await?;
        }
        let owner = read_owner(&context.client, rate_per_s).await;
        let owner = owner.map_err(|halt| CliError::Account { action, halt })?;
        let Some(owner) = owner else {
            return Err(CliError::Usage(format!(
                "{} does not say whose account these credentials are, and it is by the account that hosts keep apart: `refleet run`, on one host, works without that",
                context.api_url
            )));
        };
        Ok(Login {
            typed: (context.options.clone(), context.repeated.clone()),
            again: format!("work{}", next::line(&context.repeated.options)),
            candidate: self,
            global,
            args,
            context,
            owner,
        })
    }
}

/// A session, and how what is ordered in its account is worked on.
pub struct Login {
    pub candidate: Candidate,
    pub global: Global,
    pub args: RunArgs,
    /// What the batch at hand is worked on with.
    pub context: RunContext,
    pub owner: Owner,
    /// What starts this service again.
    pub again: String,
    /// What every batch would be worked on with that has no rules of its own.
    typed: (Options, Repeated),
}

impl Login {
    /// As orders name its account.
    pub fn key(&self) -> AccountKey {
        (self.context.provider.clone(), self.owner.id.clone())
    }

    /// The rules that the batch was ordered with count, but for what was typed for this service.
    pub async fn go_by_the_rules_of(
        &mut self,
        queue: &mut Queue,
        batch: &Batch,
    ) -> Result<(), CliError> {
        (self.context.options, self.context.repeated) = self.typed.clone();
        let kept = self.keep_to_the_rules_of(queue, batch).await;
        let timeout = self.context.options.rules.request_timeout;
        self.context.client.set_timeout(timeout);
        kept
    }

    async fn keep_to_the_rules_of(
        &mut self,
        queue: &mut Queue,
        batch: &Batch,
    ) -> Result<(), CliError> {
        let recorded = match &batch.plan {
            // What somebody has approved.
            Some(_) => queue.ordered_with(batch.id).await?,
            None => queue.options(batch.id).await?,
        };
        let Some((recorded, bounds)) = recorded.and_then(|recorded| {
            let bounds = Bounds::recorded(&recorded)?;
            Some((recorded, bounds))
        }) else {
            return Ok(());
        };
        let typed = Bounds::of(&self.context.options);
        let bounds = bounds.unless_typed(typed.clone(), &self.global.configured);
        let applied = bounds.apply(&Configured::default(), &mut self.context.options);
        applied.map_err(|fault| {
            let id = batch.id;
            StoreError::Bug(format!("the rules of batch {id} can't be read: {fault}"))
        })?;
        // The next run of the batch keeps to them, too.
        self.context.repeated.options.extend(bounds.beside(&typed));
        let options = &mut self.context.options;
        let kept = keep_to(&recorded, &self.global.configured, options)?;
        self.context.repeated.options.extend(kept);
        Ok(())
    }
}
