//! Secrets taken out of foreign messages.
//!
//! The API may echo what it was sent, so a message is searched for the secrets of its own call
//! before anybody can see it.

use std::borrow::Cow;

/// What stands where a secret stood.
const MASK: &str = "***";

/// `text` without any of the `secrets`, as they are or escaped for JSON or HTML.
pub(super) fn redact<'a>(text: &'a str, secrets: &[&str]) -> Cow<'a, str> {
    let mut clean = Cow::Borrowed(text);
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        for spelling in [
            Cow::Borrowed(*secret),
            json(secret).into(),
            html(secret).into(),
        ] {
            if clean.contains(&*spelling) {
                clean = clean.replace(&*spelling, MASK).into();
            }
        }
    }
    clean
}

fn json(secret: &str) -> String {
    let quoted = serde_json::Value::from(secret).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn html(secret: &str) -> String {
    secret
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        let secret = r#"Pa"ss<1>\&"#;
        for message in [
            r#"bad value Pa"ss<1>\& given"#,
            r#"bad value Pa\"ss<1>\\& given"#,
            r"bad value Pa&quot;ss&lt;1&gt;\&amp; given",
        ] {
            assert_eq!(redact(message, &["", secret]), "bad value *** given");
        }
        assert_eq!(redact("nothing here", &["", secret]), "nothing here");
    }
}
