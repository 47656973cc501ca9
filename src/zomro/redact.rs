//! Secrets taken out of foreign messages.
//!
//! The API may echo what it was sent, so a message is searched for the secrets of its own call before
//! anybody can see it: as they are, and in whatever a server makes of a text before it prints it
//! (URL, HTML, JSON, one within another; base64). What is matched is each character in any of its
//! spellings, since every server has its own idea of which characters need one.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use zeroize::Zeroizing;

/// What stands where a secret stood.
const MASK: &str = "***";

/// Only the beginning of a message is searched; what is shown of it is far shorter.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// Encodings within encodings that are looked through: JSON in a URL, HTML of a JSON text, …
const DEPTH_MAX: u32 = 2;

/// Base64 of a secret within a longer text begins and ends with characters that belong to its
/// neighbours too; what is left must be long enough not to be found everywhere.
const BASE64_PIECE_MIN: usize = 8;

/// `text` without any of the `secrets`.
pub(super) fn redact<'a>(text: &'a str, secrets: &[&str]) -> Cow<'a, str> {
    let mut clean = Cow::Borrowed(&text[..text.floor_char_boundary(TEXT_BYTES_MAX)]);
    let is_cut = clean.len() < text.len();
    let mut speller = Speller::default();
    for (nth, secret) in secrets.iter().enumerate() {
        if secret.is_empty() || secrets[..nth].contains(secret) {
            continue;
        }
        clean = masked(clean, secret, &mut speller);
        for piece in base64_pieces(secret) {
            clean = masked(clean, &piece, &mut speller);
        }
    }
    if is_cut {
        // A secret that is cut off at the end is not found, so the end is not shown.
        let longest = secrets.iter().map(|secret| secret.len()).max();
        let end = clean.len().saturating_sub(longest.unwrap_or(0) * 12);
        clean = clean[..clean.floor_char_boundary(end)].to_owned().into();
    }
    clean
}

fn masked<'a>(text: Cow<'a, str>, secret: &str, speller: &mut Speller) -> Cow<'a, str> {
    speller.learn(secret);
    speller.learn(MARKS);
    let mut clean = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        match speller.longest_match(&text[at..], secret) {
            Some(length) => {
                clean.push_str(&text[copied..at]);
                clean.push_str(MASK);
                at += length;
                copied = at;
            }
            None => at += character.len_utf8(),
        }
    }
    if copied == 0 {
        return text;
    }
    clean.push_str(&text[copied..]);
    Cow::Owned(clean)
}

/// What spellings are made of beside letters and digits.
const MARKS: &str = "%&\\+#;\"'";

/// The spellings of characters, as far as they were asked for.
#[derive(Default)]
struct Speller(HashMap<char, Vec<String>>);

impl Speller {
    fn learn(&mut self, characters: &str) {
        for character in characters.chars() {
            self.0
                .entry(character)
                .or_insert_with(|| spellings(character));
        }
    }

    /// How many bytes at the beginning of `text` spell `secret`.
    fn longest_match(&self, text: &str, secret: &str) -> Option<usize> {
        let mut ends = vec![0];
        for character in secret.chars() {
            let mut next = Vec::new();
            for end in ends {
                self.spelled(&text[end..], character, DEPTH_MAX, &mut |length| {
                    next.push(end + length);
                });
            }
            next.sort_unstable();
            next.dedup();
            if next.is_empty() {
                return None;
            }
            ends = next;
        }
        ends.last().copied().filter(|length| *length > 0)
    }

    /// Calls `found` with the length of each spelling of `character` with which `text` begins.
    fn spelled(&self, text: &str, character: char, depth: u32, found: &mut dyn FnMut(usize)) {
        if text.starts_with(character) {
            found(character.len_utf8());
        }
        // Every spelling begins with one of these, or with one of them spelled in turn.
        if depth > 0 && text.starts_with(['%', '&', '\\', '+']) {
            for spelling in self.0.get(&character).into_iter().flatten() {
                self.follow(text, spelling, 0, depth - 1, found);
            }
        }
    }

    /// The same for what is left of one spelling, `at` bytes into `text`.
    fn follow(
        &self,
        text: &str,
        spelling: &str,
        at: usize,
        depth: u32,
        found: &mut dyn FnMut(usize),
    ) {
        let mut parts = spelling.chars();
        let Some(part) = parts.next() else {
            found(at);
            return;
        };
        let rest = &text[at..];
        if part.is_ascii_alphanumeric() {
            // Letters and digits of an encoding, in either case.
            if rest.starts_with(|c: char| c.eq_ignore_ascii_case(&part)) {
                self.follow(text, parts.as_str(), at + 1, depth, found);
            }
        } else {
            self.spelled(rest, part, depth, &mut |length| {
                self.follow(text, parts.as_str(), at + length, depth, found);
            });
        }
    }
}

/// What servers write for a character.
fn spellings(character: char) -> Vec<String> {
    let code = u32::from(character);
    let mut utf8 = [0; 4];
    let utf8 = character.encode_utf8(&mut utf8);
    let mut utf16 = [0; 2];
    let utf16 = character.encode_utf16(&mut utf16);
    let mut spellings = vec![
        joined(utf8.bytes(), |byte| format!("%{byte:02x}")),
        joined(utf8.bytes(), |byte| format!("\\x{byte:02x}")),
        joined(utf16.iter(), |unit| format!("\\u{unit:04x}")),
        format!("&#{code};"),
        format!("&#0{code};"),
        format!("&#x{code:x};"),
        format!("&#x0{code:x};"),
        format!("&#x{code:04x};"),
    ];
    let named: &[&str] = match character {
        ' ' => &["+", "&nbsp;"],
        '&' => &["&amp;"],
        '<' => &["&lt;"],
        '>' => &["&gt;"],
        '"' => &["&quot;", "\\\""],
        '\'' => &["&apos;", "\\'"],
        '\\' => &["\\\\", "&bsol;"],
        '/' => &["\\/", "&sol;"],
        '\t' => &["\\t"],
        '\n' => &["\\n"],
        '\r' => &["\\r"],
        _ => &[],
    };
    spellings.extend(named.iter().map(|&name| name.to_owned()));
    spellings
}

fn joined<T>(units: impl Iterator<Item = T>, spell: impl Fn(T) -> String) -> String {
    units.map(spell).collect::<Vec<_>>().concat()
}

/// The secret as base64: by itself, with a line feed behind it, and within a longer text.
fn base64_pieces(secret: &str) -> Vec<Zeroizing<String>> {
    let mut pieces = Vec::new();
    for engine in [&STANDARD, &URL_SAFE] {
        let whole = Zeroizing::new(engine.encode(secret));
        let bare = whole.trim_end_matches('=');
        // A text of one or two bytes has no spelling of its own.
        if bare.len() >= BASE64_PIECE_MIN {
            pieces.push(whole.clone());
            pieces.push(Zeroizing::new(bare.to_owned()));
        }
        for before in 0..3 {
            let padded = Zeroizing::new(format!("{}{secret}", &"\0\0"[..before]));
            let encoded = Zeroizing::new(engine.encode(padded.as_bytes()));
            // Six bits a character: the first whole one of the secret, and behind the last.
            let first = (before * 8).div_ceil(6);
            let last = padded.len() * 8 / 6;
            if last.saturating_sub(first) >= BASE64_PIECE_MIN {
                pieces.push(Zeroizing::new(encoded[first..last].to_owned()));
            }
        }
    }
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
    pieces.dedup();
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = r#"Pa"ss <1>\&é/+~"#;

    fn url(keep: &str, space: &str) -> String {
        let encoded = SECRET.bytes().map(|byte| match char::from(byte) {
            ' ' => space.to_owned(),
            character if character.is_ascii_alphanumeric() || keep.contains(character) => {
                character.to_string()
            }
            _ => format!("%{byte:02X}"),
        });
        encoded.collect()
    }

    fn html(quote: &str) -> String {
        SECRET
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', quote)
    }

    fn json(text: &str) -> String {
        let quoted = serde_json::Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    }

    /// The same with the digits of its escapes in lower case. The case of other letters is the
    /// secret's own.
    fn lower_escapes(text: &str, mark: &str, digits: usize) -> String {
        let mut parts = text.split(mark);
        let mut lower = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (escape, rest) = part.split_at(digits);
            lower.extend([mark, &escape.to_lowercase(), rest]);
        }
        lower
    }

    #[test]
    fn a_secret_is_found_in_every_usual_spelling() {
        let unicode = joined(SECRET.encode_utf16(), |unit| format!("\\u{unit:04X}"));
        for spelling in [
            SECRET.to_owned(),
            url("", "%20"),
            url("", "+"),
            url("-._~", "+"),
            lower_escapes(&url("~/", "%20"), "%", 2),
            html("&quot;"),
            html("&#34;"),
            html("&#x22;").replace('é', "&#xE9;"),
            json(SECRET),
            json(SECRET).replace('/', r"\/").replace('é', r"\u00e9"),
            lower_escapes(&unicode, "\\u", 4),
            unicode,
            json(&json(SECRET)),
            json(&html("&quot;")),
            html("&quot;").replace('&', "&amp;"),
            url("", "%20").replace('%', "%25"),
            STANDARD.encode(SECRET),
            STANDARD.encode(SECRET).trim_end_matches('=').to_owned(),
            URL_SAFE.encode(SECRET),
            STANDARD.encode(SECRET).replace('/', r"\/"),
            STANDARD
                .encode(SECRET)
                .replace('=', "%3D")
                .replace('+', "%2B"),
        ] {
            assert_eq!(
                redact(&format!("bad value {spelling} given"), &["", SECRET]),
                "bad value *** given",
                "{spelling}"
            );
        }
        for before in ["", "a", "ab", "user:"] {
            let text = STANDARD.encode(format!("{before}{SECRET}, and more"));
            let clean = redact(&text, &[SECRET]).into_owned();
            assert!(clean.contains(MASK), "{text}: {clean}");
        }
        for innocent in ["nothing here", "Pa", "UGEic3M=", "%50%61"] {
            assert_eq!(redact(innocent, &["", SECRET]), innocent);
        }
    }

    // Field case A12.
    #[test]
    fn however_long_a_message_is_the_search_looks_at_its_beginning_only() {
        // A search through all of it that is not linear would not end.
        for text in ["Secret7", "%53", "\\u0053", "&#83;", "&amp;", "%25"] {
            let text = text.repeat((1 << 25) / text.len());
            assert!(redact(&text, &["Secret77"; 3]).len() <= TEXT_BYTES_MAX);
        }
    }

    #[test]
    fn a_secret_that_is_cut_at_the_end_does_not_show_its_beginning() {
        for filler in 0..100 {
            let text = format!(
                "{}{}",
                "x".repeat(TEXT_BYTES_MAX - filler),
                "Secret77".repeat(9)
            );
            assert!(!redact(&text, &["Secret77"]).contains("Se"), "{filler}");
        }
    }

    proptest! {
        #[test]
        fn no_text_keeps_a_secret(before: String, after: String, secret in "[ -~]{8,24}") {
            let clean = redact(&format!("{before}{secret}{after}"), &[&secret]).into_owned();
            prop_assert!(!clean.contains(&secret) || MASK.contains(&secret));
        }
    }
}
