//! The API client: what is sent, over which session, and what every possible answer means.
//!
//! The one fact to know: a rebuild may be sent again only where the answer *proves* that nothing
//! was done. So this module never retries, never renews a session and never follows a redirect by
//! itself; it sends once and says exactly what it saw ([`Answer`]). Whoever calls decides.
//!
//! | file | what it is for |
//! |---|---|
//! | `endpoint` | the API's address, in one spelling |
//! | `settings` | how to reach the API, and as whom |
//! | `call` | what calls are made of, and what they give |
//! | `client` | session and calls: each method is one request |
//! | `session_token` | the token of the session that calls use |
//! | `password` | the password of the moment |
//! | `pass` | how a call says whose it is |
//! | `form` | the fields of each function |
//! | `wire` | the moment at which a form is handed to the connection |
//! | `transport` | HTTP; the only place that knows how reqwest is set up |
//! | `destination`, `proxy` | whom the calls go to, and what stands on the way |
//! | `wiped` | bytes that held a password, and hold it no longer |
//! | `finding` | what one HTTP answer says, whichever function was called |
//! | `meaning` | what a finding means for the function that was called |
//! | `answer` | what came of a call, as its caller is told |
//! | `claims` | what a document claims: whose answer it is, and where its `ok` leads |
//! | `api_error` | an error in the API's own words |
//! | `call_error` | what else went wrong, each with its word |
//! | `incurable` | those errors that no retry can cure |
//! | `long_request` | the page that stands in for an answer which takes long |
//! | `retry_after` | how long the API asks to be left alone |
//! | `redact` | secrets taken out of foreign messages |
//! | `lenient` | bytes in any charset, broken or not → text |
//! | `shape` | the API's JSON: every scalar wrapped, every list maybe single |
//! | `lookup` | documents that are read for themselves, and not for a run |
//! | `instances`, `preview`, `catalogue`, `login`, `owner` | what the documents of the read-only functions hold |
//! | `history` | the operations that the panel lists of a service: a guess, for people |
//! | `rows` | a page of any list |
//!
//! Nothing here was ever tried against the live API: the facts are the vendor's article
//! "API – Operation Rebuild" and what public clients read from the answers.

mod answer;
mod api_error;
mod call;
mod call_error;
mod catalogue;
mod choices;
mod claims;
mod client;
mod destination;
mod endpoint;
mod finding;
mod form;
mod history;
mod incurable;
mod instances;
mod lenient;
mod login;
mod long_request;
mod lookup;
mod meaning;
mod owner;
mod pass;
mod password;
mod preview;
mod proxy;
mod redact;
mod retry_after;
mod rows;
mod session_token;
mod settings;
mod shape;
mod submission;
mod transport;
mod wiped;
mod wire;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Keepalive, LoginError, ReadError};
pub use call::{Read, Reply, Submitted};
pub use catalogue::{DataCenter, OwnImage, OwnKey, OwnPage, Tariffs};
pub use claims::HalfSession;
pub use client::Client;
pub use endpoint::{Endpoint, EndpointError};
pub use history::{History, HistoryQuery, HistoryShape, InvalidHistory, Operation};
pub use incurable::Incurable;
pub use instances::{Instance, Page};
pub use lookup::{Found, Lookup};
pub use owner::{AccountField, InvalidAccountField};
pub use preview::{Image, Preview, SshKey};
pub use settings::{ClientError, Credentials, Settings, Source, Sources};
pub use submission::Submission;
pub use wire::{Gate, Sent};
