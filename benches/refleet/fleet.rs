//! Accounts with instances that are rebuilt: what the stand-in for the API answers to whoever comes with
//! the token of one.
//!
//! It does what a run waits for and nothing else, so that a rebuild costs the one that is measured more than
//! it costs the server.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::place::{IMAGE, service};

/// From the acceptance of a form until its instance is back. Whoever looks every second sees each while it is
/// rebuilt: one that nobody has seen then is waited for much longer.
const REBUILD: Duration = Duration::from_secs(4);

/// Rows on a page of the list.
const PAGE_ROWS: usize = 50;

const OK: &str = r#"{"doc":{"ok":{"$":"done"}}}"#;

/// One of several accounts with as many instances each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    pub number: usize,
    pub instances: usize,
}

impl Account {
    /// The place of its first instance among those of all accounts.
    pub fn first(self) -> usize {
        self.number * self.instances
    }

    /// As `whoami` names it.
    pub fn id(self) -> String {
        format!("7{:05}", self.number)
    }

    fn parse(token: &str) -> Option<Self> {
        let (number, instances) = token.strip_prefix("account-")?.split_once("-of-")?;
        Some(Self {
            number: number.parse().ok()?,
            instances: instances.parse().ok()?,
        })
    }
}

/// Its session's token.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account-{}-of-{}", self.number, self.instances)
    }
}

/// What has been submitted to all accounts.
#[derive(Default)]
pub struct Fleet {
    /// When each service was submitted.
    submitted: Mutex<HashMap<usize, Instant>>,
    /// Forms for an instance that had been submitted before.
    repeated: AtomicUsize,
}

impl Fleet {
    /// How many instances were submitted more than once.
    pub fn repeated(&self) -> usize {
        self.repeated.load(Ordering::Relaxed)
    }

    /// The answer to `form`; `None`: it comes with no token of an account here.
    pub fn answer(&self, form: &str) -> Option<String> {
        let account = Account::parse(field(form, "auth")?)?;
        let answer = match field(form, "func").unwrap_or_default() {
            "whoami" => format!(
                r#"{{"doc":{{"user":{{"$id":"{}","$email":"bench@example.com"}}}}}}"#,
                account.id()
            ),
            "instances" => {
                let number = field(form, "p_num").and_then(|number| number.parse().ok());
                self.page(account, number.unwrap_or(1))
            }
            "instances.fleio.rebuild" if field(form, "sok").is_some() => {
                let service = field(form, "elid").and_then(|elid| elid.parse().ok());
                self.submit(service?);
                OK.to_owned()
            }
            "instances.fleio.rebuild" => format!(
                r#"{{"doc":{{"slist":[{{"$name":"select_rebuild","val":[{{"$key":"{IMAGE}","$":"AlmaLinux-8","$depend":"pub"}}]}}]}}}}"#
            ),
            _ => OK.to_owned(),
        };
        Some(answer)
    }

    fn submit(&self, service: usize) {
        let mut submitted = self
            .submitted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if submitted.insert(service, Instant::now()).is_some() {
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn page(&self, account: Account, number: usize) -> String {
        let first = (number.max(1) - 1) * PAGE_ROWS;
        let shown = first..account.instances.min(first + PAGE_ROWS);
        let mut page = String::with_capacity(200 * PAGE_ROWS);
        page.push_str(r#"{"doc":{"#);
        if !shown.is_empty() {
            page.push_str(r#""elem":["#);
            let submitted = self
                .submitted
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            for index in shown.clone() {
                let service = service(account.first() + index);
                let (status, image) = match submitted.get(&service) {
                    None => ("active", "CentOS-7"),
                    Some(at) if at.elapsed() < REBUILD => ("rebuilding", "CentOS-7"),
                    Some(_) => ("active", "AlmaLinux-8"),
                };
                let comma = if index == shown.start { "" } else { "," };
                let _ = write!(
                    page,
                    r#"{comma}{{"id":{{"$":"{service}"}},"instance_status":{{"$":"{status}"}},"instances_os":{{"$":"{image}"}},"servername":{{"$":"web-{index}"}}}}"#
                );
            }
            page.push_str("],");
        }
        let instances = account.instances;
        let _ = write!(
            page,
            r#""p_cnt":{{"$":"{PAGE_ROWS}"}},"p_num":{{"$":"{number}"}},"p_elems":{{"$":"{instances}"}}}}}}"#
        );
        page
    }
}

/// The value of a field of a multipart form.
fn field<'a>(form: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = form.split_once(&format!("name=\"{name}\"\r\n\r\n"))?;
    rest.split("\r\n").next()
}
