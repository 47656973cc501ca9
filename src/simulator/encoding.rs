//! Right answers with broken characters, in other charsets, or compressed; and the encodings in
//! which an answer may bring back a secret.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use encoding_rs::Encoding;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Something that an owner may have called an instance.
const RUSSIAN: &str = "\u{41c}\u{430}\u{433}\u{430}\u{437}\u{438}\u{43d}";
/// Where people's texts stand in a document: the name of a row, the words of an error.
const PLACES: [&str; 2] = ["\"servername\":{\"$\":\"", "\"msg\":{\"$\":\""];
/// The beginning of every document: where a text goes that has no place of its own.
const HEAD: &str = "{\"doc\":{";

/// Puts `bytes`, as they are, at the beginning of the first text for people in `document`; a
/// document without such a text gets one.
pub(super) fn spoil(document: &[u8], bytes: &[u8]) -> Vec<u8> {
    let found = |place: &str| {
        let place = place.as_bytes();
        let position = document
            .windows(place.len())
            .position(|window| window == place);
        position.map(|position| position + place.len())
    };
    if let Some(at) = PLACES.into_iter().find_map(found) {
        return [&document[..at], bytes, &document[at..]].concat();
    }
    let Some(at) = found(HEAD) else {
        return document.to_vec();
    };
    let [before, after] = [&b"\"title\":{\"$\":\""[..], &b"\"},"[..]];
    [&document[..at], before, bytes, after, &document[at..]].concat()
}

/// Half a surrogate pair, as JSON escapes it.
pub(super) fn half_surrogate(document: &[u8]) -> Vec<u8> {
    spoil(document, b"shop \\ud83d ")
}

/// A UTF-8 sequence without its end.
pub(super) fn cut_utf8(document: &[u8]) -> Vec<u8> {
    spoil(document, &RUSSIAN.as_bytes()[..7])
}

/// Characters that JSON wants escaped.
pub(super) fn control_characters(document: &[u8]) -> Vec<u8> {
    spoil(document, b"shop\x07 \x1b[31m\x00\x01 ")
}

/// The document in another charset, with a text in it that other charsets spell differently.
pub(super) fn recoded(document: &[u8], charset: &'static Encoding) -> Vec<u8> {
    let text = spoil(document, RUSSIAN.as_bytes());
    charset
        .encode(&String::from_utf8_lossy(&text))
        .0
        .into_owned()
}

pub(super) fn gzip(document: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(document).expect("it goes into memory");
    encoder.finish().expect("it goes into memory")
}

/// A page of about `bytes` that looks like nothing but the beginnings of links.
pub(super) fn link_storm(bytes: usize) -> Vec<u8> {
    let mut page = b"<html><body>".to_vec();
    while page.len() < bytes {
        page.extend_from_slice(b"href= href=\"/long ");
    }
    page
}

/// `secret` in every encoding in which an answer may bring it back.
pub(super) fn encodings(secret: &str) -> Vec<String> {
    let each = |form: fn(&mut String, char)| {
        let mut text = String::new();
        for character in secret.chars() {
            form(&mut text, character);
        }
        text
    };
    let mut percent = String::new();
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() {
            percent.push(char::from(byte));
        } else {
            let _ = write!(percent, "%{byte:02X}");
        }
    }
    vec![
        secret.to_owned(),
        percent.replace("%20", "+"),
        percent,
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        each(|text, c| match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            other => text.push(other),
        }),
        each(|text, c| {
            let _ = write!(text, "&#{};", u32::from(c));
        }),
        each(|text, c| {
            let _ = write!(text, "&#x{:x};", u32::from(c));
        }),
        each(|text, c| {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }),
    ]
}

/// `text` with each `{secrets}` replaced by all encodings of `secrets`.
pub(super) fn with_secrets<'a>(text: Cow<'a, str>, secrets: &[&str]) -> Cow<'a, str> {
    const PLACE: &str = "{secrets}";
    if !text.contains(PLACE) {
        return text;
    }
    let all: Vec<_> = secrets
        .iter()
        .flat_map(|secret| encodings(secret))
        .collect();
    text.replace(PLACE, &all.join(" ")).into()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    const ROW: &[u8] = b"{\"doc\":{\"elem\":[{\"servername\":{\"$\":\"web\"}}]}}";

    fn contains(haystack: &[u8], needle: &[u8]) -> bool {
        haystack.windows(needle.len()).any(|part| part == needle)
    }

    #[test]
    fn a_text_for_people_is_spoiled_and_the_rest_stays() {
        let spoiled = half_surrogate(ROW);
        assert!(contains(&spoiled, b"{\"$\":\"shop \\ud83d web\"}"));
        assert!(serde_json::from_slice::<serde_json::Value>(&spoiled).is_err());
        let error = b"{\"doc\":{\"error\":{\"msg\":{\"$\":\"no\"}}}}";
        assert!(std::str::from_utf8(&cut_utf8(error)).is_err());
        assert!(contains(&control_characters(error), b"\x1b[31m\x00"));
        // A document without a text gets one.
        let ok = spoil(b"{\"doc\":{\"ok\":{}}}", b"\xff");
        assert_eq!(ok, b"{\"doc\":{\"title\":{\"$\":\"\xff\"},\"ok\":{}}}");
    }

    #[test]
    fn another_charset_says_the_same() {
        for charset in [encoding_rs::WINDOWS_1251, encoding_rs::KOI8_R] {
            let bytes = recoded(ROW, charset);
            assert!(std::str::from_utf8(&bytes).is_err());
            let (text, _, damaged) = charset.decode(&bytes);
            assert!(
                !damaged && text.contains(&format!("{RUSSIAN}web")),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let mut text = Vec::new();
        let packed = gzip(ROW);
        let mut decoder = flate2::read::GzDecoder::new(&packed[..]);
        decoder.read_to_end(&mut text).unwrap();
        assert_eq!(text, ROW);
    }

    #[test]
    fn a_secret_comes_back_in_every_usual_encoding() {
        let text = with_secrets("not {secrets}!".into(), &["p&s W\"d"]);
        for form in [
            "not p&s W\"d ",
            "p%26s%20W%22d",
            "p%26s+W%22d",
            "cCZzIFciZA==",
            "p&amp;s W&quot;d",
            "&#112;&#38;",
            "&#x70;&#x26;",
            "\\u0070\\u0026",
        ] {
            assert!(text.contains(form), "{form} is not in {text}");
        }
        assert_eq!(with_secrets("none".into(), &["x"]), "none");
    }
}
