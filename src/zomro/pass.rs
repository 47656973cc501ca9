//! How a call says whose it is.

/// What a call carries: the token of a session, or name and password.
#[derive(Clone, Copy)]
pub(super) enum Pass<'a> {
    Session(&'a str),
    /// `name:password`
    AuthInfo(&'a str),
}

impl<'a> Pass<'a> {
    /// The field's name, and its value.
    pub(super) fn field(self) -> (&'static str, &'a str) {
        match self {
            Self::Session(token) => ("auth", token),
            Self::AuthInfo(pair) => ("authinfo", pair),
        }
    }
}
