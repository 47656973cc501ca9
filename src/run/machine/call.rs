//! What passes between the machine and the outside: steps to commit, calls to make, and their ends.

use super::witness::Sighting;
use crate::job::{ImageId, JobId, Owner, ServiceId, Transition};
use crate::witness::Look;
use crate::zomro::{
    Found, History, HistoryQuery, Keepalive, LoginError, Lookup, Page, Preview, Read, Submission,
    Submitted,
};

/// A step of a job, ready to be committed.
#[derive(Debug, Clone)]
pub struct Step {
    /// The instance.
    pub service: ServiceId,
    /// Its line in the manifest.
    pub line: u64,
    /// What it gets, if its action gives an image.
    pub image: Option<ImageId>,
    /// What the queue records.
    pub transition: Transition,
}

/// A call to make.
#[derive(Debug)]
pub enum Call {
    /// Open a session.
    Login,
    /// Give the session the one-time code that it waits for.
    Confirm,
    /// Ask whether the session lives, and whether anything gets through.
    Keepalive,
    /// Ask whose the session is, and so whether it is whole.
    Whoami,
    /// Ask whose the session is, for the account that it names.
    Owner,
    /// Read a page of the list.
    Page(u32),
    /// Ask for the name and zone of an image, through an instance that is to get it.
    Preview(ImageId, ServiceId),
    /// Read a document for itself.
    LookUp(Lookup),
    /// Read what the API has noted of a service, as a hint.
    History(Box<HistoryQuery>),
    /// Look at the SSH port of an instance: no call of the API.
    Look(ServiceId, Look),
    /// Submit an order. Its intent must have been committed.
    Submit(JobId, Box<Submission>),
}

/// A call that has ended.
#[derive(Debug)]
pub enum Finished {
    /// [`Call::Login`], [`Call::Confirm`]
    Login(Result<u64, LoginError>),
    /// [`Call::Keepalive`]
    Keepalive(Keepalive),
    /// [`Call::Whoami`]
    Whoami(Keepalive),
    /// [`Call::Owner`]
    Owner(Read<Option<Owner>>),
    /// [`Call::Page`]
    Page(u32, Read<Page>),
    /// [`Call::Preview`]
    Preview(ImageId, ServiceId, Read<Preview>),
    /// [`Call::LookUp`]
    LookUp(Lookup, Read<Found>),
    /// [`Call::History`]
    History(ServiceId, Read<History>),
    /// [`Call::Look`]
    Look(Sighting),
    /// [`Call::Submit`]
    Submit(ServiceId, Box<Submitted>),
}
