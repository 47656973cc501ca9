//! The API client: what is sent, over which session, and what every possible answer means.
//!
//! The one fact to know: a rebuild may be sent again only where the answer *proves* that nothing
//! was done. So this module never retries, never renews a session and never follows a redirect by
//! itself; it sends once and says exactly what it saw ([`Answer`]). Whoever calls decides.
//!
//! | file | what it is for |
//! |---|---|
//! | `endpoint` | the API's address, in one spelling |
//! | `form` | the fields of each function |
//! | `wire` | the moment at which a form is handed to the connection |
//! | `client` | session and calls; the only place that knows how reqwest is set up |
//! | `wiped` | bytes that held a password, and hold it no longer |
//! | `proxy` | what stands between here and the API |
//! | `answer` | what an HTTP answer means: the table |
//! | `verdict` | what a document says: whose answer it is, and where its `ok` leads |
//! | `lenient` | bytes in any charset, broken or not → text |
//! | `fault` | what went wrong outside that table, each with its word |
//! | `incurable` | those of them that no retry can cure |
//! | `long_request` | the page that stands in for an answer which takes long |
//! | `retry_after` | how long the API asks to be left alone |
//! | `redact` | secrets taken out of the API's own words |
//! | `shape` | the API's JSON: every scalar wrapped, every list maybe single |
//! | `instances`, `preview`, `session` | what the documents of the read-only functions hold |
//!
//! Nothing here was ever tried against the live API: the facts are the vendor's article
//! "API – Operation Rebuild" and what public clients read from the answers.

mod answer;
mod client;
mod endpoint;
mod fault;
mod form;
mod incurable;
mod instances;
mod lenient;
mod long_request;
mod preview;
mod proxy;
mod redact;
mod retry_after;
mod session;
mod shape;
mod verdict;
mod wiped;
mod wire;

#[cfg(test)]
mod classification_tests;
#[cfg(test)]
mod socket_tests;

pub use answer::{Answer, Keepalive, LoginError, ReadError};
pub use client::{Client, ClientError, Credentials, Read, Rebuild, Reply, Settings, Submitted};
pub use endpoint::{Endpoint, EndpointError};
pub use incurable::Incurable;
pub use instances::{Instance, Page};
pub use preview::{Image, Preview, SshKey};
pub use verdict::HalfSession;
pub use wire::Sent;
