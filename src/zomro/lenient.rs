//! Bytes of an answer → text that the JSON reader takes: one broken character must not hide a whole
//! account, and a refusal in another charset is a refusal.
//!
//! What is broken becomes U+FFFD. Ids, statuses and evidence are read strictly, and one that holds
//! this character is not accepted.

use std::borrow::Cow;
use std::io::Read as _;

use encoding_rs::{Encoding, UTF_8};
use flate2::read::MultiGzDecoder;
use zeroize::{Zeroize as _, Zeroizing};

use super::call_error::CallError;
use super::wiped::Wiped;

/// The text of a body whose `Content-Type` is given. `bytes_max`: what a gzip may unpack to.
pub(super) fn text(
    body: Wiped,
    content_type: Option<&str>,
    bytes_max: usize,
) -> Result<String, CallError> {
    let body = unpacked(body, bytes_max)?;
    let declared = content_type.and_then(charset).unwrap_or(UTF_8);
    // A byte order mark is stronger than the header, here as in browsers.
    let (text, _, _) = declared.decode(body.as_ref());
    Ok(match mended(&text) {
        Cow::Borrowed(_) => text.into_owned(),
        Cow::Owned(mended) => {
            if let Cow::Owned(mut broken) = text {
                broken.zeroize();
            }
            mended
        }
    })
}

/// gzip is recognised by its first bytes. The header is not looked at, because servers write it in
/// many ways.
fn unpacked(body: Wiped, bytes_max: usize) -> Result<Wiped, CallError> {
    if !body.as_ref().starts_with(&[0x1f, 0x8b]) {
        return Ok(body);
    }
    let mut packed = MultiGzDecoder::new(body.as_ref());
    let mut plain = Wiped::with_capacity(body.len().saturating_mul(4).min(bytes_max));
    let mut piece = Zeroizing::new([0; 1 << 14]);
    loop {
        match packed.read(piece.as_mut_slice()) {
            Ok(0) => return Ok(plain),
            Ok(count) if plain.len() + count > bytes_max => {
                return Err(CallError::BodyTooLarge { max: bytes_max });
            }
            Ok(count) => plain.push(&piece[..count]),
            Err(error) => return Err(CallError::Truncated(error.to_string())),
        }
    }
}

/// What `charset=` says, if it is one of the Web's charsets.
fn charset(content_type: &str) -> Option<&'static Encoding> {
    let parameters = content_type.split(';').skip(1);
    let label = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?
        .1;
    Encoding::for_label(label.trim().trim_matches(['"', '\'']).as_bytes())
}

/// JSON strings hold neither raw control characters nor half of a surrogate pair. What does becomes
/// U+FFFD; white space stays white space.
fn mended(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let mut mended = String::new();
    let mut copied = 0;
    let mut in_string = false;
    let mut at = 0;
    while at < bytes.len() {
        let (length, replacement) = match bytes[at] {
            b'"' => {
                in_string = !in_string;
                (1, None)
            }
            b'\\' if in_string => escape(&bytes[at..]),
            b'\t' | b'\n' | b'\r' if in_string => (1, Some(" ")),
            0..0x20 if in_string => (1, Some("\u{fffd}")),
            _ => (1, None),
        };
        if let Some(replacement) = replacement {
            // Both ends stand beside an ASCII character.
            mended.push_str(&json[copied..at]);
            mended.push_str(replacement);
            copied = at + length;
        }
        at += length;
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    mended.push_str(&json[copied..]);
    Cow::Owned(mended)
}

/// The length of an escape, and what stands for it if it is half of a surrogate pair.
fn escape(bytes: &[u8]) -> (usize, Option<&'static str>) {
    match unit(bytes) {
        None => (bytes.len().min(2), None),
        Some(0xd800..0xdc00) => match bytes.get(6..).and_then(unit) {
            Some(0xdc00..0xe000) => (12, None),
            Some(_) | None => (6, Some("\u{fffd}")),
        },
        Some(0xdc00..0xe000) => (6, Some("\u{fffd}")),
        Some(_) => (6, None),
    }
}

/// The UTF-16 unit that `\uXXXX` stands for.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn read(body: &[u8], content_type: Option<&str>) -> String {
        let mut bytes = Wiped::default();
        bytes.push(body);
        text(bytes, content_type, 1 << 20).unwrap()
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(plain).unwrap();
        packer.finish().unwrap()
    }

    // Field case D3.
    #[test]
    fn the_charset_of_the_header_is_obeyed() {
        let (word, cyrillic): (&str, &[u8]) = ("ошибка", b"\xee\xf8\xe8\xe1\xea\xe0");
        for content_type in [
            "application/json; charset=windows-1251",
            "application/json;Charset=\"Windows-1251\"",
            "text/html; x=y; charset = cp1251",
        ] {
            assert_eq!(read(cyrillic, Some(content_type)), word, "{content_type}");
        }
        let koi8: &[u8] = b"\xcf\xdb\xc9\xc2\xcb\xc1";
        assert_eq!(read(koi8, Some("text/plain; charset=koi8-r")), word);
        for content_type in [None, Some("application/json"), Some("x; charset=nonsense")] {
            assert_eq!(read(word.as_bytes(), content_type), word);
            assert_eq!(read(b"a\xffb", content_type), "a\u{fffd}b");
        }
        assert_eq!(
            read(b"\xff\xfeo\0k\0", None),
            "ok",
            "a byte order mark wins"
        );
    }

    // Field case D3.
    #[test]
    fn broken_characters_cost_themselves_and_nothing_else() {
        for (json, name) in [
            (r#"{"n":"shop \ud83d"}"#, "shop \u{fffd}"),
            (r#"{"n":"\udc00 shop"}"#, "\u{fffd} shop"),
            (r#"{"n":"\ud83d\ud83d\ude00"}"#, "\u{fffd}\u{1f600}"),
            (r#"{"n":"\\ud83d"}"#, "\\ud83d"),
            (r#"{"n":"\"\ud83d\""}"#, "\"\u{fffd}\""),
            ("{\"n\":\"a\u{1}b\tc\"}", "a\u{fffd}b c"),
            ("{\n\t\"n\":\"x\"}\r\n", "x"),
        ] {
            let value: serde_json::Value =
                serde_json::from_str(&read(json.as_bytes(), None)).unwrap();
            assert_eq!(value["n"], name, "{json}");
        }
    }

    // Field case D3.
    #[test]
    fn gzip_is_unpacked_and_bounded() {
        assert_eq!(read(&gzip(b"{\"doc\":{}}"), None), "{\"doc\":{}}");
        let bomb = gzip(&vec![b' '; 2 << 20]);
        let mut bytes = Wiped::default();
        bytes.push(&bomb);
        assert!(matches!(
            text(bytes, None, 1 << 20),
            Err(CallError::BodyTooLarge { .. })
        ));
        let mut cut = Wiped::default();
        cut.push(&bomb[..bomb.len() / 2]);
        assert!(matches!(
            text(cut, None, 4 << 20),
            Err(CallError::Truncated(_))
        ));
    }

    proptest! {
        #[test]
        fn whatever_was_json_stays_the_same(text in any::<String>()) {
            let json = serde_json::Value::from(text).to_string();
            prop_assert!(matches!(mended(&json), Cow::Borrowed(_)));
        }

        #[test]
        fn any_string_between_quotes_can_be_read_afterwards(
            bytes in prop::collection::vec(any::<u8>(), 0..64), halves in prop::collection::vec(0xd800..0xe000_u16, 0..4)
        ) {
            let mut json = b"\"".to_vec();
            json.extend(bytes.iter().filter(|byte| !matches!(byte, b'"' | b'\\')));
            for half in halves {
                json.extend(format!("\\u{half:04x}").bytes());
            }
            json.push(b'"');
            let json = read(&json, None);
            prop_assert!(serde_json::from_str::<String>(&json).is_ok() || json.starts_with(|c| c != '"'));
        }
    }
}
