//! The client against real sockets, and its table walked row by row.

mod calls;
mod classification;
mod documents;
mod long_requests;
mod network;
mod server;
mod statuses;
mod words;
