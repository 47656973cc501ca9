//! Characters that XML cannot hold, as Excel writes them: `_x000D_`.

use std::borrow::Cow;

/// `text` with each `_xHHHH_` as the character that it stands for; Excel writes an underscore that
/// would look like the beginning of one as `_x005F_`.
pub fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains("_x") {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("_x") {
        let (before, candidate) = rest.split_at(at);
        plain.push_str(before);
        if let Some(character) = escaped(candidate) {
            plain.push(character);
            rest = &candidate[7..];
        } else {
            plain.push_str("_x");
            rest = &candidate[2..];
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// The character of `_xHHHH_`, with which `text` may begin.
fn escaped(text: &str) -> Option<char> {
    let bytes = text.as_bytes();
    let digits = bytes.get(2..6)?;
    if bytes.get(6) != Some(&b'_') || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let code = u32::from_str_radix(&text[2..6], 16).ok()?;
    // Half of a pair is no character, and is left as it stands.
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_is_one_character_and_an_escaped_underscore_is_one() {
        for (text, plain) in [
            ("Mypassword1", "Mypassword1"),
            ("a_x000D_b", "a\rb"),
            ("a_x005F_x000D_b", "a_x000D_b"),
            ("_x0041__x0042_", "AB"),
            ("_x004_", "_x004_"),
            ("_x00g1_", "_x00g1_"),
            ("_xD83D_", "_xD83D_"),
            ("_x_x0041_", "_xA"),
            ("é_x00e9_", "éé"),
            ("_x", "_x"),
        ] {
            assert_eq!(unescaped(text), plain, "{text}");
        }
    }
}
