//! What the answer to a login holds (`func=auth`).

use secrecy::SecretString;
use serde::Deserialize;

use super::answer::LoginError;
use super::call_error::CallError;
use super::claims::{HalfSession, half_session};
use super::shape::{self, Many, Text};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Login<'a> {
    #[serde(borrow)]
    auth: Many<Auth<'a>>,
    #[serde(borrow)]
    ok: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth<'a> {
    #[serde(borrow, rename = "$id")]
    id: Text<'a>,
    #[serde(borrow, rename = "$")]
    text: Text<'a>,
}

/// What the answer to a login holds.
pub(super) struct LoggedIn {
    /// `None`: only what comes next was said.
    pub(super) token: Option<SecretString>,
    /// A one-time code comes next; until then the token is good for nothing else.
    pub(super) wants_code: bool,
}

pub(super) fn read(body: &str) -> Result<LoggedIn, LoginError> {
    let login: Login<'_> = shape::document(body)
        .map_err(|error| LoginError::Failed(CallError::json(&error).into()))?;
    let wants_code = half_session(login.ok.trimmed()) == Some(HalfSession::SecondFactor);
    let auth = login.auth.0.first();
    let token = auth
        .and_then(|auth| auth.id.filled().or(auth.text.filled()))
        .map(SecretString::from);
    if token.is_none() && !wants_code {
        return Err(LoginError::NoToken);
    }
    Ok(LoggedIn { token, wants_code })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    /// The token, and whether a code comes next.
    fn read(json: &str) -> Result<(Option<String>, bool), LoginError> {
        super::read(json).map(|login| {
            let token = login.token.map(|token| token.expose_secret().to_owned());
            (token, login.wants_code)
        })
    }

    #[test]
    fn the_token_is_the_id_or_the_text_of_auth() {
        for json in [
            r#"{"doc":{"auth":{"$id":"abc","$level":"16","$":"def"},"tparams":{"username":{"$":"u"}}}}"#,
            r#"{"doc":{"auth":{"$":" abc "}}}"#,
            r#"{"doc":{"auth":[{"$id":"abc"}]}}"#,
        ] {
            assert_eq!(read(json), Ok((Some("abc".to_owned()), false)), "{json}");
        }
    }

    #[test]
    fn an_answer_without_a_token_says_so() {
        assert_eq!(read(r#"{"doc":{}}"#), Err(LoginError::NoToken));
        assert_eq!(read(r#"{"doc":{"auth":{}}}"#), Err(LoginError::NoToken));
        assert_eq!(
            read(r#"{"doc":{"auth":{"$id":"temporary"},"ok":{"$":"func=totp.confirm"}}}"#),
            Ok((Some("temporary".to_owned()), true))
        );
        assert_eq!(
            read(r#"{"doc":{"ok":{"$":"func=totp.confirm"}}}"#),
            Ok((None, true))
        );
        // As everywhere else.
        for ok in ["func=totpconfirm", "func=sms.confirm", "second factor"] {
            let json = format!(r#"{{"doc":{{"auth":{{"$id":"half"}},"ok":{{"$":"{ok}"}}}}}}"#);
            assert_eq!(read(&json), Ok((Some("half".to_owned()), true)), "{ok}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(json in r#"\{"doc":\{"auth":[\[\]{}":,a-z0-9$]{0,60}"#) {
            let _ = super::read(&json);
        }
    }
}
