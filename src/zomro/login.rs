//! What the answer to a login holds (`func=auth`).

use secrecy::SecretString;
use serde::Deserialize;

use super::answer::LoginError;
use super::call_error::CallError;
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

pub(super) fn token(body: &str) -> Result<SecretString, LoginError> {
    let login: Login<'_> = shape::document(body)
        .map_err(|error| LoginError::Failed(CallError::json(&error).into()))?;
    // The panel's way to say that a one-time code comes next.
    if login.ok.trimmed().contains("totp") {
        return Err(LoginError::SecondFactor);
    }
    let auth = login.auth.0.first();
    auth.and_then(|auth| auth.id.filled().or(auth.text.filled()))
        .map(SecretString::from)
        .ok_or(LoginError::NoToken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    fn read(json: &str) -> Result<String, LoginError> {
        token(json).map(|token| token.expose_secret().to_owned())
    }

    #[test]
    fn the_token_is_the_id_or_the_text_of_auth() {
        for json in [
            r#"{"doc":{"auth":{"$id":"abc","$level":"16","$":"def"},"tparams":{"username":{"$":"u"}}}}"#,
            r#"{"doc":{"auth":{"$":" abc "}}}"#,
            r#"{"doc":{"auth":[{"$id":"abc"}]}}"#,
        ] {
            assert_eq!(read(json).as_deref(), Ok("abc"), "{json}");
        }
    }

    #[test]
    fn an_answer_without_a_token_says_so() {
        assert_eq!(read(r#"{"doc":{}}"#), Err(LoginError::NoToken));
        assert_eq!(read(r#"{"doc":{"auth":{}}}"#), Err(LoginError::NoToken));
        assert_eq!(
            read(r#"{"doc":{"auth":{"$id":"temporary"},"ok":{"$":"func=totp.confirm"}}}"#),
            Err(LoginError::SecondFactor)
        );
    }

    proptest! {
        #[test]
        fn no_body_panics(json in r#"\{"doc":\{"auth":[\[\]{}":,a-z0-9$]{0,60}"#) {
            let _ = token(&json);
        }
    }
}
